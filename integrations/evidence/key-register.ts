import { sha256Hex } from '../../core/digest.ts';
import type { EvidenceShelf } from '../../core/evidence-shelf.ts';
import { type EvidenceHold, incidentKeyPrefix, type KeptKey, type KeyName, type KeyRegister } from '../../core/incident-key.ts';
import { parsed, placeOf, readDestroyedKey, readWrappedKey, textBytes } from './incident-keys.ts';

const holdId = (incident: string): string => sha256Hex(incident).slice(0, 32);
const holdOf = (incident: string): string => `holds/${holdId(incident)}`;

/**
 * Which keys there are, beside the evidence: `keys/ID`, what is left of destroyed ones in `destroyed/ID`, and `holds/ID`. It opens no key, so it
 * needs none.
 */
export function createKeyRegister({
  shelf,
  now = () => new Date(),
}: {
  readonly shelf: EvidenceShelf;
  readonly now?: () => Date;
}): KeyRegister {
  // What a key says of itself never changes: each is read once.
  const names = new Map<string, KeyName>();

  const nameOf = async (id: string): Promise<KeyName | undefined> => {
    const known = names.get(id);
    if (known) return known;
    const bytes = await shelf.get(placeOf.key(id));
    const found = bytes && readWrappedKey(bytes);
    if (found?.id !== id) return undefined;
    const { incident, run, class: kind, madeAt } = found;
    const name: KeyName = { id, incident, run, class: kind, madeAt };
    names.set(id, name);
    return name;
  };

  const destroyed = async (id: string): Promise<KeptKey | undefined> => {
    const bytes = await shelf.get(placeOf.destroyed(id));
    const left = bytes && readDestroyedKey(bytes);
    if (left?.id !== id) return undefined;
    const { incident, run, class: kind, madeAt, destroyedAt, by, reason } = left;
    return { id, incident, run, class: kind, madeAt, destroyed: { destroyedAt, by, reason } };
  };

  const there = async (id: string, holds?: ReadonlySet<string>): Promise<KeptKey | undefined> => {
    const name = await nameOf(id);
    if (!name) return undefined;
    const hold = holds && !holds.has(holdId(name.incident)) ? undefined : await heldBy(shelf, name.incident);
    return { ...name, ...(hold && { hold }) };
  };

  const idsIn = async (folder: string, prefix = ''): Promise<readonly string[]> => {
    const ids: string[] = [];
    for await (const id of shelf.names(folder)) if (/^[0-9a-f]{32}$/.test(id) && id.startsWith(prefix)) ids.push(id);
    return ids;
  };

  return {
    async list(incident) {
      const prefix = incident === undefined ? '' : incidentKeyPrefix(incident);
      const ids = await idsIn('keys', prefix);
      const holds = new Set(await idsIn('holds'));
      const kept = await someAtATime(ids, (id) => there(id, holds));
      const isThere = new Set(ids);
      // Both there: somebody is about to destroy it, or was kept from it.
      const left = (await idsIn('destroyed', prefix)).filter((id) => !isThere.has(id));
      const all = [...kept, ...(await someAtATime(left, destroyed))].flatMap((key) => key ?? []);
      return all
        .filter((key) => incident === undefined || key.incident === incident)
        .sort((one, other) => one.madeAt.localeCompare(other.madeAt) || one.id.localeCompare(other.id));
    },

    async find(id) {
      if ((await shelf.get(placeOf.key(id))) === undefined) return destroyed(id);
      const [key, locked] = await Promise.all([there(id), shelf.locked(placeOf.key(id))]);
      return key && { ...key, ...(locked !== undefined && { locked }) };
    },

    async destroy({ id, incident, run, class: kind, madeAt }, { by, reason }) {
      const left = { id, incident, run, class: kind, madeAt, destroyedAt: now().toISOString(), by, reason };
      // Before: who finds the key gone must find out who did it.
      await shelf.add(placeOf.destroyed(id), textBytes(left));
      try {
        await shelf.remove(placeOf.key(id));
      } catch (error) {
        // It is there as before: the next one to destroy it says why anew.
        await shelf.remove(placeOf.destroyed(id)).catch(() => undefined);
        throw error;
      }
      names.delete(id);
    },

    async hold(hold) {
      await shelf.add(holdOf(hold.incident), textBytes(hold));
    },

    endHold: (incident) => shelf.remove(holdOf(incident)),
  };
}

/** In a bucket each takes some milliseconds. */
const atOnce = 16;

async function someAtATime<Result>(ids: readonly string[], look: (id: string) => Promise<Result>): Promise<readonly Result[]> {
  const found: Result[] = [];
  for (let from = 0; from < ids.length; from += atOnce)
    found.push(...(await Promise.all(ids.slice(from, from + atOnce).map(look))));
  return found;
}

async function heldBy(shelf: EvidenceShelf, incident: string): Promise<EvidenceHold | undefined> {
  const bytes = await shelf.get(holdOf(incident));
  if (bytes === undefined) return undefined;
  const value = parsed(bytes);
  const text = (name: string): string => (typeof value?.[name] === 'string' ? String(value[name]) : 'unknown');
  // Of a hold that cannot be read all that counts is that there is one.
  return { incident, since: text('since'), by: text('by'), reason: text('reason') };
}

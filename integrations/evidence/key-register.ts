import { hasCode } from '../../core/errors.ts';
import type { EvidenceShelf } from '../../core/evidence/evidence-shelf.ts';
import {
  type EvidenceHold,
  incidentKeyPrefix,
  type KeyName,
  type KeyRegister,
  keyNameOf,
  type RegisteredKey,
} from '../../core/evidence/incident-key.ts';
import { sha256Hex } from '../../core/text/digest.ts';
import { compareTexts } from '../../core/text/plain-json.ts';
import { parsed, placeOf, readDestroyedKey, readWrappedKey, textBytes } from './incident-keys.ts';

const holdId = (incident: string): string => sha256Hex(incident).slice(0, 32);
const holdOf = (incident: string): string => `holds/${holdId(incident)}`;
const endingOf = (incident: string): string => `holds/${sha256Hex(`end of the hold of\n${incident}`).slice(0, 32)}`;

/** Lists the keys stored next to the evidence: `keys/ID`, remains of destroyed ones in `destroyed/ID`, and `holds/ID`. It opens no key, so it needs none. */
export function createKeyRegister({
  shelf,
  now = () => new Date(),
}: {
  readonly shelf: EvidenceShelf;
  readonly now?: () => Date;
}): KeyRegister {
  // A key's own description never changes, so each is read once.
  const names = new Map<string, KeyName>();

  const nameIn = (id: string, bytes: Uint8Array | undefined): KeyName | undefined => {
    const found = bytes && readWrappedKey(bytes);
    if (found?.id !== id) return undefined;
    const name = keyNameOf(found);
    names.set(id, name);
    return name;
  };
  const nameOf = async (id: string): Promise<KeyName | undefined> =>
    names.get(id) ?? nameIn(id, await shelf.get(placeOf.key(id)));

  const holdOn = (incident: string) => heldBy(shelf, incident);

  const destroyed = async (id: string): Promise<RegisteredKey | undefined> => {
    const bytes = await shelf.get(placeOf.destroyed(id));
    const left = bytes && readDestroyedKey(bytes);
    if (left?.id !== id) return undefined;
    const { destroyedAt, by, reason } = left;
    return { ...keyNameOf(left), destroyed: { destroyedAt, by, reason } };
  };

  const there = async (name: KeyName | undefined, heldAs: typeof holdOn = holdOn): Promise<RegisteredKey | undefined> => {
    if (!name) return undefined;
    const hold = await heldAs(name.incident);
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
      // An incident has a key per class and run, so its hold is read once.
      const read = new Map<string, ReturnType<typeof holdOn>>();
      const heldAs = async (of: string) => {
        if (!holds.has(holdId(of))) return undefined;
        const hold = read.get(of) ?? holdOn(of);
        read.set(of, hold);
        return hold;
      };
      const kept = await someAtATime(ids, async (id) => there(await nameOf(id), heldAs));
      const isThere = new Set(ids);
      // Both exist: somebody is about to destroy the key, or was prevented from it.
      const left = (await idsIn('destroyed', prefix)).filter((id) => !isThere.has(id));
      const all = [...kept, ...(await someAtATime(left, destroyed))].flatMap((key) => key ?? []);
      return all
        .filter((key) => incident === undefined || key.incident === incident)
        .sort((one, other) => compareTexts(one.madeAt, other.madeAt) || compareTexts(one.id, other.id));
    },

    async find(id) {
      const bytes = await shelf.get(placeOf.key(id));
      if (bytes === undefined) return destroyed(id);
      const [key, locked] = await Promise.all([there(nameIn(id, bytes)), shelf.locked(placeOf.key(id))]);
      return key && { ...key, ...(locked !== undefined && { locked }) };
    },

    async destroy(key, { by, reason }) {
      const { id } = key;
      const left = { ...keyNameOf(key), destroyedAt: now().toISOString(), by, reason };
      // Written first: anyone who finds the key gone must find out who destroyed it.
      await shelf.add(placeOf.destroyed(id), textBytes(left));
      try {
        await shelf.remove(placeOf.key(id));
      } catch (error) {
        // If the removal was refused, the key is still there, and the next attempt states its own reason. Without an answer, the key may be gone.
        if (hasCode(error, 'FB_ERR_REFUSED')) await shelf.remove(placeOf.destroyed(id)).catch(() => undefined);
        throw error;
      }
      names.delete(id);
    },

    async hold(hold) {
      await shelf.add(holdOf(hold.incident), textBytes(hold));
    },

    async askToEnd({ incident, since }, { by, at }) {
      await shelf.remove(endingOf(incident));
      await shelf.add(endingOf(incident), textBytes({ incident, since, by, at }));
    },

    async endHold(incident) {
      // If this stops halfway, the remaining request names a hold that has ended, and applies to no other.
      await shelf.remove(holdOf(incident));
      await shelf.remove(endingOf(incident));
    },
  };
}

/** In a bucket each call takes some milliseconds. */
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
  // If a hold cannot be read, all that counts is that it exists.
  const hold = { incident, since: text('since'), by: text('by'), reason: text('reason') };
  const asked = await shelf.get(endingOf(incident));
  const ending = asked && parsed(asked);
  return ending?.incident === incident && ending.since === hold.since && isText(ending.by) && isText(ending.at)
    ? { ...hold, ending: { by: ending.by, at: ending.at } }
    : hold;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

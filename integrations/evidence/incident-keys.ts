import { randomBytes } from 'node:crypto';
import { FirebreakError } from '../../core/errors.ts';
import { evidenceClasses } from '../../core/evidence/evidence.ts';
import type { EvidenceShelf } from '../../core/evidence/evidence-shelf.ts';
import {
  type DestroyedKey,
  type IncidentKey,
  type IncidentKeys,
  incidentKeyId,
  type KeyName,
  type KeyWrap,
  wrappedFor,
} from '../../core/evidence/incident-key.ts';
import { canonicalJson } from '../../core/text/digest.ts';

/** `keys/ID` holds a wrapped key, and states what it is for. */
interface WrappedKey extends KeyName {
  readonly version: 1;
  /** Base64. */
  readonly wrapped: string;
}

/** Where a key is stored on the shelf, and where its remains are. */
export const placeOf = {
  key: (id: string): string => `keys/${checkedKeyId(id)}`,
  destroyed: (id: string): string => `destroyed/${checkedKeyId(id)}`,
} as const;

/** One random key per class of evidence kept for a run of an incident, wrapped, on a shelf from which it can be removed. */
export function createIncidentKeys({
  wrap,
  shelf,
  now = () => new Date(),
}: {
  readonly wrap: KeyWrap;
  readonly shelf: EvidenceShelf;
  readonly now?: () => Date;
}): IncidentKeys {
  const find = async (id: string): Promise<IncidentKey | undefined> => {
    const bytes = await shelf.get(placeOf.key(id));
    if (bytes === undefined) return undefined;
    const found = readWrappedKey(bytes);
    if (found?.id !== id) throw new FirebreakError('FB_ERR_SEAL_BROKEN', `${placeOf.key(id)} does not hold a key with this name`);
    return { id, key: await wrap.open(Buffer.from(found.wrapped, 'base64'), wrappedFor(found)) };
  };
  const left = async (id: string): Promise<DestroyedKey | undefined> => {
    const bytes = await shelf.get(placeOf.destroyed(id));
    return bytes && readDestroyedKey(bytes);
  };
  return {
    async keyFor({ incident, run, class: kind }) {
      const id = incidentKeyId({ incident, run, class: kind });
      const known = await find(id);
      if (known) return known;
      const destroyed = await left(id);
      if (destroyed) throw new FirebreakError('FB_ERR_REFUSED', `no more of its evidence can be kept: ${lossOf(id, destroyed)}`);
      const name: KeyName = { id, incident, run, class: kind, madeAt: now().toISOString() };
      const wrapped = Buffer.from(await wrap.seal(randomBytes(32), wrappedFor(name))).toString('base64');
      await shelf.add(placeOf.key(id), textBytes({ version: 1, ...name, wrapped } satisfies WrappedKey), kind);
      // Read back, since another process may have been first.
      return (await find(id)) ?? missing(id, undefined);
    },
    open: async (id) => (await find(id)) ?? missing(id, await left(id)),
  };
}

/** Ids also come from manifests. @throws FB_ERR_NOT_FOUND */
function checkedKeyId(id: string): string {
  if (/^[0-9a-f]{32}$/.test(id)) return id;
  throw new FirebreakError('FB_ERR_NOT_FOUND', 'that is not the id of an incident’s key');
}

export function textBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value));
}

/** Undefined for any other shape; whether it is genuine shows when it is opened. */
export function readWrappedKey(bytes: Uint8Array): WrappedKey | undefined {
  const value = parsed(bytes);
  const name = keyNameIn(value);
  return name && value?.version === 1 && typeof value.wrapped === 'string'
    ? { version: 1, ...name, wrapped: value.wrapped }
    : undefined;
}

export function readDestroyedKey(bytes: Uint8Array): DestroyedKey | undefined {
  const value = parsed(bytes);
  const name = keyNameIn(value);
  const { destroyedAt, by, reason } = value ?? {};
  if (!name || typeof destroyedAt !== 'string' || typeof by !== 'string' || typeof reason !== 'string') return undefined;
  return { ...name, destroyedAt, by, reason };
}

export function parsed(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function keyNameIn(value: Readonly<Record<string, unknown>> | undefined): KeyName | undefined {
  const { id, incident, run, madeAt } = value ?? {};
  const kind = evidenceClasses.find((known) => known === value?.class);
  if (kind === undefined || typeof incident !== 'string' || typeof run !== 'string' || typeof madeAt !== 'string')
    return undefined;
  const isOwn = !Number.isNaN(Date.parse(madeAt)) && id === incidentKeyId({ incident, run, class: kind });
  return isOwn ? { id, incident, run, class: kind, madeAt } : undefined;
}

function lossOf(id: string, { destroyedAt, by, reason }: DestroyedKey): string {
  return `the key ${id} of the incident was destroyed at ${destroyedAt} by ${by}: ${reason}`;
}

function missing(id: string, destroyed: DestroyedKey | undefined): never {
  throw new FirebreakError(
    'FB_ERR_NOT_FOUND',
    destroyed ? lossOf(id, destroyed) : `the key ${id} of the incident is missing: its evidence was deleted with it`,
  );
}

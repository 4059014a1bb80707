import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { type IncidentKey, type IncidentKeys, incidentKeyId } from '../../core/incident-key.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { syncFolder } from './sync-folder.ts';

/** Wraps keys with a key of ours: a box in the sense of `integrations/crypto-box`, or a KMS. */
export interface KeyWrap {
  seal(bytes: Uint8Array, aad: string): Uint8Array;
  open(sealed: Uint8Array, aad: string): Uint8Array;
}

/** Where wrapped keys lie, each under its id. Nothing else is needed to delete an incident's evidence than to remove one. */
export interface KeyPlace {
  /** Never over one that is there. */
  add(id: string, wrapped: Uint8Array): Promise<void>;
  get(id: string): Promise<Uint8Array | undefined>;
}

/** One random key per run of an incident, kept wrapped in a place from which it can be deleted. */
export function createIncidentKeys({ wrap, place }: { readonly wrap: KeyWrap; readonly place: KeyPlace }): IncidentKeys {
  const aadOf = (id: string): string => `firebreak.incident-key.v1\n${id}`;
  const find = async (id: string): Promise<IncidentKey | undefined> => {
    const wrapped = await place.get(id);
    return wrapped && { id, key: wrap.open(wrapped, aadOf(id)) };
  };
  return {
    async keyFor(incident) {
      const id = incidentKeyId(incident);
      const known = await find(id);
      if (known) return known;
      await place.add(id, wrap.seal(randomBytes(32), aadOf(id)));
      // Read back: another process may have been first.
      return (await find(id)) ?? missing(id);
    },
    open: async (id) => (await find(id)) ?? missing(id),
  };
}

/** `DIR/keys/ID`, readable by its owner only. */
export function folderKeyPlace({ dir }: { readonly dir: string }): KeyPlace {
  const folder = join(dir, 'keys');
  const pathOf = (id: string): string => join(folder, checkedKeyId(id));
  return {
    async add(id, wrapped) {
      const draft = join(folder, `${randomUUID()}.draft`);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = await open(draft, 'wx', 0o600);
      try {
        await file.writeFile(wrapped);
        await file.sync();
        await link(draft, pathOf(id));
        await syncFolder(folder);
      } catch (error) {
        if (systemErrorCode(error) !== 'EEXIST') throw unavailable(error);
      } finally {
        await file.close();
        await rm(draft, { force: true });
      }
    },
    async get(id) {
      const path = pathOf(id);
      try {
        return await readFile(path);
      } catch (error) {
        if (systemErrorCode(error) === 'ENOENT') return undefined;
        throw unavailable(error);
      }
    },
  };
}

/** Ids come out of manifests too. */
export function checkedKeyId(id: string): string {
  if (/^[0-9a-f]{32}$/.test(id)) return id;
  throw new FirebreakError('FB_ERR_NOT_FOUND', 'that is no id of an incident’s key');
}

function missing(id: string): never {
  throw new FirebreakError('FB_ERR_NOT_FOUND', `the key ${id} of the incident is not there: its evidence was deleted with it`);
}

function unavailable(error: unknown): FirebreakError {
  return new FirebreakError('FB_ERR_UNAVAILABLE', `the keys beside the evidence: ${systemErrorCode(error) ?? 'failed'}`);
}

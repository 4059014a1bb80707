import type { EvidenceClass } from './evidence.ts';

/** Small, removable objects next to the evidence, each under a name such as `keys/ID`. @throws FB_ERR_UNAVAILABLE */
export interface EvidenceShelf {
  /** Durable when it resolves. Never overwrites an existing object. With `kind`, the store itself enforces the retention period, if it can. */
  add(name: string, bytes: Uint8Array, kind?: EvidenceClass): Promise<void>;
  get(name: string): Promise<Uint8Array | undefined>;
  /** Names in a folder, without the folder's own name. */
  names(folder: string): AsyncIterable<string>;
  /** Removes the object with all its versions. @throws FB_ERR_REFUSED while the store itself keeps one. */
  remove(name: string): Promise<void>;
  /** Why the store itself would not let anybody remove the object now, in words. */
  locked(name: string): Promise<string | undefined>;
}

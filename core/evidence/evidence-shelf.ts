import type { EvidenceClass } from './evidence.ts';

/** Small objects beside the evidence that can be taken away again, each under a name such as `keys/ID`. @throws FB_ERR_UNAVAILABLE */
export interface EvidenceShelf {
  /** Durable when it resolves. Never over one that is there. With `kind` the store itself keeps it for its time, where it can. */
  add(name: string, bytes: Uint8Array, kind?: EvidenceClass): Promise<void>;
  get(name: string): Promise<Uint8Array | undefined>;
  /** Names in a folder, the folder’s own left out. */
  names(folder: string): AsyncIterable<string>;
  /** Gone, with all versions of it. @throws FB_ERR_REFUSED while the store itself keeps one. */
  remove(name: string): Promise<void>;
  /** Why the store itself would not let anybody remove it now, in words. */
  locked(name: string): Promise<string | undefined>;
}

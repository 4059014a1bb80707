import { type LeafHash, leafHash, merkleRootHash, parentHash } from '../audit/merkle.ts';

/**
 * The tree over a log's entries (RFC 6962, 2.1) as the files of C2SP's tlog-tiles (https://c2sp.org/tlog-tiles): anybody who has these files can compute every
 * proof without asking us.
 */
export interface LogFile {
  /** Relative to the log's root: `tile/0/x001/234`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Storage for the files of a log. */
export interface LogFiles {
  /** For people: `folder /var/lib/firebreak/transparency-log`. */
  readonly description: string;
  /** Undefined if there is none. @throws FB_ERR_UNAVAILABLE */
  read(path: string): Promise<Uint8Array | undefined>;
  /** Durable when it resolves; replaces any file under this path. @throws FB_ERR_UNAVAILABLE */
  write(file: LogFile): Promise<void>;
}

/** The file that states the size of a log. */
export const logHeadPath = 'checkpoint';

const tileWidth = 256;
const hashLength = 32;
const mostEntryBytes = 65_535;

/** Path of a tile of hashes at a level, or of the entries themselves; a width below 256 is a partial tile. */
export function tilePath(level: number | 'entries', index: number, width: number = tileWidth): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const parts = padded.match(/.{3}/g) ?? [];
  const place = parts.map((part, at) => (at === parts.length - 1 ? part : `x${part}`)).join('/');
  return `tile/${level}/${place}${width === tileWidth ? '' : `.p/${width}`}`;
}

/** Grows by one entry at a time, and keeps only what is not yet in a full file. */
export class LogTree {
  /** Per level, the hashes that do not fill a tile yet. */
  readonly #levels: LeafHash[][] = [];
  readonly #tiles: number[] = [];
  readonly #entries: Uint8Array[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Returns the files that this entry has filled: usually none. */
  append(entry: string): readonly LogFile[] {
    const bytes = new TextEncoder().encode(entry);
    if (bytes.length > mostEntryBytes) throw new RangeError(`a log entry may have at most ${mostEntryBytes} bytes`);
    const filled: LogFile[] = [];
    this.#entries.push(bytes);
    if (this.#entries.length === tileWidth) {
      filled.push({ path: tilePath('entries', this.#tiles[0] ?? 0), bytes: entryBundle(this.#entries) });
      this.#entries.length = 0;
    }
    this.#size += 1;
    let hash = leafHash(entry);
    for (let level = 0; ; level += 1) {
      this.#levels[level] ??= [];
      const hashes = this.#levels[level] ?? [];
      hashes.push(hash);
      if (hashes.length < tileWidth) return filled;
      const index = this.#tiles[level] ?? 0;
      filled.push({ path: tilePath(level, index), bytes: tile(hashes) });
      this.#tiles[level] = index + 1;
      hash = merkleRootHash(hashes);
      hashes.length = 0;
    }
  }

  /** The files that are not full: what a reader needs besides the full ones, at this size. */
  partialFiles(): readonly LogFile[] {
    const tiles = this.#levels.flatMap((hashes, level) =>
      hashes.length === 0 ? [] : [{ path: tilePath(level, this.#tiles[level] ?? 0, hashes.length), bytes: tile(hashes) }],
    );
    if (this.#entries.length === 0) return tiles;
    const path = tilePath('entries', this.#tiles[0] ?? 0, this.#entries.length);
    return [...tiles, { path, bytes: entryBundle(this.#entries) }];
  }

  /** 32 bytes. An incomplete subtree of one level comes last in the level above. */
  root(): Uint8Array {
    let last: LeafHash | undefined;
    for (const hashes of this.#levels) {
      const all = last ? [...hashes, last] : hashes;
      if (all.length > 0) last = merkleRootHash(all);
    }
    return last ?? merkleRootHash([]);
  }
}

/** Paths of all files that a log of that size needs and a smaller one, `from`, does not. */
export function* filePaths(from: number, size: number): Generator<string> {
  let level = 0;
  for (let unit = 1; unit <= size; unit *= tileWidth, level += 1) {
    const hashes = Math.floor(size / unit);
    const full = Math.floor(hashes / tileWidth);
    const known = Math.floor(Math.floor(from / unit) / tileWidth);
    const kinds = level === 0 ? (['entries', 0] as const) : ([level] as const);
    for (const kind of kinds) {
      for (let index = known; index < full; index += 1) yield tilePath(kind, index);
      if (hashes % tileWidth > 0) yield tilePath(kind, full, hashes % tileWidth);
    }
  }
}

/**
 * Proof that a log of `size` entries begins with its first `from` ones (RFC 6962, 2.1.2), computed from its files: each hash in 32 bytes.
 * @throws FB_ERR_UNAVAILABLE, and an error when a file is missing or truncated.
 */
export async function consistencyProof(
  files: Pick<LogFiles, 'read'>,
  from: number,
  size: number,
): Promise<readonly Uint8Array[]> {
  if (from === 0 || from === size) return [];
  const rootOf = rangeRoots(files, size);
  const proof = async (start: number, end: number, to: number, isWhole: boolean): Promise<readonly Uint8Array[]> => {
    if (to === end) return isWhole ? [] : [await rootOf(start, end)];
    const cut = start + largestPowerBelow(end - start);
    if (to <= cut) return [...(await proof(start, cut, to, isWhole)), await rootOf(cut, end)];
    return [...(await proof(cut, end, to, false)), await rootOf(start, cut)];
  };
  return proof(0, size, from, true);
}

/** Whether the proof shows that the larger log begins with the smaller one (RFC 9162, 2.1.4.2). Roots in 32 bytes. */
export function isConsistent({
  from,
  size,
  fromRoot,
  root,
  proof,
}: {
  readonly from: number;
  readonly size: number;
  readonly fromRoot: Uint8Array;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
}): boolean {
  if (from > size || from < 0 || proof.some(({ length }) => length !== hashLength)) return false;
  if (from === size) return proof.length === 0 && isEqual(fromRoot, root);
  // Every log begins with the empty one.
  if (from === 0) return proof.length === 0;
  const isPower = Number.isInteger(Math.log2(from));
  const [first, ...rest] = isPower ? [fromRoot, ...proof] : proof;
  if (!first) return false;
  let [node, last] = [from - 1, size - 1];
  while (node % 2 === 1) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  let [small, large] = [first, first];
  for (const hash of rest) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      small = parentHash(hash, small);
      large = parentHash(hash, large);
      while (node % 2 === 0 && node !== 0) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
    } else large = parentHash(large, hash);
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 && isEqual(small, fromRoot) && isEqual(large, root);
}

/**
 * The root of a log when it had `at` entries, computed from its files at `size`. @throws FB_ERR_UNAVAILABLE, and an error when a file is missing or truncated.
 */
export async function rootAt(files: Pick<LogFiles, 'read'>, at: number, size: number): Promise<Uint8Array> {
  return at === 0 ? merkleRootHash([]) : rangeRoots(files, size)(0, at);
}

/** The root over a range of entries (end exclusive) whose first entry begins a subtree; each file is read once. */
function rangeRoots(files: Pick<LogFiles, 'read'>, size: number): (start: number, end: number) => Promise<Uint8Array> {
  const known = new Map<string, Uint8Array>();
  const perfect = async (level: number, index: number): Promise<Uint8Array> => {
    const row = Math.floor(level / 8);
    const below = 2 ** (level % 8);
    const unit = tileWidth ** row;
    const start = index * below;
    const at = Math.floor(start / tileWidth);
    const width = Math.min(tileWidth, Math.floor(size / unit) - at * tileWidth);
    const path = tilePath(row, at, width);
    const bytes = known.get(path) ?? (await files.read(path)) ?? (await files.read(tilePath(row, at)));
    if (!bytes || bytes.length < width * hashLength) throw new RangeError(`the log file ${path} is missing or truncated`);
    known.set(path, bytes);
    const offset = (start % tileWidth) * hashLength;
    const hashes = Array.from({ length: below }, (_, one) =>
      bytes.subarray(offset + one * hashLength, offset + (one + 1) * hashLength),
    );
    return merkleRootHash(hashes);
  };
  const rootOf = async (start: number, end: number): Promise<Uint8Array> => {
    const count = end - start;
    const level = Math.log2(count);
    if (Number.isInteger(level)) return perfect(level, start / count);
    const cut = start + largestPowerBelow(count);
    return parentHash(await rootOf(start, cut), await rootOf(cut, end));
  };
  return rootOf;
}

function largestPowerBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

function tile(hashes: readonly LeafHash[]): Uint8Array {
  const bytes = new Uint8Array(hashes.length * hashLength);
  for (const [index, hash] of hashes.entries()) bytes.set(hash, index * hashLength);
  return bytes;
}

/** Each entry, preceded by its length. */
function entryBundle(entries: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(entries.reduce((sum, { length }) => sum + 2 + length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const entry of entries) {
    view.setUint16(at, entry.length);
    bytes.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bytes;
}

import { bytesToHex } from '@noble/hashes/utils.js';
import { type ChainHead, quoted } from './audit.ts';
import { type LeafHash, leafHash, merkleRootHash, parentHash } from './merkle.ts';

export function headLeaf(head: ChainHead): LeafHash {
  return leafHash(headText(head));
}

/** Returns its canonical JSON, assembled by hand: `canonicalJson` takes seconds for 100 000 heads. */
export function headText({ chain, number, hash }: ChainHead): string {
  return `{"chain":${quoted(chain)},"hash":${quoted(hash)},"number":${number}}`;
}

const hashBytes = 32;

/**
 * Bounds memory: after a start all heads have moved, and holding more at once gains nothing. Nodes above several parts are rebuilt for each, which costs
 * little.
 */
const climbedAtOnce = 4_096;

/**
 * The last head of each chain, in the order in which checkpoints first named the chains, and the tree over them, as `merkleRoot` builds it. The cost of a new
 * root depends on what has moved, not on the total: of 100 000 chains a handful moves in a minute.
 */
export class HeadsTree {
  readonly #heads: ChainHead[] = [];
  readonly #places = new Map<string, number>();
  /** From the leaves to the root. */
  readonly #levels: HashList[] = [];
  /** Places set since the levels were built. */
  readonly #moved = new Set<number>();

  get size(): number {
    return this.#heads.length;
  }

  get(chain: string): ChainHead | undefined {
    const place = this.#places.get(chain);
    return place === undefined ? undefined : this.#heads[place];
  }

  /** Returns the number of a chain, in the order in which chains were first named: from 0. */
  placeOf(chain: string): number | undefined {
    return this.#places.get(chain);
  }

  keys(): Iterable<string> {
    return this.#places.keys();
  }

  values(): readonly ChainHead[] {
    return this.#heads;
  }

  /** @returns the chain's place */
  set({ chain, number, hash }: ChainHead): number {
    const place = this.#places.get(chain) ?? this.size;
    const known = this.#heads[place]?.chain;
    if (known === undefined) this.#places.set(chain, place);
    // Reuses the key's text: each checkpoint that is read brings another copy of it.
    this.#heads[place] = { chain: known ?? chain, number, hash };
    this.#moved.add(place);
    return place;
  }

  root(): string {
    return this.rootWith([]);
  }

  /** Returns the root as if these heads were set. */
  rootWith(heads: readonly ChainHead[]): string {
    let leaves = new Map<number, LeafHash>();
    for (const place of this.#moved) {
      const head = this.#heads[place];
      if (head) leaves.set(place, headLeaf(head));
      this.#moved.delete(place);
      if (leaves.size < climbedAtOnce && this.#moved.size > 0) continue;
      this.#climb(leaves, this.size, true);
      leaves = new Map();
    }
    const moved = new Map<number, LeafHash>();
    const added = new Map<string, number>();
    for (const head of heads) {
      const place = this.#places.get(head.chain) ?? added.get(head.chain) ?? this.size + added.size;
      if (place >= this.size) added.set(head.chain, place);
      moved.set(place, headLeaf(head));
    }
    return bytesToHex(this.#climb(moved, this.size + added.size, false));
  }

  /** Computes from these leaves up to the root, for this number of leaves: only the nodes above them are rebuilt. */
  #climb(leaves: ReadonlyMap<number, LeafHash>, count: number, isKept: boolean): LeafHash {
    let changed = leaves;
    let length = count;
    for (let level = 0; ; level += 1) {
      const row = this.#levels[level];
      const at = (index: number): LeafHash | undefined => changed.get(index) ?? row?.at(index);
      const above = new Map<number, LeafHash>();
      for (const index of changed.keys()) {
        const parent = index >> 1;
        const left = at(2 * parent);
        // The last of an odd number moves up unchanged.
        const right = 2 * parent + 1 < length ? at(2 * parent + 1) : undefined;
        if (left && !above.has(parent)) above.set(parent, right ? parentHash(left, right) : left);
      }
      const root = length > 1 ? undefined : (at(0) ?? merkleRootHash([]));
      if (isKept) {
        const kept = row ?? new HashList();
        this.#levels[level] = kept;
        for (const [index, hash] of changed) kept.set(index, hash);
      }
      if (root) return root;
      changed = above;
      length = Math.ceil(length / 2);
    }
  }
}

/** Hashes stored one after another in one array: as separate values, each takes four times as much memory. */
class HashList {
  #bytes = new Uint8Array(hashBytes * 16);

  at(index: number): LeafHash {
    return this.#bytes.subarray(index * hashBytes, (index + 1) * hashBytes);
  }

  set(index: number, hash: LeafHash): void {
    const end = (index + 1) * hashBytes;
    if (end > this.#bytes.length) {
      const longer = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      longer.set(this.#bytes);
      this.#bytes = longer;
    }
    this.#bytes.set(hash, index * hashBytes);
  }
}

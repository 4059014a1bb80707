import { bytesToHex } from '@noble/hashes/utils.js';
import { sha256 } from '../text/digest.ts';

/**
 * The tree of RFC 9162 (2.1): a holder of its root can be shown with a few hashes that one leaf is in it, and learns nothing about the others. Leaves and inner
 * nodes are hashed with different prefix bytes, so that neither is ever mistaken for the other.
 */
export type LeafHash = Uint8Array;

export function leafHash(text: string): LeafHash {
  return sha256(`\0${text}`);
}

/** The sibling hashes on the way from one leaf to the root, bottom up: what `rootAlong` needs besides the leaf itself. */
export interface InclusionProof {
  /** Index of the leaf, from 0. */
  readonly index: number;
  /** Lower-case hex. */
  readonly path: readonly string[];
}

/** In lower-case hex. */
export function merkleRoot(leaves: readonly LeafHash[]): string {
  return bytesToHex(merkleRootHash(leaves));
}

/** The same, as 32 bytes. */
export function merkleRootHash(leaves: readonly LeafHash[]): Uint8Array {
  let level = leaves;
  while (level.length > 1) level = nextLevel(level);
  return level[0] ?? sha256(new Uint8Array());
}

/** The root of a tree that grows by leaves: it holds as many hashes as the tree is high. */
export class GrowingRoot {
  /** Roots of complete trees, from the largest to the smallest: their sizes are the bits of the number of leaves. */
  readonly #whole: Uint8Array[] = [];
  size = 0;

  add(leaf: LeafHash): void {
    let root = leaf;
    for (let size = this.size; size % 2 === 1; size = (size - 1) / 2) root = parentHash(this.#whole.pop() ?? root, root);
    this.#whole.push(root);
    this.size += 1;
  }

  /** In lower-case hex. */
  root(): string {
    const [last = sha256(new Uint8Array()), ...others] = this.#whole.toReversed();
    return bytesToHex(others.reduce((right, left) => parentHash(left, right), last));
  }
}

export function inclusionProof(leaves: readonly LeafHash[], index: number): InclusionProof {
  const path: string[] = [];
  let level = leaves;
  for (let at = index; level.length > 1; at = Math.floor(at / 2)) {
    const beside = level[at % 2 === 0 ? at + 1 : at - 1];
    // The last of an odd number moves up unchanged.
    if (beside) path.push(bytesToHex(beside));
    level = nextLevel(level);
  }
  return { index, path };
}

function nextLevel(level: readonly LeafHash[]): readonly LeafHash[] {
  const next: LeafHash[] = [];
  for (let index = 0; index < level.length; index += 2) {
    const left = level[index];
    const right = level[index + 1];
    if (left) next.push(right ? parentHash(left, right) : left);
  }
  return next;
}

const pair = new Uint8Array(65).fill(1, 0, 1);

export function parentHash(left: LeafHash, right: LeafHash): LeafHash {
  pair.set(left, 1);
  pair.set(right, 33);
  return sha256(pair);
}

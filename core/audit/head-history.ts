import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import type { ChainHead } from './audit.ts';

/** A head that a genuine checkpoint names. */
export interface StatedHead extends ChainHead {
  readonly checkpoint: number;
}

const hashBytes = 32;
const perPart = 16_384;

/**
 * All heads that checkpoints have stated. A year of a busy house has millions: as objects with their texts each took some 220 bytes, and here 52.
 */
export class HeadHistory {
  readonly #parts: Part[] = [];
  /** The place of the last one of a chain. */
  readonly #last = new Map<string, number>();
  /** What is no SHA-256: the notary signs what the table of heads says, and anybody with the database's password can write there. */
  readonly #otherHashes = new Map<number, string>();
  #count = 0;

  add({ chain, number, hash, checkpoint }: StatedHead): void {
    const place = this.#count;
    const at = place % perPart;
    const part = this.#parts[Math.floor(place / perPart)] ?? newPart();
    if (at === 0) this.#parts.push(part);
    part.numbers[at] = number;
    part.checkpoints[at] = checkpoint;
    part.before[at] = (this.#last.get(chain) ?? -1) + 1;
    if (/^[0-9a-f]{64}$/.test(hash)) part.hashes.set(hexToBytes(hash), at * hashBytes);
    else this.#otherHashes.set(place, hash);
    this.#last.set(chain, place);
    this.#count += 1;
  }

  /** In the order in which they were stated. */
  of(chain: string): readonly StatedHead[] {
    const found: StatedHead[] = [];
    for (let next = (this.#last.get(chain) ?? -1) + 1; next > 0; ) {
      const place = next - 1;
      const at = place % perPart;
      const part = this.#parts[Math.floor(place / perPart)];
      if (!part) break;
      const { numbers, checkpoints, before, hashes } = part;
      const bytes = hashes.subarray(at * hashBytes, (at + 1) * hashBytes);
      const hash = this.#otherHashes.get(place) ?? bytesToHex(bytes);
      found.push({ chain, number: numbers[at] ?? 0, hash, checkpoint: checkpoints[at] ?? 0 });
      next = before[at] ?? 0;
    }
    return found.reverse();
  }
}

type Part = ReturnType<typeof newPart>;

function newPart() {
  return {
    numbers: new Float64Array(perPart),
    checkpoints: new Float64Array(perPart),
    /** Of the same chain: its place and one; 0 for none. */
    before: new Uint32Array(perPart),
    hashes: new Uint8Array(perPart * hashBytes),
  };
}

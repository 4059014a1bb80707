import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import type { ChainHead } from './audit.ts';

/** A head that a genuine checkpoint names. */
export interface StatedHead extends ChainHead {
  readonly checkpoint: number;
}

const hashBytes = 32;
const perPart = 16_384;
const most = 2 ** 32 - 1;

/**
 * All heads that checkpoints have stated. A year of a busy house has millions: as objects with their texts each took some 220 bytes, and here 44. Chains are named by
 * numbers, from 0 and without a gap: `HeadsTree` gives them.
 */
export class HeadHistory {
  readonly #parts: Part[];
  /** By chain: the place of the last one, and one; 0 for none. */
  readonly #last: number[];
  /** What is no SHA-256, or no number that a chain of ours reaches: the notary signs what the table of heads says, and anybody with the database's password can write there. */
  readonly #odd: Map<number, Pick<StatedHead, 'number' | 'hash'>>;
  #count: number;

  /** `shared`: of another thread's, to be read only. */
  constructor({ parts, last, odd, count }: SharedHistory = { parts: [], last: [], odd: new Map(), count: 0 }) {
    this.#parts = [...parts];
    this.#last = [...last];
    this.#odd = new Map(odd);
    this.#count = count;
  }

  /** For another thread, in the same memory but for a few bytes a chain. Nothing may be added from then on. */
  shared(): SharedHistory {
    return { parts: this.#parts, last: this.#last, odd: this.#odd, count: this.#count };
  }

  add(chain: number, { number, hash, checkpoint }: Omit<StatedHead, 'chain'>): void {
    const place = this.#count;
    const at = place % perPart;
    const part = this.#parts[Math.floor(place / perPart)] ?? newPart();
    if (at === 0) this.#parts.push(part);
    part.numbers[at] = number;
    part.checkpoints[at] = checkpoint;
    part.before[at] = this.#last[chain] ?? 0;
    if (/^[0-9a-f]{64}$/.test(hash) && number >= 0 && number <= most) part.hashes.set(hexToBytes(hash), at * hashBytes);
    else this.#odd.set(place, { number, hash });
    this.#last[chain] = place + 1;
    this.#count += 1;
  }

  /** In the order in which they were stated. */
  of(chain: number): readonly Omit<StatedHead, 'chain'>[] {
    const found: Omit<StatedHead, 'chain'>[] = [];
    for (let next = this.#last[chain] ?? 0; next > 0; ) {
      const place = next - 1;
      const at = place % perPart;
      const part = this.#parts[Math.floor(place / perPart)];
      if (!part) break;
      const { numbers, checkpoints, before, hashes } = part;
      const { number, hash } = this.#odd.get(place) ?? {
        number: numbers[at] ?? 0,
        hash: bytesToHex(hashes.subarray(at * hashBytes, (at + 1) * hashBytes)),
      };
      found.push({ number, hash, checkpoint: checkpoints[at] ?? 0 });
      next = before[at] ?? 0;
    }
    return found.reverse();
  }
}

/** What structured cloning takes to another thread. */
export interface SharedHistory {
  readonly parts: readonly Part[];
  readonly last: readonly number[];
  readonly odd: ReadonlyMap<number, Pick<StatedHead, 'number' | 'hash'>>;
  readonly count: number;
}

type Part = ReturnType<typeof newPart>;

function newPart() {
  const numbers = () => new Uint32Array(new SharedArrayBuffer(perPart * Uint32Array.BYTES_PER_ELEMENT));
  return {
    numbers: numbers(),
    checkpoints: numbers(),
    /** Of the same chain: its place and one; 0 for none. */
    before: numbers(),
    hashes: new Uint8Array(new SharedArrayBuffer(perPart * hashBytes)),
  };
}

import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { sha256Hex } from '../text/digest.ts';
import type { ChainHead } from './audit.ts';

/** A head that a genuine checkpoint names. */
export interface StatedHead extends Pick<ChainHead, 'number'> {
  readonly checkpoint: number;
  /** Absent if only `headsDigest` holds it. */
  readonly hash?: string;
}

/** Digest over the hashes of a chain's heads in order; `before` is the digest of the earlier ones, '' for none. */
export function headsDigest(before: string, hash: string): string {
  return sha256Hex(`${before} ${hash}`);
}

/**
 * All heads that checkpoints have stated, by the numbers of their chains. A busy house has millions in a year: a head takes 36 bytes with its hash, and three
 * without. A reader of all rows of a chain only needs the latter and the digest over the hashes.
 */
export class HeadHistory {
  readonly #bytes = new ByteLists();
  readonly #chains: { number: number; checkpoint: number; digest: string }[] = [];

  /** `isWhole`: with its hash. */
  add(chain: number, { number, hash, checkpoint }: Required<StatedHead>, isWhole: boolean): void {
    let last = this.#chains[chain];
    if (!last) {
      last = { number: 0, checkpoint: 0, digest: '' };
      this.#chains[chain] = last;
    }
    const bytes: number[] = [];
    addVariable(bytes, number - last.number);
    addVariable(bytes, (checkpoint - last.checkpoint) * 2 + (isWhole ? 1 : 0));
    if (isWhole) addHash(bytes, hash);
    this.#bytes.append(chain, bytes);
    last.number = number;
    last.checkpoint = checkpoint;
    last.digest = headsDigest(last.digest, hash);
  }

  /** '' if there is none. */
  digestOf(chain: number): string {
    return this.#chains[chain]?.digest ?? '';
  }

  /** The input of `headsIn`. */
  bytesOf(chain: number): Uint8Array {
    return this.#bytes.of(chain);
  }
}

/** Returns heads in the order in which they were stated. */
export function headsIn(bytes: Uint8Array): readonly StatedHead[] {
  const heads: StatedHead[] = [];
  let at = 0;
  const next = (): number => {
    let [value, factor] = [0, 1];
    for (let byte = 128; byte >= 128; factor *= 128) {
      byte = bytes[at] ?? 0;
      value += (byte % 128) * factor;
      at += 1;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  };
  const part = (length: number): Uint8Array => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  let [number, checkpoint] = [0, 0];
  while (at < bytes.length) {
    number += next();
    const marked = next();
    const isWhole = marked % 2 !== 0;
    checkpoint += Math.floor(marked / 2);
    if (!isWhole) heads.push({ number, checkpoint });
    else {
      const length = next();
      const hash = length === usualHash ? bytesToHex(part(32)) : new TextDecoder().decode(part(length));
      heads.push({ number, checkpoint, hash });
    }
  }
  return heads;
}

/** Stands in for the length of one of our own hashes, which is stored in half the bytes. */
const usualHash = -1;

/** A hash that is not SHA-256 is kept unchanged: the notary signs what the table of heads says, and anybody with the database's password can write there. */
function addHash(bytes: number[], hash: string): void {
  const isUsual = /^[0-9a-f]{64}$/.test(hash);
  const given = isUsual ? hexToBytes(hash) : new TextEncoder().encode(hash);
  addVariable(bytes, isUsual ? usualHash : given.length);
  for (const byte of given) bytes.push(byte);
}

/** Smaller numbers take fewer bytes. */
function addVariable(bytes: number[], value: number): void {
  let left = value >= 0 ? value * 2 : -value * 2 - 1;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  bytes.push(left);
}

const blockBytes = 32;
const linkBytes = 4;
const dataBytes = blockBytes - linkBytes;
const blocksAtOnce = 32_768;

/**
 * Very many lists of a few bytes that grow in turn: stored in blocks of shared arrays, each pointing to the one before it. An array for each list would take
 * more memory than its content.
 */
class ByteLists {
  readonly #parts: DataView[] = [];
  #blocks = 0;
  readonly #lengths: number[] = [];
  /** By list: its last block, counted from 1. */
  readonly #last: number[] = [];

  append(list: number, bytes: readonly number[]): void {
    let length = this.#lengths[list] ?? 0;
    for (const byte of bytes) {
      const inBlock = length % dataBytes;
      if (inBlock === 0) this.#begin(list);
      const { part, at } = this.#block(this.#last[list] ?? 0);
      part.setUint8(at + linkBytes + inBlock, byte);
      length += 1;
    }
    this.#lengths[list] = length;
  }

  of(list: number): Uint8Array {
    const length = this.#lengths[list] ?? 0;
    const found = new Uint8Array(length);
    let block = this.#last[list] ?? 0;
    for (let from = Math.floor((length - 1) / dataBytes) * dataBytes; block > 0; from -= dataBytes) {
      const { part, at } = this.#block(block);
      const count = Math.min(dataBytes, length - from);
      found.set(new Uint8Array(part.buffer, at + linkBytes, count), from);
      block = part.getUint32(at);
    }
    return found;
  }

  #begin(list: number): void {
    if (this.#blocks % blocksAtOnce === 0) this.#parts.push(new DataView(new ArrayBuffer(blocksAtOnce * blockBytes)));
    this.#blocks += 1;
    const { part, at } = this.#block(this.#blocks);
    part.setUint32(at, this.#last[list] ?? 0);
    this.#last[list] = this.#blocks;
  }

  #block(number: number): { readonly part: DataView; readonly at: number } {
    const part = this.#parts[Math.floor((number - 1) / blocksAtOnce)];
    if (!part) throw new RangeError('there is no such block');
    return { part, at: ((number - 1) % blocksAtOnce) * blockBytes };
  }
}

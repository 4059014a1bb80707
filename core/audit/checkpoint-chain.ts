import type { SignatureVerifier, SignedBytes } from '../messages/signing.ts';
import { genesisHash } from './audit.ts';
import type { Finding } from './audit-report.ts';
import { type Checkpoint, checkpointBytes, checkpointDigest, type SignedCheckpoint } from './checkpoint.ts';
import { HeadHistory, headsDigest, headsIn, type StatedHead } from './head-history.ts';
import { HeadsTree } from './heads-tree.ts';

/**
 * Which stated heads are kept. `usual`: for incidents, which are very many, only the last hash and a digest over all; for other chains everything. `last`: for
 * callers that never use `stated` or `timeOf`. A set: everything for these chains.
 */
export type RetainedHeads = 'usual' | 'last' | ReadonlySet<string>;

/** Follows checkpoints by number and holds what they state. Pass each number at most once, in ascending order. */
export class CheckpointChain {
  readonly #stated = new HeadHistory();
  readonly #heads = new HeadsTree();
  readonly #keeps: RetainedHeads;
  /** Heads of chains that were read a second time. */
  readonly #whole = new Map<string, readonly Required<StatedHead>[]>();
  readonly #wanted: readonly number[];
  readonly #remembered = new Map<number, SignedCheckpoint>();
  readonly #times = new Times();
  #last: SignedCheckpoint | undefined;
  #count = 0;

  /** `remember`: the numbers of checkpoints that are needed later. */
  constructor({
    remember = [],
    keeps = 'usual',
  }: { readonly remember?: readonly number[]; readonly keeps?: RetainedHeads } = {}) {
    this.#wanted = remember;
    this.#keeps = keeps;
  }

  remembered(number: number): SignedCheckpoint | undefined {
    return this.#remembered.get(number);
  }

  get last(): SignedCheckpoint | undefined {
    return this.#last;
  }

  get count(): number {
    return this.#count;
  }

  /** The last stated head of every chain. */
  get heads(): HeadsTree {
    return this.#heads;
  }

  /** When a checkpoint was signed: ISO 8601, UTC. */
  timeOf(number: number): string | undefined {
    return this.#times.of(number);
  }

  /** Returns every stated head of a chain, ascending; for an incident only the last one has a hash, and `digestOf` is over all. */
  stated(chain: string): readonly StatedHead[] {
    const whole = this.#whole.get(chain);
    const place = this.#heads.placeOf(chain);
    if (whole || place === undefined) return whole ?? [];
    const heads = headsIn(this.#stated.bytesOf(place));
    const hash = this.#heads.get(chain)?.hash;
    return heads.map((head, index) => (index === heads.length - 1 && hash !== undefined ? { ...head, hash } : head));
  }

  /** `headsDigest` over all stated heads of a chain; undefined if each has its hash. */
  digestOf(chain: string): string | undefined {
    const place = this.#heads.placeOf(chain);
    return place === undefined || this.#whole.has(chain) || this.#isWhole(chain) ? undefined : this.#stated.digestOf(place);
  }

  /** Returns the stated heads of a chain in the form that is passed to another thread: `headsIn`. */
  bytesOf(chain: string): Uint8Array | undefined {
    const place = this.#heads.placeOf(chain);
    return place === undefined ? undefined : this.#stated.bytesOf(place);
  }

  /**
   * Takes the hashes of a chain's heads from checkpoints that were read a second time: there may be later ones since.
   * @returns whether they match the earlier ones
   */
  learn(chain: string, again: CheckpointChain): boolean {
    const heads: Required<StatedHead>[] = [];
    let digest = '';
    for (const { hash, ...head } of again.stated(chain).slice(0, this.stated(chain).length)) {
      if (hash === undefined) return false;
      digest = headsDigest(digest, hash);
      heads.push({ ...head, hash });
    }
    if (digest !== this.digestOf(chain)) return false;
    this.#whole.set(chain, heads);
    return true;
  }

  #isWhole(chain: string): boolean {
    return typeof this.#keeps === 'string' ? !chain.startsWith('incident/') : this.#keeps.has(chain);
  }

  /** Adds a checkpoint whose signature was found genuine, and reports what does not fit the ones before. */
  follow(signed: SignedCheckpoint): readonly Finding[] {
    const { checkpoint } = signed;
    const findings = linkFindings(checkpoint, this.#last);
    for (const head of checkpoint.moved) {
      const place = this.#heads.set(head);
      const { chain, number, hash } = head;
      const isWhole = this.#isWhole(chain);
      if (this.#keeps === 'usual' || (isWhole && this.#keeps !== 'last'))
        this.#stated.add(place, { number, hash, checkpoint: checkpoint.number }, isWhole);
    }
    this.#last = signed;
    if (this.#keeps === 'usual') this.#times.set(checkpoint.number, checkpoint.at);
    if (this.#wanted.includes(checkpoint.number)) this.#remembered.set(checkpoint.number, signed);
    this.#count += 1;
    return findings;
  }

  /** Checks that the heads that the checkpoints name one by one are all the heads that the last one vouches for. */
  finish(): readonly Finding[] {
    const last = this.#last?.checkpoint;
    if (!last || (last.chains === this.#heads.size && last.allHeads === this.#heads.root())) return [];
    const text = `checkpoint ${last.number} vouches for ${last.chains} chains, but the available checkpoints name ${this.#heads.size}, or different heads`;
    return [{ kind: 'checkpoint-inconsistent', checkpoint: last.number, text }];
  }
}

/** The signing times of checkpoints, as numbers: a year has half a million. */
class Times {
  readonly #milliseconds: number[] = [];
  /** Times not in the format of `toISOString`. */
  readonly #others = new Map<number, string>();

  set(number: number, at: string): void {
    const time = Date.parse(at);
    const isUsual = number >= 0 && number <= this.#milliseconds.length + 1 && isTimeText(at, time);
    if (isUsual) this.#milliseconds[number] = time;
    else this.#others.set(number, at);
  }

  of(number: number): string | undefined {
    const time = this.#milliseconds[number];
    return this.#others.get(number) ?? (time === undefined ? undefined : new Date(time).toISOString());
  }
}

function isTimeText(at: string, time: number): boolean {
  return Number.isFinite(time) && new Date(time).toISOString() === at;
}

function linkFindings(checkpoint: Checkpoint, before: SignedCheckpoint | undefined): readonly Finding[] {
  const { number } = checkpoint;
  const expected = (before?.checkpoint.number ?? 0) + 1;
  if (number > expected) {
    const which = number - 1 === expected ? `checkpoint ${expected} is` : `checkpoints ${expected} to ${number - 1} are`;
    return [{ kind: 'checkpoint-missing', checkpoint: expected, text: `${which} not in the database` }];
  }
  if (follows(checkpoint, before)) return [];
  return [
    { kind: 'checkpoint-unlinked', checkpoint: number, text: `checkpoint ${number} does not follow from the one before it` },
  ];
}

/** Returns whether it is the next checkpoint. */
export function follows({ number, previous }: Checkpoint, before: SignedCheckpoint | undefined): boolean {
  return number === (before?.checkpoint.number ?? 0) + 1 && previous === (before ? checkpointDigest(before) : genesisHash);
}

/**
 * Returns whether a genuine checkpoint also proves the signature of this one: it names it, and has the same key. A different key would vouch for what a
 * replaced key signed.
 */
export function vouchesFor({ checkpoint, keyId }: SignedCheckpoint, before: SignedCheckpoint): boolean {
  return keyId === before.keyId && follows(checkpoint, before);
}

/**
 * Returns whether it is signed by a trusted key that had not been replaced when the checkpoint before it was signed. The first of the verifier's keys is the
 * notary's current one; each other key was replaced by the one before it in the list. So nobody can continue with a replaced key.
 */
export function isGenuine(signed: SignedCheckpoint, verifier: SignatureVerifier, before: SignedCheckpoint | undefined): boolean {
  return isByKeyOfThen(signed, verifier, before) && verifier.verify(signedBytesOf(signed));
}

/** The same without the signature check, for callers that have it checked elsewhere: `signedBytesOf`. */
export function isByKeyOfThen(
  { keyId }: SignedCheckpoint,
  { keyIds }: Pick<SignatureVerifier, 'keyIds'>,
  before: SignedCheckpoint | undefined,
): boolean {
  return !before || keyIds.indexOf(keyId) <= keyIds.indexOf(before.keyId);
}

export function signedBytesOf({ checkpoint, keyId, signature }: SignedCheckpoint): SignedBytes {
  return { keyId, bytes: checkpointBytes(checkpoint), signature };
}

import type { SignatureVerifier, SignedBytes } from '../messages/signing.ts';
import { genesisHash } from './audit.ts';
import type { Finding } from './audit-report.ts';
import { type Checkpoint, checkpointBytes, checkpointDigest, type SignedCheckpoint } from './checkpoint.ts';
import { HeadHistory, headsDigest, headsIn, type StatedHead } from './head-history.ts';
import { HeadsTree } from './heads-tree.ts';

/**
 * What is kept of the heads that checkpoints state. `usual`: of incidents, which are very many, no hashes but the last and a digest over all; of the other chains everything. `last`: nobody
 * asks for `stated` or `timeOf`. A set: everything of these chains.
 */
export type RetainedHeads = 'usual' | 'last' | ReadonlySet<string>;

/** Follows checkpoints by number and holds what they state. Give each number at most once, rising. */
export class CheckpointChain {
  readonly #stated = new HeadHistory();
  readonly #heads = new HeadsTree();
  readonly #keeps: RetainedHeads;
  /** Of chains that were read once more. */
  readonly #whole = new Map<string, readonly Required<StatedHead>[]>();
  readonly #wanted: readonly number[];
  readonly #remembered = new Map<number, SignedCheckpoint>();
  readonly #times = new Times();
  #last: SignedCheckpoint | undefined;
  #count = 0;

  /** `remember`: the numbers of checkpoints that are asked for later. */
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

  /** Every stated head of a chain, from low to high; of an incident the last one has a hash, and `digestOf` is over all. */
  stated(chain: string): readonly StatedHead[] {
    const whole = this.#whole.get(chain);
    const place = this.#heads.placeOf(chain);
    if (whole || place === undefined) return whole ?? [];
    const heads = headsIn(this.#stated.bytesOf(place));
    const hash = this.#heads.get(chain)?.hash;
    return heads.map((head, index) => (index === heads.length - 1 && hash !== undefined ? { ...head, hash } : head));
  }

  /** `headsDigest` over all stated heads of a chain; undefined where each has its hash. */
  digestOf(chain: string): string | undefined {
    const place = this.#heads.placeOf(chain);
    return place === undefined || this.#whole.has(chain) || this.#isWhole(chain) ? undefined : this.#stated.digestOf(place);
  }

  /** The stated heads of a chain as another thread is given them: `headsIn`. */
  bytesOf(chain: string): Uint8Array | undefined {
    const place = this.#heads.placeOf(chain);
    return place === undefined ? undefined : this.#stated.bytesOf(place);
  }

  /**
   * Takes the hashes of a chain's heads from checkpoints that were read once more: since then there may be later ones.
   * @returns whether they are those of before
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

  /** Takes over a checkpoint whose signature was found genuine, and says what does not fit to the ones before. */
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

  /** Whether the heads that the checkpoints name one by one are all the heads that the last one vouches for. */
  finish(): readonly Finding[] {
    const last = this.#last?.checkpoint;
    if (!last || (last.chains === this.#heads.size && last.allHeads === this.#heads.root())) return [];
    const text = `checkpoint ${last.number} vouches for ${last.chains} chains, the checkpoints at hand name ${this.#heads.size}, or other heads`;
    return [{ kind: 'checkpoint-inconsistent', checkpoint: last.number, text }];
  }
}

/** When each checkpoint was signed, as numbers: a year has half a million. */
class Times {
  readonly #milliseconds: number[] = [];
  /** What is not as `toISOString` writes it. */
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
    return [{ kind: 'checkpoint-missing', checkpoint: expected, text: `${which} in neither the database nor the anchor` }];
  }
  if (follows(checkpoint, before)) return [];
  return [
    { kind: 'checkpoint-unlinked', checkpoint: number, text: `checkpoint ${number} does not follow from the one before it` },
  ];
}

/** Whether it is the next one. */
export function follows({ number, previous }: Checkpoint, before: SignedCheckpoint | undefined): boolean {
  return number === (before?.checkpoint.number ?? 0) + 1 && previous === (before ? checkpointDigest(before) : genesisHash);
}

/** Whether a genuine one proves the signature of this one, too: it names it, and is by the same key. Another key would say what a replaced one had signed. */
export function vouchesFor({ checkpoint, keyId }: SignedCheckpoint, before: SignedCheckpoint): boolean {
  return keyId === before.keyId && follows(checkpoint, before);
}

/**
 * By a trusted key, and by none that had been replaced when the checkpoint before it was signed: of the verifier's keys the notary's of today is the
 * first, and each other one was replaced by the one in front of it. Whoever has a replaced key cannot go on with it.
 */
export function isGenuine(signed: SignedCheckpoint, verifier: SignatureVerifier, before: SignedCheckpoint | undefined): boolean {
  return isByKeyOfThen(signed, verifier, before) && verifier.verify(signedBytesOf(signed));
}

/** The same without the signature itself, for who has that checked elsewhere: `signedBytesOf`. */
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

import type { SignatureVerifier, SignedBytes } from '../messages/signing.ts';
import { genesisHash } from './audit.ts';
import type { Finding } from './audit-report.ts';
import { type Checkpoint, checkpointBytes, checkpointDigest, type SignedCheckpoint } from './checkpoint.ts';
import { HeadHistory, type StatedHead } from './head-history.ts';
import { HeadsTree } from './heads-tree.ts';

/** Follows checkpoints by number and holds what they state. Give each number at most once, rising. */
export class CheckpointChain {
  readonly #stated = new HeadHistory();
  readonly #heads = new HeadsTree();
  readonly #isAll: boolean;
  readonly #wanted: readonly number[];
  readonly #remembered = new Map<number, Checkpoint>();
  readonly #times = new Map<number, string>();
  #last: SignedCheckpoint | undefined;
  #count = 0;

  /** `remember`: the numbers of checkpoints that are asked for later. `keeps`: `last` where nobody asks for `stated` or `timeOf`. */
  constructor({ remember = [], keeps = 'all' }: { readonly remember?: readonly number[]; readonly keeps?: 'all' | 'last' } = {}) {
    this.#wanted = remember;
    this.#isAll = keeps === 'all';
  }

  remembered(number: number): Checkpoint | undefined {
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
    return this.#times.get(number);
  }

  /** Every stated head of a chain, from low to high. */
  stated(chain: string): readonly StatedHead[] {
    return this.#stated.of(chain);
  }

  /** Takes over a checkpoint whose signature was found genuine, and says what does not fit to the ones before. */
  follow(signed: SignedCheckpoint): readonly Finding[] {
    const { checkpoint } = signed;
    const findings = linkFindings(checkpoint, this.#last?.checkpoint);
    for (const head of checkpoint.moved) {
      if (this.#isAll) this.#stated.add({ ...head, checkpoint: checkpoint.number });
      this.#heads.set(head);
    }
    this.#last = signed;
    if (this.#isAll) this.#times.set(checkpoint.number, checkpoint.at);
    if (this.#wanted.includes(checkpoint.number)) this.#remembered.set(checkpoint.number, checkpoint);
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

function linkFindings(checkpoint: Checkpoint, before: Checkpoint | undefined): readonly Finding[] {
  const { number } = checkpoint;
  const expected = (before?.number ?? 0) + 1;
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
export function follows(checkpoint: Checkpoint, before: Checkpoint | undefined): boolean {
  return (
    checkpoint.number === (before?.number ?? 0) + 1 && checkpoint.previous === (before ? checkpointDigest(before) : genesisHash)
  );
}

/**
 * By a trusted key, and by none that had been replaced when the checkpoint before it was signed: of the verifier's keys the notary's of today is the
 * first, and each other one was replaced by the one in front of it. Whoever has a replaced key cannot go on with it.
 */
export function isGenuine(signed: SignedCheckpoint, verifier: SignatureVerifier, before: SignedCheckpoint | undefined): boolean {
  return isByKeyOfThen(signed, verifier, before) && verifier.verify(signedBytesOf(signed));
}

/** The same without the signature itself, for who has that checked beside this thread: `signedBytesOf`. */
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

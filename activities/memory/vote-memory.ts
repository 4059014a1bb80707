import { type Question, questionDigest, type SignedVote } from '../../core/decide/approval.ts';
import type { SeenVote } from '../../core/decide/vote-check.ts';
import { type AnsweredLease, type LeaseAnswer, LeaseMemory } from './lease-memory.ts';
import { Memory, type MemoryKeeper } from './memory.ts';

const retentionMs = 30 * 86_400_000;
/** Nobody changes their mind so often; whoever could would push what others have said out of this memory. */
const mostOfPerson = 20;

/**
 * Which votes this process has checked when they arrived, in their order: what was taken back, what a no stands against, and which asking of a
 * question is the newest. What a workflow shows before a step is held to it.
 */
export class VoteMemory {
  readonly #votes: Memory<readonly SeenVote[]>;
  /** Question → digest of its newest asking that anybody has answered. */
  readonly #newest: Memory<string>;
  /** What they have decided about the ends of leases. */
  readonly leases: LeaseMemory;

  constructor(
    keepers: {
      readonly votes?: MemoryKeeper<readonly SeenVote[]>;
      readonly newest?: MemoryKeeper<string>;
      readonly leases?: MemoryKeeper<AnsweredLease>;
    } = {},
  ) {
    this.leases = new LeaseMemory(keepers.leases);
    this.#votes = new Memory({ most: 10_000, retentionMs, keeper: keepers.votes });
    this.#newest = new Memory({ most: 10_000, retentionMs, keeper: keepers.newest });
  }

  /** Not `ok` for one more of a person who has answered this question too often; `lease` where it has decided about one. */
  note(
    question: Question,
    { vote, keyId, signature }: SignedVote,
    seen: Omit<SeenVote, 'signed'>,
  ): { readonly ok: boolean; readonly lease?: LeaseAnswer } {
    const digest = questionDigest(question);
    const known = this.#votes.get(digest) ?? [];
    if (known.some(({ signed }) => signed.signature === signature)) return { ok: true };
    if (known.filter(({ signed }) => signed.vote.person === vote.person).length >= mostOfPerson) return { ok: false };
    // An old asking that is answered once more does not become the newest.
    if (known.length === 0) this.#newest.set(keyOf(question), digest, seen.at);
    const arrived = [...known, { signed: { vote, keyId, signature }, ...seen }];
    this.#votes.set(digest, arrived, seen.at);
    const lease = this.leases.note(question, digest, arrived);
    return { ok: true, ...(lease && { lease }) };
  }

  of(question: Question): readonly SeenVote[] {
    return this.#votes.get(questionDigest(question)) ?? [];
  }

  /** Whether somebody has answered it since it was asked anew, under the same id. */
  isAskedAnew(question: Question): boolean {
    const newest = this.#newest.get(keyOf(question));
    return newest !== undefined && newest !== questionDigest(question);
  }
}

function keyOf({ id, incident }: Question): string {
  return `${incident.id}\n${incident.run}\n${id}`;
}

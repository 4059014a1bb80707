import { type Question, questionDigest, type SignedVote } from '../../core/decide/approval.ts';
import { type SeenVote, tallyOf } from '../../core/decide/vote-check.ts';
import { type AnsweredLease, type LeaseAnswer, LeaseMemory } from './lease-memory.ts';
import { Memory, type MemoryKeeper } from './memory.ts';

const retentionMs = 30 * 86_400_000;
/** Nobody changes their mind this often; anyone who could would push other people's votes out of this memory. */
const mostOfPerson = 20;
const mostAskings = 20;

/** For a question that is asked again under the same id: those of its askings that count, by digest, newest last. */
interface CountedAskings {
  readonly digests: readonly string[];
  /** What all answers to them say. Absent: they differ. */
  readonly choice?: string;
}

/**
 * Which votes this process has checked on arrival, in order: what was withdrawn, what a no stands against, and which askings of a question count. What a
 * workflow presents before a step is checked against it.
 */
export class VoteMemory {
  readonly #votes: Memory<readonly SeenVote[]>;
  readonly #askings: Memory<CountedAskings>;
  /** Pods that people have decided about, by uid. */
  readonly #answered: Memory<true>;
  /** What the votes have decided about the ends of leases. */
  readonly leases: LeaseMemory;

  constructor(
    keepers: {
      readonly votes?: MemoryKeeper<readonly SeenVote[]>;
      readonly askings?: MemoryKeeper<CountedAskings>;
      readonly leases?: MemoryKeeper<AnsweredLease>;
      readonly answered?: MemoryKeeper<true>;
    } = {},
  ) {
    this.#answered = new Memory({ most: 10_000, retentionMs, keeper: keepers.answered });
    this.leases = new LeaseMemory(keepers.leases);
    this.#votes = new Memory({ most: 10_000, retentionMs, keeper: keepers.votes });
    this.#askings = new Memory({ most: 10_000, retentionMs, keeper: keepers.askings });
  }

  /** Not `ok` for another vote of a person who has answered this question too often; `lease` if the vote has decided about one. */
  note(
    question: Question,
    { vote, keyId, signature }: SignedVote,
    seen: Omit<SeenVote, 'signed'>,
  ): { readonly ok: boolean; readonly lease?: LeaseAnswer } {
    const digest = questionDigest(question);
    const known = this.#votes.get(digest) ?? [];
    if (known.some(({ signed }) => signed.signature === signature)) return { ok: true };
    if (known.filter(({ signed }) => signed.vote.person === vote.person).length >= mostOfPerson) return { ok: false };
    const askings = this.#askings.get(keyOf(question));
    const now = withAnswer(askings, { digest, choice: vote.choice, isFirst: known.length === 0 });
    if (now !== askings) this.#askings.set(keyOf(question), now, seen.at);
    const arrived = [...known, { signed: { vote, keyId, signature }, ...seen }];
    this.#votes.set(digest, arrived, seen.at);
    if (tallyOf(question, arrived, question.severity).status.state === 'decided')
      for (const uid of podsOf(question)) this.#answered.set(uid, true, seen.at);
    const lease = this.leases.note(question, digest, arrived);
    return { ok: true, ...(lease && { lease }) };
  }

  of(question: Question): readonly SeenVote[] {
    return this.#votes.get(questionDigest(question)) ?? [];
  }

  /** Whether people may have decided about the pod since then, whatever about: what is forgotten may have been an answer. @param at milliseconds since 1970 */
  mayHaveAnswered(podUid: string, at: number): boolean {
    return this.#answered.since > at || (this.#answered.at(podUid) ?? 0) >= at;
  }

  /** Whether it was asked again since, under the same id, and somebody has answered differently from what people had decided. */
  isAskedAnew(question: Question): boolean {
    const askings = this.#askings.get(keyOf(question));
    return askings !== undefined && !askings.digests.includes(questionDigest(question));
  }
}

/** One more yes to what people have already decided withdraws nothing: otherwise it would count for nothing until a second person has agreed as well. */
function withAnswer(
  askings: CountedAskings | undefined,
  { digest, choice, isFirst }: { readonly digest: string; readonly choice: string; readonly isFirst: boolean },
): CountedAskings {
  const { digests = [], choice: said } = askings ?? {};
  if (isFirst) return { digests: choice === said ? [...digests, digest].slice(-mostAskings) : [digest], choice };
  // An old asking that is answered again does not become the newest.
  if (!askings || !digests.includes(digest) || choice === said) return askings ?? { digests: [digest], choice };
  return { digests: digests.slice(-1) };
}

/** The targets of its plans, and the pod that silence contains. */
function podsOf({ choices, containsOnSilence }: Question): ReadonlySet<string> {
  const targets = choices.flatMap(({ plans }) => plans.map(({ target }) => target.uid));
  return new Set([...targets, containsOnSilence].filter((uid) => uid !== undefined));
}

function keyOf({ id, incident }: Question): string {
  return `${incident.id}\n${incident.run}\n${id}`;
}

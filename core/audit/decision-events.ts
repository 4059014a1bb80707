import type { Question, SignedVote } from '../decide/approval.ts';
import { isObject } from '../text/plain-json.ts';
import type { AuditRecord } from './audit.ts';

/** Records about how people were asked, and what they said. */
export const decisionKinds = [
  'question.asked',
  'question.escalated',
  'question.decided',
  'question.expired',
  'question.void',
  'vote.accepted',
] as const;

/** One question from beginning to end, according to its records. Times are milliseconds since 1970. */
export interface AskedOnce {
  readonly question: string;
  readonly incident: string;
  /** The chain of its records. */
  readonly chain: string;
  /** `playbook/ID`, or whoever else asked. */
  readonly requester: string;
  readonly actors: readonly string[];
  readonly askedAt: number;
  /** Groups in the order in which they were asked, and when. */
  readonly asked: readonly { readonly group: string; readonly at: number }[];
  readonly votes: readonly RecordedVote[];
  readonly end: 'open' | 'decided' | 'expired' | 'void';
  /** When the deciding answer was given. */
  readonly answeredAt?: number;
}

interface RecordedVote {
  readonly person: string;
  readonly choice: string;
  readonly at: number;
  /** This choice leads to an action: it is an approval. */
  readonly approves: boolean;
}

/** Only what is counted from a question: its plans and texts are a hundred times as large. */
interface Told extends Pick<AskedOnce, 'question' | 'incident' | 'chain' | 'requester' | 'actors' | 'askedAt'> {
  /** Groups, by level. */
  readonly levels: readonly string[];
  /** Choices that lead to an action. */
  readonly approving: readonly string[];
  readonly asked: { readonly group: string; readonly at: number }[];
  readonly votes: RecordedVote[];
  end: AskedOnce['end'];
}

/** Reconstructs questions from their records, one by one. Records of a question that was asked before the first record are left out. */
export class RecordedQuestions {
  readonly #told = new Map<string, Told>();

  add({ kind, body, chain, at: time }: AuditRecord): void {
    const at = Date.parse(time);
    const asked = kind === 'question.asked' ? questionIn(body) : undefined;
    if (asked) {
      this.#told.set(`${chain} ${asked.id}`, toldOf(asked, chain, at));
      return;
    }
    const vote = kind === 'vote.accepted' ? voteIn(body) : undefined;
    const one = this.#told.get(`${chain} ${String(vote?.question ?? body.question)}`);
    if (!one) return;
    if (vote) one.votes.push(counted(vote, one));
    else if (kind === 'question.escalated') escalate(one, body.level, at);
    else if (kind === 'question.decided') one.end = 'decided';
    else if (kind === 'question.expired') one.end = 'expired';
    else if (kind === 'question.void') one.end = 'void';
  }

  all(): readonly AskedOnce[] {
    return [...this.#told.values()].map(finished);
  }
}

function toldOf(
  { id, incident, requester, requesters = [], actors = [], levels, choices }: Question,
  chain: string,
  at: number,
): Told {
  const groups = levels.map(({ group }) => group);
  return {
    ...{ question: id, incident: incident.id, chain, requester, actors: [...actors, ...requesters], askedAt: at },
    levels: groups,
    approving: choices.filter(({ plans }) => plans.length > 0).map((choice) => choice.id),
    asked: groups.slice(0, 1).map((group) => ({ group, at })),
    votes: [],
    end: 'open',
  };
}

function escalate({ levels, asked }: Told, level: unknown, at: number): void {
  const group = typeof level === 'number' ? levels[level] : undefined;
  if (group !== undefined) asked.push({ group, at });
}

function counted({ person, choice, at }: SignedVote['vote'], { approving }: Told): RecordedVote {
  return { person, choice, at: Date.parse(at), approves: approving.includes(choice) };
}

function finished({ levels: _, approving: __, ...told }: Told): AskedOnce {
  // The last vote is the one that decided, even if a no stood because of silence.
  const last = told.votes.at(-1);
  return { ...told, ...(told.end === 'decided' && last && { answeredAt: last.at }) };
}

/** The store returns what any version of this program wrote: only the needed fields are checked. */
function questionIn({ question }: AuditRecord['body']): Question | undefined {
  return isQuestion(question) ? question : undefined;
}

export function isQuestion(value: unknown): value is Question {
  return (
    isObject(value) &&
    typeof value.id === 'string' &&
    typeof value.requester === 'string' &&
    isObject(value.incident) &&
    Array.isArray(value.levels) &&
    Array.isArray(value.choices)
  );
}

function voteIn({ vote }: AuditRecord['body']): SignedVote['vote'] | undefined {
  return isVote(vote) ? vote : undefined;
}

function isVote(value: unknown): value is SignedVote['vote'] {
  return isObject(value) && ['person', 'choice', 'at', 'question'].every((name) => typeof value[name] === 'string');
}

import type { Question, SignedVote } from '../decide/approval.ts';
import { isObject } from '../text/plain-json.ts';
import type { AuditRecord } from './audit.ts';

/** Records that tell how people were asked, and what they said. */
export const decisionKinds = [
  'question.asked',
  'question.escalated',
  'question.decided',
  'question.expired',
  'question.void',
  'vote.accepted',
] as const;

/** One question from beginning to end, as its records tell it. Times are milliseconds since 1970. */
export interface AskedOnce {
  readonly question: string;
  readonly incident: string;
  /** The chain of its records. */
  readonly chain: string;
  /** `playbook/ID`, or who else asked. */
  readonly requester: string;
  readonly actors: readonly string[];
  readonly askedAt: number;
  /** Groups in the order in which they were asked, and when. */
  readonly asked: readonly { readonly group: string; readonly at: number }[];
  readonly votes: readonly RecordedVote[];
  readonly end: 'open' | 'decided' | 'expired' | 'void';
  /** When the answer was given that decided it. */
  readonly answeredAt?: number;
}

interface RecordedVote {
  readonly person: string;
  readonly choice: string;
  readonly at: number;
  /** Something is done on this choice: it is an approval, and no comfort. */
  readonly approves: boolean;
}

/** Of a question itself only what is counted: its plans and texts are a hundred times as much. */
interface Told extends Pick<AskedOnce, 'question' | 'incident' | 'chain' | 'requester' | 'actors' | 'askedAt'> {
  /** Groups, by level. */
  readonly levels: readonly string[];
  /** Choices on which something is done. */
  readonly approving: readonly string[];
  readonly asked: { readonly group: string; readonly at: number }[];
  readonly votes: RecordedVote[];
  end: AskedOnce['end'];
}

/** Puts the records of questions together, one by one. What belongs to a question that was asked before the first record is left out. */
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
  // The last word is the one that decided, also where silence let a no stand.
  const last = told.votes.at(-1);
  return { ...told, ...(told.end === 'decided' && last && { answeredAt: last.at }) };
}

/** The store gives back what this program wrote, of whichever version: only what is needed is looked for. */
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

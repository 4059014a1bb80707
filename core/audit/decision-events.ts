import type { Level, Question, SignedVote } from '../decide/approval.ts';
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

interface Told {
  question: Question;
  incident: string;
  askedAt: number;
  asked: { group: string; at: number }[];
  votes: RecordedVote[];
  end: AskedOnce['end'];
}

/** Puts the records of questions together. What belongs to a question that was asked before the first record is left out. */
export function questionsIn(records: Iterable<AuditRecord>): readonly AskedOnce[] {
  const told = new Map<string, Told>();
  for (const record of records) {
    const { kind, body, chain } = record;
    const at = Date.parse(record.at);
    const asked = kind === 'question.asked' ? questionIn(body) : undefined;
    if (asked) {
      const [first] = asked.levels;
      told.set(`${chain} ${asked.id}`, {
        question: asked,
        incident: asked.incident.id,
        askedAt: at,
        asked: first ? [{ group: first.group, at }] : [],
        votes: [],
        end: 'open',
      });
      continue;
    }
    const vote = kind === 'vote.accepted' ? voteIn(body) : undefined;
    const one = told.get(`${chain} ${String(vote?.question ?? body.question)}`);
    if (!one) continue;
    if (vote) one.votes.push(counted(vote, one.question));
    else if (kind === 'question.escalated') escalate(one, body.level, at);
    else if (kind === 'question.decided') one.end = 'decided';
    else if (kind === 'question.expired') one.end = 'expired';
    else if (kind === 'question.void') one.end = 'void';
  }
  return [...told.values()].map(finished);
}

function escalate({ question, asked }: Told, level: unknown, at: number): void {
  const next: Level | undefined = typeof level === 'number' ? question.levels[level] : undefined;
  if (next) asked.push({ group: next.group, at });
}

function counted({ person, choice, at }: SignedVote['vote'], { choices }: Question): RecordedVote {
  const approves = choices.some(({ id, plans }) => id === choice && plans.length > 0);
  return { person, choice, at: Date.parse(at), approves };
}

function finished({ question, incident, askedAt, asked, votes, end }: Told): AskedOnce {
  // The last word is the one that decided, also where silence let a no stand.
  const last = votes.at(-1);
  return {
    question: question.id,
    incident,
    requester: question.requester,
    actors: [...(question.actors ?? []), ...(question.requesters ?? [])],
    askedAt,
    asked,
    votes,
    end,
    ...(end === 'decided' && last && { answeredAt: last.at }),
  };
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

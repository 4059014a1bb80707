import { answerersOf, type Roster } from '../people/roster.ts';
import { compareTexts } from '../text/plain-json.ts';
import type { AskedOnce } from './decision-events.ts';
import { percentile } from './percentile.ts';

/** Milliseconds: a faster approval was hardly read. */
const quickMs = 10_000;
const dayMs = 86_400_000;

export interface QuestionStats {
  readonly asked: number;
  readonly decided: number;
  readonly expired: number;
  readonly void: number;
  readonly open: number;
  /** From the question to the deciding answer; null if none was decided. */
  readonly secondsToAnswer: { readonly p50: number; readonly p90: number } | null;
  /** Votes for an action within 10 s of the question. */
  readonly quickApprovals: number;
}

interface PersonStats {
  readonly person: string;
  /** Questions that reached the person's groups while on call in them. */
  readonly questions: number;
  readonly answers: number;
  readonly quickApprovals: number;
  /** Shifts with a question; days, if the group has no schedule. */
  readonly shifts: number;
  readonly perShift: number;
  readonly mostInAShift: number;
}

export interface DecisionReport {
  readonly since: string;
  readonly until: string;
  readonly all: QuestionStats;
  readonly byPlaybook: readonly (QuestionStats & { readonly playbook: string })[];
  readonly people: readonly PersonStats[];
}

/** Reports how people decide: people who are asked too often say yes without reading, and that is our fault. */
export function reportOfQuestions({
  questions,
  roster,
  since,
  until,
}: {
  readonly questions: readonly AskedOnce[];
  readonly roster: Roster;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly until: number;
}): DecisionReport {
  const playbooks = Map.groupBy(questions, ({ requester }) => requester.replace(/^playbook\//, ''));
  return {
    since: new Date(since).toISOString(),
    until: new Date(until).toISOString(),
    all: statsOf(questions),
    byPlaybook: [...playbooks]
      .map(([playbook, own]) => ({ playbook, ...statsOf(own) }))
      .sort((a, b) => b.asked - a.asked || compareTexts(a.playbook, b.playbook)),
    people: peopleIn(questions, roster),
  };
}

function statsOf(questions: readonly AskedOnce[]): QuestionStats {
  const ended = (end: AskedOnce['end']): number => questions.filter((one) => one.end === end).length;
  const seconds = questions
    .flatMap(({ answeredAt, askedAt }) => (answeredAt === undefined ? [] : [Math.max(0, answeredAt - askedAt) / 1_000]))
    .sort((a, b) => a - b);
  return {
    asked: questions.length,
    decided: ended('decided'),
    expired: ended('expired'),
    void: ended('void'),
    open: ended('open'),
    secondsToAnswer: seconds.length === 0 ? null : { p50: percentile(seconds, 0.5), p90: percentile(seconds, 0.9) },
    quickApprovals: questions.reduce((sum, one) => sum + quickIn(one).length, 0),
  };
}

function quickIn({ votes, askedAt }: AskedOnce): AskedOnce['votes'] {
  return votes.filter(({ approves, at }) => approves && at - askedAt < quickMs);
}

interface Load {
  readonly questions: Set<string>;
  readonly byShift: Map<string, Set<string>>;
  answers: number;
  quick: number;
}

function peopleIn(questions: readonly AskedOnce[], roster: Roster): readonly PersonStats[] {
  const loads = new Map<string, Load>();
  const loadOf = (person: string): Load => {
    const load = loads.get(person) ?? { questions: new Set(), byShift: new Map(), answers: 0, quick: 0 };
    loads.set(person, load);
    return load;
  };
  for (const question of questions) {
    const key = `${question.incident} ${question.question}`;
    for (const { person, shift } of whoWasAsked(question, roster)) {
      const { questions: own, byShift } = loadOf(person);
      own.add(key);
      byShift.set(shift, (byShift.get(shift) ?? new Set()).add(key));
    }
    for (const { person } of question.votes) loadOf(person).answers += 1;
    for (const { person } of quickIn(question)) loadOf(person).quick += 1;
  }
  return [...loads].map(([person, load]) => personStats(person, load)).sort((a, b) => b.questions - a.questions);
}

function personStats(person: string, { questions, byShift, answers, quick }: Load): PersonStats {
  const counts = [...byShift.values()].map(({ size }) => size);
  const sum = counts.reduce((total, count) => total + count, 0);
  return {
    person,
    questions: questions.size,
    answers,
    quickApprovals: quick,
    shifts: counts.length,
    perShift: counts.length === 0 ? 0 : Math.round((sum / counts.length) * 10) / 10,
    mostInAShift: Math.max(0, ...counts),
  };
}

/** A shift is identified by its end: people without one are counted by days. */
function whoWasAsked(
  { asked, requester, actors }: AskedOnce,
  roster: Roster,
): readonly { readonly person: string; readonly shift: string }[] {
  return asked.flatMap(({ group, at }) =>
    answerersOf(roster, group, at)
      .filter(({ person }) => `person/${person}` !== requester && !actors.includes(person))
      .map(({ person, until, standsInFor }) => {
        const end = until ?? standsInFor?.until ?? Math.floor(at / dayMs) * dayMs + dayMs;
        return { person, shift: `${group} ${end}` };
      }),
  );
}

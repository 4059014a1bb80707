import { type ErrorCode, FirebreakError } from '../../core/errors.ts';
import type { Duration } from '../../core/playbook/duration.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import type { SimulateOptions } from '../../testing/chooser.ts';
import type { Said, SimulatedQuestion } from '../../testing/people.ts';
import { simulate } from '../../testing/simulate.ts';
import type { Story, StoryEvent } from '../../testing/story.ts';
import { targetText } from '../../workflows/steps/step-data.ts';
import { isStoryKind, type PastIncident, type PastStep } from './past-incident.ts';

/** What differs from the past incident. */
export interface ForkOptions {
  /** All playbooks that may run. */
  readonly playbooks: readonly ListedPlaybook[];
  /** Playbooks that run instead of those that ran. */
  readonly instead?: readonly ListedPlaybook[];
  /** `deletePod`, `deletePod#2`: up to this step, answers and failures are as they were. Absent: to the end. */
  readonly at?: string;
  /** With a step: the answer to the question that shows its plan. Without one: to the next question from the fork on that has such a choice. */
  readonly answers?: readonly { readonly step?: string; readonly choice: string }[];
  /** By action, as in `SimulateOptions.failures`. */
  readonly failures?: Readonly<Record<string, ErrorCode>>;
}

/** Two stories side by side: events of both share a row. */
interface ForkRow {
  readonly past?: StoryEvent;
  readonly fork?: StoryEvent;
}

export interface Fork {
  /** `INCIDENT@RUN`. */
  readonly chain: string;
  readonly rows: readonly ForkRow[];
  readonly past: Pick<PastIncident, 'playbooks' | 'verdict'>;
  readonly story: Story;
  /** Why the result may differ from what would have happened, in sentences. */
  readonly missing: readonly string[];
}

/**
 * Replays a past incident with changes: its alerts at their times, through the real engine, with the recorded answers, outputs, plans and failures up to the
 * fork; from there on with what the options specify, and otherwise silence.
 *
 * @throws FB_ERR_UNKNOWN_ID for a step or a playbook that does not exist; TypeError for an answer that its question does not have
 */
export async function forkIncident(past: PastIncident, options: ForkOptions): Promise<Fork> {
  const until = options.at === undefined ? Number.POSITIVE_INFINITY : momentOf(past.steps, options.at);
  const ran = options.playbooks.filter(({ id }) => past.playbooks.includes(id));
  const gone = past.playbooks.filter((id) => !ran.some((one) => one.id === id));
  const about = options.instead ?? ran;
  if (about.length === 0)
    throw new FirebreakError(
      'FB_ERR_UNKNOWN_ID',
      past.playbooks.length === 0
        ? 'none ran: there is nothing to replay'
        : `none of the playbooks that ran is here: ${past.playbooks.join(', ')}`,
      { remedy: 'Name the folder of their pack with --pack, or others with --playbook.' },
    );
  const story = await simulate(about, asItWas(past, until, options));
  const again = gone.length === 0 ? await simulate(ran, asItWas(past, Number.POSITIVE_INFINITY, {})) : undefined;
  return {
    chain: past.chain,
    rows: sideBySide(
      past.events,
      story.events.filter(({ kind }) => isStoryKind(kind)),
    ),
    past: { playbooks: past.playbooks, verdict: past.verdict },
    story,
    missing: [
      ...past.missing,
      ...(gone.length > 0 ? [`Playbooks that ran and are not here: ${gone.join(', ')}.`] : []),
      ...(again ? departures(past.events, again.events) : []),
    ],
  };
}

function momentOf(steps: readonly PastStep[], wanted: string): number {
  const [action = '', nth = '1'] = wanted.split('#');
  const step = steps.find((one) => one.action === action && String(one.nth) === nth);
  if (step) return step.at;
  const known = steps.map((one) => (one.nth === 1 ? one.action : `${one.action}#${one.nth}`)).join(', ');
  throw new FirebreakError('FB_ERR_UNKNOWN_ID', `unknown step ${wanted}: it had ${known || 'none at all'}`);
}

function asItWas(
  past: PastIncident,
  until: number,
  { answers = [], failures = {} }: Pick<ForkOptions, 'answers' | 'failures'>,
): SimulateOptions {
  const [first, ...more] = past.alerts;
  if (!first) throw new FirebreakError('FB_ERR_UNKNOWN_ID', 'no alert of it is on record');
  return {
    alert: first.alert,
    more: more.map(({ alert, at }) => ({ alert, after: `${at / 1_000}s` as Duration })),
    answer: answering(past, until, answers),
    outputs: byAction(past.steps, (steps) => {
      const left = [...steps];
      return (input: unknown) => take(left, input)?.output ?? {};
    }),
    plans: byAction(past.steps, (steps) => (input: unknown) => planIn(steps, input)),
    failures: { ...failuresOf(past.steps, until), ...failures },
    named: namedIn(past),
  };
}

/** People whom somebody entered in a form: of its fields only these are lists. */
function namedIn({ answers }: PastIncident): readonly string[] {
  return [
    ...new Set(
      answers.flatMap(({ form = {} }) => Object.values(form).flatMap((value) => (typeof value === 'object' ? value : []))),
    ),
  ];
}

function byAction<Value>(
  steps: readonly PastStep[],
  make: (steps: readonly PastStep[]) => Value,
): Readonly<Record<string, Value>> {
  const done = steps.filter(({ code }) => code === undefined);
  return Object.fromEntries([...Map.groupBy(done, ({ action }) => action)].map(([action, own]) => [action, make(own)]));
}

/** Uses each recorded step once, and the last one for all later calls. */
function take(left: PastStep[], input: unknown): PastStep | undefined {
  const place = left.findIndex((one) => isAbout(one, input));
  const found = left[place];
  if (found && left.filter(({ target }) => target === found.target).length > 1) left.splice(place, 1);
  return found;
}

/** Work outside the cluster has a different name in each plan. */
function isAbout({ target }: PastStep, input: unknown): boolean {
  const about = targetText(input);
  return about === 'outside' || about === target;
}

function planIn(steps: readonly PastStep[], input: unknown): NonNullable<PastStep['plan']> {
  const plan = steps.find((one) => isAbout(one, input))?.plan;
  if (!plan) return {};
  const { target, changes, blastRadius, notes } = plan;
  return { ...(target && { target }), ...(changes && { changes }), ...(blastRadius && { blastRadius }), ...(notes && { notes }) };
}

/** The engine repeats its own refusals if the situation is the same. */
const ownRefusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'FB_ERR_ASK_FIRST',
  'FB_ERR_APPROVAL_INVALID',
  'FB_ERR_EVIDENCE_PENDING',
]);

function failuresOf(steps: readonly PastStep[], until: number): Readonly<Record<string, ErrorCode>> {
  const times = new Map<string, number>();
  return Object.fromEntries(
    steps.flatMap(({ action, code, at }) => {
      if (code !== undefined && ownRefusals.has(code)) return [];
      const nth = (times.get(action) ?? 0) + 1;
      times.set(action, nth);
      return code !== undefined && at < until ? [[`${action}#${nth}`, code]] : [];
    }),
  );
}

/** First the changed answers; then the recorded one, if the same was asked; otherwise silence. */
function answering(
  past: PastIncident,
  until: number,
  answers: NonNullable<ForkOptions['answers']>,
): (question: SimulatedQuestion) => Said {
  const given = [...answers];
  const left = past.answers.filter(({ at }) => at < until);
  return ({ text, choices }) => {
    const has = (choice: string): boolean => choices.some(({ id }) => id === choice);
    const shows = (step: string): boolean => choices.some(({ plans }) => plans.some(({ action }) => action === step));
    const other = given.findIndex(({ step, choice }) => has(choice) && step !== undefined && shows(step));
    if (other >= 0) return given.splice(other, 1)[0]?.choice;
    const place = left.findIndex((one) => one.text === text && has(one.choice));
    const [before] = place < 0 ? [] : left.splice(place, 1);
    const next = given.findIndex(({ step, choice }) => step === undefined && has(choice));
    // If no fork step is given, an answer counts immediately.
    if (next >= 0 && (!before || until === Number.POSITIVE_INFINITY)) return given.splice(next, 1)[0]?.choice;
    return before && { choice: before.choice, level: before.level, ...(before.form && { form: before.form }) };
  };
}

/** Key by which two events are equal: times, and who answered, may differ. */
function keyOf({ kind, text }: StoryEvent): string {
  if (kind === 'question.decided') return `${kind} ${text.split(',')[0]}`;
  if (kind === 'incident.verdict') return `${kind} ${text.split(':')[0]}`;
  return `${kind} ${text}`;
}

const mostRows = 1_000;

/** Compares like a text diff: the longest common subsequence, and between it what only one has. */
export function sideBySide(pastAll: readonly StoryEvent[], forkAll: readonly StoryEvent[]): readonly ForkRow[] {
  const [past, fork] = [pastAll.slice(0, mostRows), forkAll.slice(0, mostRows)];
  const [ours, theirs] = [past.map(keyOf), fork.map(keyOf)];
  const common: number[][] = Array.from({ length: past.length + 1 }, () => new Array<number>(fork.length + 1).fill(0));
  const at = (left: number, right: number): number => common[left]?.[right] ?? 0;
  for (let left = past.length - 1; left >= 0; left -= 1)
    for (let right = fork.length - 1; right >= 0; right -= 1) {
      const row = common[left] ?? [];
      row[right] =
        ours[left] === theirs[right] ? at(left + 1, right + 1) + 1 : Math.max(at(left + 1, right), at(left, right + 1));
    }
  const rows: ForkRow[] = [];
  for (let left = 0, right = 0; left < past.length || right < fork.length; ) {
    const [mine, other] = [past[left], fork[right]];
    if (mine && other && ours[left] === theirs[right]) {
      rows.push({ past: mine, fork: other });
      left += 1;
      right += 1;
    } else if (mine && (!other || at(left + 1, right) >= at(left, right + 1))) {
      rows.push({ past: mine });
      left += 1;
    } else if (other) {
      rows.push({ fork: other });
      right += 1;
    }
  }
  return rows;
}

/** Actions and questions: everything else is described in words that may differ. */
const compared = /^(?:step\.(?:applied|failed)|question\.(?:asked|decided)|incident\.verdict)$/;

/** A replay without changes should reach the recorded outcome. */
function departures(past: readonly StoryEvent[], again: readonly StoryEvent[]): readonly string[] {
  const [was, is] = [past, again].map((events) => events.filter(({ kind }) => compared.test(kind)).map(keyOf));
  const lacking = was?.filter((one) => !is?.includes(one)) ?? [];
  const more = is?.filter((one) => !was?.includes(one)) ?? [];
  return [
    ...(lacking.length > 0
      ? [`Replayed unchanged, it lacks: ${lacking.slice(0, 3).join('; ')}${lacking.length > 3 ? '; …' : ''}.`]
      : []),
    ...(more.length > 0
      ? [`Replayed unchanged, it also has: ${more.slice(0, 3).join('; ')}${more.length > 3 ? '; …' : ''}.`]
      : []),
  ];
}

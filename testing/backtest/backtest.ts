import type { GuardrailRules } from '../../core/action/guardrail.ts';
import { quarantinePod } from '../../core/actions/index.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { subjectOf } from '../../core/alert/subject.ts';
import type { ResponseRules } from '../../core/assessment/policy.ts';
import type { OwnConfidence } from '../../core/assessment/rule-confidence.ts';
import type { Baseline } from '../../core/assessment/stories.ts';
import { incidentIdOf, type Verdict } from '../../core/incident/incident.ts';
import { NoveltyMemory, type NoveltyOptions, type RunningImage } from '../../core/novelty/novelty.ts';
import { type AskedRoster, type ShiftLoad, ShiftLoads } from '../../core/people/shift-load.ts';
import { AlertStamps, unstamped } from '../../core/playbook/alert-stamps.ts';
import { answering, subjectKeyOf } from '../../core/playbook/answering.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import type { ParamValue } from '../../core/playbook/params.ts';
import { AssessedPods, capKinds, type PodOutcome, type PodsDone, PodTally } from './assessed-pods.ts';
import { StoryMemory } from './stories.ts';

/** A past alert, and the verdict of its incident if known. */
export interface RecordedAlert {
  readonly alert: Alert;
  readonly verdict?: Verdict;
}

interface PlaybookBacktest {
  readonly id: string;
  /** Alerts that it answers, including those that join a run in progress. */
  readonly alerts: number;
  /** Times that its body would have run. */
  readonly runs: number;
  /** Times that it would have asked people a question. */
  readonly questions: number;
  /** Action → times that it would have run without asking. */
  readonly automatic: Readonly<Record<string, number>>;
  /** Error code → times that a step would have been refused. */
  readonly refused: Readonly<Record<string, number>>;
  /** Times that the body would have failed or never ended. */
  readonly stopped: number;
  /** What would have been done about the pods of alerts that join a run. */
  readonly joined: PodsDone;
}

export interface BacktestReport {
  readonly alerts: number;
  readonly answered: number;
  readonly from?: string;
  readonly to?: string;
  readonly playbooks: readonly PlaybookBacktest[];
  /** Rule → alerts that nothing answers, most frequent first. */
  readonly unanswered: readonly { readonly rule: string; readonly severity: string; readonly alerts: number }[];
  /** What would have been done about the pod of each answered alert, after the assessment, the guardrails and the caps. */
  readonly pods: PodsDone;
  /** Pods that would have been contained without asking, by the verdict of their incident. */
  readonly touched: Readonly<Record<Verdict, number>> & { readonly all: number };
  /** Group that is asked first → its questions. */
  readonly questions: Readonly<Record<string, ShiftLoad>>;
  /** With a roster: each person → the questions they get; and how often nobody was on call. */
  readonly people?: Readonly<Record<string, ShiftLoad>>;
  readonly askedNobody?: number;
}

export interface BacktestOptions {
  readonly playbooks: readonly ListedPlaybook[];
  /** An incident without news for this long is over, and the next alert begins another. */
  readonly quietMs: number;
  /** Set if the alerts are as sensors sent them, without a cell's novelty: it is determined in their order, as a cell would. Absent: the alerts state it. */
  readonly judgesNovelty?: Pick<NoveltyOptions, 'learningMs' | 'rolloutMs'>;
  /** Who is on call when. Absent: questions are only counted by group. */
  readonly roster?: AskedRoster;
  /** Groups asked one after another if a playbook does not say. */
  readonly levels?: readonly string[];
  /** As configured; absent: the shipped defaults. */
  readonly guardrails?: GuardrailRules;
  /** As configured; absent: 60. */
  readonly capWindowMinutes?: number;
  /** Mode, profile and scopes as configured; absent: `contain`, balanced. */
  readonly response?: ResponseRules;
  /** How sure rules are, as configured. */
  readonly own?: readonly OwnConfidence[];
  /** What is normal, from `firebreak assess --learn`. */
  readonly baseline?: Baseline;
  /** Number of pods of each workload. Absent: as many as alerts have named. */
  readonly replicas?: number;
  /** Playbook → its parameters, as the configuration sets them; defaults for those not set. */
  readonly params?: Readonly<Record<string, Readonly<Record<string, ParamValue>>>>;
}

/** Maximum number of bodies remembered as running: beyond that, the oldest counts as over. */
const mostOpen = 50_000;
/** Maximum number of rules that are counted. */
const mostRules = 2_000;

interface Counted {
  alerts: number;
  runs: number;
  questions: number;
  stopped: number;
  readonly automatic: Map<string, number>;
  readonly refused: Map<string, number>;
  readonly joined: PodTally;
}

/**
 * Determines what playbooks would have done about past alerts, one after another, in constant memory. Each alert is assessed and checked against guardrails and
 * caps as in a cell, also if it joins a run. Each body runs in the simulation with the real engine,
 * with silence to every question: nobody knows what people would have answered. Alerts that differ only in names, times and titles, and in what their playbook
 * does not look at, have the same result and are simulated once; and if ten of one rule and severity had the same result whatever else they said, the others
 * are assumed to have it too.
 */
export class Backtest {
  readonly #options: BacktestOptions;
  readonly #stories: StoryMemory;
  readonly #stamps: AlertStamps;
  readonly #novelty: NoveltyMemory | undefined;
  readonly #pods: AssessedPods;
  readonly #done = new PodTally();
  /** Playbook and subject → time of its last alert. */
  readonly #open = new Map<string, number>();
  readonly #counted = new Map<string, Counted>();
  readonly #unanswered = new Map<string, { readonly rule: string; readonly severity: string; alerts: number }>();
  readonly #touched = { all: 0, benign: 0, suspicious: 0, true_positive: 0, unknown: 0 };
  readonly #loads: ShiftLoads;
  #alerts = 0;
  #answered = 0;
  #from = Number.POSITIVE_INFINITY;
  #to = Number.NEGATIVE_INFINITY;

  constructor(options: BacktestOptions) {
    this.#options = options;
    this.#stories = new StoryMemory(options);
    this.#loads = new ShiftLoads(options.roster);
    this.#pods = new AssessedPods(options);
    this.#stamps = new AlertStamps({ playbooks: options.playbooks });
    this.#novelty = options.judgesNovelty && new NoveltyMemory({ ...options.judgesNovelty, imageOf: imageInAlert });
    for (const { id } of options.playbooks)
      this.#counted.set(id, {
        alerts: 0,
        runs: 0,
        questions: 0,
        stopped: 0,
        automatic: new Map(),
        refused: new Map(),
        joined: new PodTally(),
      });
  }

  /** Alerts must come in chronological order: conditions on frequency, or on nothing following, depend on it. */
  async add({ alert: given, verdict = 'unknown' }: RecordedAlert): Promise<void> {
    // Reported once more for the playbooks of that time: whether nothing followed is determined again.
    if (given.againFor) return;
    const at = Date.parse(given.receivedAt ?? given.time) || 0;
    for (const { alert, condition, of } of this.#stamps.over(at)) {
      this.#stamps.told(condition, of);
      await this.#answerAll(this.#pods.repeated(this.#stamps.stamp(alert, at)), at, 'unknown');
    }
    this.#alerts += 1;
    this.#from = Math.min(this.#from, at);
    this.#to = Math.max(this.#to, at);
    const came = this.#judged(unstamped(given), at);
    this.#stamps.heard(came);
    const alert = this.#pods.assessed(this.#stamps.stamp(came, at), at);
    if (await this.#answerAll(alert, at, verdict)) this.#answered += 1;
    else countRule(this.#unanswered, alert);
  }

  /** The sender is unknown: everything that reports for one sensor counts as one sender. */
  #judged(alert: Alert, at: number): Alert {
    if (!this.#novelty) return alert;
    const novelty = this.#novelty.take(alert, { sender: alert.sensor, nowMs: at });
    if (!novelty && !alert.facts) return alert;
    const { novelty: _, ...facts } = alert.facts ?? {};
    return { ...alert, facts: { ...facts, ...(novelty && { novelty }) } };
  }

  async #answerAll(alert: Alert, at: number, verdict: Verdict): Promise<boolean> {
    const answers = answering(this.#options.playbooks, alert);
    if (answers.length === 0) return false;
    const pod = this.#pods.take(alert, { at, mayContain: answers.some(({ contains }) => contains === 'pod') });
    this.#done.add(pod);
    let touches = pod.done === 'contained';
    for (const playbook of answers) {
      const contained = await this.#answer(playbook, alert, at, pod);
      // A body that contains the pod by itself.
      if (contained > 0 && pod.done !== 'held') touches = true;
    }
    if (touches) {
      this.#pods.hold(alert, at);
      this.#touched.all += 1;
      this.#touched[verdict] += 1;
    }
    return true;
  }

  /** Returns how many of its steps would have changed something without people. */
  async #answer(playbook: ListedPlaybook, alert: Alert, at: number, pod: PodOutcome): Promise<number> {
    const counted = this.#counted.get(playbook.id);
    if (!counted) return 0;
    counted.alerts += 1;
    const key = `${playbook.id} ${incidentIdOf(subjectOf(alert))} ${subjectKeyOf(playbook, alert)}`;
    const before = this.#open.get(key);
    this.#open.delete(key);
    this.#open.set(key, at);
    if (this.#open.size > mostOpen) for (const oldest of this.#open.keys()) if (this.#open.delete(oldest)) break;
    if (before !== undefined && Math.abs(at - before) < this.#options.quietMs) {
      counted.joined.add(pod);
      if (playbook.contains !== 'pod') return 0;
      if (pod.done === 'contained') count(counted.automatic, quarantinePod.name);
      if (pod.done === 'refused') count(counted.refused, pod.code);
      return 0;
    }
    counted.runs += 1;
    const outcome = await this.#stories.outcomeOf(playbook, alert, pod.done === 'refused' && pod.code === 'FB_ERR_CAP_REACHED');
    for (const action of outcome.automatic) count(counted.automatic, action);
    for (const code of outcome.refused) count(counted.refused, code);
    if (outcome.stopped) counted.stopped += 1;
    counted.questions += outcome.asked.length;
    for (const groups of outcome.asked) this.#loads.ask(groups, at);
    return outcome.contained;
  }

  report(): BacktestReport {
    const isEmpty = this.#alerts === 0;
    const { groups, people, nobody } = this.#loads;
    return {
      alerts: this.#alerts,
      answered: this.#answered,
      ...(!isEmpty && { from: new Date(this.#from).toISOString(), to: new Date(this.#to).toISOString() }),
      playbooks: [...this.#counted]
        .map(([id, { automatic, refused, joined, ...numbers }]) => ({
          id,
          ...numbers,
          joined: joined.done(),
          automatic: Object.fromEntries(automatic),
          refused: Object.fromEntries(refused),
        }))
        .sort((a, b) => b.alerts - a.alerts),
      unanswered: [...this.#unanswered.values()].sort((a, b) => b.alerts - a.alerts),
      pods: this.#done.done(),
      touched: { ...this.#touched },
      questions: groups,
      ...(people && { people, askedNobody: nobody }),
    };
  }
}

function imageInAlert({ container, rollout }: Alert): RunningImage | undefined {
  const since = Date.parse(rollout?.at ?? '');
  return container?.digest === undefined ? undefined : { digest: container.digest, ...(!Number.isNaN(since) && { since }) };
}

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Beyond this many rules, the rest is counted together: the rule names come from the senders of alerts. */
function countRule(
  counts: Map<string, { readonly rule: string; readonly severity: string; alerts: number }>,
  alert: Alert,
): void {
  const { rule, severity } = counts.size < mostRules ? alert : { rule: 'others', severity: 'unknown' };
  const key = `${severity} ${rule}`;
  const known = counts.get(key);
  if (known) known.alerts += 1;
  else counts.set(key, { rule, severity, alerts: 1 });
}

/** A condition on a report: `touched benign > 0`. */
export interface BacktestCondition {
  readonly text: string;
  readonly holds: (report: BacktestReport) => boolean;
}

/** Values that a condition can refer to. */
export const backtestMeasures = {
  alerts: ({ alerts }) => alerts,
  unanswered: ({ alerts, answered }) => alerts - answered,
  runs: ({ playbooks }) => playbooks.reduce((sum, { runs }) => sum + runs, 0),
  stopped: ({ playbooks }) => playbooks.reduce((sum, { stopped }) => sum + stopped, 0),
  refused: ({ playbooks }) => playbooks.reduce((sum, { refused }) => sum + Object.values(refused).reduce((a, b) => a + b, 0), 0),
  capped: ({ pods }) => capKinds.reduce((sum, kind) => sum + (pods.refused[kind] ?? 0), 0),
  questions: ({ questions }) => Object.values(questions).reduce((sum, { all }) => sum + all, 0),
  // For one person, or for a group if no roster says who is in it.
  'questions a shift': ({ questions, people = questions }) =>
    Math.max(0, ...Object.values(people).map(({ worstShift }) => worstShift)),
  touched: ({ touched }) => touched.all,
  'touched benign': ({ touched }) => touched.benign,
  'touched suspicious': ({ touched }) => touched.suspicious,
  'touched true_positive': ({ touched }) => touched.true_positive,
  'touched unknown': ({ touched }) => touched.unknown,
} satisfies Readonly<Record<string, (report: BacktestReport) => number>>;

/** @throws RangeError if the text is not a condition */
export function backtestCondition(text: string): BacktestCondition {
  const [, measure = '', operator = '', number = ''] = /^\s*([a-z_ ]+?)\s*(>=|<=|>|<|=)\s*(\d+)\s*$/.exec(text) ?? [];
  const measured = Object.entries(backtestMeasures).find(([name]) => name === measure)?.[1];
  if (!measured)
    throw new RangeError(
      `“${text}” is not a condition: write MEASURE > NUMBER, where MEASURE is one of ${Object.keys(backtestMeasures).join(', ')}`,
    );
  const limit = Number(number);
  const compare: Readonly<Record<string, (value: number) => boolean>> = {
    '>': (value) => value > limit,
    '>=': (value) => value >= limit,
    '<': (value) => value < limit,
    '<=': (value) => value <= limit,
    '=': (value) => value === limit,
  };
  return { text, holds: (report) => compare[operator]?.(measured(report)) === true };
}

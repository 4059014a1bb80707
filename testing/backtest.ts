import { defaultGuardrails, type GuardrailRules } from '../core/action/guardrail.ts';
import type { Alert } from '../core/alert/alert.ts';
import { subjectOf } from '../core/alert/subject.ts';
import { incidentIdOf, type Verdict } from '../core/incident/incident.ts';
import { NoveltyMemory, type NoveltyOptions, type RunningImage } from '../core/novelty/novelty.ts';
import { type AskedRoster, type ShiftLoad, ShiftLoads } from '../core/people/shift-load.ts';
import { AlertStamps, unstamped } from '../core/playbook/alert-stamps.ts';
import { subjectKeyOf } from '../core/playbook/answering.ts';
import type { ListedPlaybook } from '../core/playbook/pack.ts';
import type { ParamValue } from '../core/playbook/params.ts';
import { matchesAnyName } from '../core/text/name-pattern.ts';
import type { Chooser } from './chooser.ts';
import { runStory } from './simulate.ts';
import type { Story } from './story.ts';

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
}

export interface BacktestReport {
  readonly alerts: number;
  readonly answered: number;
  readonly from?: string;
  readonly to?: string;
  readonly playbooks: readonly PlaybookBacktest[];
  /** Rule → alerts that nothing answers, most frequent first. */
  readonly unanswered: readonly { readonly rule: string; readonly severity: string; readonly alerts: number }[];
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
  /** Playbook → its parameters, as the configuration sets them; defaults for those not set. */
  readonly params?: Readonly<Record<string, Readonly<Record<string, ParamValue>>>>;
}

/** Maximum number of bodies remembered as running: beyond that, the oldest counts as over. */
const mostOpen = 50_000;
/** Maximum number of alert kinds whose story is remembered, and of rules that are counted. */
const mostStories = 5_000;
const mostRules = 2_000;

/** The countable result of a story. */
interface Outcome {
  readonly contained: number;
  readonly automatic: readonly string[];
  readonly refused: readonly string[];
  /** For each question its groups, in the order in which they are asked. */
  readonly asked: readonly (readonly string[])[];
  readonly stopped: boolean;
}

interface Counted {
  alerts: number;
  runs: number;
  questions: number;
  stopped: number;
  readonly automatic: Map<string, number>;
  readonly refused: Map<string, number>;
}

/**
 * Determines what playbooks would have done about past alerts, one after another, in constant memory. Each body runs in the simulation with the real engine,
 * with silence to every question: nobody knows what people would have answered. Alerts that differ only in names, times and titles, and in what their playbook
 * does not look at, have the same result and are simulated once; and if ten of one rule and severity had the same result whatever else they said, the others
 * are assumed to have it too.
 */
export class Backtest {
  readonly #options: BacktestOptions;
  readonly #stories: StoryMemory;
  readonly #stamps: AlertStamps;
  readonly #novelty: NoveltyMemory | undefined;
  readonly #byId: ReadonlyMap<string, ListedPlaybook>;
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
    this.#stamps = new AlertStamps({ playbooks: options.playbooks });
    this.#novelty = options.judgesNovelty && new NoveltyMemory({ ...options.judgesNovelty, imageOf: imageInAlert });
    this.#byId = new Map(options.playbooks.map((playbook) => [playbook.id, playbook]));
    for (const { id } of options.playbooks)
      this.#counted.set(id, { alerts: 0, runs: 0, questions: 0, stopped: 0, automatic: new Map(), refused: new Map() });
  }

  /** Alerts must come in chronological order: conditions on frequency, or on nothing following, depend on it. */
  async add({ alert: given, verdict = 'unknown' }: RecordedAlert): Promise<void> {
    // Reported once more for the playbooks of that time: whether nothing followed is determined again.
    if (given.againFor) return;
    const at = Date.parse(given.receivedAt ?? given.time) || 0;
    for (const { alert, condition, of } of this.#stamps.over(at)) {
      this.#stamps.told(condition, of);
      await this.#answerAll(this.#stamps.stamp(alert, at), at, 'unknown');
    }
    this.#alerts += 1;
    this.#from = Math.min(this.#from, at);
    this.#to = Math.max(this.#to, at);
    const came = this.#judged(unstamped(given), at);
    this.#stamps.heard(came);
    const alert = this.#stamps.stamp(came, at);
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
    const answers = (alert.calls ?? []).flatMap((id) => this.#byId.get(id) ?? []);
    for (const playbook of answers) await this.#answer(playbook, alert, at, verdict);
    return answers.length > 0;
  }

  async #answer(playbook: ListedPlaybook, alert: Alert, at: number, verdict: Verdict): Promise<void> {
    const counted = this.#counted.get(playbook.id);
    if (!counted) return;
    counted.alerts += 1;
    const key = `${playbook.id} ${incidentIdOf(subjectOf(alert))} ${subjectKeyOf(playbook, alert)}`;
    const before = this.#open.get(key);
    this.#open.delete(key);
    this.#open.set(key, at);
    if (this.#open.size > mostOpen) for (const oldest of this.#open.keys()) if (this.#open.delete(oldest)) break;
    if (before !== undefined && Math.abs(at - before) < this.#options.quietMs) return;
    counted.runs += 1;
    const outcome = await this.#stories.outcomeOf(playbook, alert);
    for (const action of outcome.automatic) count(counted.automatic, action);
    for (const code of outcome.refused) count(counted.refused, code);
    if (outcome.stopped) counted.stopped += 1;
    this.#touched.all += outcome.contained;
    this.#touched[verdict] += outcome.contained;
    counted.questions += outcome.asked.length;
    for (const groups of outcome.asked) this.#loads.ask(groups, at);
  }

  report(): BacktestReport {
    const isEmpty = this.#alerts === 0;
    const { groups, people, nobody } = this.#loads;
    return {
      alerts: this.#alerts,
      answered: this.#answered,
      ...(!isEmpty && { from: new Date(this.#from).toISOString(), to: new Date(this.#to).toISOString() }),
      playbooks: [...this.#counted]
        .map(([id, { automatic, refused, ...numbers }]) => ({
          id,
          ...numbers,
          automatic: Object.fromEntries(automatic),
          refused: Object.fromEntries(refused),
        }))
        .sort((a, b) => b.alerts - a.alerts),
      unanswered: [...this.#unanswered.values()].sort((a, b) => b.alerts - a.alerts),
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

/** Everybody is silent, nothing fails, and each action returns its plainest output. */
const inSilence: Chooser = { answer: () => undefined, failure: () => undefined, output: (_, [plainest]) => plainest?.() };

/** Fields that identify an individual alert and not its kind. */
const names: ReadonlySet<string> = new Set(['id', 'time', 'receivedAt', 'title', 'pod', 'node', 'cluster']);

/** After this many different alerts of one rule and severity with the same result, the others are assumed to have it too. */
const sureAfter = 10;

/** The oldest entry is dropped first. */
function remember<Value>(all: Map<string, Value>, key: string, value: Value): void {
  all.set(key, value);
  if (all.size > mostStories) for (const oldest of all.keys()) if (all.delete(oldest)) return;
}

/** What a playbook does about each kind of alert; the kind consists of everything its body looks at. */
class StoryMemory {
  readonly #options: Pick<BacktestOptions, 'guardrails' | 'levels' | 'params'>;
  /** Namespaces in which the same alert has another result. */
  readonly #protected: readonly string[];
  readonly #outcomes = new Map<string, Outcome>();
  /** Playbook, rule and severity → how often the result was the same, whatever else the alert said; no longer used after the first difference. */
  readonly #alike = new Map<string, { readonly outcome: Outcome; readonly times: number }>();
  /** Playbook → alert fields that its body has read so far. */
  readonly #looked = new Map<string, Set<string>>();

  constructor(options: Pick<BacktestOptions, 'guardrails' | 'levels' | 'params'>) {
    this.#options = options;
    const { protectedNamespaces, ownNamespace } = options.guardrails ?? defaultGuardrails;
    this.#protected = [...protectedNamespaces, ownNamespace];
  }

  async outcomeOf(playbook: ListedPlaybook, alert: Alert): Promise<Outcome> {
    const { rule, severity, sensor, doubt, pod } = alert;
    const isProtected = pod !== undefined && matchesAnyName(this.#protected, pod.namespace);
    const kind = JSON.stringify([playbook.id, rule, severity, sensor, doubt, pod?.uid !== undefined, isProtected]);
    const alike = this.#alike.get(kind);
    if (alike && alike.times >= sureAfter) return alike.outcome;
    const known = this.#outcomes.get(this.#keyOf(playbook, alert));
    if (known) return known;
    const looked = this.#looked.get(playbook.id) ?? new Set<string>();
    this.#looked.set(playbook.id, looked);
    const { guardrails, levels, params } = this.#options;
    const options = {
      alert,
      params: params?.[playbook.id] ?? {},
      ...(guardrails && { guardrails }),
      ...(levels && { levels: levels.map((group) => ({ group, within: '1h' as const })) }),
    };
    const story = await runStory([seen(playbook, looked)], options, inSilence);
    const outcome = outcomeOf(story);
    const isSame = alike && JSON.stringify(alike.outcome) === JSON.stringify(outcome);
    remember(this.#alike, kind, {
      outcome,
      times: alike === undefined ? 1 : isSame ? alike.times + 1 : Number.NEGATIVE_INFINITY,
    });
    // Stored by everything it has read so far.
    remember(this.#outcomes, this.#keyOf(playbook, alert), outcome);
    return outcome;
  }

  #keyOf({ id }: ListedPlaybook, alert: Alert): string {
    const { rule, severity, sensor, doubt, pod, workload } = alert;
    const looked = [...(this.#looked.get(id) ?? [])].filter((field) => !names.has(field)).sort();
    const values = looked.map((field) => [field, (alert as unknown as Readonly<Record<string, unknown>>)[field]]);
    return JSON.stringify([id, rule, severity, sensor, doubt, pod?.namespace, pod?.uid !== undefined, workload?.kind, values]);
  }
}

/** The same playbook, recording which fields of the alert its body reads. */
function seen(playbook: ListedPlaybook, looked: Set<string>): ListedPlaybook {
  const run = (context: { readonly alert: Alert }): Promise<void> => {
    const alert = new Proxy(context.alert, {
      get: (target, field) => {
        if (typeof field === 'string') looked.add(field);
        return Reflect.get(target, field);
      },
      has: (target, field) => {
        if (typeof field === 'string') looked.add(field);
        return Reflect.has(target, field);
      },
      ownKeys: (target) => {
        for (const field of Object.keys(target)) looked.add(field);
        return Reflect.ownKeys(target);
      },
    });
    return playbook.run(Object.create(context, { alert: { value: alert, enumerable: true } }) as never);
  };
  return { ...playbook, run };
}

function outcomeOf({ steps, questions, end }: Story): Outcome {
  const automatic = steps.filter(({ state, approvedBy }) => state === 'done' && approvedBy.length === 0);
  return {
    contained: automatic.filter(({ effect }) => effect !== 'read').length,
    automatic: automatic.map(({ action }) => action),
    refused: steps.flatMap(({ state, code }) => (state === 'failed' && code !== undefined ? [code] : [])),
    asked: questions.map(({ groups }) => groups),
    stopped: end === 'failed' || end === 'endless',
  };
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

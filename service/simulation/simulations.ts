import type { Plan } from '../../core/action/plan.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { Response } from '../../core/assessment/response.ts';
import { type ErrorCode, FirebreakError } from '../../core/errors.ts';
import { answering } from '../../core/playbook/answering.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { Backtest, type BacktestOptions, type BacktestReport, type RecordedAlert } from '../../testing/backtest/backtest.ts';
import type { SimulateOptions } from '../../testing/chooser.ts';
import { type EveryAnswer, everyAnswer } from '../../testing/every-answer.ts';
import { exampleAlert, inTime, timedText } from '../../testing/example-alert.ts';
import { graphOf, type PlaybookGraph } from '../../testing/graph.ts';
import { graphForPeople } from '../../testing/graph-words.ts';
import type { Said, SimulatedQuestion } from '../../testing/people.ts';
import { simulate } from '../../testing/simulate.ts';
import type { Story } from '../../testing/story.ts';
import { withCalled } from '../../testing/walk.ts';
import { unknownName } from '../config/nearest.ts';
import { type Fork, type ForkOptions, forkIncident } from './fork.ts';
import type { PastIncident } from './past-incident.ts';

/** What a step would do according to the action's own plan; anything the plan leaves out is sketched. @throws FirebreakError as that plan does */
export type PlanStep = (action: string, input: unknown) => Promise<Partial<Plan>>;

/** Ids, with or without the pack name; undefined: all. */
type Ids = readonly string[] | undefined;

/** A playbook and the alert that it is tried with. */
interface ExampleOf {
  readonly playbook: string;
  /** Absent: no alert could be made up. */
  readonly alert?: Alert;
}

/** What a configuration says about responses. */
export type ConfiguredResponse = Pick<SimulateOptions, 'guardrails' | 'response' | 'own'>;

/** What is printed of an `EveryAnswer`. */
export type EveryAnswerOf = Pick<EveryAnswer, 'problems' | 'notices' | 'answers' | 'isCut'> & {
  readonly playbook: string;
  readonly rule: string;
  readonly runs: number;
  /** What was assumed about the alert because no single alert states it: `5 times within 10m per workload`. */
  readonly assumed?: string;
};

/** A playbook that would answer an alert if this also held for it. */
interface WouldAnswer {
  readonly playbook: string;
  readonly if: string;
}

/**
 * What the commands that try playbooks need: data in, data out, so that a pack's code can run in another process (`sandboxed.ts`).
 *
 * All throw FB_ERR_UNKNOWN_ID if the playbook does not exist, and TypeError for an answer that its question does not offer.
 */
export interface Simulations {
  /** Returns a made-up alert for each playbook. */
  examples(asked: { readonly only: Ids }): Promise<readonly ExampleOf[]>;
  story(asked: {
    readonly alert: Alert;
    readonly only: Ids;
    /** Given one after another, each to the first question that offers it. */
    readonly answers: readonly string[];
    readonly failures?: Readonly<Record<string, ErrorCode>> | undefined;
    readonly configured?: ConfiguredResponse | undefined;
  }): Promise<Story>;
  /** For an alert that nothing answers as it is: playbooks that count such alerts, or wait for something that does not come. */
  wouldAnswer(asked: { readonly alert: Alert; readonly only: Ids }): Promise<readonly WouldAnswer[]>;
  /** For each playbook that answers one of the alerts. */
  every(asked: { readonly alerts: readonly Alert[]; readonly only: Ids }): Promise<readonly EveryAnswerOf[]>;
  /** `drawn` is undefined if the playbook answers none of the alerts. */
  graph(asked: {
    readonly id: string;
    /** Absent: one is made up, and its pod is contained at once, or not. */
    readonly alerts?: readonly Alert[] | undefined;
  }): Promise<{
    readonly playbook: string;
    readonly title: string;
    /** Rule and severity of the alert, and the graph of what happens to it. */
    readonly drawn?: { readonly alert: string; readonly graph: PlaybookGraph };
  }>;
  fork(asked: {
    readonly past: PastIncident;
    readonly only: Ids;
    readonly options: Omit<ForkOptions, 'playbooks' | 'instead'>;
  }): Promise<Fork>;
  /** Begins a backtest and discards the previous one. */
  beginBacktest(asked: { readonly only: Ids; readonly options: Omit<BacktestOptions, 'playbooks'> }): Promise<void>;
  backtestOn(asked: { readonly alerts: readonly RecordedAlert[] }): Promise<void>;
  backtestReport(): Promise<BacktestReport>;
}

/** Yields one playbook after another, as they are found; calls `share` before each. */
export async function* everyInTurns(
  simulations: Pick<Simulations, 'examples' | 'every'>,
  { alerts, only }: Parameters<Simulations['every']>[0],
  share: (done: number) => unknown,
): AsyncGenerator<EveryAnswerOf> {
  const chosen = await simulations.examples({ only });
  for (const [at, { playbook }] of chosen.entries()) {
    share(at / chosen.length);
    yield* await simulations.every({ alerts, only: [playbook] });
  }
}

/** Runs in this process: for the shipped playbooks, or within the sandbox of a pack. */
export class LocalSimulations implements Simulations {
  readonly #all: readonly ListedPlaybook[];
  readonly #plan: PlanStep | undefined;
  #backtest: Backtest | undefined;

  /** @param plan for the steps of a story; absent: all are sketched. */
  constructor(playbooks: readonly ListedPlaybook[], plan?: PlanStep) {
    this.#all = playbooks;
    this.#plan = plan;
  }

  async examples({ only }: { readonly only: Ids }): Promise<readonly ExampleOf[]> {
    return this.#chosen(only).map((playbook) => {
      const alert = exampleAlert(playbook);
      return { playbook: playbook.id, ...(alert && { alert }) };
    });
  }

  story({ alert, only, answers, failures, configured }: Parameters<Simulations['story']>[0]): Promise<Story> {
    const chosen = this.#chosen(only);
    const plans = this.#plan && plansOf(chosen, this.#plan);
    return simulate(withCalled(chosen, this.#all), {
      alert,
      answer: inTurn(answers),
      ...(failures && { failures }),
      ...(plans && { plans }),
      ...configured,
    });
  }

  async wouldAnswer({ alert, only }: Parameters<Simulations['wouldAnswer']>[0]): Promise<readonly WouldAnswer[]> {
    return this.#chosen(only).flatMap((playbook) => {
      const assumed = timedText([playbook]);
      if (assumed === undefined || firstAnswered(playbook, [alert]) === undefined) return [];
      return [{ playbook: playbook.id, if: assumed }];
    });
  }

  async every({ alerts, only }: Parameters<Simulations['every']>[0]): Promise<readonly EveryAnswerOf[]> {
    const all: EveryAnswerOf[] = [];
    for (const playbook of this.#chosen(only)) {
      const alert = firstAnswered(playbook, alerts);
      if (!alert) continue;
      const { problems, notices, answers, paths, isCut } = await everyAnswer(playbook, alert, { others: this.#all });
      const assumed = timedText([playbook]);
      all.push({
        playbook: playbook.id,
        rule: alert.rule,
        problems,
        notices,
        answers,
        runs: paths.length,
        isCut,
        ...(assumed !== undefined && { assumed }),
      });
    }
    return all;
  }

  async graph({ id, alerts }: Parameters<Simulations['graph']>[0]): ReturnType<Simulations['graph']> {
    const [playbook] = this.#chosen([id]);
    if (!playbook) throw new FirebreakError('FB_ERR_INTERNAL', `${id} was found, but is missing`);
    const alert = alerts ? firstAnswered(playbook, alerts) : exampleAlert(playbook);
    const said = { playbook: playbook.id, title: playbook.title };
    if (!alert) return said;
    const isEither = !alerts && playbook.contains !== undefined && playbook.on.match !== 'unanswered';
    const ways = isEither ? bothWays(alert) : [{ label: '', alert }];
    const walked = await Promise.all(
      ways.map(async ({ label, alert: of }) => ({ label, ...(await everyAnswer(playbook, of, { others: this.#all })) })),
    );
    const graph = graphForPeople(playbook, graphOf(...walked));
    return { ...said, drawn: { alert: `${alert.rule} (${alert.severity})`, graph } };
  }

  async fork({ past, only, options }: Parameters<Simulations['fork']>[0]): Promise<Fork> {
    return forkIncident(past, { ...options, playbooks: this.#all, ...(only && { instead: this.#chosen(only) }) });
  }

  async beginBacktest({ only, options }: Parameters<Simulations['beginBacktest']>[0]): Promise<void> {
    this.#backtest = new Backtest({ ...options, playbooks: this.#chosen(only) });
  }

  async backtestOn({ alerts }: { readonly alerts: readonly RecordedAlert[] }): Promise<void> {
    for (const alert of alerts) await this.#begun.add(alert);
  }

  async backtestReport(): Promise<BacktestReport> {
    return this.#begun.report();
  }

  get #begun(): Backtest {
    if (!this.#backtest) throw new FirebreakError('FB_ERR_INTERNAL', 'no backtest has begun');
    return this.#backtest;
  }

  #chosen(ids: Ids): readonly ListedPlaybook[] {
    if (ids === undefined || ids.length === 0) return this.#all;
    return ids.map((wanted) => {
      const found = this.#all.find(({ id }) => id === wanted || id.endsWith(`/${wanted}`));
      if (found) return found;
      const known = this.#all.map(({ id }) => id);
      throw unknownName({ what: 'playbook', written: wanted, known, listedBy: 'firebreak playbooks list' });
    });
  }
}

/** The alert as a cell may have assessed it, depending on what it knows of the pod. */
function bothWays(alert: Alert): readonly { readonly label: string; readonly alert: Alert }[] {
  const policy = { mode: 'contain', profile: 'balanced', scope: 'every pod', onSilence: 'nothing' } as const;
  const as = (response: Response): Alert => ({
    ...alert,
    assessment: { ...policy, response, would: response, pages: false, wouldPage: false, reasons: [] },
  });
  return [
    { label: 'contained at once', alert: as('contain') },
    { label: 'not contained at once', alert: as('ask') },
  ];
}

/** Assumes that such alerts came as often as the playbook asks for, and that nothing it waits for came. */
function firstAnswered(playbook: ListedPlaybook, alerts: readonly Alert[]): Alert | undefined {
  return alerts.map((one) => inTime(one, [playbook])).find((one) => answering([playbook], one).length > 0);
}

function plansOf(playbooks: readonly ListedPlaybook[], plan: PlanStep): NonNullable<SimulateOptions['plans']> {
  const actions = playbooks.flatMap(({ uses }) => Object.values(uses)).filter(({ own }) => own === undefined);
  return Object.fromEntries(actions.map(({ name }) => [name, (input: unknown) => plan(name, input)]));
}

function inTurn(answers: readonly string[]): (question: SimulatedQuestion) => Said {
  const left = [...answers];
  return ({ choices }) => (choices.some(({ id }) => id === left[0]) ? left.shift() : undefined);
}

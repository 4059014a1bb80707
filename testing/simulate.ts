import type { GuardrailRules } from '../core/action/guardrail.ts';
import type { Plan } from '../core/action/plan.ts';
import type { IncidentSettings } from '../core/action/step.ts';
import type { Alert } from '../core/alert/alert.ts';
import { subjectOf } from '../core/alert/subject.ts';
import type { Level, Question } from '../core/decide/approval.ts';
import type { ErrorCode } from '../core/errors.ts';
import { type AlertBatch, incidentIdOf } from '../core/incident/incident.ts';
import type { QuestionState } from '../core/incident/incident-state.ts';
import { atLeaseEnd } from '../core/incident/lease.ts';
import { answering } from '../core/playbook/answering.ts';
import { type Duration, durationMs } from '../core/playbook/duration.ts';
import type { ListedPlaybook } from '../core/playbook/pack.ts';
import type { ParamValue } from '../core/playbook/params.ts';
import type { StepResult } from '../core/playbook/playbook.ts';
import { createParts, type IncidentParts, join } from '../workflows/incident/parts.ts';
import { verdictOn } from '../workflows/incident/verdicts.ts';
import { answerQuestion, rosterFor, type Said, type SimulatedQuestion } from './people.ts';
import { sampleOutputs } from './sample-output.ts';
import type { Failure, SimulatedCall } from './simulated-actions.ts';
import { evidenceDeadlineMs, SimulatedCell } from './simulated-cell.ts';
import { SimulatedWorld } from './simulated-world.ts';
import type { Story, StoryEvent, StoryQuestion, StoryStep } from './story.ts';

/** What happens in a simulation besides what the playbook does. */
export interface SimulateOptions {
  readonly alert: Alert;
  /** Further alerts of the same incident, each so long after the first. */
  readonly more?: readonly { readonly after: Duration; readonly alert: Alert }[];
  /**
   * What people say: one choice for every question of the playbooks that has it; the answers to their questions, one after another; or a function
   * of each question, also of the engine's own. Whatever is not answered is silence.
   */
  readonly answer?: string | readonly string[] | ((question: SimulatedQuestion) => Said);
  /** What actions give back, by name: what is not said of it is made up from its schema. */
  readonly outputs?: Readonly<Record<string, object | ((input: never) => object)>>;
  /** What fails, by name: `deletePod`, only the first time as `deletePod#1`, or its plan or its release as `deletePod.plan`, `quarantinePod.undo`. */
  readonly failures?: Readonly<Record<string, ErrorCode | Failure>>;
  /** What plans say, by name of the action, or by its input too. What is not said of it is sketched from its declaration and its input. */
  readonly plans?: Readonly<Record<string, Partial<Plan> | ((input: unknown) => Partial<Plan> | Promise<Partial<Plan>>)>>;
  /** How long steps take, by name; a second, where nothing is said. */
  readonly takes?: Readonly<Record<string, Duration>>;
  /** Parameters as a configuration sets them; their defaults, where nothing is said. */
  readonly params?: Readonly<Record<string, ParamValue>>;
  /** Where they differ from the shipped configuration. */
  readonly guardrails?: Partial<GuardrailRules>;
  /** Pods of the alert's workload. Absent: nobody knows. */
  readonly replicas?: number;
  /** Who decides on incidents; as the shipped configuration has it, where nothing is said. */
  readonly levels?: readonly { readonly group: string; readonly within: Duration; readonly page?: true }[];
}

/** Who decides in a simulation what happens, at each point where it could be otherwise. */
export interface Chooser {
  readonly answer: (question: SimulatedQuestion) => Said;
  /** @param nth of the calls of this action that do the same, from 1 on */
  readonly failure: (call: SimulatedCall, nth: number) => Failure | undefined;
  /** @param samples what it may give back, the plainest first */
  readonly output: (call: SimulatedCall, samples: readonly unknown[], nth: number) => unknown;
  /** A body looks at what the step with this key gave back. */
  readonly looked?: (key: string) => void;
}

/** As long as anything is looked at. */
const mostMs = 30 * 86_400_000;
const stepMs = 1_000;

const shippedLevels: readonly Level[] = [
  { group: 'oncall', withinMs: 15 * 60_000, page: true },
  { group: 'leads', withinMs: 60 * 60_000, page: true },
];

/**
 * Runs what answers an alert through the real engine and the real rules, without Temporal, without a cluster, and in no time: days pass in a moment.
 * Nothing is done anywhere: plans are sketches, and steps give back what their schemas say, unless the test says otherwise.
 *
 * @throws TypeError for an answer that its question does not have
 */
export function simulate(playbook: ListedPlaybook | readonly ListedPlaybook[], options: SimulateOptions): Promise<Story> {
  return runStory('id' in playbook ? [playbook] : playbook, options, chooserFrom(options));
}

function chooserFrom({ answer, outputs = {}, failures = {} }: SimulateOptions): Chooser {
  const list = typeof answer === 'object' ? [...answer] : undefined;
  return {
    answer: (question) => {
      if (typeof answer === 'function') return answer(question);
      if (question.asker === 'engine') return undefined;
      if (list) return list.shift();
      return question.choices.some(({ id }) => id === answer) ? (answer as string) : undefined;
    },
    failure: ({ action, does }, nth) => {
      const name = does === 'apply' ? action : `${action}.${does}`;
      const failure = failures[`${name}#${nth}`] ?? failures[name];
      return typeof failure === 'string' ? { code: failure, reason: 'simulated' } : failure;
    },
    output: ({ action, input }, [plainest]) => withGiven(outputs[action], input, plainest),
  };
}

/** What a test says of an output stands in place of what was made up. */
export function withGiven(given: object | ((input: never) => object) | undefined, input: unknown, sample: unknown): unknown {
  if (given === undefined) return sample;
  const said: object = typeof given === 'function' ? given(input as never) : given;
  return { ...(sample as object), ...said };
}

/** Runs it as the chooser has it. */
export async function runStory(playbooks: readonly ListedPlaybook[], options: SimulateOptions, chooser: Chooser): Promise<Story> {
  const { alert, more = [] } = options;
  const all = [{ alert, after: 0 }, ...more.map((one) => ({ alert: one.alert, after: durationMs(one.after) }))];
  if (!all.some((one) => answering(playbooks, one.alert).length > 0)) return unmatched;
  return new Simulation(playbooks, options, chooser).run(all);
}

const unmatched: Story = {
  playbooks: [],
  events: [],
  plans: [],
  steps: [],
  questions: [],
  notes: [],
  verdict: 'unknown',
  left: [],
  end: 'unmatched',
  notAwaited: [],
};

/** One run, with all that happens in it. */
class Simulation {
  readonly #options: SimulateOptions;
  readonly #chooser: Chooser;
  readonly #world: SimulatedWorld;
  readonly #cell: SimulatedCell;
  readonly #levels: readonly Level[];
  readonly #playbooks: readonly ListedPlaybook[];
  readonly #roster: ReturnType<typeof rosterFor>;
  readonly #startsAt: number;
  readonly #events: StoryEvent[] = [];
  readonly #plans: Plan[] = [];
  readonly #steps: StoryStep[] = [];
  readonly #notes: string[] = [];
  readonly #ran = new Set<string>();
  readonly #notAwaited: string[] = [];
  readonly #injected = new Set<string>();
  readonly #times = new Map<string, number>();
  #skipped = 0;
  #failed: Story['error'];
  #mistake: unknown;
  #parts: IncidentParts | undefined;

  constructor(playbooks: readonly ListedPlaybook[], options: SimulateOptions, chooser: Chooser) {
    this.#playbooks = playbooks;
    this.#options = options;
    this.#chooser = chooser;
    const { alert, levels, guardrails, replicas, takes = {} } = options;
    this.#startsAt = Date.parse(alert.receivedAt ?? alert.time) || 0;
    this.#levels = levels?.map(({ within, ...level }) => ({ ...level, withinMs: durationMs(within) })) ?? shippedLevels;
    this.#roster = rosterFor(playbooks, this.#levels);
    const world = new SimulatedWorld({
      startsAt: this.#startsAt,
      workflowId: incidentIdOf(subjectOf(alert)),
      activities: () => activities,
      ownAction: (name) => this.#cell.declarationOf(name),
    });
    this.#world = world;
    world.onLog = (text) => this.#tell('playbook.log', text);
    this.#cell = new SimulatedCell({
      playbooks,
      roster: this.#roster,
      levels: this.#levels,
      guardrails,
      replicas,
      cluster: {
        now: world.now,
        contained: new Map(),
        takes: (action) => world.sleep(takes[action] === undefined ? stepMs : durationMs(takes[action])),
        failureOf: (call) => this.#failureOf(call),
        wasInjected: (key) => this.#injected.has(key),
        outputOf: (call) =>
          chooser.output(
            call,
            sampleOutputs(call.action, call.input, this.#cell.declarationOf(call.action)),
            this.#nth(call, 'output'),
          ),
        planOf: (action, input) => {
          const plan = options.plans?.[action] ?? {};
          return typeof plan === 'function' ? world.outside(Promise.resolve(plan(input))) : plan;
        },
      },
      events: {
        planned: (plan) => {
          this.#plans.push(plan);
          this.#tell(
            'step.planned',
            `${plan.action}: ${plan.changes.map(({ target, what }) => `${target}: ${what}`).join('; ')}`,
          );
        },
        stepped: (step) => this.#steps.push({ ...step, at: world.now() - this.#startsAt }),
      },
    });
    const activities = this.#cell.activities(() => this.#open);
  }

  get #open(): IncidentParts {
    if (!this.#parts) throw new Error('the simulation has not begun');
    return this.#parts;
  }

  async run(alerts: readonly { readonly alert: Alert; readonly after: number }[]): Promise<Story> {
    let toCome = alerts.length;
    const over = (): boolean => toCome === 0 && !this.#open.model.openBodies && this.#open.model.busy === 0;
    const begin = (): void => {
      const parts = this.#begin();
      for (const [index, { alert, after }] of alerts.entries()) {
        const arrive = (): void => {
          this.#cell.hears(parts.model.ref, batchOf(alert, index));
          join(parts, batchOf(alert, index));
          toCome -= 1;
        };
        if (after === 0) arrive();
        else void this.#world.sleep(after).then(arrive);
      }
    };
    const isOver = await this.#world.run(begin, () => this.#mistake !== undefined || over(), this.#startsAt + mostMs);
    if (this.#mistake !== undefined) throw this.#mistake;
    return this.#story(isOver);
  }

  #begin(): IncidentParts {
    const { alert } = this.#options;
    const start = { subject: subjectOf(alert), batch: batchOf(alert, 0) };
    const parts = createParts(
      { start, settings: this.#settings() },
      this.#playbooks.map((one) => watched(one, this.#chooser)),
    );
    this.#parts = parts;
    const heard = parts.model.onRecord;
    parts.model.onRecord = (kind, text, body) => {
      heard(kind, text, body);
      this.#hear(kind, text, body);
    };
    void parts.votes.run();
    void parts.leases.run();
    return parts;
  }

  #settings(): IncidentSettings {
    const queue = 'simulation';
    return {
      queues: { cell: queue, desk: queue, secrets: queue, forensics: queue, packs: queue },
      playbooks: this.#playbooks.map(({ id }) => id),
      levels: this.#levels,
      evidenceDeadlineMs,
      lingerMs: 0,
      maxBodies: 8,
      params: Object.fromEntries(this.#playbooks.map(({ id }) => [id, this.#options.params ?? {}])),
    };
  }

  #hear(kind: string, text: string, body: Readonly<Record<string, unknown>>): void {
    this.#tell(kind, text);
    if (kind === 'playbook.note') this.#notes.push(text);
    if (kind === 'step.joined') {
      const lease = this.#open.model.leases.get(String(body.lease));
      if (lease) this.#cell.joined(lease.action, lease.target.name);
    }
    if (kind === 'playbook.started') for (const { state } of this.#open.model.bodies.values()) this.#ran.add(state.playbook);
    if (kind === 'playbook.unsettled') this.#notAwaited.push(...(body.unsettled as readonly string[]));
    if (kind === 'playbook.skipped') this.#skipped += 1;
    if (kind === 'playbook.failed') this.#fail(text, body);
    if (kind !== 'question.asked') return;
    const { question, digest } = body as { readonly question: Question; readonly digest: string };
    const asked = { world: this.#world, parts: this.#open, roster: this.#roster, question, digest, answer: this.#chooser.answer };
    void answerQuestion(asked).catch((error: unknown) => {
      this.#mistake = error ?? new Error('a question could not be answered');
    });
  }

  #tell(kind: string, text: string): void {
    this.#events.push({ at: this.#world.now() - this.#startsAt, kind, text });
  }

  #fail(message: string, { code }: Readonly<Record<string, unknown>>): void {
    const thrown = this.#world.thrown.at(-1);
    const stack = thrown instanceof Error && message.startsWith(thrown.message) ? thrown.stack : undefined;
    this.#failed ??= { code: code as ErrorCode, message, ...(stack !== undefined && { stack }) };
  }

  #failureOf(call: SimulatedCall): Failure | undefined {
    const failure = this.#chooser.failure(call, this.#nth(call, call.does));
    if (failure) this.#injected.add(call.key);
    return failure;
  }

  #nth({ action }: SimulatedCall, what: string): number {
    const key = `${action} ${what}`;
    const nth = (this.#times.get(key) ?? 0) + 1;
    this.#times.set(key, nth);
    return nth;
  }

  #end(isOver: boolean): Story['end'] {
    if (!isOver) return 'endless';
    if (this.#failed) return 'failed';
    return this.#skipped > 0 && this.#steps.every(({ effect }) => effect === 'read') ? 'skipped' : 'done';
  }

  #story(isOver: boolean): Story {
    const { model } = this.#open;
    const questions = [...model.questions.values()].filter(({ question }) => !question.id.startsWith('lease:'));
    return {
      playbooks: [...this.#ran],
      events: this.#events,
      plans: this.#plans,
      steps: this.#steps,
      questions: questions.map((asked) => this.#toldQuestion(asked)),
      notes: this.#notes,
      verdict: model.verdict,
      left: model.activeLeases.map((lease) => ({
        action: lease.action,
        target: lease.target.name,
        contains: this.#cell.declarationOf(lease.action)?.contains === true,
        until: lease.until - this.#startsAt,
        // Nothing is open any more: only what was said counts.
        inSilence: atLeaseEnd(lease, {
          severity: model.severity,
          verdict: verdictOn(model, lease).verdict,
          questionOpen: false,
          now: lease.until,
        }),
      })),
      end: this.#end(isOver),
      notAwaited: this.#notAwaited,
      ...(this.#failed && { error: this.#failed }),
    };
  }

  #toldQuestion({ question, status }: QuestionState): StoryQuestion {
    const { text, requester, choices, levels, onSilence } = question;
    const answers = { open: 'silence', expired: 'silence', void: 'void', decided: '' };
    return {
      text,
      asker: requester.replace(/^playbook\//, ''),
      choices: choices.map(({ id, label, plans, quorum, harmless }) => ({
        id,
        label,
        plans: plans.map(({ action }) => action),
        people: quorum,
        isHarmless: harmless === true,
      })),
      groups: levels.map(({ group }) => group),
      onSilence,
      endedAt: (status.state === 'open' ? this.#world.now() : Date.parse(status.at)) - this.#startsAt,
      answer: status.state === 'decided' ? status.choice : answers[status.state],
      by: status.state === 'decided' ? status.by : [],
    };
  }
}

/** The same playbook, and it is seen at whose output its body looks. The promises are the engine's own: nothing comes in another order. */
function watched(playbook: ListedPlaybook, { looked }: Chooser): ListedPlaybook {
  if (!looked) return playbook;
  const watch = (result: StepResult): void => {
    const { output, key } = result;
    Object.defineProperty(result, 'output', {
      get: () => {
        looked(key);
        return output;
      },
    });
  };
  const run = (context: {
    readonly steps: Readonly<Record<string, (...args: unknown[]) => Promise<StepResult>>>;
  }): Promise<void> => {
    const steps = Object.fromEntries(
      Object.entries(context.steps).map(([name, step]) => {
        const call = (...args: unknown[]): Promise<StepResult> => {
          const result = step(...args);
          result.then(watch, () => undefined);
          return result;
        };
        return [name, Object.assign(call, step)];
      }),
    );
    return playbook.run({ ...context, steps } as never);
  };
  return { ...playbook, run };
}

function batchOf(alert: Alert, index: number): AlertBatch {
  const seen = alert.receivedAt ?? alert.time;
  return {
    id: `simulated-${index}`,
    alerts: [alert],
    counts: [
      {
        rule: alert.rule,
        severity: alert.severity,
        ...(alert.pod && { pod: `${alert.pod.namespace}/${alert.pod.name}` }),
        count: 1,
        firstSeen: seen,
        lastSeen: seen,
      },
    ],
  };
}

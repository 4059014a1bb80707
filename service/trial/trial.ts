import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { DeskActivities } from '../../core/action/step.ts';
import { subjectOf } from '../../core/alert/subject.ts';
import type { AuditRecord } from '../../core/audit/audit.ts';
import type { QuestionPost } from '../../core/cards/question-card.ts';
import { FirebreakError } from '../../core/errors.ts';
import { incidentIdOf, incidentNames } from '../../core/incident/incident.ts';
import type { IncidentState } from '../../core/incident/incident-state.ts';
import { answering } from '../../core/playbook/answering.ts';
import { durationMs } from '../../core/playbook/duration.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { type Chooser, chooserFrom, type SimulateOptions } from '../../testing/chooser.ts';
import { answerQuestion, type Booth } from '../../testing/people.ts';
import { alertsOf, batchOf, createStage, mostMs, type Stage } from '../../testing/stage.ts';
import type { Story } from '../../testing/story.ts';
import { StoryTeller } from '../../testing/story-teller.ts';
import { StepFailure } from '../../workflows/step-failure.ts';
import { boundPatterns } from '../packs/turns/linear-patterns.ts';
import { timeSkippingServerPath } from '../parts/time-skipping-server.ts';
import { coreFilter } from '../temporal/runtime.ts';
import { createWorker, workflowThread } from '../temporal/workers.ts';
import { trialSpeaker } from './speaker.ts';
import { TrialClock } from './trial-clock.ts';
import { inTries, type Progress, type Try } from './tries.ts';

/** Result of one trial on a real Temporal. */
export interface TemporalTrial {
  readonly story: Story;
  readonly workflowId: string;
  readonly history: proto.temporal.api.history.v1.IHistory;
}

interface TrialOptions {
  /** Under their ids in the bundle. */
  readonly playbooks: readonly ListedPlaybook[];
  readonly options: SimulateOptions;
  /** Path of the workflows' bundle. */
  readonly bundle: string;
}

const queue = 'trial';

const { EventType } = proto.temporal.api.enums.v1;
const taskEvents: ReadonlySet<proto.temporal.api.enums.v1.EventType> = new Set([
  EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
  EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
  EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
  EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
  EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
]);

/** Installed once per process. What a test makes fail on purpose is not news: only errors of the SDK are logged. */
export function hearErrorsAlone(): void {
  try {
    Runtime.install({
      logger: new DefaultLogger('ERROR'),
      telemetryOptions: { logging: { forward: {}, filter: coreFilter } },
      shutdownSignals: [],
    });
  } catch {
    // The code that runs the tests has already installed one.
  }
}

/**
 * Runs what answers an alert as an incident on a real Temporal, with a clock that skips ahead. The cell, the people and the cluster are those of the
 * simulation; the workflow, its sandbox, its bundle and its messages are real. Each trial has its own server: clocks are not shared. If the server stands still,
 * the trial begins again on another.
 *
 * @returns undefined if nothing answers the alert
 * @throws TypeError for an answer that its question does not have; FB_ERR_PLATFORM_PART_MISSING; FB_ERR_UNAVAILABLE if three servers have stood still
 */
export async function runTrial({ playbooks, options, bundle }: TrialOptions): Promise<TemporalTrial | undefined> {
  if (!alertsOf(playbooks, options).some(({ alert }) => answering(playbooks, alert).length > 0)) return undefined;
  const path = await timeSkippingServerPath();
  hearErrorsAlone();
  boundPatterns();
  return inTries((end) => beginTrial({ playbooks, options, bundle, path, end }));
}

function beginTrial(parts: TrialOptions & { readonly path: string; readonly end: AbortSignal }): Try<TemporalTrial> {
  const { playbooks, options, bundle, path, end } = parts;
  const speaker = trialSpeaker(options.alert.cluster);
  const incident = Promise.withResolvers<TrialIncident>();
  const run = async (): Promise<TemporalTrial> => {
    const server = await TestWorkflowEnvironment.createTimeSkipping({
      server: { executable: { type: 'existing-path', path } },
      client: { dataConverter: speaker.dataConverter, interceptors: { workflow: [speaker.client] } },
    });
    try {
      end.throwIfAborted();
      const begun = new TrialIncident({ playbooks, options, server, end });
      incident.resolve(begun);
      const worker = await createWorker({
        connection: server.nativeConnection,
        taskQueue: queue,
        workflowBundle: { codePath: bundle },
        activities: begun.activities,
        ...speaker.workflows,
        interceptors: { activity: [speaker.activities] },
        ...workflowThread,
        shutdownForceTime: '15s',
      });
      return await worker.runUntil(() => begun.run());
    } finally {
      await server.teardown();
    }
  };
  return { result: run(), progress: async () => (await incident.promise).progress() };
}

/** One incident on the server, and everything around it. */
class TrialIncident {
  readonly #options: SimulateOptions;
  readonly #chooser: Chooser;
  readonly #server: TestWorkflowEnvironment;
  readonly #clock: TrialClock;
  readonly #over = Promise.withResolvers<never>();
  readonly #calls = new AbortController();
  readonly #id: string;
  readonly #asked = new Set<string>();
  readonly #joined: string[] = [];
  readonly #playbooks: readonly ListedPlaybook[];
  /** Resolves when it is over, or cannot go on. */
  readonly #end = Promise.withResolvers<IncidentState | undefined>();
  #toCome = 0;
  #begun: { readonly stage: Stage; readonly teller: StoryTeller } | undefined;

  constructor(parts: Omit<TrialOptions, 'bundle'> & { readonly server: TestWorkflowEnvironment; readonly end: AbortSignal }) {
    const { playbooks, options, server, end } = parts;
    this.#playbooks = playbooks;
    this.#options = options;
    this.#chooser = chooserFrom(options);
    this.#server = server;
    this.#clock = new TrialClock(server);
    this.#id = incidentIdOf(subjectOf(options.alert));
    for (const { promise } of [this.#over, this.#end]) promise.catch(() => undefined);
    end.addEventListener('abort', () => this.#stop());
  }

  get #parts() {
    if (!this.#begun) throw new Error('the trial has not begun');
    return this.#begun;
  }

  get #handle(): WorkflowHandle {
    return this.#server.client.workflow.getHandle(this.#id);
  }

  /** Activities of all queues: created on the first call, because the server's time is known by then. */
  get activities(): object {
    const names = [
      'planStep',
      'applyStep',
      'applyStepNow',
      'verifyStep',
      'undoStep',
      'verifyVote',
      'verifyRemark',
      'answerersTo',
    ];
    const others = ['issueWarrant', 'issueReleaseWarrant', 'updateQuestion', 'postInThread', 'showNotice', 'answerClick'];
    const desk: Pick<DeskActivities, 'postQuestion' | 'recordAudit'> = {
      postQuestion: (post) => this.#posted(post),
      recordAudit: (records) => this.#recorded(records),
    };
    const called =
      (name: string) =>
      (of: object) =>
      async (...args: unknown[]) => {
        await this.#clock.look();
        try {
          return await Reflect.get(of, name)(...args);
        } catch (error) {
          throw error instanceof StepFailure ? new FirebreakError(error.code, error.message) : error;
        }
      };
    const later =
      (name: string) =>
      (...args: unknown[]) =>
        called(name)(this.#parts.stage.cell.activities(() => this.#id))(...args);
    const all = { ...Object.fromEntries([...names, ...others].map((name) => [name, later(name)])), ...desk };
    return Object.fromEntries(
      Object.entries(all).map(([name, call]) => [
        name,
        (...args: never[]) => this.#untilOver(() => Reflect.apply(call, undefined, args)),
      ]),
    );
  }

  /**
   * Does a part of the trial, at the longest until it is over: a worker only ends after its activities, and one that sleeps, or asks a server that does not
   * answer, would never end. Its calls end before the connection does: they would be retried on a closed one.
   */
  #untilOver<T>(work: () => Promise<T>): Promise<T> {
    return Promise.race([this.#server.connection.withAbortSignal(this.#calls.signal, work), this.#over.promise]);
  }

  #stop(): void {
    this.#clock.end();
    this.#calls.abort();
    this.#over.reject(new Error('the trial is over'));
  }

  async run(): Promise<TemporalTrial> {
    try {
      return await this.#untilOver(() => this.#run());
    } finally {
      this.#stop();
    }
  }

  async #run(): Promise<TemporalTrial> {
    await this.#clock.look();
    const startsAt = this.#clock.now();
    const teller = new StoryTeller(startsAt);
    const { takes = {}, alert } = this.#options;
    const stage = createStage({
      playbooks: this.#playbooks,
      options: this.#options,
      chooser: this.#chooser,
      teller,
      now: this.#clock.now,
      // Otherwise it takes no time: an action is also cancelled after some seconds of real time.
      takes: async (action) => {
        if (takes[action] !== undefined) await this.#clock.sleep(durationMs(takes[action]));
      },
      outside: (work) => work,
      queue,
    });
    this.#begun = { stage, teller };
    const [first, ...more] = alertsOf(this.#playbooks, this.#options, startsAt);
    this.#toCome = more.length;
    const batch = batchOf(first?.alert ?? alert, 0);
    stage.cell.hears({ id: this.#id, run: '' }, batch);
    await this.#server.client.workflow.start(incidentNames.workflow, {
      workflowId: this.#id,
      taskQueue: queue,
      // It stays open for whatever comes later.
      args: [{ start: { subject: subjectOf(alert), batch }, settings: { ...stage.settings, lingerMs: 2 * mostMs } }],
    });
    for (const [index, one] of more.entries()) await this.#alongside(() => this.#arrive(one, index + 1));
    // Time goes on as long as somebody waits for it.
    this.#clock.sleep(mostMs).then(() => this.#end.resolve(undefined), this.#end.reject);
    const ended = await this.#end.promise;
    this.#clock.end();
    const state = ended ?? (await this.#state());
    const history = await this.#handle.fetchHistory();
    const contains = (action: string): boolean => stage.cell.declarationOf(action)?.contains === true;
    const story = teller.story(state, { at: this.#clock.now(), isOver: ended !== undefined, contains });
    return { story, workflowId: this.#id, history };
  }

  progress(): Promise<Progress> {
    return this.#untilOver(async () => {
      const { events } = await this.#handle.fetchHistory();
      const isOfTask = ({ eventType }: proto.temporal.api.history.v1.IHistoryEvent): boolean => taskEvents.has(eventType ?? 0);
      const last = events?.findLast(
        (event) => event.workflowTaskCompletedEventAttributes ?? event.workflowTaskFailedEventAttributes,
      );
      const failure = last?.workflowTaskFailedEventAttributes?.failure?.message;
      return {
        events: events?.filter((event) => !isOfTask(event)).length ?? 0,
        skippedMs: await this.#clock.ahead(),
        ...(failure && { failure }),
      };
    });
  }

  #state(): Promise<IncidentState> {
    return this.#handle.query<IncidentState>(incidentNames.stateQuery);
  }

  /** Runs next to the incident: the clock is held until the work ends, except while it sleeps. */
  async #alongside(work: () => Promise<void>): Promise<void> {
    await this.#clock.hold();
    void work()
      .then(() => this.#clock.letGo())
      .catch((error: unknown) => this.#end.reject(error));
  }

  async #arrive({ alert, after }: ReturnType<typeof alertsOf>[number], index: number): Promise<void> {
    await this.#clock.sleep(after);
    this.#parts.stage.cell.hears({ id: this.#id, run: '' }, batchOf(alert, index));
    await this.#handle.signal(incidentNames.alertsSignal, batchOf(alert, index));
    this.#toCome -= 1;
  }

  async #posted({ question }: QuestionPost): Promise<null> {
    if (this.#asked.has(question.id) || question.id.startsWith('lease:')) return null;
    this.#asked.add(question.id);
    const { roster } = this.#parts.stage;
    const { answer } = this.#chooser;
    const booth = this.#booth(question.id);
    await this.#alongside(() => answerQuestion({ booth, roster, question, answer }));
    return null;
  }

  #booth(id: string): Booth {
    const state = async () => (await this.#state()).questions.find(({ question }) => question.id === id);
    return {
      now: this.#clock.now,
      newId: randomUUID,
      sleep: (ms) => this.#clock.sleep(ms),
      state,
      untilAsked: async (level) => {
        for (;;) {
          const asked = await state();
          if (asked?.status.state !== 'open' || asked.level >= level) return;
          await this.#clock.sleep(Math.max(1_000, Date.parse(asked.levelUntil) - this.#clock.now()));
        }
      },
      vote: async (vote) => {
        await this.#handle.signal(incidentNames.voteSignal, vote);
        // The clock stops while the vote is checked and counted.
        await this.#clock.sleep(1_000);
      },
    };
  }

  async #recorded(records: readonly AuditRecord[]) {
    const { teller, stage } = this.#parts;
    for (const { kind, text, body, at } of records.map(({ body: { text = '', ...body }, ...record }) => ({
      ...record,
      text,
      body,
    }))) {
      teller.hear(Date.parse(at), { kind, text: String(text), body });
      if (kind === 'step.joined' && body.lease !== undefined) this.#joined.push(String(body.lease));
    }
    await this.#clock.look();
    if (records.some(({ kind }) => kind.startsWith('playbook.'))) await this.#endIfOver(stage);
    return { chain: this.#id, number: records.at(-1)?.number ?? 0, hash: '' };
  }

  /** Its state is taken as it is then: no more time passes. */
  async #endIfOver({ cell }: Stage): Promise<void> {
    if (this.#toCome > 0) return;
    await this.#clock.hold();
    const state = await this.#state();
    if (state.bodies.length === 0 || state.bodies.some((body) => body.state === 'waiting' || body.state === 'running'))
      return this.#clock.letGo();
    for (const id of this.#joined.splice(0)) {
      const lease = state.leases.find((one) => one.id === id);
      if (lease) cell.joined(lease.action, lease.target.name);
    }
    this.#end.resolve(state);
  }
}

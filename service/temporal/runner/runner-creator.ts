import type { Logger } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { Workflow, WorkflowCreateOptions } from '@temporalio/worker/lib/workflow/interface.js';
import { ThreadedVMWorkflowCreator } from '@temporalio/worker/lib/workflow/threaded-vm.js';
import type { WorkflowInfo } from '@temporalio/workflow';
import type { SinkCall } from '@temporalio/workflow/lib/sinks.js';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { haltedRuns } from './halted-runs.ts';
import type { RunnerBundle } from './messages.ts';
import { RunnerEnded, RunnerProcess } from './runner-process.ts';

const { WorkflowActivation } = proto.coresdk.workflow_activation;
const { WorkflowActivationCompletion } = proto.coresdk.workflow_completion;
type Activation = proto.coresdk.workflow_activation.IWorkflowActivation;
type Completion = proto.coresdk.workflow_completion.IWorkflowActivationCompletion;

/** A run that has ended a runner so often is set aside. */
const mostEnds = 2;
const mostSuspects = 1_000;
/** Runners for a single run each, which has ended a common one: so many for all workers of a process, as they share its memory. */
const mostAlone = 2;
const alone = new Map<RunnerProcess, RunnerCreator>();

const mostReasonChars = 2_000;

const sinksSchema = z.array(z.tuple([z.string(), z.string(), z.array(z.unknown())])).max(100_000);

const setAside =
  'this run has ended its playbook runner twice and is set aside. What it has contained stays contained, and it asks nobody. ' +
  'Correct its playbook, then: firebreak incidents rerun INCIDENT';

/**
 * Gives a worker's workflows to processes of their own (`RunnerProcess`). If one ends, only what it was doing is lost: the next task of each of its runs is
 * failed once, so that Temporal sends their histories again. Who was at work when it ended is tried once more in a runner of its own, so that a second end is
 * certainly its own doing. A runner that asks for what our workflows never ask for is ended by the cell, with the same consequences.
 */
export class RunnerCreator extends ThreadedVMWorkflowCreator {
  readonly #bundle: RunnerBundle;
  readonly #logger: Logger;
  readonly #ends = new LRUCache<string, number>({ max: mostSuspects });
  #common: RunnerProcess;

  constructor(bundle: RunnerBundle, logger: Logger) {
    super([]);
    this.#bundle = bundle;
    this.#logger = logger;
    this.#common = new RunnerProcess(bundle, logger);
  }

  /** @throws Error if a runner cannot use the bundle */
  static async started(bundle: RunnerBundle, logger: Logger): Promise<RunnerCreator> {
    const creator = new RunnerCreator(bundle, logger);
    try {
      await creator.#common.started;
    } catch (error) {
      await creator.destroy();
      throw error;
    }
    return creator;
  }

  override async createWorkflow(options: WorkflowCreateOptions): Promise<Workflow> {
    return new RunInRunner(options, {
      runnerFor: (runId) => this.#runnerFor(runId),
      isSetAside: (runId) => (this.#ends.get(runId) ?? 0) >= mostEnds,
      ended: (info, why) => this.#note(info, why),
      refused: (info, runner, why) => this.#refused(info, runner, why),
      left: (runner) => this.#left(runner),
    });
  }

  override async destroy(): Promise<void> {
    this.#common.close();
    for (const [runner, creator] of alone) if (creator === this) this.#left(runner);
  }

  /** Undefined if all runners for single runs are at work: it is tried again with the next attempt. */
  #runnerFor(runId: string): RunnerProcess | undefined {
    if (!this.#ends.has(runId)) {
      if (this.#common.hasEnded) this.#common = new RunnerProcess(this.#bundle, this.#logger);
      return this.#common;
    }
    if (alone.size >= mostAlone) {
      const idle = [...alone.keys()].find((one) => one.isIdle);
      if (!idle) return undefined;
      // Its run begins anew from its history with its next task.
      this.#left(idle);
    }
    const runner = new RunnerProcess(this.#bundle, this.#logger);
    alone.set(runner, this);
    return runner;
  }

  #left(runner: RunnerProcess): void {
    if (alone.delete(runner)) runner.close();
  }

  /** What runs there is not our workflow as it was written: the runner is kept for nobody, and the run counts as having ended it. */
  #refused(info: WorkflowInfo, runner: RunnerProcess, why: string): void {
    const { runId, workflowId } = info;
    this.#logger.error(`a playbook runner is ended: ${why}`, { workflowId, runId });
    runner.close();
    this.#note(info, why);
  }

  #note({ runId, workflowId }: WorkflowInfo, why: string): void {
    const ends = (this.#ends.get(runId) ?? 0) + 1;
    this.#ends.set(runId, ends);
    if (ends < mostEnds) return;
    this.#logger.error(setAside, { workflowId, runId, why });
    haltedRuns.add({ workflow: workflowId, run: runId, at: Date.now(), why });
  }
}

interface Runners {
  readonly runnerFor: (runId: string) => RunnerProcess | undefined;
  readonly isSetAside: (runId: string) => boolean;
  /** The run was at work when its runner ended. */
  readonly ended: (info: WorkflowInfo, why: string) => void;
  /** The run asked for something that no workflow of Firebreak asks for. */
  readonly refused: (info: WorkflowInfo, runner: RunnerProcess, why: string) => void;
  readonly left: (runner: RunnerProcess) => void;
}

/** A run whose code is in a runner. Never rejects a task: the SDK would end the worker. */
class RunInRunner implements Workflow {
  readonly #options: WorkflowCreateOptions;
  readonly #runners: Runners;
  #runner: RunnerProcess | undefined;
  #calls: SinkCall[] = [];

  constructor(options: WorkflowCreateOptions, runners: Runners) {
    this.#options = options;
    this.#runners = runners;
  }

  async activate(activation: Activation): Promise<Completion> {
    const { info } = this.#options;
    const { runId } = info;
    if (this.#runners.isSetAside(runId)) return failedTask(runId, setAside);
    try {
      const runner = this.#runner ?? (await this.#created());
      if (!runner) return failedTask(runId, 'too many incidents that have ended a playbook runner are being tried again');
      const order = { kind: 'activate', runId, activation: WorkflowActivation.encode(activation).finish() } as const;
      const { sinks, bytes } = await runner.send(order);
      const completion = WorkflowActivationCompletion.decode(bytes);
      const foreign = foreignCommand(completion);
      if (foreign !== undefined) {
        const why = `a workflow of Firebreak never asks for this: ${foreign}`;
        this.#runners.refused(info, runner, why);
        return failedTask(runId, why);
      }
      this.#calls = this.#callsIn(sinks, activation);
      // A runner speaks for the run that was asked for, whatever it says.
      return Object.assign(completion, { runId });
    } catch (error) {
      if (error instanceof RunnerEnded && error.isOwn) this.#runners.ended(info, error.why);
      return failedTask(
        runId,
        error instanceof Error ? error.message.slice(0, mostReasonChars) : 'the playbook runner could not do this task',
      );
    }
  }

  async getAndResetSinkCalls(): Promise<SinkCall[]> {
    const calls = this.#calls;
    this.#calls = [];
    return calls;
  }

  async dispose(): Promise<void> {
    const runner = this.#runner;
    if (!runner) return;
    await runner.send({ kind: 'dispose', runId: this.#options.info.runId }).catch(() => undefined);
    this.#runners.left(runner);
  }

  async #created(): Promise<RunnerProcess | undefined> {
    const { info } = this.#options;
    const runner = this.#runners.runnerFor(info.runId);
    if (!runner) return undefined;
    this.#runner = runner;
    const { now: _now, random: _random, ...unsafe } = info.unsafe;
    // Functions are made anew in the sandbox, as the SDK does with its threads.
    await runner.send({ kind: 'create', options: { ...this.#options, info: { ...info, unsafe: unsafe as typeof info.unsafe } } });
    return runner;
  }

  /** About which run they are is known here. */
  #callsIn(sinks: unknown, { isReplaying, jobs }: Activation): SinkCall[] {
    const read = sinksSchema.safeParse(sinks);
    if (!read.success) return [];
    const { info } = this.#options;
    const isQuery = jobs?.some(({ queryWorkflow }) => queryWorkflow) === true;
    const replays = isReplaying === true;
    const unsafe = { ...info.unsafe, isReplaying: replays || isQuery, isReplayingHistoryEvents: replays && !isQuery };
    const workflowInfo = { ...info, unsafe };
    return read.data
      .filter(([ifaceName, fnName]) => isSink(ifaceName, fnName))
      .map(([ifaceName, fnName, args]) => ({ ifaceName, fnName, args, workflowInfo }));
  }
}

/** What our workflows ask of Temporal. No other workflow, Nexus operation, local activity or search attribute is among it. */
const ownCommands: ReadonlySet<string> = new Set([
  'userMetadata',
  'eventGroupMarkers',
  'startTimer',
  'cancelTimer',
  'scheduleActivity',
  'requestCancelActivity',
  'respondToQuery',
  'completeWorkflowExecution',
  'failWorkflowExecution',
  'cancelWorkflowExecution',
  'continueAsNewWorkflowExecution',
  'setPatchMarker',
  // Our workflows know no update: they refuse it.
  'updateResponse',
]);

function foreignCommand({ successful }: Completion): string | undefined {
  return (successful?.commands ?? []).flatMap((command) => Object.keys(command)).find((name) => !ownCommands.has(name));
}

/** Names that every object has are none of a sink. */
function isSink(...names: readonly string[]): boolean {
  return names.every((name) => !(name in {}));
}

function failedTask(runId: string, message: string): Completion {
  return { runId, failed: { failure: { message, applicationFailureInfo: {} } } };
}

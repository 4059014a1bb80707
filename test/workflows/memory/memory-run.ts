import { inWorld, type SimulatedClock } from '../../../testing/simulated-clock.ts';
import { SimulatedWorld } from '../../../testing/simulated-world.ts';
import type { World } from '../../../workflows/world.ts';
import { type ActivitiesInMemory, callInMemory, sent, stepFailureOf } from './memory-calls.ts';

// The engine knows by its types what its workflows are started with.
export type WorkflowFunction = (input: never) => Promise<unknown>;

export interface RunOptions {
  readonly clock: SimulatedClock;
  readonly workflow: WorkflowFunction;
  readonly workflowId: string;
  readonly input: unknown;
  readonly activities: ActivitiesInMemory;
  readonly packs: World['packs'];
  readonly newId: () => string;
  /** At so many events a run is to continue as new. */
  readonly suggestAt: number;
  /** The build that new runs get, and those that are handed over. */
  readonly build: () => string | undefined;
  readonly onLog: (line: LoggedLine) => void;
}

export interface LoggedLine {
  readonly message: string;
  readonly meta: Readonly<Record<string, unknown>>;
}

/** A call of an activity, and the task of the workflow in which it was made: each is what follows from one thing that has happened. */
interface Call {
  readonly name: string;
  readonly task: number;
}

type Status =
  | { readonly is: 'open' }
  | { readonly is: 'done'; readonly result: unknown }
  | { readonly is: 'failed'; readonly error: unknown }
  | { readonly is: 'terminated' };

/** Events that a task of the workflow adds to its history: scheduled, started, completed. */
const eventsOfTask = 3;

/** Thrown by a workflow that continues as new: its code ends there, as with Temporal. */
class ContinuedAsNew extends Error {
  readonly input: unknown;
  readonly build: string | undefined;

  constructor(input: unknown, build: string | undefined) {
    super('it continues as new');
    this.input = input;
    this.build = build;
  }
}

/** A workflow that runs in memory, from its first run on: its next ones have the same id. */
export class MemoryRun {
  readonly #options: RunOptions;
  readonly firstRunId: string;
  #world: RunWorld;
  #status: Status = { is: 'open' };
  #runs = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    this.firstRunId = options.newId();
    this.#world = this.#begin(this.firstRunId, options.input, options.build());
  }

  get workflowId(): string {
    return this.#options.workflowId;
  }

  get status(): Status {
    return this.#status;
  }

  /** How often it has continued as new. */
  get continued(): number {
    return this.#runs - 1;
  }

  get runId(): string {
    return this.#world.info().runId;
  }

  get historyLength(): number {
    return this.#world.info().historyLength;
  }

  /** The calls of the current run, in order. */
  get called(): readonly Call[] {
    return this.#world.called;
  }

  get build(): string | undefined {
    return this.#world.build;
  }

  signal(name: string, args: readonly unknown[]): void {
    if (this.#status.is !== 'open') throw new Error(`${this.workflowId} is ${this.#status.is}: nobody takes its signals`);
    this.#world.receive(name, sent(args));
  }

  /** Also of a run that has ended. */
  query(name: string): unknown {
    return sent(this.#world.query(name));
  }

  terminate(): void {
    if (this.#status.is === 'open') this.#end({ is: 'terminated' });
  }

  #begin(runId: string, input: unknown, build: string | undefined): RunWorld {
    this.#runs += 1;
    const world = new RunWorld(this.#options, { runId, firstRunId: this.firstRunId, build }, (error) =>
      this.#end({ is: 'failed', error }),
    );
    const { workflow } = this.#options;
    const running = inWorld(world, () => workflow(sent(input) as never));
    running.then(
      (result) => this.#over(world, { is: 'done', result: sent(result) }),
      (error: unknown) => {
        if (error instanceof ContinuedAsNew) this.#goOn(error);
        else this.#over(world, { is: 'failed', error });
      },
    );
    return world;
  }

  #goOn({ input, build }: ContinuedAsNew): void {
    const before = this.#world;
    this.#options.clock.forget(before);
    if (this.#status.is !== 'open') return;
    this.#world = this.#begin(this.#options.newId(), input, build);
    for (const { name, args } of before.unheard) this.#world.receive(name, args);
  }

  #over(world: RunWorld, status: Status): void {
    if (world === this.#world && this.#status.is === 'open') this.#end(status);
  }

  #end(status: Status): void {
    this.#status = status;
    this.#options.clock.forget(this.#world);
  }
}

/** The world of one run: its history is only counted, not kept. */
class RunWorld extends SimulatedWorld {
  readonly #options: RunOptions;
  readonly #run: { readonly runId: string; readonly firstRunId: string; readonly build: string | undefined };
  readonly #onFault: (error: unknown) => void;
  readonly called: Call[] = [];
  /** Signals that came after it had continued as new. */
  readonly unheard: { readonly name: string; readonly args: readonly unknown[] }[] = [];
  #events = 1;
  #isInTask = false;
  #tasks = 0;
  #isOver = false;

  constructor(
    options: RunOptions,
    run: { readonly runId: string; readonly firstRunId: string; readonly build: string | undefined },
    onFault: (error: unknown) => void,
  ) {
    super({
      clock: options.clock,
      workflowId: options.workflowId,
      activities: <Activities>(call: Parameters<World['activities']>[0]) => this.#activitiesWith(call) as Activities,
      ownAction: (name) => options.packs.flatMap(({ actions }) => actions).find((action) => action.name === name),
    });
    this.#options = options;
    this.#run = run;
    this.#onFault = onFault;
    this.packs = options.packs;
    this.onLog = (message, fields) => options.onLog({ message, meta: { ...fields, workflowId: options.workflowId } });
    this.#task();
  }

  get build(): string | undefined {
    return this.#run.build;
  }

  override uuid4 = (): string => this.#options.newId();

  override info: World['info'] = () => {
    const { runId, firstRunId, build } = this.#run;
    return {
      workflowId: this.#options.workflowId,
      runId,
      firstExecutionRunId: firstRunId,
      historyLength: this.#events,
      continueAsNewSuggested: this.#events >= this.#options.suggestAt,
      ...(build !== undefined && { currentDeploymentVersion: { buildId: build } }),
    };
  };

  override condition = (async (holds: () => boolean, withinMs?: number): Promise<boolean> => {
    if (withinMs === undefined || holds()) return this.clock.condition(this, holds, Number.POSITIVE_INFINITY);
    // A timer starts, and fires or is cancelled.
    this.#events += 1;
    const held = await this.clock.condition(this, holds, Math.max(withinMs, 1));
    this.#events += 1;
    if (!held) this.#task();
    return held;
  }) as World['condition'];

  override continueAsNew: World['continueAsNew'] = async (input, { initialVersioningBehavior }) => {
    this.#isOver = true;
    const { build } = this.#run;
    throw new ContinuedAsNew(sent(input), initialVersioningBehavior === 'AUTO_UPGRADE' ? this.#options.build() : build);
  };

  override failure = stepFailureOf;

  receive(name: string, args: readonly unknown[]): void {
    if (this.#isOver) {
      this.unheard.push({ name, args });
      return;
    }
    this.#events += 1;
    this.#task();
    try {
      this.signal(name, args);
    } catch (error) {
      // It would fail each task of the workflow from now on.
      this.#onFault(error);
    }
  }

  #activitiesWith(call: Parameters<World['activities']>[0]): object {
    const { clock, activities } = this.#options;
    const calling =
      (name: string) =>
      async (...args: unknown[]): Promise<unknown> => {
        this.called.push({ name, task: this.#tasks });
        this.#events += 1;
        try {
          return await callInMemory({ clock, world: this, activities }, name, args, call);
        } finally {
          this.#events += 2;
          this.#task();
        }
      };
    return new Proxy({}, { get: (_, name) => calling(String(name)) });
  }

  /** What happens at once is handled in one task. */
  #task(): void {
    if (this.#isInTask) return;
    this.#isInTask = true;
    this.#tasks += 1;
    this.#events += eventsOfTask;
    setImmediate(() => {
      this.#isInTask = false;
    });
  }
}

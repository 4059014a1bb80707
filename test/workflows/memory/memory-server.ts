import { createHash } from 'node:crypto';
import { msToNumber } from '@temporalio/common/lib/time.js';
import { SimulatedClock } from '../../../testing/simulated-clock.ts';
import { SimulatedWorld } from '../../../testing/simulated-world.ts';
import type { World } from '../../../workflows/world.ts';
import type { ActivitiesInMemory } from './memory-calls.ts';
import { type LoggedLine, MemoryRun, type WorkflowFunction } from './memory-run.ts';

type Time = number | `${number}${'s' | 'm' | 'h' | 'd'}`;

/** How tests let time pass, in memory as on a server. */
export interface LabTime {
  sleep(time: Time): Promise<void>;
  currentTimeMs(): Promise<number>;
}

interface MemoryServerOptions {
  readonly startsAt: number;
  readonly activities: ActivitiesInMemory;
  readonly packs: World['packs'];
  /** Temporal suggests to continue as new at 4096 events. */
  readonly suggestAt?: number;
}

/** When time begins in a lab: the same in every run. */
export const startsAt = Date.parse('2026-11-24T22:00:00.000Z');

/** Short waits, such as those before another attempt, pass while a test waits for something. Longer ones pass only if it says so. */
const patienceMs = 60_000;
/** An incident is over long before, or never. */
const longestMs = 400 * 86_400_000;
const deliveryMs = 1;
const mostSteps = 100_000;

/**
 * Runs workflows in memory, instead of a Temporal server and its workers: the same code of the engine, on a clock that stands still until a test lets time pass,
 * and then jumps. Nothing depends on how fast the machine is: whatever can happen at a moment has happened before the clock moves.
 */
export class MemoryServer implements LabTime {
  readonly clock: SimulatedClock;
  readonly #options: MemoryServerOptions;
  readonly #runs = new Map<string, MemoryRun>();
  /** Of scripts that wait for a moment of the simulated time. */
  readonly #scripts: SimulatedWorld;
  readonly lines: LoggedLine[] = [];
  build: string | undefined;
  #ids = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: MemoryServerOptions) {
    this.#options = options;
    this.clock = new SimulatedClock(options.startsAt);
    this.#scripts = new SimulatedWorld({
      clock: this.clock,
      workflowId: 'scripts',
      activities: () => {
        throw new Error('scripts call no activities');
      },
      ownAction: () => undefined,
    });
  }

  /** Starts a workflow, and lets everything happen that it does at once. */
  async start(workflow: WorkflowFunction, { workflowId, input }: { readonly workflowId: string; readonly input: unknown }) {
    if (this.#runs.get(workflowId)?.status.is === 'open') throw new Error(`${workflowId} is running`);
    const { activities, packs, suggestAt = 4_096 } = this.#options;
    const run = new MemoryRun({
      workflow,
      workflowId,
      input,
      activities,
      packs,
      suggestAt,
      clock: this.clock,
      newId: () => this.#newId(),
      build: () => this.build,
      onLog: (line) => void this.lines.push(line),
    });
    this.#runs.set(workflowId, run);
    await this.settle();
    return run;
  }

  run(workflowId: string): MemoryRun {
    const run = this.#runs.get(workflowId);
    if (!run) throw new Error(`${workflowId} was never started`);
    return run;
  }

  /** Delivers a signal, a moment after whatever came before it: nobody answers within the moment in which they are asked. */
  async signal(run: MemoryRun, name: string, ...args: readonly unknown[]): Promise<void> {
    await this.sleep(deliveryMs);
    run.signal(name, args);
    await this.settle();
  }

  async query<Answer>(run: MemoryRun, name: string): Promise<Answer> {
    await this.settle();
    // A query is typed by who asks, as with Temporal.
    return run.query(name) as Answer;
  }

  /** Lets everything happen that can without time passing. */
  settle(): Promise<void> {
    return this.#alone(() => this.#settle());
  }

  currentTimeMs = async (): Promise<number> => this.clock.now();

  /** Lets time pass. */
  sleep = (time: Time): Promise<void> => {
    const ms = msToNumber(time);
    return this.#alone(async () => {
      const until = this.clock.now() + ms;
      await this.#settle();
      for (let { next } = this.clock; next <= until; { next } = this.clock) {
        this.clock.passTo(next);
        await this.#settle();
      }
      this.clock.passTo(until);
      await this.#settle();
    });
  };

  /** For scripts that take a while: the time passes when a test lets it. */
  takes(time: Time): Promise<void> {
    return this.#scripts.sleep(msToNumber(time));
  }

  /** For scripts that wait for something of the test. */
  when(holds: () => boolean): Promise<void> {
    return this.#scripts.condition(holds);
  }

  /** Looks again at each moment at which something happens, until there is something. */
  async until<Found>(
    what: string,
    look: () => Found | false | undefined | Promise<Found | false | undefined>,
    { withinMs = patienceMs, state = () => '' }: { readonly withinMs?: number; readonly state?: () => string } = {},
  ): Promise<Found> {
    const begun = this.clock.now();
    for (let step = 0; step < mostSteps; step += 1) {
      await this.settle();
      const found = await look();
      if (found !== false && found !== undefined) return found;
      const isLater = await this.#alone(async () => {
        const { next } = this.clock;
        if (!(next <= begun + withinMs)) return false;
        this.clock.passTo(next);
        return true;
      });
      if (isLater) continue;
      throw new Error(`${what}: not there within ${withinMs / 1_000} s of simulated time. ${state()}`);
    }
    throw new Error(`${what}: something happens again and again. ${state()}`);
  }

  /** Lets time pass until the workflow has ended. */
  async result<Result>(run: MemoryRun, state?: () => string): Promise<Result> {
    const isOver = () => run.status.is !== 'open';
    await this.until(`the end of ${run.workflowId}`, isOver, { withinMs: longestMs, ...(state && { state }) });
    const { status } = run;
    if (status.is === 'failed') throw status.error;
    if (status.is !== 'done') throw new Error(`${run.workflowId} is ${status.is}`);
    return status.result as Result;
  }

  async #settle(): Promise<void> {
    if (!(await this.clock.settle())) throw new Error('something wakes itself again and again');
    for (const { status } of this.#runs.values()) if (status.is === 'failed') throw status.error;
  }

  /** Time passes for one after another, and not while something else happens. */
  #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Looks random, and is the same each time. */
  #newId(): string {
    this.#ids += 1;
    const hex = createHash('sha256').update(`id ${this.#ids}`).digest('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-');
  }
}

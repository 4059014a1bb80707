import { FirebreakError } from '../core/errors.ts';
import { StepFailure } from '../workflows/step-failure.ts';
import type { World } from '../workflows/world.ts';
import { inWorld, SimulatedClock } from './simulated-clock.ts';

/** Maximum number of moments to which the clock jumps: beyond that, something waits again and again. */
const mostJumps = 20_000;

interface SimulatedWorldOptions {
  /** A clock of its own from then on, in milliseconds since 1970, or the one that it shares with other worlds. */
  readonly clock: number | SimulatedClock;
  readonly workflowId: string;
  readonly activities: World['activities'];
  readonly ownAction: World['ownAction'];
}

/** A world with its own clock: whenever nothing is left to do, it jumps to the next moment that somebody waits for. */
export class SimulatedWorld implements World {
  readonly #workflowId: string;
  readonly clock: SimulatedClock;
  readonly activities: World['activities'];
  readonly ownAction: World['ownAction'];
  readonly #signals = new Map<string, (...args: readonly unknown[]) => void | Promise<void>>();
  readonly #queries = new Map<string, () => unknown>();
  readonly #early: { readonly name: string; readonly args: readonly unknown[] }[] = [];
  #handling = 0;
  #ids = 0;
  /** Thrown values that are not the failure of a step, in order: mistakes in a playbook. */
  readonly thrown: unknown[] = [];

  constructor(options: SimulatedWorldOptions) {
    this.clock = typeof options.clock === 'number' ? new SimulatedClock(options.clock) : options.clock;
    this.#workflowId = options.workflowId;
    this.activities = options.activities;
    this.ownAction = options.ownAction;
  }

  now = (): number => this.clock.now();

  records: World['records'] = { made: () => undefined, left: () => undefined };

  condition = ((holds: () => boolean, withinMs: number = Number.POSITIVE_INFINITY) =>
    this.clock.condition(this, holds, withinMs)) as World['condition'];

  sleep = async (ms: number): Promise<void> => {
    await this.condition(() => false, ms);
  };

  uuid4 = (): string => {
    this.#ids += 1;
    return `${this.#ids.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
  };

  info: World['info'] = () => ({
    workflowId: this.#workflowId,
    runId: 'simulation',
    firstExecutionRunId: 'simulation',
    historyLength: 0,
    continueAsNewSuggested: false,
  });

  packs: World['packs'] = [];

  onSignal: World['onSignal'] = (name, handle) => {
    // Whoever sends a signal knows what its handler takes, as with Temporal.
    this.#signals.set(name, handle as (...args: readonly unknown[]) => void | Promise<void>);
    const early = this.#early.splice(0);
    for (const one of early) this.signal(one.name, one.args);
  };

  onQuery: World['onQuery'] = (name, answer) => void this.#queries.set(name, answer);

  onRefusedMessages: World['onRefusedMessages'] = () => undefined;

  allHandlersFinished = (): boolean => this.#handling === 0;

  continueAsNew: World['continueAsNew'] = async () => {
    throw new Error('this simulation does not continue as new');
  };

  /** Delivers a signal; one that comes before its handler waits for it. */
  signal(name: string, args: readonly unknown[]): void {
    const handle = this.#signals.get(name);
    if (!handle) {
      this.#early.push({ name, args });
      return;
    }
    const handling = inWorld(this, () => handle(...args));
    if (!(handling instanceof Promise)) return;
    this.#handling += 1;
    void handling.finally(() => {
      this.#handling -= 1;
    });
  }

  query(name: string): unknown {
    const answer = this.#queries.get(name);
    if (!answer) throw new Error(`nothing answers the query ${name}`);
    return inWorld(this, answer);
  }

  failure = (error: unknown): StepFailure => {
    if (error instanceof FirebreakError) return new StepFailure(error.code, error.detail);
    this.thrown.push(error);
    return new StepFailure('FB_ERR_INTERNAL', error instanceof Error ? error.message : String(error));
  };

  /** Outside a bundle modules have full paths: the place of an error is found in its own stack. */
  readonly namesPlaces = false;

  within = <Result>(_owner: unknown, run: () => Result): Result => run();

  /** What playbooks have logged. */
  onLog: World['log'] = () => undefined;

  log: World['log'] = (text, fields) => this.onLog(text, fields);

  /** Runs until `isOver`, or until nothing is left that could happen before `endsAt`. Returns whether it is over. */
  async run(begin: () => void, isOver: () => boolean, endsAt: number): Promise<boolean> {
    const { clock } = this;
    return inWorld(this, async () => {
      // Also ends earlier work for whatever counts its turns.
      await clock.settle();
      begin();
      for (let jump = 0; jump < mostJumps; jump += 1) {
        if (!(await clock.settle(isOver))) return false;
        if (isOver()) return true;
        const { next } = clock;
        if (!(next <= endsAt)) return false;
        clock.passTo(next);
      }
      return false;
    });
  }
}

import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate } from 'node:timers';
import { FirebreakError } from '../core/errors.ts';
import { StepFailure } from '../workflows/step-failure.ts';
import { setWorld, type World } from '../workflows/world.ts';

/** Each simulation has its own world, however many run concurrently. */
const worlds = new AsyncLocalStorage<World>();
setWorld(() => {
  const world = worlds.getStore();
  if (!world) throw new Error('the engine has no world: no simulation has begun');
  return world;
});

interface Waiting {
  readonly holds: () => boolean;
  readonly wake: (held: boolean) => void;
  /** Milliseconds since 1970; infinite: no timeout. */
  readonly until: number;
}

/** Maximum number of rounds in which conditions are checked: beyond that, something keeps waking itself. */
const mostRounds = 20_000;

/** A world with its own clock: whenever nothing is left to do, it jumps to the next moment that somebody waits for. */
export class SimulatedWorld implements World {
  readonly #workflowId: string;
  readonly #activities: () => unknown;
  readonly ownAction: World['ownAction'];
  readonly #waiting = new Set<Waiting>();
  readonly #outside = new Set<Promise<unknown>>();
  #now: number;
  #ids = 0;
  /** Thrown values that are not the failure of a step, in order: mistakes in a playbook. */
  readonly thrown: unknown[] = [];

  constructor(options: {
    readonly startsAt: number;
    readonly workflowId: string;
    readonly activities: () => unknown;
    readonly ownAction: World['ownAction'];
  }) {
    this.#now = options.startsAt;
    this.#workflowId = options.workflowId;
    this.#activities = options.activities;
    this.ownAction = options.ownAction;
  }

  now = (): number => this.#now;

  records: World['records'] = { made: () => undefined, left: () => undefined };

  condition = ((holds: () => boolean, withinMs: number = Number.POSITIVE_INFINITY) =>
    holds()
      ? Promise.resolve(true)
      : new Promise<boolean>((wake) => {
          this.#waiting.add({ holds, wake, until: this.#now + withinMs });
        })) as World['condition'];

  sleep = async (ms: number): Promise<void> => {
    await this.condition(() => false, ms);
  };

  /** External work takes no simulated time: the clock stands still meanwhile. */
  outside = async <Result>(work: Promise<Result>): Promise<Result> => {
    this.#outside.add(work);
    try {
      return await work;
    } finally {
      this.#outside.delete(work);
    }
  };

  uuid4 = (): string => {
    this.#ids += 1;
    return `${this.#ids.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
  };

  info: World['info'] = () => ({ workflowId: this.#workflowId, firstExecutionRunId: 'simulation', historyLength: 0 });

  // The engine calls activities that the simulation provides: both sides have the same types.
  activities = (<Activities>() => this.#activities() as Activities) satisfies World['activities'];

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
    return worlds.run(this, async () => {
      // Also ends earlier work for whatever counts its turns.
      await allSaid();
      begin();
      for (let round = 0; round < mostRounds; round += 1) {
        await allSaid();
        while (this.#outside.size > 0) {
          await Promise.allSettled(this.#outside);
          await allSaid();
        }
        if (isOver()) return true;
        if (this.#wakeThoseWhoMay()) continue;
        const next = Math.min(...Array.from(this.#waiting, ({ until }) => until));
        if (!(next <= endsAt)) return false;
        this.#now = Math.max(this.#now, next);
        for (const one of [...this.#waiting]) if (one.until <= this.#now) this.#wake(one, false);
      }
      return false;
    });
  }

  #wakeThoseWhoMay(): boolean {
    const held = [...this.#waiting].filter(({ holds }) => holds());
    for (const one of held) this.#wake(one, true);
    return held.length > 0;
  }

  #wake(one: Waiting, held: boolean): void {
    this.#waiting.delete(one);
    one.wake(held);
  }
}

/** Resolves when every promise that can proceed has done so. Uses Node's own timers, which no test runner replaces. */
function allSaid(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

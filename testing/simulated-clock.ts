import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate } from 'node:timers';
import { setWorld, type World } from '../workflows/world.ts';

/** Each simulation has its own world, however many run concurrently. */
const worlds = new AsyncLocalStorage<World>();

/** Runs code of the engine in this world, with everything that it goes on with later. */
export function inWorld<Result>(world: World, run: () => Result): Result {
  // Set each time: another file of the same process may have set another.
  setWorld(currentWorld);
  return worlds.run(world, run);
}

function currentWorld(): World {
  const world = worlds.getStore();
  if (!world) throw new Error('the engine has no world: no simulation has begun');
  return world;
}

/** Runs code that is no part of the engine, such as an activity that it calls. */
export function outsideWorlds<Result>(run: () => Result): Result {
  return worlds.exit(run);
}

interface Waiting {
  readonly world: World;
  readonly holds: () => boolean;
  readonly wake: (held: boolean) => void;
  /** Milliseconds since 1970; infinite: no timeout. */
  readonly until: number;
}

/** Maximum number of rounds in which conditions are checked: beyond that, something keeps waking itself. */
const mostRounds = 20_000;

/** The time of simulated worlds. It moves only when told to, and only to where somebody waits for it. */
export class SimulatedClock {
  readonly #waiting = new Set<Waiting>();
  readonly #outside = new Set<Promise<unknown>>();
  #held = 0;
  #onHeld = Promise.withResolvers<void>();
  #now: number;

  constructor(startsAt: number) {
    this.#now = startsAt;
  }

  now = (): number => this.#now;

  /** Resolves to whether `holds` did so before the time was over. */
  condition(world: World, holds: () => boolean, withinMs: number): Promise<boolean> {
    if (holds()) return Promise.resolve(true);
    return new Promise((wake) => {
      this.#waiting.add({ world, holds, wake, until: this.#now + withinMs });
    });
  }

  /** External work takes no simulated time: the clock stands still meanwhile. */
  async outside<Result>(work: Promise<Result>): Promise<Result> {
    this.#outside.add(work);
    try {
      return await work;
    } finally {
      this.#outside.delete(work);
    }
  }

  /** For a part of external work that waits until the clock has gone on, such as a server that does not answer: the clock does not wait for that work. */
  async held<Result>(part: Promise<Result>): Promise<Result> {
    this.#hold(1);
    try {
      return await part;
    } finally {
      this.#hold(-1);
    }
  }

  #hold(more: number): void {
    this.#held += more;
    this.#onHeld.resolve();
    this.#onHeld = Promise.withResolvers();
  }

  /** Nothing in this world is ever woken again. */
  forget(world: World): void {
    for (const one of [...this.#waiting]) if (one.world === world) this.#waiting.delete(one);
  }

  /** The next moment that somebody waits for; infinite if there is none. */
  get next(): number {
    return Math.min(...Array.from(this.#waiting, ({ until }) => until));
  }

  /** Runs everything that can happen without time passing. Returns false if something does not come to rest. */
  async settle(isOver: () => boolean = () => false): Promise<boolean> {
    for (let round = 0; round < mostRounds; round += 1) {
      await allSaid();
      while (this.#outside.size > this.#held) {
        await Promise.race([this.#onHeld.promise, ...Array.from(this.#outside, (work) => work.catch(() => undefined))]);
        await allSaid();
      }
      if (isOver() || !this.#wakeThoseWhoMay()) return true;
    }
    return false;
  }

  /** Sets the clock to that moment, if it is later, and wakes those who have waited for it. */
  passTo(moment: number): void {
    this.#now = Math.max(this.#now, moment);
    for (const one of [...this.#waiting]) if (one.until <= this.#now) this.#wake(one, false);
  }

  #wakeThoseWhoMay(): boolean {
    const held = [...this.#waiting].filter(({ world, holds }) => inWorld(world, holds));
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

/** Repeatable randomness: the same seed gives the same numbers (mulberry32). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to 1, excluding 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  upTo(limit: number): number {
    return this.next() * limit;
  }

  of<T>(choices: readonly T[]): T | undefined {
    return choices[Math.floor(this.upTo(choices.length))];
  }
}

/** The seed from the environment, so that a failure can be repeated; otherwise from the clock. */
export function seedOf(environment: string | undefined): number {
  return environment === undefined ? Date.now() % 1_000_000_000 : Number(environment);
}

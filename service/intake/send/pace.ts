const windowMs = 1_000;

/** How often something happened lately: over this second and the one before. */
export class Pace {
  readonly #now: () => number;
  #since = 0;
  #current = 0;
  #before = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  count(): void {
    this.#turn();
    this.#current += 1;
  }

  perSecond(): number {
    const share = this.#turn() / windowMs;
    return this.#before * (1 - share) + this.#current;
  }

  /** Milliseconds into the current second. */
  #turn(): number {
    const passed = this.#now() - this.#since;
    if (passed < windowMs) return passed;
    this.#before = passed < 2 * windowMs ? this.#current : 0;
    this.#current = 0;
    this.#since = this.#now();
    return 0;
  }
}

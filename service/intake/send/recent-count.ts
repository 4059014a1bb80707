/** Counts over the current window of time and the previous one. Nothing runs while nothing is counted. */
export class RecentCount {
  readonly #windowMs: number;
  readonly #now: () => number;
  #since = 0;
  #current = 0;
  #before = 0;

  constructor(windowMs: number, now: () => number = () => performance.now()) {
    this.#windowMs = windowMs;
    this.#now = now;
  }

  add(count = 1): void {
    this.#turn();
    this.#current += count;
  }

  /** The count of both windows. */
  get total(): number {
    this.#turn();
    return this.#current + this.#before;
  }

  /** The count of one window's time: the previous window counts as far as it is not older than that. */
  get perWindow(): number {
    const share = this.#turn() / this.#windowMs;
    return this.#before * (1 - share) + this.#current;
  }

  /** Returns the milliseconds elapsed in the current window. */
  #turn(): number {
    const passed = this.#now() - this.#since;
    if (passed < this.#windowMs) return passed;
    this.#before = passed < 2 * this.#windowMs ? this.#current : 0;
    this.#current = 0;
    this.#since += passed;
    return 0;
  }
}

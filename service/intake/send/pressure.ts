/** What is durable after this has kept its sender waiting, */
const lateMs = 15;
/** unless that is what the disk takes: so many times its quickest write of the last minutes. */
const lateTimes = 3;
/** In a window; so what was quickest counts half after 70 s. */
const forgottenShare = 1.002;
/** A disk that is slow once is no pressure. One answer in a hundred is what senders are promised something of: it is too late to yield when one in ten waits. */
const lateShare = 0.03;
const windowMs = 200;

interface Seen {
  readonly late: number;
  readonly all: number;
}

const nothing: Seen = { late: 0, all: 0 };

/** Whether senders wait for their answers lately: over this fifth of a second and the one before. Nothing runs while nothing comes. */
export class Pressure {
  readonly #now: () => number;
  #since = 0;
  #current = nothing;
  #before = nothing;
  #quickestMs = Number.POSITIVE_INFINITY;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** An alert was made durable within so many milliseconds. */
  took(ms: number): void {
    this.#turn();
    this.#quickestMs = Math.min(this.#quickestMs, ms);
    const isLate = ms > Math.max(lateMs, lateTimes * this.#quickestMs);
    const { late, all } = this.#current;
    this.#current = { late: late + (isLate ? 1 : 0), all: all + 1 };
  }

  get isHigh(): boolean {
    this.#turn();
    const late = this.#current.late + this.#before.late;
    return late > 0 && late >= lateShare * (this.#current.all + this.#before.all);
  }

  #turn(): void {
    const now = this.#now();
    const passed = now - this.#since;
    if (passed < windowMs) return;
    this.#before = passed < 2 * windowMs ? this.#current : nothing;
    this.#current = nothing;
    this.#quickestMs *= forgottenShare;
    this.#since = now;
  }
}

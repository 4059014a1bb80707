/** A write that takes longer has kept its sender waiting, */
const lateMs = 15;
/** unless the disk is this slow: this many times its quickest write of the last minutes. */
const lateTimes = 3;
/** Growth per window of the remembered quickest write, so that it counts half after 70 s. */
const forgottenShare = 1.002;
/** One slow write is not pressure. Senders are promised a latency for all but one answer in a hundred: yielding only when one in ten waits is too late. */
const lateShare = 0.03;
const windowMs = 200;

interface Seen {
  readonly late: number;
  readonly all: number;
}

const nothing: Seen = { late: 0, all: 0 };

/** Measures whether senders have recently waited for their answers: over this fifth of a second and the previous one. Nothing runs while no alerts arrive. */
export class Pressure {
  readonly #now: () => number;
  #since = 0;
  #current = nothing;
  #before = nothing;
  #quickestMs = Number.POSITIVE_INFINITY;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Records how many milliseconds it took to make an alert durable. */
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

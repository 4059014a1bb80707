import { RecentCount } from './recent-count.ts';

/** A write that takes longer has kept its sender waiting, */
const lateMs = 15;
/** unless the disk is this slow: this many times its quickest write of the last minutes. */
const lateTimes = 3;
/** Growth per window of the remembered quickest write, so that it counts half after 70 s. */
const forgottenShare = 1.002;
/** One slow write is not pressure. Senders are promised a latency for all but one answer in a hundred: yielding only when one in ten waits is too late. */
const lateShare = 0.03;
const windowMs = 200;

/** Measures whether senders have recently waited for their answers: over this fifth of a second and the previous one. */
export class Pressure {
  readonly #now: () => number;
  readonly #late: RecentCount;
  readonly #all: RecentCount;
  #quickestMs = Number.POSITIVE_INFINITY;
  #forgotAt = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#late = new RecentCount(windowMs, now);
    this.#all = new RecentCount(windowMs, now);
  }

  /** Records how many milliseconds it took to make an alert durable. */
  took(ms: number): void {
    this.#forget();
    this.#quickestMs = Math.min(this.#quickestMs, ms);
    if (ms > Math.max(lateMs, lateTimes * this.#quickestMs)) this.#late.add();
    this.#all.add();
  }

  get isHigh(): boolean {
    const late = this.#late.total;
    return late > 0 && late >= lateShare * this.#all.total;
  }

  #forget(): void {
    const now = this.#now();
    if (now - this.#forgotAt < windowMs) return;
    this.#quickestMs *= forgottenShare;
    this.#forgotAt = now;
  }
}

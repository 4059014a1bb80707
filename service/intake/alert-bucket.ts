import type { Severity } from '../../core/severity.ts';

/** A reserve of this share is for critical alerts alone: a sender's own noise cannot use it up. */
const criticalShare = 0.25;

/** A token bucket of alerts: so many a second for ever, so many at once. */
export class AlertBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #now: () => number;
  #common: number;
  #reserve: number;
  #at: number;

  constructor({
    perSecond,
    burst,
    now = Date.now,
  }: { readonly perSecond: number; readonly burst: number; readonly now?: () => number }) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#now = now;
    this.#common = burst;
    this.#reserve = Math.max(1, burst * criticalShare);
    this.#at = now();
  }

  /** Whether one more may pass. */
  take(severity: Severity): boolean {
    this.#refill();
    if (this.#common >= 1) {
      this.#common -= 1;
      return true;
    }
    if (severity !== 'critical' || this.#reserve < 1) return false;
    this.#reserve -= 1;
    return true;
  }

  /** Whole seconds until a sender that was refused may come again. */
  get retryAfterSeconds(): number {
    const wanted = Math.min(this.#burst, this.#perSecond) - this.#common;
    return Math.min(60, Math.max(1, Math.ceil(wanted / this.#perSecond)));
  }

  #refill(): void {
    const now = this.#now();
    const gained = (Math.max(0, now - this.#at) / 1_000) * this.#perSecond;
    this.#at = now;
    this.#common = Math.min(this.#burst, this.#common + gained);
    this.#reserve = Math.min(Math.max(1, this.#burst * criticalShare), this.#reserve + gained * criticalShare);
  }
}

/** Share of the limit reserved for critical alerts, so that a sender's own noise cannot use it up. */
const criticalShare = 0.25;
/** Multiple of a sender's limit that is still looked at beyond it. */
const looksTimes = 4;

/** What may still be done for a sender: `read`; `looked-at`, to find out whether an alert is critical and may use the reserve; or nothing. */
export type Allowance = 'read' | 'looked-at' | 'nothing';

/**
 * A token bucket for alerts, with a sustained rate per second and a burst size. Checked before an alert is read. Beyond the limit, four times as many are
 * looked at to find critical ones; anything more is refused unread.
 */
export class AlertBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #now: () => number;
  #common: number;
  #looks: number;
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
    this.#looks = burst * looksTimes;
    this.#reserve = Math.max(1, burst * criticalShare);
    this.#at = now();
  }

  /** What may be done for one more item, whatever it turns out to be. */
  take(): Allowance {
    this.#refill();
    if (this.#common >= 1) {
      this.#common -= 1;
      return 'read';
    }
    if (this.#looks < 1 || this.#reserve < 1) return 'nothing';
    this.#looks -= 1;
    return 'looked-at';
  }

  /** Returns the token if it was not an alert, or a known one: a sender that repeats a batch must get further than the previous time. */
  giveBack(): void {
    this.#common = Math.min(this.#burst, this.#common + 1);
  }

  /** Returns whether a critical alert that was looked at may pass. */
  takeCritical(): boolean {
    this.#refill();
    if (this.#reserve < 1) return false;
    this.#reserve -= 1;
    return true;
  }

  /** Whether nothing would be done for any further item. */
  get isEmpty(): boolean {
    this.#refill();
    return this.#common < 1 && (this.#looks < 1 || this.#reserve < 1);
  }

  /** Whole seconds until a refused sender may try again. */
  get retryAfterSeconds(): number {
    const wanted = Math.min(this.#burst, this.#perSecond) - this.#common;
    return Math.min(60, Math.max(1, Math.ceil(wanted / this.#perSecond)));
  }

  #refill(): void {
    const now = this.#now();
    const gained = (Math.max(0, now - this.#at) / 1_000) * this.#perSecond;
    this.#at = now;
    this.#common = Math.min(this.#burst, this.#common + gained);
    this.#looks = Math.min(this.#burst * looksTimes, this.#looks + gained * looksTimes);
    this.#reserve = Math.min(Math.max(1, this.#burst * criticalShare), this.#reserve + gained * criticalShare);
  }
}

/** A reserve of this share is for critical alerts alone: a sender's own noise cannot use it up. */
const criticalShare = 0.25;
/** So many times what it may send is looked at beyond that. */
const looksTimes = 4;

/**
 * What a sender may still have done for it: `read`; `looked-at`, to see whether it is critical, for which there is the reserve; or nothing.
 */
export type Allowance = 'read' | 'looked-at' | 'nothing';

/**
 * A token bucket of alerts: so many a second for ever, so many at once. Asked before an alert is read. Beyond it four times as many
 * are looked at for critical ones; what is more than that is refused unread.
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

  /** What may be done for one more, whatever it turns out to be. */
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

  /** It was no alert, or a known one: whoever sends a batch again must come further than the time before. */
  giveBack(): void {
    this.#common = Math.min(this.#burst, this.#common + 1);
  }

  /** Whether one that was looked at, and is critical, may pass. */
  takeCritical(): boolean {
    this.#refill();
    if (this.#reserve < 1) return false;
    this.#reserve -= 1;
    return true;
  }

  /** Nothing would be done for whatever comes. */
  get isEmpty(): boolean {
    this.#refill();
    return this.#common < 1 && (this.#looks < 1 || this.#reserve < 1);
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
    this.#looks = Math.min(this.#burst * looksTimes, this.#looks + gained * looksTimes);
    this.#reserve = Math.min(Math.max(1, this.#burst * criticalShare), this.#reserve + gained * criticalShare);
  }
}

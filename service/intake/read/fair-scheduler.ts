/** Share of a core that each sender can use without waiting. */
const ownShare = 0.25;
/**
 * Milliseconds that a sender can use at once: enough for some twenty alerts. More would delay the first containments of a burst, which begin when the event loop
 * turns.
 */
const ownMs = 10;
/** Work done in one turn of the event loop before senders beyond their share wait for the next one, which accepts what has arrived meanwhile. */
const turnMs = 4;
/** A piece of work checks the clock itself, and ends after about this time. */
export const pieceMs = 2;

interface Account {
  spentMs: number;
  at: number;
}

/**
 * Decides which sender is worked for next. Each sender has a share of the processor; those that need more get the remaining time, one piece and one sender at a
 * time, and requests of others are accepted in between. So a large body only delays its own sender.
 */
export class FairScheduler {
  readonly #accounts = new WeakMap<object, Account>();
  /** The sender whose turn is next comes first. */
  readonly #waiting = new Map<object, (() => void)[]>();
  readonly #now: () => number;
  #isComing = false;
  /** Time spent in the current turn of the event loop. */
  #turnSpentMs = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Runs the piece of work, at once or when it is this sender's turn. It must be synchronous. */
  run<T>(sender: object, piece: () => T): T | Promise<T> {
    // Waiting for the next turn costs more than reading one alert, so a sender beyond its share waits only if there is something to wait for.
    const hasTime = this.#waiting.size === 0 && this.#turnSpentMs < turnMs;
    if (hasTime || this.#spent(sender).spentMs < ownMs) return this.#charged(sender, piece);
    return new Promise<T>((done, fail) => {
      const work = (): void => {
        try {
          done(this.#charged(sender, piece));
        } catch (error) {
          fail(error);
        }
      };
      const own = this.#waiting.get(sender);
      if (own === undefined) this.#waiting.set(sender, [work]);
      else own.push(work);
      this.#next();
    });
  }

  /** Ends the current turn when the event loop continues, and begins the next with the waiting senders. */
  #next(): void {
    if (this.#isComing) return;
    this.#isComing = true;
    setImmediate(() => {
      this.#isComing = false;
      this.#turnSpentMs = 0;
      while (this.#waiting.size > 0 && this.#turnSpentMs < turnMs) this.#workOnce();
    });
  }

  #workOnce(): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const [sender, own] = first;
    const work = own.shift();
    // Moves to the end of the queue if it has more work.
    this.#waiting.delete(sender);
    if (own.length > 0) this.#waiting.set(sender, own);
    work?.();
  }

  #charged<T>(sender: object, piece: () => T): T {
    const began = this.#now();
    try {
      return piece();
    } finally {
      const tookMs = this.#now() - began;
      this.#spent(sender).spentMs += tookMs;
      this.#turnSpentMs += tookMs;
      this.#next();
    }
  }

  #spent(sender: object): Account {
    const now = this.#now();
    const account = this.#accounts.get(sender) ?? { spentMs: 0, at: now };
    account.spentMs = Math.max(0, account.spentMs - (now - account.at) * ownShare);
    account.at = now;
    this.#accounts.set(sender, account);
    return account;
  }
}

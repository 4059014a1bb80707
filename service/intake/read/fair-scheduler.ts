/** So much of a core is a sender's own: within it nobody waits. */
const ownShare = 0.25;
/** And so much at once. */
const ownMs = 50;
/** What is done in one turn of the event loop before those beyond their share wait for the next one: it takes what came in meanwhile. */
const turnMs = 4;
/** A piece of work looks at the clock itself, and ends after about so long. */
export const pieceMs = 2;

interface Account {
  spentMs: number;
  at: number;
}

/**
 * Whose turn it is to be worked for. Each sender has a share of the processor; whoever needs more gets what is left, a piece at a time, one
 * sender after another, and in between what others send is taken. So a large body holds up its own sender only.
 */
export class FairScheduler {
  readonly #accounts = new WeakMap<object, Account>();
  /** The sender whose turn is next comes first. */
  readonly #waiting = new Map<object, (() => void)[]>();
  readonly #now: () => number;
  #isComing = false;
  /** What was done since the event loop went on. */
  #turnSpentMs = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Does the piece of work, at once or when it is this sender's turn. It must not wait for anything. */
  run<T>(sender: object, piece: () => T): T | Promise<T> {
    // To wait for the next turn costs more than to read one alert: beyond its share one waits only where there is something to wait for.
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

  /** Ends this turn of the event loop when it goes on, and begins the next with those that wait. */
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
    // To the end of the line, if it has more.
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

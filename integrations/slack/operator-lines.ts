import { ContentRefused, NeedsOperator } from './fault.ts';

const sameAfterMs = 5 * 60_000;
const kept = 100;

/** What only a person can mend is said in the log with what to do about it: at once, and every five minutes for as long as it lasts. */
export class OperatorLines {
  readonly #log: (message: string, facts: Readonly<Record<string, string>>) => void;
  readonly #now: () => number;
  readonly #said = new Map<string, number>();

  constructor(log: (message: string, facts: Readonly<Record<string, string>>) => void, now: () => number = Date.now) {
    this.#log = log;
    this.#now = now;
  }

  /** The same outcome, and a line where it needs one. */
  async heard<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      this.tell(error);
      throw error;
    }
  }

  tell(error: unknown): void {
    if (!(error instanceof NeedsOperator || error instanceof ContentRefused)) return;
    const { detail, code } = error;
    if (this.#now() - (this.#said.get(detail) ?? Number.NEGATIVE_INFINITY) < sameAfterMs) return;
    if (this.#said.size >= kept) this.#said.clear();
    this.#said.set(detail, this.#now());
    const what =
      error instanceof NeedsOperator
        ? 'Slack is not usable until somebody mends it; what was asked waits'
        : 'a message went out shortened';
    this.#log(what, { error: code, detail });
  }
}

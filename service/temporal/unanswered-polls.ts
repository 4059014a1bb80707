import { RepeatedTrouble } from './repeated-trouble.ts';

/** What is needed of a logger; pino's fits. */
export interface PollLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface UnansweredPollsOptions {
  readonly log: PollLog;
  /** Whether Temporal answers a call right now. Never rejects. */
  readonly answers: () => Promise<boolean>;
  readonly now?: () => number;
  readonly lookEveryMs?: number;
  readonly quietMs?: number;
}

/** The SDK's core says this of each poll that it repeats, and has no other sign for it. `crates/client/src/retry.rs` of its sources. */
const repeatedPoll = /^gRPC call poll_\w+ retried \d+ times$/;

const lookEveryMs = 5_000;
/** A poll is repeated every 12 s at the latest: whoever was silent for longer is not refused any more. */
const quietMs = 15_000;

/**
 * Each worker has several polls under way, and each repeats its own every ten seconds while Temporal is away: in ten minutes that would be
 * hundreds of lines which all say the same. They become one line at the beginning, a few at growing distances, and one when it is back.
 */
export class UnansweredPolls {
  readonly #log: PollLog;
  readonly #answers: () => Promise<boolean>;
  readonly #lookEveryMs: number;
  readonly #quietMs: number;
  readonly #trouble: RepeatedTrouble;
  #looking: NodeJS.Timeout | undefined;

  constructor({ log, answers, now = Date.now, ...waits }: UnansweredPollsOptions) {
    this.#log = log;
    this.#answers = answers;
    this.#lookEveryMs = waits.lookEveryMs ?? lookEveryMs;
    this.#quietMs = waits.quietMs ?? quietMs;
    this.#trouble = new RepeatedTrouble({ now });
  }

  /** True when a line of the SDK is about a repeated poll: it is told here, and is not to be logged as well. */
  takes(line: { readonly message: string; readonly error?: unknown }): boolean {
    if (!repeatedPoll.test(line.message)) return false;
    const code = codeOf(line.error);
    const said = this.#trouble.met(code);
    if (said) this.#log.error({ source: 'temporal', code, ...said }, 'Temporal does not answer the workers: they go on asking');
    this.#lookSoon();
    return true;
  }

  #lookSoon(): void {
    this.#looking ??= setTimeout(() => void this.#look(), this.#lookEveryMs).unref();
  }

  async #look(): Promise<void> {
    const isQuiet = (): boolean => (this.#trouble.quietForMs() ?? 0) >= this.#quietMs;
    const isBack = isQuiet() && (await this.#answers()) && isQuiet();
    this.#looking = undefined;
    if (!isBack) return this.#lookSoon();
    const { forSeconds } = this.#trouble.over() ?? { forSeconds: 0 };
    this.#log.info({ source: 'temporal', forSeconds }, 'Temporal answers the workers again');
  }
}

/** The core writes the error out as `Status { code: Unavailable, message: …, metadata: … }`; of that only the code is fit for a log. */
function codeOf(error: unknown): string {
  return (typeof error === 'string' ? /\bcode: (\w{1,32})/.exec(error)?.[1] : undefined) ?? 'unknown';
}

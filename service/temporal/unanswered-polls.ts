import { RepeatedTrouble } from './repeated-trouble.ts';

/** The part of a logger that is needed; pino's fits. */
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

/** The SDK's core logs this for each poll that it repeats, and gives no other sign. See `crates/client/src/retry.rs` of its sources. */
const repeatedPoll = /^gRPC call poll_\w+ retried \d+ times$/;

const lookEveryMs = 5_000;
/** A poll is repeated every 12 s at the latest: after a longer silence, polls no longer fail. */
const quietMs = 15_000;

/**
 * Each worker has several polls in flight, and each repeats every ten seconds while Temporal is unavailable: in ten minutes, hundreds of identical lines. They
 * become one line at the beginning, a few at growing intervals, and one on recovery.
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

  /** Returns true if a line of the SDK is about a repeated poll: it is reported here and must not be logged as well. */
  takes(line: { readonly message: string; readonly error?: unknown }): boolean {
    if (!repeatedPoll.test(line.message)) return false;
    const code = codeOf(line.error);
    const said = this.#trouble.met(code);
    if (said) this.#log.error({ source: 'temporal', code, ...said }, 'Temporal does not answer the workers: they keep asking');
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

/** The core formats the error as `Status { code: Unavailable, message: …, metadata: … }`; only the code is fit for a log. */
function codeOf(error: unknown): string {
  return (typeof error === 'string' ? /\bcode: (\w{1,32})/.exec(error)?.[1] : undefined) ?? 'unknown';
}

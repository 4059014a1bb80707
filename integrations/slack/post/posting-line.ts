import { RetryLaterError } from '../../../core/errors.ts';
import { type Pace, realPace } from './pace.ts';

/** Slack accepts one message a second per channel, and short bursts. https://docs.slack.dev/apis/web-api/rate-limits */
const spacingMs = 1_000;
/** Shorter waits happen here; longer ones are returned to the caller, so that they block nothing meanwhile. */
const waitedHereMs = 1_200;

interface Place {
  readonly key: string;
  readonly channel: string;
  /** Questions go before news. */
  readonly question: boolean;
}

interface Waiting extends Place {
  moment: number;
}

/**
 * The queue for a channel. It starts when Slack turns a message away; from then on each message gets its own moment: questions before news, otherwise first
 * come, first served. Without it all rejected senders would retry at once and only one would succeed. Losing the queue loses no message: each waiting sender is
 * an activity, which Temporal keeps and retries.
 */
export class PostingLine {
  readonly #waiting = new Map<string, Waiting>();
  readonly #lastOf = new Map<string, number>();
  readonly #pace: Pace;

  constructor(pace: Pace = realPace) {
    this.#pace = pace;
  }

  /** Resolves when it is this message's turn. @throws RetryLaterError with the time until then, if that is long; the place is kept. */
  async turn(place: Place): Promise<void> {
    const now = this.#pace.now();
    const isWaitedFor = (this.#lastOf.get(place.channel) ?? 0) > now;
    const moment = this.#waiting.get(place.key)?.moment ?? (isWaitedFor ? this.#queue(place, now) : now);
    if (moment - now > waitedHereMs)
      throw new RetryLaterError('other messages are ahead of it in the channel', { retryAfterMs: moment - now });
    if (moment > now) await new Promise<void>((resolve) => void this.#pace.later(resolve, moment - now));
    this.#waiting.delete(place.key);
  }

  /** Moves a message that Slack did not accept to the end of the line. Returns the error to throw. */
  turnedAway(place: Place, { retryAfterMs }: { readonly retryAfterMs: number }): RetryLaterError {
    const now = this.#pace.now();
    const moment = this.#queue(place, now + retryAfterMs);
    return new RetryLaterError('Slack rate-limits messages in the channel', { retryAfterMs: moment - now });
  }

  #queue(place: Place, earliest: number): number {
    const last = Math.max(earliest, (this.#lastOf.get(place.channel) ?? 0) + spacingMs);
    this.#lastOf.set(place.channel, last);
    const mine: Waiting = { ...place, moment: last };
    this.#waiting.set(place.key, mine);
    if (place.question) this.#goBeforeNews(mine, earliest);
    return mine.moment;
  }

  /** Takes the moment of the first news, which takes that of the next, and so on. Messages already waiting here keep theirs. */
  #goBeforeNews(mine: Waiting, earliest: number): void {
    const from = Math.max(earliest, this.#pace.now() + waitedHereMs);
    const news = [...this.#waiting.values()]
      .filter(({ channel, question, moment }) => channel === mine.channel && !question && moment >= from)
      .sort((one, other) => one.moment - other.moment);
    for (const one of news.reverse()) [mine.moment, one.moment] = [one.moment, mine.moment];
  }
}

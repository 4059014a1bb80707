import { setTimeout as sleep } from 'node:timers/promises';
import { RetryLaterError } from '../../../core/errors.ts';

/** Slack takes one message a second in a channel, and short bursts. https://docs.slack.dev/apis/web-api/rate-limits */
const spacingMs = 1_000;
/** A shorter wait is waited here; a longer one is given back, so that it holds nothing meanwhile. */
const waitedHereMs = 1_200;

interface Place {
  readonly key: string;
  readonly channel: string;
  /** Goes before news. */
  readonly question: boolean;
}

interface Waiting extends Place {
  moment: number;
}

/**
 * The line in front of a channel. It begins when Slack turns a message away; from then on each has a moment of its own: questions before news,
 * otherwise first come, first served. Without it everybody who was turned away comes back at once, for one to be served. Nothing is lost with
 * it: who waits is an activity, which Temporal keeps and brings back.
 */
export class PostingLine {
  readonly #waiting = new Map<string, Waiting>();
  readonly #lastOf = new Map<string, number>();

  /** Resolves when it is this message's turn. @throws RetryLaterError with the time until then, when that is long; the place is kept. */
  async turn(place: Place): Promise<void> {
    const now = Date.now();
    const isWaitedFor = (this.#lastOf.get(place.channel) ?? 0) > now;
    const moment = this.#waiting.get(place.key)?.moment ?? (isWaitedFor ? this.#queue(place, now) : now);
    if (moment - now > waitedHereMs)
      throw new RetryLaterError('other messages are before it in the channel', { retryAfterMs: moment - now });
    if (moment > now) await sleep(moment - now);
    this.#waiting.delete(place.key);
  }

  /** Slack did not take it: it goes to the end of the line. Returns what to throw. */
  turnedAway(place: Place, { retryAfterMs }: { readonly retryAfterMs: number }): RetryLaterError {
    const now = Date.now();
    const moment = this.#queue(place, now + retryAfterMs);
    return new RetryLaterError('Slack limits messages in the channel', { retryAfterMs: moment - now });
  }

  #queue(place: Place, earliest: number): number {
    const last = Math.max(earliest, (this.#lastOf.get(place.channel) ?? 0) + spacingMs);
    this.#lastOf.set(place.channel, last);
    const mine: Waiting = { ...place, moment: last };
    this.#waiting.set(place.key, mine);
    if (place.question) this.#goBeforeNews(mine, earliest);
    return mine.moment;
  }

  /** Takes the moment of the first news, which takes that of the next, and so on. Who waits here already keeps theirs. */
  #goBeforeNews(mine: Waiting, earliest: number): void {
    const from = Math.max(earliest, Date.now() + waitedHereMs);
    const news = [...this.#waiting.values()]
      .filter(({ channel, question, moment }) => channel === mine.channel && !question && moment >= from)
      .sort((one, other) => one.moment - other.moment);
    for (const one of news.reverse()) [mine.moment, one.moment] = [one.moment, mine.moment];
  }
}

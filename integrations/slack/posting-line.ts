import { setTimeout as sleep } from 'node:timers/promises';
import { RetryLaterError } from '../../core/errors.ts';

/** Slack takes one message a second in a channel, and short bursts. https://docs.slack.dev/apis/web-api/rate-limits */
const spacingMs = 1_000;
/** A shorter wait is waited here; a longer one is given back, so that it holds nothing meanwhile. */
const waitedHereMs = 1_200;

interface Place {
  readonly key: string;
  readonly channel: string;
}

/**
 * The line in front of a channel. It begins when Slack turns a message away; from then on each has a moment of its own, first come, first
 * served. Without it everybody who was turned away comes back at once, for one to be served.
 */
export class PostingLine {
  readonly #moments = new Map<string, number>();
  readonly #lastOf = new Map<string, number>();

  /** Resolves when it is this message's turn. @throws RetryLaterError with the time until then, when that is long; the place is kept. */
  async turn(place: Place): Promise<void> {
    const now = Date.now();
    const isWaitedFor = (this.#lastOf.get(place.channel) ?? 0) > now;
    const moment = this.#moments.get(place.key) ?? (isWaitedFor ? this.#queue(place, now) : now);
    if (moment - now > waitedHereMs)
      throw new RetryLaterError('other messages are before it in the channel', { retryAfterMs: moment - now });
    if (moment > now) await sleep(moment - now);
    this.#moments.delete(place.key);
  }

  /** Slack did not take it: it goes to the end of the line. Returns what to throw. */
  turnedAway(place: Place, { retryAfterMs }: { readonly retryAfterMs: number }): RetryLaterError {
    const now = Date.now();
    const moment = this.#queue(place, now + retryAfterMs);
    return new RetryLaterError('Slack limits messages in the channel', { retryAfterMs: moment - now });
  }

  #queue({ key, channel }: Place, earliest: number): number {
    const moment = Math.max(earliest, (this.#lastOf.get(channel) ?? 0) + spacingMs);
    this.#moments.set(key, moment);
    this.#lastOf.set(channel, moment);
    return moment;
  }
}

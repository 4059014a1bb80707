import { codeOf, RetryLaterError } from '../../../core/errors.ts';
import type { OrderDialogsParts } from '../door/order-dialogs.ts';
import { section } from '../views/blocks.ts';
import { inline, plain } from '../views/text.ts';
import type { Pace } from './pace.ts';
import type { Posting } from './posting.ts';

/** News of something that has just begun: a minute later the incident's own thread has reported it. */
const triedForMs = 60_000;

/** Posts something under a message. No activity would retry this, so it waits in Slack's line itself. */
export function createAnnounce({
  posting,
  pace,
  log,
}: {
  readonly posting: Posting;
  readonly pace: Pace;
  readonly log: OrderDialogsParts['log'];
}): OrderDialogsParts['announce'] {
  return async (under, text, key) => {
    const blocks = [section(inline(text, 2_900))];
    const outgoing = { key, channel: under.channel, threadTs: under.ts, text: plain(text, 300), blocks };
    for (const until = pace.now() + triedForMs; ; ) {
      try {
        await posting.postOnce(key, async () => outgoing);
        return;
      } catch (error) {
        const waitMs = error instanceof RetryLaterError ? error.retryAfterMs : Number.POSITIVE_INFINITY;
        if (pace.now() + waitMs > until) return log('not announced under the message', { error: codeOf(error) });
        await new Promise<void>((resolve) => void pace.later(resolve, waitMs).unref());
      }
    }
  };
}

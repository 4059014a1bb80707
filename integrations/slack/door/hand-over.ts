import type { App } from '@slack/bolt';
import type { ClickRefusal } from '../refusal.ts';

/** Slack expects an answer within 3 s. */
const ackWithinMs = 2_000;

/** Passes one request to the app, whichever way it came, and answers it in time in any case. If there are several answers, the first counts. */
export async function handOver(request: {
  readonly app: App | undefined;
  readonly body: Record<string, unknown>;
  readonly answer: (content?: unknown) => void;
  readonly onRefused: (refusal: ClickRefusal) => void;
  readonly onFault: (error: unknown) => void;
}): Promise<void> {
  const { app, body, answer, onRefused, onFault } = request;
  const late = setTimeout(() => answer(), ackWithinMs);
  let taken = false;
  try {
    await app?.processEvent({
      body,
      ack: async (content?: unknown) => {
        taken = true;
        answer(content);
      },
    });
  } catch (error) {
    onFault(error);
  } finally {
    clearTimeout(late);
    // Bolt does not answer requests that it does not recognise, and throws on incomplete payloads.
    if (!taken) onRefused({ reason: 'malformed', detail: 'the request is not one that Slack sends' });
    answer();
  }
}

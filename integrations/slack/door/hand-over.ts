import type { App } from '@slack/bolt';
import type { ClickRefusal } from '../refusal.ts';

/** Slack wants its answer within 3 s. */
const ackWithinMs = 2_000;

/** Brings one request to the app, however it came, and answers it in time whatever becomes of it. Of several answers the first counts. */
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
    // Bolt answers to nothing that it cannot place, and throws at what is half a payload.
    if (!taken) onRefused({ reason: 'malformed', detail: 'the request is none that Slack sends' });
    answer();
  }
}

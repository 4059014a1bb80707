import { randomUUID } from 'node:crypto';
import type { IsolationLook, NodeIsolation, NodeIsolator } from '../../core/action/node-isolation.ts';
import { oneLine } from '../../core/text/visible-text.ts';
import { referenceOf } from '../../core/tickets/ticket.ts';
import { textAt } from '../json-api.ts';
import { WebhookClient, type WebhookOptions } from './client.ts';

/**
 * Isolates nodes by signed events: `node.isolate`, `node.look`, `node.release`. Their `isolation` is the same for all events of one isolation. Only the answer
 * to a look, `{ "state": "isolated" | "open", "detail": … }`, is trusted: an accepted order is not necessarily in force.
 */
export function createWebhookNodeIsolator(options: WebhookOptions): NodeIsolator {
  const client = new WebhookClient(options);
  const order = async (type: string, isolation: NodeIsolation, signal: AbortSignal): Promise<void> => {
    await client.send({ type, idempotencyKey: referenceOf(`${type}/${isolation.key}`), content: contentOf(isolation) }, signal);
  };
  return {
    title: `the webhook at ${new URL(options.url).host}`,
    isolate: (isolation, signal) => order('node.isolate', isolation, signal),
    release: (isolation, signal) => order('node.release', isolation, signal),
    look: async (isolation, signal): Promise<IsolationLook> => {
      // A new key each time: a receiver that caches answers by key must not return an earlier state.
      const look = { type: 'node.look', idempotencyKey: randomUUID(), content: contentOf(isolation) };
      const answer = await client.send(look, signal);
      const [state, detail] = [textAt(answer, 'state'), oneLine(textAt(answer, 'detail'), 256)];
      if (state === 'isolated' || state === 'open') return { state, detail: detail || state };
      return { state: 'unknown', detail: 'its answer says neither isolated nor open' };
    },
  };
}

function contentOf({ key, incident, cluster, node }: NodeIsolation) {
  return { isolation: referenceOf(key), incident, cluster, node };
}

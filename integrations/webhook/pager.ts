import { oneLine, visibleText } from '../../core/text/visible-text.ts';
import type { Page, PageRef, Pager } from '../../core/tickets/paging.ts';
import { referenceOf } from '../../core/tickets/ticket.ts';
import { WebhookClient, type WebhookOptions } from './client.ts';

/** Pages as signed events: `page.triggered`, `page.acknowledged`, `page.resolved`. Their `page` is the same for all events of one page. */
export function createWebhookPager(options: WebhookOptions): Pager {
  const client = new WebhookClient(options);
  const update = async (type: string, { key, nth, groups }: PageRef, signal: AbortSignal): Promise<void> => {
    const content = { page: referenceOf(key), groups };
    await client.send({ type, idempotencyKey: referenceOf(`${type}/${key}/${nth}`), content }, signal);
  };
  return {
    name: 'webhook',
    page: async (page, signal) => {
      const idempotencyKey = referenceOf(`page.triggered/${page.key}/${page.nth}`);
      await client.send({ type: 'page.triggered', idempotencyKey, content: contentOf(page) }, signal);
    },
    acknowledge: (page, signal) => update('page.acknowledged', page, signal),
    resolve: (page, signal) => update('page.resolved', page, signal),
  };
}

function contentOf({ key, group, incident, summary, details, thread }: Page) {
  return {
    page: referenceOf(key),
    group,
    incident: { ...incident, title: oneLine(incident.title, 256) },
    summary: oneLine(summary, 1_024),
    details: Object.fromEntries(Object.entries(details).map(([name, text]) => [name, visibleText(text)])),
    ...(thread === undefined ? {} : { thread }),
  };
}

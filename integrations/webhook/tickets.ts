import { oneLine, visibleText } from '../../core/text/visible-text.ts';
import { fillTemplate } from '../../core/tickets/template.ts';
import { referenceOf, type Ticket, type TicketRequest, type TicketSystem, templateValues } from '../../core/tickets/ticket.ts';
import { textAt } from '../json-api.ts';
import { WebhookClient, type WebhookOptions } from './client.ts';

interface WebhookTicketsOptions extends WebhookOptions {
  /** Templates of `title` and `body`. */
  readonly fields?: { readonly title?: string; readonly body?: string };
}

/**
 * Tickets as signed events: `ticket.opened`, `ticket.commented`, `ticket.closed`. The receiver keeps what it did by idempotency key; its answer
 * may name the ticket (`{ "id": …, "url": … }`), else the key is its id.
 */
export function createWebhookTickets(options: WebhookTicketsOptions): TicketSystem {
  const client = new WebhookClient(options);
  return {
    name: 'webhook',
    open: async (request, signal): Promise<Ticket> => {
      const reference = referenceOf(request.key);
      const answer = await client.send(
        { type: 'ticket.opened', idempotencyKey: reference, content: contentOf(request, options.fields ?? {}) },
        signal,
      );
      const url = textAt(answer, 'url');
      return { state: 'created', id: textAt(answer, 'id') || reference, ...(/^https?:\/\//.test(url) ? { url } : {}) };
    },
    comment: async ({ id, key, text, thread }, signal) => {
      const content = { ticket: id, text: visibleText(text), ...(thread === undefined ? {} : { thread }) };
      await client.send({ type: 'ticket.commented', idempotencyKey: referenceOf(key), content }, signal);
    },
    close: async ({ id, reason, text, openedUnder }, signal) => {
      const content = { ticket: id, reason, text: visibleText(text ?? reason) };
      const key = referenceOf(`close/${openedUnder ?? id}/${reason}`);
      await client.send({ type: 'ticket.closed', idempotencyKey: key, content }, signal);
    },
  };
}

function contentOf(request: TicketRequest, fields: { readonly title?: string; readonly body?: string }) {
  const values = templateValues(request);
  return {
    incident: request.incident,
    title: oneLine(fillTemplate(fields.title ?? '{{title}}', values), 256),
    body: visibleText(fillTemplate(fields.body ?? '{{body}}', values)),
    labels: request.labels,
    cluster: values.cluster,
    namespace: values.namespace,
    workload: values.workload,
    severity: values.severity,
    ...(request.thread === undefined ? {} : { thread: request.thread }),
  };
}

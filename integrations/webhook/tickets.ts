import { z } from 'zod';
import { oneLine, visibleText } from '../../core/text/visible-text.ts';
import { fillTemplate } from '../../core/tickets/template.ts';
import { referenceOf, type Ticket, type TicketRequest, type TicketSystem, templateValues } from '../../core/tickets/ticket.ts';
import type { InboundSystem } from '../../core/tickets/ticket-news.ts';
import { isSignedBy, jsonIn } from '../inbound-body.ts';
import { textAt } from '../json-api.ts';
import { WebhookClient, type WebhookOptions } from './client.ts';

interface WebhookTicketsOptions extends WebhookOptions {
  /** Templates for `title` and `body`. */
  readonly fields?: { readonly title?: string; readonly body?: string };
}

/**
 * Tickets as signed events: `ticket.opened`, `ticket.commented`, `ticket.closed`. The receiver stores what it did by idempotency key; its answer may name the
 * ticket (`{ "id": …, "url": … }`), otherwise the key is its id.
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
    ...(request.console === undefined ? {} : { console: request.console }),
    ...(request.thread === undefined ? {} : { thread: request.thread }),
  };
}

const deeds = { 'ticket.closed': 'closed', 'ticket.reopened': 'reopened', 'ticket.commented': 'commented' } as const;

const windowMs = 300_000;

const payload = z.object({
  version: z.literal(1),
  type: z.enum(['ticket.closed', 'ticket.reopened', 'ticket.commented']),
  ticket: z.string().min(1).max(200),
  by: z.string().max(200),
  text: z.string().optional(),
});

/** Accepts events from your own system, signed in the same way as those we send to it. */
export function webhookInbound({ secrets }: { readonly secrets: readonly string[] }): InboundSystem {
  return {
    name: 'webhook',
    read: ({ header, body, now }) => {
      const timestamp = header('x-firebreak-timestamp') ?? '';
      const age = /^\d{1,12}$/.test(timestamp) ? Math.abs(now - Number(timestamp) * 1_000) : Number.POSITIVE_INFINITY;
      if (age > windowMs) return { ok: false, reason: 'X-Firebreak-Timestamp is missing, or more than five minutes off' };
      const signature = /^v1=(.+)$/.exec(header('x-firebreak-signature') ?? '')?.[1] ?? '';
      if (!isSignedBy(secrets, [signature], `${timestamp}.`, body))
        return { ok: false, reason: 'X-Firebreak-Signature is missing or not valid' };
      const parsed = payload.safeParse(jsonIn(body));
      if (!parsed.success) return { ok: true, events: [] };
      const { type, ticket, by, text } = parsed.data;
      const deed = deeds[type];
      return { ok: true, events: [{ ticket, deed, by, ...(deed === 'commented' && text !== undefined ? { text } : {}) }] };
    },
  };
}

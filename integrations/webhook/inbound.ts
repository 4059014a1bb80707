import { z } from 'zod';
import type { InboundSystem } from '../../core/tickets/ticket-news.ts';
import { isSignedBy, jsonIn } from '../inbound-body.ts';

const payload = z.object({
  version: z.literal(1),
  type: z.enum(['ticket.closed', 'ticket.reopened', 'ticket.commented']),
  ticket: z.string().min(1).max(200),
  by: z.string().max(200),
  text: z.string().optional(),
});

const deeds = { 'ticket.closed': 'closed', 'ticket.reopened': 'reopened', 'ticket.commented': 'commented' } as const;
const windowMs = 300_000;

/** Events of a system of your own, signed as ours to it are. */
export function webhookInbound({ secrets }: { readonly secrets: readonly string[] }): InboundSystem {
  return {
    name: 'webhook',
    read: ({ header, body, now }) => {
      const timestamp = header('x-firebreak-timestamp') ?? '';
      const age = /^\d{1,12}$/.test(timestamp) ? Math.abs(now - Number(timestamp) * 1_000) : Number.POSITIVE_INFINITY;
      if (age > windowMs) return { ok: false, reason: 'X-Firebreak-Timestamp is missing, or more than five minutes away' };
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

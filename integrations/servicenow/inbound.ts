import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { type InboundSystem, isOurComment } from '../../core/tickets/ticket-news.ts';
import { jsonIn } from '../inbound-body.ts';

/** The payload that the business rule of docs/tickets.md sends. */
const payload = z.object({
  sys_id: z.string(),
  deed: z.enum(['closed', 'reopened', 'commented']),
  by: z.string(),
  text: z.string().optional(),
});

/** ServiceNow itself signs nothing: a business rule sends a token that nobody else has, over TLS. */
export function serviceNowInbound({
  secrets,
  user,
}: {
  readonly secrets: readonly string[];
  readonly user: string;
}): InboundSystem {
  return {
    name: 'servicenow',
    read: ({ header, body }) => {
      const token = /^Bearer (.+)$/.exec(header('authorization') ?? '')?.[1] ?? '';
      if (!isOneOf(secrets, token)) return { ok: false, reason: 'the token is missing or not valid' };
      const parsed = payload.safeParse(jsonIn(body));
      // Changes by our own user are not reported.
      if (!parsed.success || parsed.data.by === user) return { ok: true, events: [] };
      const { sys_id: ticket, deed, by, text } = parsed.data;
      if (deed === 'commented') return { ok: true, events: text && !isOurComment(text) ? [{ ticket, deed, by, text }] : [] };
      return { ok: true, events: [{ ticket, deed, by }] };
    },
  };
}

function isOneOf(secrets: readonly string[], token: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return secrets.map((secret) => timingSafeEqual(hash(secret), hash(token))).includes(true);
}

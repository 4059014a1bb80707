import { z } from 'zod';
import type { InboundSystem } from '../../core/tickets/ticket-news.ts';
import { isSignedBy, jsonIn } from '../inbound-body.ts';

/** https://developer.pagerduty.com/docs/webhooks-overview */
const payload = z.object({
  event: z.object({
    event_type: z.string(),
    /** Absent if an integration did it: then it was us. */
    agent: z.object({ summary: z.string(), type: z.string() }).nullish(),
    data: z.object({ incident_key: z.string().nullish() }),
  }),
});

const deeds: Readonly<Record<string, 'acknowledged' | 'closed' | 'reopened'>> = {
  'incident.acknowledged': 'acknowledged',
  'incident.resolved': 'closed',
  'incident.reopened': 'reopened',
};

/** PagerDuty webhook subscriptions (v3). The page is identified by the key that we gave its alert. https://developer.pagerduty.com/docs/verifying-signatures */
export function pagerDutyInbound({ secrets }: { readonly secrets: readonly string[] }): InboundSystem {
  return {
    name: 'pagerduty',
    read: ({ header, body }) => {
      // One per secret, while secrets are rotated.
      const signatures = (header('x-pagerduty-signature') ?? '')
        .split(',')
        .flatMap((one) => /^v1=(.+)$/.exec(one.trim())?.[1] ?? [])
        .slice(0, 10);
      if (!isSignedBy(secrets, signatures, body)) return { ok: false, reason: 'X-PagerDuty-Signature is missing or not valid' };
      const parsed = payload.safeParse(jsonIn(body));
      if (!parsed.success) return { ok: true, events: [] };
      const { event_type: type, agent, data } = parsed.data.event;
      const deed = deeds[type];
      if (!deed || agent?.type !== 'user_reference' || !data.incident_key) return { ok: true, events: [] };
      return { ok: true, events: [{ ticket: data.incident_key, deed, by: agent.summary }] };
    },
  };
}

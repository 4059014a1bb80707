import { z } from 'zod';
import { type InboundSystem, isOurComment, type TicketEvent } from '../../core/tickets/ticket-news.ts';
import { isSignedBy, jsonIn } from '../inbound-body.ts';

/** https://docs.github.com/en/webhooks/webhook-events-and-payloads#issues */
const payload = z.object({
  action: z.string(),
  repository: z.object({ full_name: z.string() }),
  sender: z.object({ login: z.string() }),
  issue: z.object({ number: z.int(), pull_request: z.unknown().optional() }),
  comment: z.object({ body: z.string().nullish() }).optional(),
});

/**
 * GitHub webhooks, events `issues` and `issue_comment`, of the one repository. https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 */
export function githubInbound({
  secrets,
  repository,
}: {
  readonly secrets: readonly string[];
  readonly repository: string;
}): InboundSystem {
  return {
    name: 'github',
    read: ({ header, body }) => {
      const signature = /^sha256=(.+)$/.exec(header('x-hub-signature-256') ?? '')?.[1] ?? '';
      if (!isSignedBy(secrets, [signature], body)) return { ok: false, reason: 'X-Hub-Signature-256 is missing or not valid' };
      const parsed = payload.safeParse(jsonIn(body));
      if (!parsed.success || parsed.data.issue.pull_request !== undefined) return { ok: true, events: [] };
      if (parsed.data.repository.full_name.toLowerCase() !== repository.toLowerCase()) return { ok: true, events: [] };
      return { ok: true, events: eventsOf(header('x-github-event') ?? '', parsed.data) };
    },
  };
}

function eventsOf(event: string, { action, issue, sender, comment }: z.infer<typeof payload>): readonly TicketEvent[] {
  const about = { ticket: String(issue.number), by: sender.login };
  if (event === 'issues' && action === 'closed') return [{ ...about, deed: 'closed' }];
  if (event === 'issues' && action === 'reopened') return [{ ...about, deed: 'reopened' }];
  const text = comment?.body ?? '';
  if (event !== 'issue_comment' || action !== 'created' || text === '' || isOurComment(text)) return [];
  return [{ ...about, deed: 'commented', text }];
}

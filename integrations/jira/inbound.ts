import { z } from 'zod';
import { type InboundSystem, isOurComment, type TicketEvent } from '../../core/tickets/ticket-news.ts';
import { isSignedBy, jsonIn } from '../inbound-body.ts';
import { textOfAdf } from './adf.ts';

const person = z.object({ displayName: z.string() });

/** https://developer.atlassian.com/cloud/jira/platform/webhooks/ */
const payload = z.object({
  webhookEvent: z.string(),
  user: person.optional(),
  issue: z.object({
    key: z.string(),
    fields: z.object({ status: z.object({ statusCategory: z.object({ key: z.string() }) }).optional() }).optional(),
  }),
  comment: z.object({ author: person.optional(), body: z.unknown() }).optional(),
  changelog: z.object({ items: z.array(z.object({ field: z.string(), fromString: z.string().nullish() })) }).optional(),
});

/** Jira Cloud webhooks with a secret: `jira:issue_updated` and `comment_created`, of the one project. */
export function jiraInbound({
  secrets,
  project,
}: {
  readonly secrets: readonly string[];
  readonly project: string;
}): InboundSystem {
  return {
    name: 'jira',
    read: ({ header, body }) => {
      const signature = /^sha256=(.+)$/.exec(header('x-hub-signature') ?? '')?.[1] ?? '';
      if (!isSignedBy(secrets, [signature], body)) return { ok: false, reason: 'X-Hub-Signature is missing or not valid' };
      const parsed = payload.safeParse(jsonIn(body));
      if (!parsed.success || !parsed.data.issue.key.startsWith(`${project}-`)) return { ok: true, events: [] };
      return { ok: true, events: eventsOf(parsed.data) };
    },
  };
}

function eventsOf({ webhookEvent, user, issue, comment, changelog }: z.infer<typeof payload>): readonly TicketEvent[] {
  const ticket = issue.key;
  if (webhookEvent === 'comment_created' && comment) {
    const text = typeof comment.body === 'string' ? comment.body : textOfAdf(comment.body);
    if (text === '' || isOurComment(text)) return [];
    return [{ ticket, deed: 'commented', by: comment.author?.displayName ?? '', text }];
  }
  const isMoved = changelog?.items.some(({ field }) => field === 'status') === true;
  const category = issue.fields?.status?.statusCategory.key;
  if (webhookEvent !== 'jira:issue_updated' || !isMoved || category === undefined) return [];
  // A change between two open statuses is not reported: only the removed resolution shows that it was done before.
  const wasDone = changelog?.items.some(({ field, fromString }) => field === 'resolution' && !!fromString) === true;
  const by = user?.displayName ?? '';
  if (category === 'done') return [{ ticket, deed: 'closed', by }];
  return wasDone ? [{ ticket, deed: 'reopened', by }] : [];
}

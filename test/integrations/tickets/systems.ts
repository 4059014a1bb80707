import type { TicketMemory } from '../../../core/tickets/one-ticket.ts';
import type { TicketRequest, TicketSystem } from '../../../core/tickets/ticket.ts';
import { createJiraTickets } from '../../../integrations/jira/tickets.ts';
import { createServiceNowTickets } from '../../../integrations/servicenow/tickets.ts';
import { createWebhookTickets } from '../../../integrations/webhook/tickets.ts';
import { adfText } from '../../fakes/jira/adf-check.ts';
import { startJiraFake } from '../../fakes/jira/server.ts';
import { isFields, type RestFake } from '../../fakes/rest/server.ts';
import { startServiceNowFake } from '../../fakes/servicenow/server.ts';
import { startWebhookFake } from '../../fakes/webhook/server.ts';
import { skippedTime } from './skipped-time.ts';

export const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'run-1' };

export const request: TicketRequest = {
  key: 'ticket/incident/lab/shop/Deployment/cart@run-1',
  incident,
  title: 'shop/cart-1 ran a new binary',
  body: 'What happened, and what was done.\n\nThe pod is quarantined.',
  labels: ['firebreak', 'critical'],
  severity: 'critical',
};

/** A stand-in and its contents, as a person would count them. */
export interface Stage {
  readonly fake: RestFake;
  /** A new process: it knows only what is in `memory`. Its first calls are slow while its code warms up. */
  connect(memory: TicketMemory, timeoutMs?: number): TicketSystem;
  open(): number;
  closed(): number;
  comments(): readonly string[];
}

async function jira(behindMs = 0): Promise<Stage> {
  const time = skippedTime();
  const { now } = time;
  const isFound = ({ createdAt }: { readonly createdAt: number }): boolean => createdAt <= now() - behindMs;
  const fake = await startJiraFake({ project: 'SEC', email: 'firebreak@acme.com', token: 'jira-token', isFound, now });
  const settings = { url: fake.url, email: 'firebreak@acme.com', token: 'jira-token', project: 'SEC', issueType: 'Task' };
  return {
    fake,
    connect: (memory, timeoutMs = 5_000) =>
      createJiraTickets({ ...settings, timeoutMs, memory, time, settleMs: 1_200, secondLookMs: 20 }),
    open: () => fake.issues.filter((issue) => issue.status !== 'Done').length,
    closed: () => fake.issues.filter((issue) => issue.status === 'Done').length,
    comments: () => fake.issues.flatMap((issue) => issue.comments.map((comment) => adfText(comment.body))),
  };
}

async function servicenow(): Promise<Stage> {
  const fake = await startServiceNowFake({ user: 'firebreak', password: 'snow-password' });
  const settings = { url: fake.url, user: 'firebreak', password: 'snow-password' };
  const time = skippedTime();
  return {
    fake,
    connect: (memory, timeoutMs = 5_000) => createServiceNowTickets({ ...settings, timeoutMs, memory, time, settleMs: 600 }),
    open: () => fake.records.filter(({ values }) => values.state === '1').length,
    closed: () => fake.records.filter(({ values }) => values.state === '6').length,
    comments: () => fake.records.flatMap(({ notes }) => notes),
  };
}

async function webhook(): Promise<Stage> {
  const fake = await startWebhookFake({ secret: 'webhook-secret' });
  const of = (type: string) => fake.events.filter((event) => event.type === type);
  return {
    fake,
    connect: (_, timeoutMs = 5_000) =>
      createWebhookTickets({ url: `${fake.url}/firebreak`, secret: 'webhook-secret', timeoutMs }),
    open: () => of('ticket.opened').length - of('ticket.closed').length,
    closed: () => of('ticket.closed').length,
    comments: () => of('ticket.commented').map((event) => (isFields(event) ? String(event.text) : '')),
  };
}

export const stages: Readonly<Record<string, () => Promise<Stage>>> = {
  jira: () => jira(),
  'jira whose search lags behind': () => jira(300),
  servicenow,
  webhook,
};

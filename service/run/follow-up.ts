import { type Pager, redactedPager } from '../../core/paging.ts';
import { redactedTickets, type TicketSystem } from '../../core/ticket.ts';
import type { Database } from '../../integrations/database/database.ts';
import { createTicketMemory } from '../../integrations/database/ticket-memory.ts';
import { createGithubTickets } from '../../integrations/github/tickets.ts';
import { createJiraTickets } from '../../integrations/jira/tickets.ts';
import { createPagerDuty } from '../../integrations/pagerduty/pager.ts';
import { createServiceNowTickets } from '../../integrations/servicenow/tickets.ts';
import { createWebhookPager } from '../../integrations/webhook/pager.ts';
import { createWebhookTickets } from '../../integrations/webhook/tickets.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';

interface Parts {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly database: Database;
}

/** The configured ticket system; nothing leaves unredacted. */
export function createTickets({ config, secrets, database }: Parts): TicketSystem | undefined {
  const { github, jira, servicenow, webhook } = config.tickets;
  const { tickets = {} } = secrets;
  const memory = createTicketMemory(database);
  if (github && tickets.github) return redactedTickets(createGithubTickets({ ...github, ...tickets.github }));
  if (jira && tickets.jira) return redactedTickets(createJiraTickets({ ...jira, ...tickets.jira, memory }));
  if (servicenow && tickets.servicenow)
    return redactedTickets(createServiceNowTickets({ ...servicenow, ...tickets.servicenow, memory }));
  if (webhook && tickets.webhook) return redactedTickets(createWebhookTickets({ ...webhook, ...tickets.webhook }));
  return undefined;
}

/** The configured pager; nothing leaves unredacted. */
export function createPager({ config, secrets }: Omit<Parts, 'database'>): Pager | undefined {
  const { pagerduty, webhook } = config.paging;
  const { paging = {} } = secrets;
  if (pagerduty && paging.pagerduty)
    return redactedPager(createPagerDuty({ apiUrl: pagerduty.apiUrl, summary: pagerduty.summary, ...paging.pagerduty }));
  if (webhook && paging.webhook) return redactedPager(createWebhookPager({ ...webhook, ...paging.webhook }));
  return undefined;
}

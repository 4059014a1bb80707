import { type ThreadOf, type ThreadPlaces, threadedPager, threadedTickets } from '../../core/cards/thread-link.ts';
import { type Pager, redactedPager } from '../../core/tickets/paging.ts';
import { redactedTickets, referenceOf, type TicketSystem } from '../../core/tickets/ticket.ts';
import type { InboundSystem, TicketMailbox } from '../../core/tickets/ticket-news.ts';
import type { Database } from '../../integrations/database/queries.ts';
import { createTicketMemory } from '../../integrations/database/ticket-memory.ts';
import { githubInbound } from '../../integrations/github/inbound.ts';
import { createGithubTickets } from '../../integrations/github/tickets.ts';
import { jiraInbound } from '../../integrations/jira/inbound.ts';
import { createJiraTickets } from '../../integrations/jira/tickets.ts';
import { pagerDutyInbound } from '../../integrations/pagerduty/inbound.ts';
import { createPagerDuty } from '../../integrations/pagerduty/pager.ts';
import { serviceNowInbound } from '../../integrations/servicenow/inbound.ts';
import { createServiceNowTickets } from '../../integrations/servicenow/tickets.ts';
import { webhookInbound } from '../../integrations/webhook/inbound.ts';
import { createWebhookPager } from '../../integrations/webhook/pager.ts';
import { createWebhookTickets } from '../../integrations/webhook/tickets.ts';
import type { OfEachSystem } from '../config/complete/complete-tickets.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import type { AnswerLink } from './pages/answer-pages.ts';

interface Parts {
  readonly config: Config;
  readonly secrets: Secrets;
  /** Remembers what was filed. Absent: for who files nothing. */
  readonly database?: Database;
}

/** The configured ticket system; nothing leaves unredacted. */
export function createTickets({ config, secrets, database }: Parts): TicketSystem | undefined {
  const { github, jira, servicenow, webhook } = config.tickets;
  const { tickets = {} } = secrets;
  const memory = database && createTicketMemory(database);
  const systems: OfEachSystem<TicketSystem | undefined> = {
    github: github && tickets.github && createGithubTickets({ ...github, ...tickets.github }),
    jira: jira && tickets.jira && createJiraTickets({ ...jira, ...tickets.jira, ...(memory && { memory }) }),
    servicenow:
      servicenow &&
      tickets.servicenow &&
      createServiceNowTickets({ ...servicenow, ...tickets.servicenow, ...(memory && { memory }) }),
    webhook: webhook && tickets.webhook && createWebhookTickets({ ...webhook, ...tickets.webhook }),
  };
  const configured = Object.values(systems).find((system) => system !== undefined);
  return configured && redactedTickets(configured);
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

/** The systems that may tell us what people do there: those that the configuration has secrets for. */
export function createInboundSystems({ config, secrets }: Omit<Parts, 'database'>): readonly InboundSystem[] {
  const { github, jira, servicenow, webhook } = config.tickets;
  const ofTickets = secrets.tickets?.inbound;
  const ofPages = secrets.paging?.inbound;
  const systems: OfEachSystem<InboundSystem | undefined> | undefined = ofTickets && {
    github: github && githubInbound({ secrets: ofTickets, repository: github.repository }),
    jira: jira && jiraInbound({ secrets: ofTickets, project: jira.project }),
    servicenow: servicenow && serviceNowInbound({ secrets: ofTickets, user: servicenow.user }),
    webhook: webhook && webhookInbound({ secrets: ofTickets }),
  };
  const pager = config.paging.pagerduty && ofPages && pagerDutyInbound({ secrets: ofPages });
  return [...Object.values(systems ?? {}), pager].filter((system) => system !== undefined);
}

/** The same system; whose ticket it is, is known from then on. */
export function boundTickets(system: TicketSystem | undefined, mailbox: TicketMailbox): TicketSystem | undefined {
  if (!system) return undefined;
  const { name } = system;
  return {
    name,
    open: async (request, signal) => {
      const ticket = await system.open(request, signal);
      if (ticket.id !== undefined) await mailbox.bind({ system: name, id: ticket.id }, request.incident);
      return ticket;
    },
    comment: (call, signal) => system.comment(call, signal),
    close: (call, signal) => system.close(call, signal),
  };
}

/** The same pager. Who is woken never waits for the database: a page that it could not remember tells nothing back. */
export function boundPager(pager: Pager | undefined, mailbox: TicketMailbox): Pager | undefined {
  if (!pager) return undefined;
  const { name } = pager;
  return {
    name,
    page: async (page, signal) => {
      await pager.page(page, signal);
      const { id, run } = page.incident;
      await mailbox.bind({ system: name, id: referenceOf(page.key) }, { id, run }).catch(() => undefined);
    },
    acknowledge: (page, signal) => pager.acknowledge(page, signal),
    resolve: (page, signal) => pager.resolve(page, signal),
  };
}

/** The same system, whose tickets say where the incident's thread is; without Slack there is none. */
export function threaded(
  system: TicketSystem | undefined,
  {
    mailbox,
    places,
    threadOf,
  }: { readonly mailbox: TicketMailbox; readonly places: ThreadPlaces; readonly threadOf: ThreadOf | undefined },
): TicketSystem | undefined {
  return system && threadOf ? threadedTickets({ system, places, threadOf, ownerOf: mailbox.ownerOf }) : system;
}

/** The same pager, which says where to answer while Slack is down, and where the thread is. Who is woken never waits long for it, nor goes without a call for want of it. */
export function linkingPager(
  plain: Pager | undefined,
  { answerLink, threadOf }: { readonly answerLink?: AnswerLink | undefined; readonly threadOf?: ThreadOf | undefined },
): Pager | undefined {
  const pager = plain && threadOf ? threadedPager(plain, threadOf) : plain;
  if (!pager || !answerLink) return pager;
  return {
    name: pager.name,
    page: async (page, signal) => {
      const { question, incident } = page;
      const link = question === undefined ? undefined : await answerLink({ question, incident }).catch(() => undefined);
      const details = link === undefined ? page.details : { ...page.details, 'answer without Slack': link };
      await pager.page({ ...page, details }, signal);
    },
    acknowledge: (page, signal) => pager.acknowledge(page, signal),
    resolve: (page, signal) => pager.resolve(page, signal),
  };
}

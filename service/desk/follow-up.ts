import type { z } from 'zod';
import { type ThreadOf, type ThreadPlaces, threadedPager, threadedTickets } from '../../core/cards/thread-link.ts';
import type { OpenedSection } from '../../core/config/fields.schema.ts';
import { chainOf, incidentKeyOf } from '../../core/console/incident-summary.ts';
import { incidentAddress } from '../../core/console/routes.ts';
import type { TicketMemory } from '../../core/tickets/one-ticket.ts';
import { type Pager, redactedPager } from '../../core/tickets/paging.ts';
import { redactedTickets, referenceOf, type TicketSystem } from '../../core/tickets/ticket.ts';
import type { InboundSystem, TicketMailbox } from '../../core/tickets/ticket-news.ts';
import type { Database } from '../../integrations/database/queries.ts';
import { createTicketMemory } from '../../integrations/database/ticket-memory.ts';
import { pagerDutyInbound } from '../../integrations/pagerduty/inbound.ts';
import { createPagerDuty } from '../../integrations/pagerduty/pager.ts';
import type { OpenedTickets } from '../../integrations/ticket-declaration.ts';
import { createWebhookPager } from '../../integrations/webhook/pager.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { ticketSystems } from '../config/sections/ticket-sections.ts';
import type { AnswerLink } from './pages/answer-pages.ts';

type Declared = typeof ticketSystems;
/** Keyed by name, so that the compiler knows which section belongs to which system. */
type Sections = { readonly [System in keyof Declared]: OpenedSection<z.output<Declared[System]['section']>> };
type Openers = {
  readonly [System in keyof Declared]: {
    readonly open: (section: Sections[System], parts: { readonly memory?: TicketMemory }) => Promise<OpenedTickets>;
  };
};

/** Opens the configured ticket system; nothing leaves unredacted. Its webhooks are accepted if the configuration has secrets for them. */
export async function openTickets({
  secrets: { tickets = {} },
  database,
}: {
  readonly secrets: Pick<Secrets, 'tickets'>;
  /** Remembers what was filed. Absent: for callers that file nothing. */
  readonly database?: Database;
}): Promise<Partial<OpenedTickets>> {
  const openers: Openers = ticketSystems;
  const sections: Partial<Sections> = tickets;
  const openOne = async <System extends keyof Sections>(system: System): Promise<OpenedTickets | undefined> => {
    const section: Sections[System] | undefined = sections[system];
    return section && openers[system].open(section, database ? { memory: createTicketMemory(database) } : {});
  };
  const configured = Object.keys(tickets).find(isTicketSystem);
  const opened = configured && (await openOne(configured));
  return opened ? { ...opened, tickets: redactedTickets(opened.tickets) } : {};
}

function isTicketSystem(name: string): name is keyof Sections {
  return Object.hasOwn(ticketSystems, name);
}

/** The configured pager; nothing leaves unredacted. */
export function createPager({ paging = {} }: Pick<Secrets, 'paging'>): Pager | undefined {
  const { pagerduty, webhook } = paging;
  if (pagerduty) return redactedPager(createPagerDuty({ ...pagerduty, groupKeys: pagerduty.groups ?? {} }));
  return webhook && redactedPager(createWebhookPager(webhook));
}

/** The pager's webhooks, if the configuration has secrets for them. */
export function createInboundPager({ paging }: Pick<Secrets, 'paging'>): InboundSystem | undefined {
  const inbound = paging?.pagerduty?.inbound;
  return inbound && pagerDutyInbound(inbound);
}

/** The same system, but it remembers which incident each ticket belongs to. */
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

/** The same pager, but it remembers its pages. A call never waits for the database: for a page that could not be remembered, nothing comes back. */
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

/** The same system, whose tickets have the incident's address in the console; without a console they have none. */
export function consoleLinked(
  system: TicketSystem | undefined,
  {
    console,
    stepUp,
  }: { readonly console?: object | undefined; readonly stepUp?: Pick<NonNullable<Config['stepUp']>, 'publicUrl'> | undefined },
): TicketSystem | undefined {
  if (!system || !console || !stepUp) return system;
  const { publicUrl } = stepUp;
  return {
    ...system,
    open: (request, signal) =>
      system.open({ ...request, console: incidentAddress(publicUrl, incidentKeyOf(chainOf(request.incident))) }, signal),
  };
}

/** The same system, whose tickets link to the incident's thread; without Slack they have no link. */
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

/**
 * The same pager, which also says where to answer while Slack is down, and where the thread is. A call never waits long for these links, and is made even
 * without them.
 */
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

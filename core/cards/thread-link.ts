import type { IncidentRef } from '../incident/incident.ts';
import type { Page, Pager } from '../tickets/paging.ts';
import { type TicketSystem, ticketKeyOf } from '../tickets/ticket.ts';

/** Returns the address of an incident's thread in Slack; undefined if there is none yet, or Slack does not say. Never throws, and never waits for long. */
export type ThreadOf = (incident: IncidentRef) => Promise<string | undefined>;

/** Which part of a ticket contains the address of its incident's thread: `none` if it was filed before there was a thread. */
export interface ThreadPlace {
  readonly carrier: 'body' | 'none' | `comment:${string}`;
  /** Empty with `none`. */
  readonly url: string;
}

/** Remembers the place across crashes: a resent ticket is the same, and no second comment repeats the address. */
export interface ThreadPlaces {
  of(ticketKey: string): Promise<ThreadPlace | undefined>;
  /** Stores a place and returns the one that holds: the first one wins, except that a comment may follow `none`. */
  claim(ticketKey: string, place: ThreadPlace): Promise<ThreadPlace>;
}

/** Only characters that are never markup: the address goes into a ticket unescaped. */
const message =
  /^https:\/\/[a-z0-9-]+(\.enterprise)?\.slack(-gov)?\.com\/archives\/[A-Z0-9]+\/p\d+(\?thread_ts=\d+\.\d+&cid=[A-Z0-9]+)?$/;

/** Returns whether this is the address of a message in Slack, and nothing else. */
export function isSlackMessage(url: string): boolean {
  return message.test(url);
}

/**
 * Wraps a ticket system so that its tickets contain the address of their incident's thread once: in the body, or, if there was no thread yet, in the first
 * comment after there was one.
 */
export function threadedTickets({
  system,
  places,
  threadOf,
  ownerOf,
}: {
  readonly system: TicketSystem;
  readonly places: ThreadPlaces;
  readonly threadOf: ThreadOf;
  /** Returns the incident that a ticket of this system belongs to. */
  readonly ownerOf: (ticket: { readonly system: string; readonly id: string }) => Promise<IncidentRef | undefined>;
}): TicketSystem {
  const { name } = system;
  const inBody = async (incident: IncidentRef): Promise<ThreadPlace> => {
    const url = await threadOf(incident);
    return url === undefined ? { carrier: 'none', url: '' } : { carrier: 'body', url };
  };
  const inComment = async (id: string, key: string): Promise<{ readonly thread?: string }> => {
    const incident = await ownerOf({ system: name, id });
    if (!incident) return {};
    const ticketKey = ticketKeyOf(incident);
    const carrier = `comment:${key}` as const;
    const known = await places.of(ticketKey);
    const url = known === undefined || known.carrier === 'none' ? await threadOf(incident) : undefined;
    const place = url === undefined ? known : await places.claim(ticketKey, { carrier, url });
    return place?.carrier === carrier ? { thread: place.url } : {};
  };
  return {
    name,
    open: async (request, signal) => {
      const { key, incident } = request;
      // Decided before sending: a ticket whose response was lost is found again as it was filed.
      const place = (await places.of(key)) ?? (await places.claim(key, await inBody(incident)));
      return system.open(place.carrier === 'body' ? { ...request, thread: place.url } : request, signal);
    },
    comment: async (call, signal) => system.comment({ ...call, ...(await inComment(call.id, call.key)) }, signal),
    close: (call, signal) => system.close(call, signal),
  };
}

/** Wraps a pager so that its calls say where the incident's thread is. */
export function threadedPager(pager: Pager, threadOf: ThreadOf): Pager {
  const withThread = async (page: Page): Promise<Page> => {
    const thread = await threadOf(page.incident);
    return thread === undefined ? page : { ...page, thread };
  };
  return {
    name: pager.name,
    page: async (page, signal) => pager.page(await withThread(page), signal),
    acknowledge: (page, signal) => pager.acknowledge(page, signal),
    resolve: (page, signal) => pager.resolve(page, signal),
  };
}

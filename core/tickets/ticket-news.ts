import type { IncidentRef } from '../incident/incident.ts';
import { redactSecrets } from '../text/redact.ts';
import { oneLine } from '../text/visible-text.ts';

/** What somebody did to a ticket or a page in its own system. */
type TicketChange = 'closed' | 'reopened' | 'commented' | 'acknowledged';

/** An event reported by a ticket system. Its texts come from anyone who can write there. */
export interface TicketEvent {
  /** The ticket’s id in its system, as its incident knows it. */
  readonly ticket: string;
  readonly deed: TicketChange;
  /** The person that the system names. Never taken for anyone on the roster, whatever the name: it decides nothing. */
  readonly by: string;
  /** Text of a comment. */
  readonly text?: string;
}

/** One event as stored for its incident: numbered from 1, and put into words. */
export interface TicketNews {
  readonly number: number;
  readonly system: string;
  readonly ticket: string;
  readonly by: string;
  readonly words: string;
}

/** Stores events until their incident reads them. */
export interface TicketMailbox {
  /** From now on, events of the ticket belong to that incident. */
  bind(ticket: { readonly system: string; readonly id: string }, incident: IncidentRef): Promise<void>;
  /** Undefined if no incident has such a ticket. */
  ownerOf(ticket: { readonly system: string; readonly id: string }): Promise<IncidentRef | undefined>;
  /** Stores the event once per `delivery`. Returns the incident it belongs to; undefined if none has such a ticket. */
  put(system: string, delivery: string, event: TicketEvent): Promise<IncidentRef | undefined>;
  /** Events after the one with that number, in order, at most `most`. */
  after(incident: IncidentRef, number: number, most: number): Promise<readonly TicketNews[]>;
}

/** A request as received, before anything in it is trusted. */
interface InboundRequest {
  /** Reads a header by its lower-case name. */
  readonly header: (name: string) => string | undefined;
  readonly body: Uint8Array;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** How one system notifies us: its signature is checked first, and only then is the request parsed. */
export interface InboundSystem {
  readonly name: string;
  /** `events` is empty for anything that is not about a ticket’s state or comments. */
  read(
    request: InboundRequest,
  ): { readonly ok: true; readonly events: readonly TicketEvent[] } | { readonly ok: false; readonly reason: string };
}

const ownMark = /firebreak[-:][0-9a-f]{32}/;

/** Whether we wrote the comment: each of ours carries its key. */
export function isOurComment(text: string): boolean {
  return ownMark.test(text);
}

const verbs: Readonly<Record<TicketChange, string>> = {
  closed: 'was closed',
  reopened: 'was opened again',
  commented: 'has a comment',
  acknowledged: 'was acknowledged',
};

/** One line, without known shapes of secrets. */
export function newsWords(system: string, { ticket, deed, by, text }: TicketEvent): string {
  const who = oneLine(by, 100) || 'somebody';
  const said = text === undefined ? '' : `: ${oneLine(redactSecrets(text), 300)}`;
  return `${system} ${oneLine(ticket, 100)} ${verbs[deed]} ${deed === 'commented' ? 'from' : 'by'} ${who}${said}`;
}

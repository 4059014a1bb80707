import type { IncidentRef } from '../incident/incident.ts';
import { redactSecrets } from '../text/redact.ts';
import { oneLine } from '../text/visible-text.ts';

/** What somebody did to a ticket, or to a page, in the system where it is. */
type TicketChange = 'closed' | 'reopened' | 'commented' | 'acknowledged';

/** What a ticket system told us. Texts are whoever's who can write there. */
export interface TicketEvent {
  /** The ticket’s id there, as its incident knows it. */
  readonly ticket: string;
  readonly deed: TicketChange;
  /** Whom the system names. Nobody of the roster, whatever the name: it decides nothing. */
  readonly by: string;
  /** Of a comment. */
  readonly text?: string;
}

/** One event, as it is kept for its incident: numbered from 1, and told in words. */
export interface TicketNews {
  readonly number: number;
  readonly system: string;
  readonly ticket: string;
  readonly by: string;
  readonly words: string;
}

/** Where it is kept until its incident reads it. */
export interface TicketMailbox {
  /** From now on events of the ticket are that incident’s. */
  bind(ticket: { readonly system: string; readonly id: string }, incident: IncidentRef): Promise<void>;
  /** Undefined where no incident has such a ticket. */
  ownerOf(ticket: { readonly system: string; readonly id: string }): Promise<IncidentRef | undefined>;
  /** Keeps it once per `delivery`. Whose it is; undefined where no incident has such a ticket. */
  put(system: string, delivery: string, event: TicketEvent): Promise<IncidentRef | undefined>;
  /** What came after the event of that number, in order, `most` of it at most. */
  after(incident: IncidentRef, number: number, most: number): Promise<readonly TicketNews[]>;
}

/** A request as it came, before anything in it is believed. */
interface InboundRequest {
  /** By its name in small letters. */
  readonly header: (name: string) => string | undefined;
  readonly body: Uint8Array;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** One system’s way to tell us: who signed it is checked first, and only then is it read. */
export interface InboundSystem {
  readonly name: string;
  /** `events` is empty for what is not about a ticket’s state or its comments. */
  read(
    request: InboundRequest,
  ): { readonly ok: true; readonly events: readonly TicketEvent[] } | { readonly ok: false; readonly reason: string };
}

const ownMark = /firebreak[-:][0-9a-f]{32}/;

/** Whether we wrote it: every comment of ours carries its key. */
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
  return `${system} ${oneLine(ticket, 100)} ${verbs[deed]} ${deed === 'commented' ? 'of' : 'by'} ${who}${said}`;
}

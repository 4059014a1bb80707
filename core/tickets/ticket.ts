import { type IncidentRef, subjectOfIncident } from '../incident/incident.ts';
import { sha256Hex } from '../text/digest.ts';
import { redactSecrets } from '../text/redact.ts';
import type { TemplateValues } from './template.ts';

/** The ticket to be filed. `key` ensures that it is filed only once: it is found again by it. Texts are plain; the integration escapes them. */
export interface TicketRequest {
  readonly key: string;
  readonly incident: IncidentRef;
  readonly title: string;
  readonly body: string;
  readonly labels: readonly string[];
  readonly severity?: string;
  /** URL of the incident in the console, if there is one: written unchanged. */
  readonly console?: string;
  /** URL of the incident's Slack thread, if there is one: written unchanged. */
  readonly thread?: string;
}

/** `ambiguous`: the create timed out and cannot be found yet; it is searched for again before anything is created. */
export interface Ticket {
  readonly state: 'created' | 'existing' | 'ambiguous';
  readonly id?: string;
  readonly url?: string;
}

export interface TicketComment {
  readonly id: string;
  /** Written once per key. */
  readonly key: string;
  readonly text: string;
  /** As in `TicketRequest`. */
  readonly thread?: string;
}

export interface TicketClosing {
  readonly id: string;
  /** `not_planned`: it was a false alarm. */
  readonly reason: 'completed' | 'not_planned';
  /** The verdict in words, if the system accepts a text on closing. */
  readonly text?: string;
  /** The key under which it was opened: duplicates created under it are closed as such. */
  readonly openedUnder?: string;
}

/** One ticket system. `open` is find → create → confirm, idempotent by `request.key`. All throw FB_ERR_UNAVAILABLE (retry), FB_ERR_REFUSED (do not). */
export interface TicketSystem {
  readonly name: string;
  /** Checks that URL, credentials and location are right, without filing anything. Absent if the system has no such request. */
  look?(signal: AbortSignal): Promise<void>;
  open(request: TicketRequest, signal: AbortSignal): Promise<Ticket>;
  comment(call: TicketComment, signal: AbortSignal): Promise<void>;
  /** Idempotent: a closed ticket stays closed. */
  close(call: TicketClosing, signal: AbortSignal): Promise<void>;
}

/** A ticket that belongs to an incident. */
export interface TicketLink {
  readonly system: string;
  readonly id: string;
  readonly url?: string;
}

/** What an incident writes to its ticket. */
export interface TicketUpdate {
  readonly incident: IncidentRef;
  readonly ticket: TicketLink;
  /** `nth` comment of the incident: written once. */
  readonly comment?: { readonly nth: number; readonly text: string };
  readonly close?: Omit<TicketClosing, 'id' | 'openedUnder'>;
}

/** One key per comment, computed at the desk so that no incident can write under another's. */
export function commentKeyOf(incident: IncidentRef, nth: number): string {
  return `${incident.run}/comment/${nth}`;
}

/**
 * When the incident's run began, milliseconds since 1970: none of its tickets is older. Temporal's run id is a UUID of version 7, which begins with that time
 * (RFC 9562, section 5.7). Undefined if it is not one.
 */
export function begunAt({ run }: IncidentRef): number | undefined {
  const digits = run.toLowerCase().replaceAll('-', '');
  return /^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/.test(digits) ? Number.parseInt(digits.slice(0, 12), 16) : undefined;
}

/** An incident has one ticket, whichever of its playbooks files it first. */
export function ticketKeyOf(incident: IncidentRef): string {
  return `ticket/${incident.id}@${incident.run}`;
}

/** A key in a form that every system can store, whatever it contains: `firebreak-` and 32 hex digits. */
export function referenceOf(key: string): string {
  return `firebreak-${sha256Hex(key).slice(0, 32)}`;
}

/** The values that a template can use about a ticket. */
export function templateValues(request: Pick<TicketRequest, 'incident' | 'title' | 'body' | 'severity'>): TemplateValues {
  const subject = subjectOfIncident(request.incident.id);
  const workload = subject?.kind === 'workload' ? `${subject.ownerKind.toLowerCase()}/${subject.name}` : undefined;
  return {
    title: request.title,
    body: request.body,
    incident: request.incident.id,
    run: request.incident.run,
    cluster: subject?.cluster ?? '',
    namespace: subject?.kind === 'workload' ? subject.namespace : '',
    workload: workload ?? (subject?.kind === 'node' ? `node/${subject.node}` : ''),
    severity: request.severity ?? '',
  };
}

/** Wraps a ticket system so that it never receives a known shape of a secret: alerts carry them in command lines. */
export function redactedTickets(system: TicketSystem): TicketSystem {
  return {
    name: system.name,
    ...(system.look && { look: system.look.bind(system) }),
    open: (request, signal) =>
      system.open({ ...request, title: redactSecrets(request.title), body: redactSecrets(request.body) }, signal),
    comment: (call, signal) => system.comment({ ...call, text: redactSecrets(call.text) }, signal),
    close: (call, signal) =>
      system.close({ ...call, ...(call.text === undefined ? {} : { text: redactSecrets(call.text) }) }, signal),
  };
}

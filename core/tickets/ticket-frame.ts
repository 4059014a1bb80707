import { type IncidentRef, subjectOfIncident, subjectTitle } from '../incident/incident.ts';
import { wholeTargetText } from '../text/plain-text.ts';
import type { TicketRequest } from './ticket.ts';

/** A URL that a ticket shows, with its label. */
export interface TicketAddress {
  readonly name: string;
  readonly url: string;
}

/** What every ticket adds to its playbook's text: the location, where to continue, and finally the ids for the command line. */
interface TicketFrame {
  readonly facts: readonly string[];
  readonly addresses: readonly TicketAddress[];
  readonly ids: string;
}

const keptUp = 'Firebreak writes here what is done and decided. Closing this ticket decides nothing.';

export function ticketFrame({ incident, severity, console, thread }: TicketRequest): TicketFrame {
  const where = placeOf(incident);
  return {
    facts: [
      ...(where === undefined ? [] : [`Where: ${where}`]),
      ...(severity === undefined ? [] : [`Severity: ${severity}`]),
      keptUp,
    ],
    addresses: [...(console === undefined ? [] : [{ name: 'Incident in the console', url: console }]), ...threadAddress(thread)],
    ids: `Incident ${incident.id}, run ${incident.run}`,
  };
}

export function threadAddress(thread: string | undefined): readonly TicketAddress[] {
  return thread === undefined ? [] : [{ name: 'Slack thread', url: thread }];
}

export function addressLine({ name, url }: TicketAddress): string {
  return `${name}: ${url}`;
}

function placeOf({ id }: IncidentRef): string | undefined {
  const subject = subjectOfIncident(id);
  if (!subject) return undefined;
  const cluster = `cluster ${subject.cluster}`;
  return subject.kind === 'cluster' ? cluster : `${wholeTargetText(subjectTitle(subject))}, ${cluster}`;
}

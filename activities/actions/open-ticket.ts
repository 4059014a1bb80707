import type { ActionImplementation } from '../../core/action/action.ts';
import { noTicket, type OpenTicketInput, type OpenTicketOutput } from '../../core/actions/open-ticket.schema.ts';
import { severities } from '../../core/alert/severity.ts';
import { FirebreakError } from '../../core/errors.ts';
import { type TicketSystem, ticketKeyOf } from '../../core/tickets/ticket.ts';

/** Files one ticket in the configured system: one an incident, found again by it whichever step filed it first. */
export function openTicketImplementation({
  tickets,
}: {
  readonly tickets: TicketSystem | undefined;
}): ActionImplementation<OpenTicketInput, OpenTicketOutput> {
  const target = tickets ? `ticket/${tickets.name}` : 'ticket';
  return {
    plan: async (input) => ({
      target: { name: `${target}/${input.title.slice(0, 80)}` },
      changes: tickets ? [{ target, what: `opens “${input.title}”` }] : [],
      blastRadius: [],
      notes: [],
    }),
    apply: async (input, { incident, run, signal }) => {
      // A playbook that files tickets runs where nobody has a system for them.
      if (!tickets) return noTicket;
      const ref = { id: incident, run };
      const { title, body, labels = [] } = input;
      const severity = severities.find((known) => labels.includes(known));
      const ticket = await tickets.open(
        { key: ticketKeyOf(ref), incident: ref, title, body, labels, ...(severity ? { severity } : {}) },
        signal,
      );
      // Not known to be there: the same call again looks for it before it creates anything.
      if (ticket.state === 'ambiguous')
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `${tickets.name} has not said whether the ticket was created`);
      return { system: tickets.name, ...ticket };
    },
    // `open` ends with reading the ticket back: what it returns was seen.
    verify: async (output) => ({
      state: 'verified',
      detail: `read back from ${output.system}: ${output.url ?? output.id ?? output.state}`,
    }),
    started: async () => true,
  };
}

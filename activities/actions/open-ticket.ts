import type { ActionImplementation } from '../../core/action/action.ts';
import { noTicket, type OpenTicketInput, type OpenTicketOutput } from '../../core/actions/open-ticket.schema.ts';
import { severities } from '../../core/alert/severity.ts';
import { FirebreakError } from '../../core/errors.ts';
import { type TicketSystem, ticketKeyOf } from '../../core/tickets/ticket.ts';

/** Files one ticket per incident in the configured system; it is found again by the incident, whichever step filed it first. */
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
      // A playbook that files tickets must also run if no ticket system is configured.
      if (!tickets) return noTicket;
      const ref = { id: incident, run };
      const { title, body, labels = [] } = input;
      const severity = severities.find((known) => labels.includes(known));
      const ticket = await tickets.open(
        { key: ticketKeyOf(ref), incident: ref, title, body, labels, ...(severity ? { severity } : {}) },
        signal,
      );
      // The ticket may not exist: repeating the call looks for it before it creates anything.
      if (ticket.state === 'ambiguous')
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `${tickets.name} did not report whether the ticket was created`);
      return { system: tickets.name, ...ticket };
    },
    // `open` ends by reading the ticket back: what it returns has been seen.
    verify: async (output) => ({
      state: 'verified',
      detail: `read back from ${output.system}: ${output.url ?? output.id ?? output.state}`,
    }),
    started: async () => true,
  };
}

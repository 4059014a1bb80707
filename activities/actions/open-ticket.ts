import type { ActionImplementation } from '../../core/action/action.ts';
import type { OpenTicketInput, OpenTicketOutput } from '../../core/actions/open-ticket.schema.ts';
import { severities } from '../../core/alert/severity.ts';
import { FirebreakError } from '../../core/errors.ts';
import { type TicketSystem, ticketKeyOf } from '../../core/tickets/ticket.ts';

/** Files one ticket in the configured system: one an incident, found again by it whichever step filed it first. */
export function openTicketImplementation({
  tickets,
}: {
  readonly tickets: TicketSystem | undefined;
}): ActionImplementation<OpenTicketInput, OpenTicketOutput> {
  const system = (): TicketSystem => {
    if (!tickets) throw new FirebreakError('FB_ERR_REFUSED', 'no ticket system is configured');
    return tickets;
  };
  return {
    plan: async (input) => ({
      target: { name: `ticket/${system().name}/${input.title.slice(0, 80)}` },
      changes: [{ target: `ticket/${system().name}`, what: `opens “${input.title}”` }],
      blastRadius: [],
      notes: [],
    }),
    apply: async (input, { incident, run, signal }) => {
      const ref = { id: incident, run };
      const { title, body, labels = [] } = input;
      const severity = severities.find((known) => labels.includes(known));
      const ticket = await system().open(
        { key: ticketKeyOf(ref), incident: ref, title, body, labels, ...(severity ? { severity } : {}) },
        signal,
      );
      // Not known to be there: the same call again looks for it before it creates anything.
      if (ticket.state === 'ambiguous')
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `${system().name} has not said whether the ticket was created`);
      return { system: system().name, ...ticket };
    },
    // `open` ends with reading the ticket back: what it returns was seen.
    verify: async (output) => ({
      state: 'verified',
      detail: `read back from ${output.system}: ${output.url ?? output.id ?? output.state}`,
    }),
    started: async () => true,
  };
}

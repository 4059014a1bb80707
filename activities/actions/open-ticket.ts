import type { ActionImplementation } from '../../core/action.ts';
import type { OpenTicketInput, OpenTicketOutput } from '../../core/actions/open-ticket.schema.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { TicketSystem } from '../../core/ticket.ts';

/** Files one ticket in the configured system, found again by the step's key. */
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
    apply: async (input, { key, incident, run, signal }) => {
      const ticket = await system().open(
        { key, incident: { id: incident, run }, title: input.title, body: input.body, labels: input.labels ?? [] },
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

import { declareAction } from '../action/action.ts';
import type { OpenTicketInput, OpenTicketOutput } from './open-ticket.schema.ts';

/** Files one ticket per incident, found again by its key: never two. */
export const openTicket = declareAction<OpenTicketInput, OpenTicketOutput>()({
  name: 'openTicket',
  title: 'Open a ticket',
  effect: 'read',
  reach: 'outside',
  pool: 'desk',
  requires: [],
  skipped: 'no ticket system is configured',
  timeouts: { planMs: 5_000, applyMs: 20_000, verifyMs: 10_000 },
  rights: [],
  verifiedBy: 'The ticket is read back from the ticket system.',
  undo: 'None needed: nothing in the cluster changes. It is closed with the incident’s verdict.',
  example: { title: 'cart read /etc/shadow', body: 'What happened, and what was done.', labels: ['firebreak'] },
});

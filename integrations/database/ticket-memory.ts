import type { TicketMemory } from '../../core/tickets/one-ticket.ts';
import type { Database } from './queries.ts';
import { numberOf, textOf } from './row.ts';

/** What is known about tickets, kept across crashes: a create that was sent is not repeated before it has had time to take effect. */
export function createTicketMemory(database: Database): TicketMemory {
  return {
    recall: async (system, key) => {
      const [row] = await database.all('SELECT sent_at, ticket FROM ticket_memory WHERE system = $1 AND ticket_key = $2', [
        system,
        key,
      ]);
      if (!row) return undefined;
      const sentAt = numberOf(row, 'sent_at') * 1_000;
      const id = textOf(row, 'ticket');
      return { ...(sentAt > 0 ? { sentAt } : {}), ...(id === '' ? {} : { id }) };
    },
    remember: async (system, key, { sentAt = 0, id = '' }) => {
      await database.all(
        `INSERT INTO ticket_memory (system, ticket_key, sent_at, ticket) VALUES ($1, $2, $3, $4)
         ON CONFLICT (system, ticket_key) DO UPDATE SET sent_at = excluded.sent_at, ticket = excluded.ticket`,
        // Whole seconds: the column type that both databases know holds no more.
        [system, key, Math.ceil(sentAt / 1_000), id],
      );
    },
  };
}

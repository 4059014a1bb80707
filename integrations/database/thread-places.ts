import type { ThreadPlace, ThreadPlaces } from '../../core/cards/thread-link.ts';
import type { Database } from './queries.ts';
import { textOf } from './row.ts';

const retentionMs = 90 * 86_400_000;

/** Which part of each ticket carries the address of its incident's thread, for the last 90 days. */
export function createThreadPlaces(database: Database, now: () => number = Date.now): ThreadPlaces {
  const at = (ms: number): string => new Date(ms).toISOString();
  const of = async (ticketKey: string): Promise<ThreadPlace | undefined> => {
    const [row] = await database.all('SELECT carrier, url FROM ticket_threads WHERE ticket_key = $1', [ticketKey]);
    return row && { carrier: carrierOf(textOf(row, 'carrier')), url: textOf(row, 'url') };
  };
  return {
    of,
    claim: async (ticketKey, { carrier, url }) => {
      await database.all('DELETE FROM ticket_threads WHERE at < $1', [at(now() - retentionMs)]);
      await database.all(
        `INSERT INTO ticket_threads (ticket_key, carrier, url, at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (ticket_key) DO UPDATE SET carrier = excluded.carrier, url = excluded.url, at = excluded.at
         WHERE ticket_threads.carrier = 'none' AND excluded.carrier <> 'body'`,
        [ticketKey, carrier, url, at(now())],
      );
      return (await of(ticketKey)) ?? { carrier, url };
    },
  };
}

function carrierOf(text: string): ThreadPlace['carrier'] {
  if (text === 'body' || text === 'none') return text;
  return `comment:${text.slice('comment:'.length)}`;
}

import type { IncidentRef } from '../../core/incident/incident.ts';
import { oneLine } from '../../core/text/visible-text.ts';
import { newsWords, type TicketMailbox } from '../../core/tickets/ticket-news.ts';
import type { Database, Queries, Row } from './queries.ts';
import { numberOf, textOf } from './row.ts';

const retentionMs = 90 * 86_400_000;
/** Maximum per incident: anyone who may comment in the ticket system must not fill the database. */
const mostOfIncident = 500;

/** Messages from ticket systems, kept until their incident has read them, even while Temporal is unavailable. */
export function createTicketMailbox(database: Database, now: () => number = Date.now): TicketMailbox {
  const at = (ms: number): string => new Date(ms).toISOString();
  return {
    bind: async ({ system, id }, incident) => {
      await database.all('DELETE FROM ticket_owners WHERE at < $1', [at(now() - retentionMs)]);
      await database.all(
        `INSERT INTO ticket_owners (system, ticket, incident_id, incident_run, at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (system, ticket) DO UPDATE SET
           incident_id = excluded.incident_id, incident_run = excluded.incident_run, at = excluded.at`,
        [system, id, incident.id, incident.run, at(now())],
      );
    },

    ownerOf: async ({ system, id }) => {
      const [row] = await database.all('SELECT incident_id, incident_run FROM ticket_owners WHERE system = $1 AND ticket = $2', [
        system,
        id,
      ]);
      return row && incidentIn(row);
    },

    put: (system, delivery, event) =>
      database.transaction(async (queries) => {
        await queries.all('DELETE FROM ticket_news WHERE at < $1', [at(now() - retentionMs)]);
        const incident = await ownerOf(queries, system, event.ticket);
        if (!incident) return undefined;
        const last = await lastNumber(queries, incident);
        if (last >= mostOfIncident) return incident;
        await queries.all(
          `INSERT INTO ticket_news (delivery, incident_id, incident_run, number, system, ticket, done_by, words, at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (delivery) DO NOTHING`,
          [
            delivery,
            incident.id,
            incident.run,
            last + 1,
            system,
            event.ticket,
            oneLine(event.by, 100),
            newsWords(system, event),
            at(now()),
          ],
        );
        return incident;
      }),

    after: async ({ id, run }, number, most) => {
      const rows = await database.all(
        `SELECT number, system, ticket, done_by, words FROM ticket_news
         WHERE incident_id = $1 AND incident_run = $2 AND number > $3 ORDER BY number LIMIT $4`,
        [id, run, number, most],
      );
      return rows.map((row) => ({
        number: numberOf(row, 'number'),
        system: textOf(row, 'system'),
        ticket: textOf(row, 'ticket'),
        by: textOf(row, 'done_by'),
        words: textOf(row, 'words'),
      }));
    },
  };
}

/** Which incident owns the ticket; until the transaction ends, further events of the ticket wait for their numbers. */
async function ownerOf(queries: Queries, system: string, ticket: string): Promise<IncidentRef | undefined> {
  const [row] = await queries.all(
    'UPDATE ticket_owners SET at = at WHERE system = $1 AND ticket = $2 RETURNING incident_id, incident_run',
    [system, ticket],
  );
  return row && incidentIn(row);
}

function incidentIn(row: Row): IncidentRef {
  return { id: textOf(row, 'incident_id'), run: textOf(row, 'incident_run') };
}

async function lastNumber(queries: Queries, { id, run }: IncidentRef): Promise<number> {
  const [row] = await queries.all(
    'SELECT COALESCE(MAX(number), 0) AS number FROM ticket_news WHERE incident_id = $1 AND incident_run = $2',
    [id, run],
  );
  return row ? numberOf(row, 'number') : 0;
}

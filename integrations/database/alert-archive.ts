import { type AlertArchive, type ArchivedRecord, alertKinds } from '../../core/audit/alert-archive.ts';
import { recordColumns, recordFromRow } from './audit-rows.ts';
import type { Database, Parameter, Row } from './queries.ts';
import { placeholders } from './row.ts';

const rowsAtOnce = 100;

/** Original alerts, sealed, stored next to the records in the same database. */
export function createAlertArchive(database: Database): AlertArchive {
  return {
    keep: async (alerts) => {
      for (let start = 0; start < alerts.length; start += rowsAtOnce) {
        const part = alerts.slice(start, start + rowsAtOnce);
        await database.all(
          `INSERT INTO stored_alerts (chain, number, at, sealed) VALUES ${placeholders({ rows: part.length, columns: 4 })}
           ON CONFLICT (chain, number) DO NOTHING`,
          part.flatMap(({ chain, number, at, sealed }) => [chain, number, at, Buffer.from(sealed).toString('base64')]),
        );
      }
    },

    expire: async (before) => {
      await database.all('DELETE FROM stored_alerts WHERE at < $1', [before]);
    },

    read: async ({ since, chain, after, most }) => {
      const parameters: Parameter[] = [after?.at ?? since, most];
      const conditions = ['r.at >= $1'];
      if (chain !== undefined) conditions.push(`r.chain = $${parameters.push(chain)}`);
      if (after) {
        const place = [after.at, after.stored.chain, after.stored.place].map((value) => `$${parameters.push(value)}`);
        conditions.push(`(r.at, r.chain, r.place) > (${place.join(', ')})`);
      }
      // One query per kind, so that both databases use their index by kind and time and sort no more than a page.
      const ofKind = alertKinds.map(
        (kind) => `SELECT * FROM (
           SELECT ${recordColumns
             .split(', ')
             .map((name) => `r.${name} AS ${name}`)
             .join(', ')}, k.sealed AS sealed
           FROM audit_records AS r LEFT JOIN stored_alerts AS k ON k.chain = r.chain AND k.number = r.number
           WHERE r.kind = '${kind}' AND ${conditions.join(' AND ')} ORDER BY r.at, r.chain, r.place LIMIT $2) AS of_kind`,
      );
      const rows = await database.all(`${ofKind.join(' UNION ALL ')} ORDER BY at, chain, place LIMIT $2`, parameters);
      return rows.map(archivedFrom);
    },

    verdicts: async (chains) => {
      if (chains.length === 0) return [];
      const rows = await database.all(
        `SELECT ${recordColumns} FROM audit_records WHERE kind = 'incident.verdict'
         AND chain IN (${chains.map((_, index) => `$${index + 1}`).join(', ')}) ORDER BY chain, place`,
        chains,
      );
      return rows.map(recordFromRow);
    },
  };
}

function archivedFrom(row: Row): ArchivedRecord {
  const { at, sealed } = row;
  return {
    stored: recordFromRow(row),
    at: typeof at === 'string' ? at : '',
    ...(typeof sealed === 'string' && { sealed: Buffer.from(sealed, 'base64') }),
  };
}

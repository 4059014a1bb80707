import type { StreamFeed, StreamGap, StreamState } from '../../../core/streams/stream-feed.ts';
import { recordColumns, recordFromRow } from '../audit-rows.ts';
import type { Database, Row } from '../queries.ts';
import { placeholders, textOf } from '../row.ts';

const cursorsAtOnce = 200;
const mostReason = 500;

/** A stream's position in a chain: rows that were cut are skipped. */
const reached = 'CASE WHEN COALESCE(cursor.place, 0) < head.cut_to THEN head.cut_to ELSE COALESCE(cursor.place, 0) END';

/** One row per stream and chain stores its position: in order within a chain, whatever order transactions end in. */
export function createStreamFeed(database: Database, { now = Date.now }: { readonly now?: () => number } = {}): StreamFeed {
  const at = (ms = now()): string => new Date(ms).toISOString();
  return {
    begin: (name, from) =>
      database.transaction(async (queries) => {
        const made = await queries.all(
          `INSERT INTO streams (name, begun_at, holder, held_until, delivered_at, failing_since, reason) VALUES ($1, $2, '', '', '', '', '')
           ON CONFLICT (name) DO NOTHING RETURNING name`,
          [name, at()],
        );
        if (made.length > 0 && from === 'now')
          await queries.all('INSERT INTO stream_cursors (stream, chain, place) SELECT $1, chain, number FROM audit_heads', [
            name,
          ]);
      }),
    claim: async (name, holder, heldMs) => {
      const held = await database.all(
        'UPDATE streams SET holder = $2, held_until = $3 WHERE name = $1 AND (holder = $2 OR held_until < $4) RETURNING name',
        [name, holder, at(now() + heldMs), at()],
      );
      return held.length > 0;
    },
    release: async (name, holder) => {
      await database.all(`UPDATE streams SET held_until = '' WHERE name = $1 AND holder = $2`, [name, holder]);
    },
    // A cursor beyond the end of its chain is wrong: somebody wrote there. The chain is sent again, since receivers detect duplicates.
    behind: async (name, { grownSince = '', most }) => {
      const rows = await database.all(
        `SELECT head.chain AS chain, head.number AS number, head.grown_at AS grown_at, ${reached} AS place
         FROM audit_heads AS head LEFT JOIN stream_cursors AS cursor ON cursor.stream = $1 AND cursor.chain = head.chain
         WHERE head.grown_at >= $2 AND head.number <> ${reached} AND head.number > 0
         ORDER BY head.grown_at, head.chain LIMIT $3`,
        [name, grownSince, most],
      );
      return rows.flatMap(gapIn);
    },
    rowsOf: async (gaps) => {
      if (gaps.length === 0) return new Map();
      const places = gaps.map(
        (_, index) => `($${3 * index + 1}, CAST($${3 * index + 2} AS INTEGER), CAST($${3 * index + 3} AS INTEGER))`,
      );
      const rows = await database.all(
        `WITH gap(of_chain, low, high) AS (VALUES ${places.join(', ')})
         SELECT ${recordColumns} FROM gap CROSS JOIN audit_records WHERE chain = of_chain AND place > low AND place <= high`,
        gaps.flatMap(({ chain, after, upTo }) => [chain, after, upTo]),
      );
      const found = rows.filter(({ place }) => isPlace(place)).map(recordFromRow);
      // Sorted here, since the database would write all rows once more to sort them.
      return Map.groupBy(
        found.sort((one, next) => one.place - next.place),
        ({ chain }) => chain,
      );
    },
    rows: async ({ chain, after, upTo }, most) => {
      const rows = await database.all(
        `SELECT ${recordColumns} FROM audit_records WHERE chain = $1 AND place > $2 AND place <= $3 ORDER BY place LIMIT $4`,
        [chain, after, upTo, most],
      );
      return rows.filter(({ place }) => isPlace(place)).map(recordFromRow);
    },
    // If some of this is lost, it is sent again.
    delivered: (name, holder, upTo) =>
      database.note(async (queries) => {
        const held = await queries.all(
          `UPDATE streams SET delivered_at = $3, failing_since = '', reason = '' WHERE name = $1 AND holder = $2 RETURNING name`,
          [name, holder, at()],
        );
        if (held.length === 0) return false;
        for (let start = 0; start < upTo.length; start += cursorsAtOnce) {
          const part = upTo.slice(start, start + cursorsAtOnce);
          await queries.all(
            `INSERT INTO stream_cursors (stream, chain, place) VALUES ${placeholders({ rows: part.length, columns: 3 })}
             ON CONFLICT (stream, chain) DO UPDATE SET place = excluded.place`,
            part.flatMap(({ chain, place }) => [name, chain, place]),
          );
        }
        return true;
      }),
    failed: async (name, reason) => {
      await database.all(
        `UPDATE streams SET failing_since = CASE WHEN failing_since = '' THEN $2 ELSE failing_since END, reason = $3 WHERE name = $1`,
        [name, at(), reason.slice(0, mostReason)],
      );
    },
    state: async (name) => {
      const [row] = await database.all(
        'SELECT name, begun_at, holder, held_until, delivered_at, failing_since, reason FROM streams WHERE name = $1',
        [name],
      );
      return row && stateFrom(row);
    },
    lag: async (name) => {
      const [row] = await database.all(
        `SELECT CAST(COALESCE(SUM(CASE WHEN head.number > ${reached} THEN head.number - ${reached} ELSE head.number END), 0) AS TEXT)
             AS records, CAST(COUNT(*) AS TEXT) AS chains, MIN(record.at) AS oldest
         FROM audit_heads AS head LEFT JOIN stream_cursors AS cursor ON cursor.stream = $1 AND cursor.chain = head.chain
         LEFT JOIN audit_records AS record ON record.chain = head.chain AND record.place = ${reached} + 1
         WHERE head.number <> ${reached} AND head.number > 0`,
        [name],
      );
      const oldest = row?.oldest;
      return {
        records: Number(row?.records ?? 0),
        chains: Number(row?.chains ?? 0),
        ...(typeof oldest === 'string' && { oldestAt: oldest }),
      };
    },
  };
}

function gapIn({ chain, number, place, grown_at: grownAt }: Row): readonly StreamGap[] {
  if (typeof chain !== 'string' || typeof grownAt !== 'string' || !isPlace(number) || !isPlace(place)) return [];
  return [{ chain, after: place > number ? 0 : place, upTo: number, grownAt }];
}

function isPlace(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function stateFrom(row: Row): StreamState {
  const deliveredAt = textOf(row, 'delivered_at');
  const since = textOf(row, 'failing_since');
  return {
    name: textOf(row, 'name'),
    begunAt: textOf(row, 'begun_at'),
    holder: textOf(row, 'holder'),
    heldUntil: textOf(row, 'held_until'),
    ...(deliveredAt !== '' && { deliveredAt }),
    ...(since !== '' && { failing: { since, reason: textOf(row, 'reason') } }),
  };
}

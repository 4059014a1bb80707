import type { AuditRecord } from '../../core/audit/audit.ts';
import type { IncidentQuery } from '../../core/console/console.schema.ts';
import {
  chainOf,
  containedIn,
  type IncidentSummary,
  incidentKeyOf,
  summaryOf,
  withRecords,
} from '../../core/console/incident-summary.ts';
import { sees, type VisibleNamespaces } from '../../core/console/routes.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { LineMarks } from '../../core/incident/similar.ts';
import type { Database, Parameter, Queries, Row } from './queries.ts';
import { numberOf, placeholders, textOf } from './row.ts';

const columns =
  'chain, incident_key, seen, cluster, namespace, state, severity, verdict, opened_at, changed_at, is_contained, words, summary_json, mark';
const columnCount = 14;
/** Rung when a listed incident has changed. */
export const listBell = 'firebreak_incidents';
const rowsAtOnce = 50;
/** Chains that are brought up to date at once when a desk starts. */
const staleAtOnce = 100;

interface SummaryPage {
  readonly items: readonly IncidentSummary[];
  readonly next: string | null;
}

/** A summary with the time at which it was written here. */
interface ChangedSummary {
  readonly summary: IncidentSummary;
  readonly changedAt: string;
}

/** Position after which changes are returned: many are written at the same moment, and the key says how many of those are known. */
export interface ChangedAfter {
  readonly at: string;
  /** Absent: everything written at that moment is known. */
  readonly key?: string;
}

/** What the console lists: built from the records as they arrive, and from the whole chain if any are missing. */
export interface IncidentList {
  /** @throws FB_ERR_REFUSED for an invalid cursor. */
  page(query: ListedBy, visible: VisibleNamespaces): Promise<SummaryPage>;
  find(key: string, visible: VisibleNamespaces): Promise<IncidentSummary | undefined>;
  /** Summaries written after that, oldest first, at most `most`; `next` if there may be more. */
  changedSince(
    after: ChangedAfter,
    most: number,
  ): Promise<{ readonly items: readonly ChangedSummary[]; readonly next?: ChangedAfter }>;
  /** Incidents with a containment in force, newest first, at most `most`. */
  contained(visible: VisibleNamespaces, most: number): Promise<readonly IncidentSummary[]>;
  /** Incidents opened since, newest first, at most `most`. */
  since(at: string, visible: VisibleNamespaces, most: number): Promise<readonly IncidentSummary[]>;
  /** Counts without a limit: incidents open now per cluster, and incidents opened per day (UTC) since then. */
  counts(since: string, visible: VisibleNamespaces): Promise<IncidentCounts>;
  /** Adds these records. Chains with earlier records that are missing here are read again. */
  note(records: readonly AuditRecord[]): Promise<void>;
  /** Reads the chains again that are behind their records. Returns how many there were. */
  catchUp(): Promise<number>;
}

export interface IncidentCounts {
  readonly clusters: readonly {
    readonly cluster: string;
    readonly open: number;
    readonly critical: number;
    readonly contained: number;
  }[];
  readonly days: ReadonlyMap<string, number>;
}

type ListedBy = Omit<IncidentQuery, 'limit' | 'severity' | 'verdict' | 'namespace'> & {
  readonly severity?: readonly string[];
  readonly verdict?: readonly string[];
  readonly namespace?: readonly string[];
  readonly limit: number;
};

/**
 * Each row carries a mark of the desk, which the database's password cannot make: a row that somebody else wrote or changed is not shown, and is rebuilt from
 * its records. Visibility is checked on the row, and again on what the mark vouches for.
 */
export function createIncidentList(
  database: Database,
  parts: {
    readonly marks: LineMarks;
    /** All proven records of a chain, in order. */
    readonly records: (chain: string) => Promise<readonly AuditRecord[]>;
    readonly now?: () => number;
  },
): IncidentList {
  const { marks, records, now = Date.now } = parts;
  const readRow = (row: Row): IncidentSummary | undefined => {
    const text = textOf(row, 'summary_json');
    if (typeof row.mark !== 'string' || !marks.isOf(contentOf(text), row.mark)) return undefined;
    const summary: IncidentSummary = JSON.parse(text);
    return summary;
  };
  const write = async (queries: Queries, summaries: readonly IncidentSummary[]): Promise<void> => {
    const changedAt = new Date(now()).toISOString();
    for (let start = 0; start < summaries.length; start += rowsAtOnce) {
      const part = summaries.slice(start, start + rowsAtOnce);
      await queries.all(
        `INSERT INTO incident_summaries (${columns}) VALUES ${placeholders({ rows: part.length, columns: columnCount })}
         ON CONFLICT (chain) DO UPDATE SET ${columns
           .split(', ')
           .slice(1)
           .map((name) => `${name} = excluded.${name}`)
           .join(', ')}`,
        part.flatMap((summary) => rowOf(summary, changedAt, marks)),
      );
    }
  };
  const anew = async (chains: readonly string[]): Promise<void> => {
    const made: IncidentSummary[] = [];
    for (const chain of chains) {
      const summary = summaryOf(await records(chain));
      if (summary) made.push(summary);
    }
    await database.transaction((queries) => write(queries, made));
  };
  const listed = async (where: Where, order: string, most: number): Promise<readonly IncidentSummary[]> => {
    const rows = await database.all(
      `SELECT summary_json, mark FROM incident_summaries ${where.sql} ORDER BY ${order} LIMIT ${most}`,
      where.values,
    );
    return rows.flatMap((row) => readRow(row) ?? []);
  };
  return {
    page: async (query, visible) => {
      const where = whereOf(query, visible);
      if (!where) return { items: [], next: null };
      const rows = await database.all(
        `SELECT opened_at, incident_key, summary_json, mark FROM incident_summaries ${where.sql}
         ORDER BY opened_at DESC, incident_key DESC LIMIT ${query.limit + 1}`,
        where.values,
      );
      const shown = rows.slice(0, query.limit);
      const last = shown.at(-1);
      const items = shown.flatMap((row) => readRow(row) ?? []).filter(({ namespace }) => sees(visible, namespace));
      return { items, next: rows.length > query.limit && last ? cursorOf(last) : null };
    },
    find: async (key, visible) => {
      const [row] = await database.all('SELECT summary_json, mark FROM incident_summaries WHERE incident_key = $1', [key]);
      const summary = row && readRow(row);
      if (!summary || incidentKeyOf(chainOf(summary.incident)) !== key) return undefined;
      return sees(visible, summary.namespace) ? summary : undefined;
    },
    changedSince: async ({ at, key }, most) => {
      const later = key === undefined ? 'changed_at > $1' : 'changed_at >= $1 AND (changed_at > $1 OR incident_key > $2)';
      const rows = await database.all(
        `SELECT changed_at, incident_key, summary_json, mark FROM incident_summaries WHERE ${later}
         ORDER BY changed_at, incident_key LIMIT ${most}`,
        key === undefined ? [at] : [at, key],
      );
      const items = rows.flatMap((row) => {
        const summary = readRow(row);
        return summary ? [{ summary, changedAt: textOf(row, 'changed_at') }] : [];
      });
      const last = rows.length === most ? rows.at(-1) : undefined;
      return { items, ...(last && { next: { at: textOf(last, 'changed_at'), key: textOf(last, 'incident_key') } }) };
    },
    contained: async (visible, most) => {
      const where = visibleOnly(visible, ['is_contained = 1']);
      const found = where ? await listed(where, 'opened_at DESC', most) : [];
      return found.filter((summary) => sees(visible, summary.namespace) && containedIn(summary) > 0);
    },
    since: async (at, visible, most) => {
      const where = visibleOnly(visible, ['opened_at >= $1'], [at]);
      const found = where ? await listed(where, 'opened_at DESC', most) : [];
      return found.filter(({ namespace }) => sees(visible, namespace));
    },
    // Cast to INTEGER: sums and counts are wider in PostgreSQL, and its client returns those as text.
    counts: async (since, visible) => {
      const now = visibleOnly(visible, [`(state = 'open' OR is_contained = 1)`]);
      const opened = visibleOnly(visible, ['opened_at >= $1'], [since]);
      if (!now || !opened) return { clusters: [], days: new Map() };
      const clusters = await database.all(
        `SELECT cluster,
           CAST(SUM(CASE WHEN state = 'open' THEN 1 ELSE 0 END) AS INTEGER) AS open,
           CAST(SUM(CASE WHEN state = 'open' AND severity = 'critical' THEN 1 ELSE 0 END) AS INTEGER) AS critical,
           CAST(SUM(is_contained) AS INTEGER) AS contained
         FROM incident_summaries ${now.sql} GROUP BY cluster`,
        now.values,
      );
      const days = await database.all(
        `SELECT substr(opened_at, 1, 10) AS day, CAST(COUNT(*) AS INTEGER) AS opened FROM incident_summaries ${opened.sql} GROUP BY substr(opened_at, 1, 10)`,
        opened.values,
      );
      return {
        clusters: clusters.map((row) => ({
          cluster: textOf(row, 'cluster'),
          open: numberOf(row, 'open'),
          critical: numberOf(row, 'critical'),
          contained: numberOf(row, 'contained'),
        })),
        days: new Map(days.map((row) => [textOf(row, 'day'), numberOf(row, 'opened')])),
      };
    },
    note: async (given) => {
      const lacking: string[] = [];
      await database.transaction(async (queries) => {
        const made: IncidentSummary[] = [];
        for (const [chain, ofChain] of Map.groupBy(given, (record) => record.chain)) {
          const [row] = await queries.all('SELECT summary_json, mark FROM incident_summaries WHERE chain = $1', [chain]);
          const known = row && readRow(row);
          const first = Math.min(...ofChain.map(({ number }) => number));
          const summary = known ? withRecords(known, ofChain) : first === 1 ? summaryOf(ofChain) : undefined;
          if (known ? first > known.seen + 1 : first > 1) lacking.push(chain);
          else if (summary && summary.seen !== known?.seen) made.push(summary);
        }
        await write(queries, made);
      });
      if (lacking.length > 0) await anew(lacking);
      await database.bell?.ring(listBell);
    },
    catchUp: async () => {
      let count = 0;
      for (let after = ''; ; ) {
        const rows = await database.all(
          `SELECT head.chain AS chain FROM audit_heads AS head
           LEFT JOIN incident_summaries AS known ON known.chain = head.chain
           WHERE head.chain > $1 AND head.chain LIKE 'incident/%' AND (known.chain IS NULL OR known.seen < head.number)
           ORDER BY head.chain LIMIT ${staleAtOnce}`,
          [after],
        );
        const chains = rows.map((row) => textOf(row, 'chain'));
        await anew(chains);
        count += chains.length;
        const last = chains.at(-1);
        if (last === undefined || chains.length < staleAtOnce) return count;
        after = last;
      }
    },
  };
}

function rowOf(summary: IncidentSummary, changedAt: string, marks: LineMarks): Parameter[] {
  const chain = chainOf(summary.incident);
  const { seen, cluster, namespace, state, severity, verdict, openedAt } = summary;
  const text = JSON.stringify(summary);
  return [
    chain,
    incidentKeyOf(chain),
    seen,
    cluster,
    namespace ?? '',
    state,
    severity,
    verdict,
    openedAt,
    changedAt,
    containedIn(summary) > 0 ? 1 : 0,
    wordsOf(summary),
    text,
    marks.of(contentOf(text)),
  ];
}

function contentOf(text: string): string {
  return `incident summary ${text}`;
}

/** The searchable text: playbooks between bars, so that a playbook is found by its whole name. */
function wordsOf({ title, rules, pods, playbooks }: IncidentSummary): string {
  return [title, ...rules, ...pods, `|${playbooks.join('|')}|`].join('\n').toLowerCase();
}

interface Where {
  readonly sql: string;
  readonly values: readonly Parameter[];
}

/** Undefined: nothing is visible. */
function visibleOnly(
  visible: VisibleNamespaces,
  conditions: readonly string[],
  values: readonly Parameter[] = [],
): Where | undefined {
  if (visible === 'all') return { sql: `WHERE ${conditions.join(' AND ')}`, values };
  if (visible.length === 0) return undefined;
  const places = visible.map((_, index) => `$${values.length + index + 1}`).join(', ');
  return { sql: `WHERE ${[...conditions, `namespace IN (${places})`].join(' AND ')}`, values: [...values, ...visible] };
}

function whereOf(query: ListedBy, visible: VisibleNamespaces): Where | undefined {
  const conditions: string[] = ['1 = 1'];
  const values: Parameter[] = [];
  const place = (value: Parameter): string => `$${values.push(value)}`;
  const among = (column: string, wanted: readonly string[] | undefined): void => {
    if (wanted) conditions.push(wanted.length === 0 ? '1 = 0' : `${column} IN (${wanted.map(place).join(', ')})`);
  };
  const { state, severity, verdict, cluster, namespace, playbook, text, from, until, cursor } = query;
  if (state !== undefined) conditions.push(`state = ${place(state)}`);
  among('severity', severity);
  among('verdict', verdict);
  if (cluster !== undefined) conditions.push(`cluster = ${place(cluster)}`);
  among('namespace', namespace);
  if (playbook !== undefined) conditions.push(`words LIKE ${place(`%|${likeText(playbook)}|%`)} ESCAPE '!'`);
  if (text !== undefined && text.trim() !== '') conditions.push(`words LIKE ${place(`%${likeText(text.trim())}%`)} ESCAPE '!'`);
  if (from !== undefined) conditions.push(`opened_at >= ${place(from)}`);
  if (until !== undefined) conditions.push(`opened_at < ${place(until)}`);
  if (cursor !== undefined) {
    const { openedAt, key } = placeOf(cursor);
    const [at, same, after] = [place(openedAt), place(openedAt), place(key)];
    conditions.push(`opened_at <= ${at} AND (opened_at < ${same} OR incident_key < ${after})`);
  }
  return visibleOnly(visible, conditions, values);
}

function likeText(text: string): string {
  return text.toLowerCase().replaceAll('\0', '').replaceAll(/[!%_]/g, '!$&');
}

function cursorOf(row: Row): string {
  return Buffer.from(`${textOf(row, 'opened_at')} ${textOf(row, 'incident_key')}`).toString('base64url');
}

function placeOf(cursor: string): { readonly openedAt: string; readonly key: string } {
  const [openedAt = '', key = '', ...rest] = Buffer.from(cursor, 'base64url').toString().split(' ');
  if (!/^[0-9T:.Z-]{20,30}$/.test(openedAt) || !/^[0-9a-f]{32}$/.test(key) || rest.length > 0)
    throw new FirebreakError('FB_ERR_REFUSED', 'unknown next page: start with the first page');
  return { openedAt, key };
}

import type { Verdict } from '../../core/incident/incident.ts';
import {
  type IndexedIncident,
  type IndexedVerdict,
  incidentOfChain,
  indexLines,
  isVerdict,
  type LineMarks,
  likenessByImage,
  likenessByKind,
  type Similar,
  type SimilarIncident,
  type SimilarIncidents,
  type SimilarityKey,
} from '../../core/incident/similar.ts';
import { canonicalJson } from '../../core/text/digest.ts';
import type { Database, Queries, Row } from './queries.ts';
import { placeholders, textOf } from './row.ts';

const days = 90;
const dayMs = 86_400_000;
/** Counting stops here: a higher count would say no more. */
const counted = 200;
const listed = 3;
const rowsAtOnce = 100;

/**
 * Which incidents look alike, and what they turned out to be. Built from the records as they arrive; incidents older than 90 days are deleted. Each line
 * carries a mark that the desk can make and the database's password cannot: a forged line would tell people that what they are asked about was harmless forty
 * times. Lines without a mark are not shown, and are overwritten by new ones.
 */
export function createIncidentIndex(
  database: Database,
  { marks, now = Date.now }: { readonly marks: LineMarks; readonly now?: () => number },
): SimilarIncidents {
  const since = (): string => new Date(now() - days * dayMs).toISOString();
  const markOf = (line: IndexedIncident | IndexedVerdict): string => marks.of(contentOf(line));
  const isOurs = (line: IndexedIncident | IndexedVerdict, mark: unknown): boolean =>
    typeof mark === 'string' && marks.isOf(contentOf(line), mark);
  const dropStrange = async (queries: Queries, chain: string): Promise<void> => {
    for (const row of await queries.all('SELECT likeness, at, mark FROM incident_likeness WHERE chain = $1', [chain])) {
      const likeness = textOf(row, 'likeness');
      if (!isOurs({ chain, likeness, at: textOf(row, 'at') }, row.mark))
        await queries.all('DELETE FROM incident_likeness WHERE chain = $1 AND likeness = $2', [chain, likeness]);
    }
    for (const row of await queries.all('SELECT number, verdict, at, mark FROM incident_verdicts WHERE chain = $1', [chain])) {
      const verdict = verdictIn(chain, row);
      if (!verdict || !isOurs(verdict, row.mark)) await queries.all('DELETE FROM incident_verdicts WHERE chain = $1', [chain]);
    }
  };
  return {
    similarTo: async (looks) => {
      const likeness = likenessOf(looks);
      if (likeness === undefined) return undefined;
      const { id, run } = looks.incident;
      const rows = await database.all(
        `SELECT found.chain AS chain, found.at AS at, found.mark AS mark,
           judged.number AS number, judged.verdict AS verdict, judged.at AS judged_at, judged.mark AS judged_mark
         FROM incident_likeness AS found LEFT JOIN incident_verdicts AS judged ON judged.chain = found.chain
         WHERE found.likeness = $1 AND found.at >= $2 AND found.chain <> $3
         ORDER BY found.at DESC LIMIT $4`,
        [likeness, since(), `${id}@${run}`, counted + 1],
      );
      const ours = rows.flatMap((row): readonly Judged[] => {
        const line = { chain: textOf(row, 'chain'), likeness, at: textOf(row, 'at') };
        if (!isOurs(line, row.mark)) return [];
        const judged = verdictIn(line.chain, { ...row, at: row.judged_at });
        return [{ ...line, verdict: judged && isOurs(judged, row.judged_mark) ? judged.verdict : 'unknown' }];
      });
      return summary(ours, looks.image === undefined ? 'workload kind' : 'image');
    },
    note: async (records) => {
      const { incidents, verdicts } = indexLines(records);
      if (incidents.length === 0 && verdicts.length === 0) return;
      await database.transaction(async (queries) => {
        for (const chain of new Set([...incidents, ...verdicts].map((line) => line.chain))) await dropStrange(queries, chain);
        for (let start = 0; start < incidents.length; start += rowsAtOnce) {
          const part = incidents.slice(start, start + rowsAtOnce);
          await queries.all(
            `INSERT INTO incident_likeness (chain, likeness, at, mark) VALUES ${placeholders({ rows: part.length, columns: 4 })}
             ON CONFLICT (likeness, chain) DO NOTHING`,
            part.flatMap((line) => [line.chain, line.likeness, line.at, markOf(line)]),
          );
        }
        for (const line of verdicts)
          await queries.all(
            `INSERT INTO incident_verdicts (chain, number, verdict, at, mark) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (chain) DO UPDATE
             SET number = excluded.number, verdict = excluded.verdict, at = excluded.at, mark = excluded.mark
             WHERE incident_verdicts.number < excluded.number`,
            [line.chain, line.number, line.verdict, line.at, markOf(line)],
          );
        if (!records.some(({ kind }) => kind === 'incident.closed')) return;
        for (const table of ['incident_likeness', 'incident_verdicts'])
          await queries.all(`DELETE FROM ${table} WHERE at < $1`, [since()]);
      });
    },
  };
}

interface Judged extends IndexedIncident {
  readonly verdict: Verdict;
}

/** What a mark covers: a line of one table never passes for a line of the other. */
function contentOf(line: IndexedIncident | IndexedVerdict): string {
  return `incident index ${canonicalJson(line)}`;
}

function verdictIn(chain: string, row: Row): IndexedVerdict | undefined {
  const { verdict, number, at } = row;
  return isVerdict(verdict) && typeof at === 'string' ? { chain, number: Number(number), verdict, at } : undefined;
}

function likenessOf({ rule, image, incident }: SimilarityKey): string | undefined {
  return image === undefined ? likenessByKind({ rule, incident: incident.id }) : likenessByImage({ rule, image });
}

function summary(rows: readonly Judged[], by: Similar['by']): Similar | undefined {
  const found = rows.slice(0, counted).flatMap(({ chain, at, verdict }): readonly SimilarIncident[] => {
    const incident = incidentOfChain(chain);
    return incident ? [{ ...incident, at, verdict }] : [];
  });
  if (found.length === 0) return undefined;
  const verdicts: Partial<Record<Verdict, number>> = {};
  for (const { verdict } of found) verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
  return {
    by,
    days,
    total: found.length,
    ...(rows.length > counted && { more: true as const }),
    verdicts,
    latest: found.slice(0, listed),
  };
}

import type { Verdict } from '../../core/incident/incident.ts';
import {
  incidentOfChain,
  indexLines,
  isVerdict,
  likenessByImage,
  likenessByKind,
  type Similar,
  type SimilarIncident,
  type SimilarIncidents,
  type SimilarityKey,
} from '../../core/incident/similar.ts';
import type { Database, Row } from './queries.ts';
import { placeholders, textOf } from './row.ts';

const days = 90;
const dayMs = 86_400_000;
/** More are not counted: so many tell enough. */
const counted = 200;
const listed = 3;
const rowsAtOnce = 100;

/** Which incidents look alike, and what they turned out to be. Made from the records as they come; older ones than 90 days are forgotten. */
export function createIncidentIndex(database: Database, now: () => number = Date.now): SimilarIncidents {
  const since = (): string => new Date(now() - days * dayMs).toISOString();
  return {
    similarTo: async (looks) => {
      const likeness = likenessOf(looks);
      if (likeness === undefined) return undefined;
      const { id, run } = looks.incident;
      const rows = await database.all(
        `SELECT found.chain AS chain, found.at AS at, judged.verdict AS verdict
         FROM incident_likeness AS found LEFT JOIN incident_verdicts AS judged ON judged.chain = found.chain
         WHERE found.likeness = $1 AND found.at >= $2 AND found.chain <> $3
         ORDER BY found.at DESC LIMIT $4`,
        [likeness, since(), `${id}@${run}`, counted + 1],
      );
      return summary(rows, looks.image === undefined ? 'workload kind' : 'image');
    },
    note: async (records) => {
      const { incidents, verdicts } = indexLines(records);
      if (incidents.length === 0 && verdicts.length === 0) return;
      await database.transaction(async (queries) => {
        for (let start = 0; start < incidents.length; start += rowsAtOnce) {
          const part = incidents.slice(start, start + rowsAtOnce);
          await queries.all(
            `INSERT INTO incident_likeness (chain, likeness, at) VALUES ${placeholders({ rows: part.length, columns: 3 })}
             ON CONFLICT (likeness, chain) DO NOTHING`,
            part.flatMap(({ chain, likeness, at }) => [chain, likeness, at]),
          );
        }
        for (const { chain, number, verdict, at } of verdicts)
          await queries.all(
            `INSERT INTO incident_verdicts (chain, number, verdict, at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (chain) DO UPDATE SET number = excluded.number, verdict = excluded.verdict, at = excluded.at
             WHERE incident_verdicts.number < excluded.number`,
            [chain, number, verdict, at],
          );
        if (!records.some(({ kind }) => kind === 'incident.closed')) return;
        for (const table of ['incident_likeness', 'incident_verdicts'])
          await queries.all(`DELETE FROM ${table} WHERE at < $1`, [since()]);
      });
    },
  };
}

function likenessOf({ rule, image, incident }: SimilarityKey): string | undefined {
  return image === undefined ? likenessByKind({ rule, incident: incident.id }) : likenessByImage({ rule, image });
}

function summary(rows: readonly Row[], by: Similar['by']): Similar | undefined {
  const found = rows.slice(0, counted).flatMap((row): readonly SimilarIncident[] => {
    const incident = incidentOfChain(textOf(row, 'chain'));
    const verdict: Verdict = isVerdict(row.verdict) ? row.verdict : 'unknown';
    return incident ? [{ ...incident, at: textOf(row, 'at'), verdict }] : [];
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

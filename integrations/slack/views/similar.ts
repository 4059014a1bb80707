import { shortIncidentId, type Verdict } from '../../../core/incident/incident.ts';
import type { Similar } from '../../../core/incident/similar.ts';
import { code, linesUpTo, localTime } from './text.ts';

const words: Readonly<Record<Verdict, string>> = {
  true_positive: 'true positive',
  suspicious: 'suspicious',
  benign: 'benign',
  unknown: 'not judged',
};
const order: readonly Verdict[] = ['true_positive', 'suspicious', 'benign', 'unknown'];

/** What became of incidents that looked like this one. Ids of the same cluster are written as people type them. */
export function similarText({ by, days, total, more, verdicts, latest }: Similar, cluster: string, max: number): string {
  const counts = order.flatMap((verdict) => (verdicts[verdict] ? [`${verdicts[verdict]} ${words[verdict]}`] : []));
  const lines = latest.map(
    ({ id, at, verdict }) => `•  ${code(shortIncidentId(id, cluster), 160)}, ${localTime(at)}: ${words[verdict]}`,
  );
  const number = more ? `more than ${total}` : String(total);
  return linesUpTo(
    [`*Similar incidents* (same rule and ${by}, ${days} days): ${number}, of which ${counts.join(', ')}`, ...lines],
    max,
  );
}

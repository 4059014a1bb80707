import type { AuditRecord } from '../audit/audit.ts';
import { type SuppressionMatch, suppressionKey, type UnsuppressibleReason } from '../orders/suppression.ts';
import { isObject } from '../text/plain-json.ts';
import { type Severity, severities, worse } from './severity.ts';

/** One kind of alert that an incident has seen and that a suppression could hide. */
export interface SuppressibleKind {
  readonly match: SuppressionMatch;
  /** The worst severity of this kind. */
  readonly severity: Severity;
}

export interface Suppressible {
  /** Newest first. */
  readonly kinds: readonly SuppressibleKind[];
  /** Rules with some alert that cannot be hidden, and why not. */
  readonly not: readonly { readonly rule: string; readonly why: string }[];
}

const mostKinds = 20;

const reasons: Readonly<Record<UnsuppressibleReason, string>> = {
  'in doubt': 'the alert is in doubt',
  'no workload': 'it is not about a workload',
  'guessed owner': 'the owner of its pod was only guessed',
  'unknown pod': 'the cluster did not know its pod',
  'unknown image': 'the digest of its image is not known',
};

/** Returns what an incident’s records say about which of its alerts could be hidden. Its workflow has called `matchOf` for each of them. */
export function suppressibleIn(records: readonly AuditRecord[]): Suppressible {
  const kinds = new Map<string, SuppressibleKind>();
  const not = new Map<string, string>();
  for (const { kind, body } of records) {
    if (kind !== 'incident.opened' && kind !== 'alert.joined') continue;
    for (const entry of Array.isArray(body.alerts) ? body.alerts.filter(isObject) : []) {
      const found = kindIn(entry);
      if (typeof found === 'string') {
        if (typeof entry.rule === 'string') not.set(entry.rule, found);
        continue;
      }
      const key = JSON.stringify([suppressionKey(found.match), found.match.sensor]);
      const before = kinds.get(key);
      // Deleted first: a map keeps the insertion order of its keys.
      kinds.delete(key);
      kinds.set(key, { ...found, severity: worse(before?.severity ?? 'unknown', found.severity) });
    }
  }
  return {
    kinds: [...kinds.values()].reverse().slice(0, mostKinds),
    not: [...not].map(([rule, why]) => ({ rule, why })).slice(0, mostKinds),
  };
}

/** Returns the kind of one alert on record, or why it cannot be hidden. */
function kindIn(entry: Readonly<Record<string, unknown>>): SuppressibleKind | string {
  const { rule, digest, sensor, workload, severity, unsuppressible } = entry;
  const why = Object.entries(reasons).find(([name]) => name === unsuppressible);
  if (why) return why[1];
  if (typeof rule !== 'string' || typeof digest !== 'string' || typeof sensor !== 'string' || !isObject(workload))
    return 'its record lacks details that a suppression needs';
  const { namespace, kind, name } = workload;
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) return reasons['unknown image'];
  if (typeof namespace !== 'string' || typeof kind !== 'string' || typeof name !== 'string') return reasons['no workload'];
  return {
    match: { rule, namespace, workload: { kind, name }, image: { digest }, sensor },
    severity: severities.find((one) => one === severity) ?? 'unknown',
  };
}

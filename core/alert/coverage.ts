import { atLeast, type Severity } from './severity.ts';

/** One kind of alert about one pod, node or workload. */
export interface AlertKind {
  readonly rule: string;
  readonly severity: Severity;
}

/** People called something harmless. Their answer covers what they knew of then, and nothing else or worse. */
export interface HarmlessDecision {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Ids of people. */
  readonly by: readonly string[];
  readonly covers: readonly AlertKind[];
}

/** From this severity on, alerts that come after an answer are not merely counted. */
export const asksAgainFrom: Severity = 'high';

/** Maximum number of kinds remembered: beyond that nothing is covered. */
const mostKinds = 50;

export function covers(kinds: readonly AlertKind[], { rule, severity }: AlertKind): boolean {
  return kinds.some((known) => known.rule === rule && atLeast(known.severity, severity));
}

export function withKind(kinds: readonly AlertKind[], { rule, severity }: AlertKind): readonly AlertKind[] {
  if (kinds.length >= mostKinds || covers(kinds, { rule, severity })) return kinds;
  return [...kinds.filter((known) => known.rule !== rule), { rule, severity }];
}

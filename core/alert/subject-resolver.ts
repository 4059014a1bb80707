import type { Subject } from '../incident/incident.ts';
import type { Alert } from './alert.ts';

/** An alert completed from the cluster, and whom its incident is about. */
export interface ResolvedAlert {
  /** With pod uid, workload, node and container image where they are known; everything else as it came. */
  readonly alert: Alert;
  readonly subject: Subject;
  /** Why it could not be told for sure (`two pods have this container id prefix`). Nothing automatic is done then. */
  readonly ambiguous?: string;
}

/**
 * Tells whom an alert is about. It answers from memory (a watch cache), at once, and never throws: what it cannot say
 * stays absent. The incident id is computed from `subject` once and kept with the alert.
 */
export interface SubjectResolver {
  resolve(alert: Alert): ResolvedAlert;
}

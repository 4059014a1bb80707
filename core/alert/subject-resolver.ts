import type { Subject } from '../incident/incident.ts';
import type { Alert } from './alert.ts';

/** An alert completed from the cluster, and the subject of its incident. */
export interface ResolvedAlert {
  /** With pod uid, workload, node and container image if they are known; everything else as it came. */
  readonly alert: Alert;
  readonly subject: Subject;
  /** Why the subject is not certain (`two pods have this container id prefix`). Nothing automatic is done then. */
  readonly ambiguous?: string;
}

/**
 * Determines whom an alert is about. It answers from memory (a watch cache), at once, and never throws: what it does not know stays absent. The incident id is
 * computed from `subject` once and kept with the alert.
 */
export interface SubjectResolver {
  resolve(alert: Alert): ResolvedAlert;
}

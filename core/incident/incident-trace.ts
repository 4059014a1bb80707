import { sha256Hex } from '../text/digest.ts';
import type { IncidentRef } from './incident.ts';

/** Ids that make the spans of one incident's run findable as one connected trace. Ids as in W3C Trace Context: lower-case hex. */
export interface IncidentTrace {
  readonly traceId: string;
  /** The root: from the first alert until the incident started. */
  readonly alertSpan: string;
  readonly startSpan: string;
  readonly workflowSpan: string;
}

/**
 * Derived from the run that the cell's own messages name, so that each process computes the same ids, and no trace context has to pass through Temporal, where
 * a stranger could write it. Not secret: anyone who knows the incident may know it.
 */
export function traceOf({ id, run }: IncidentRef): IncidentTrace {
  const idOf = (part: string, digits: number): string =>
    sha256Hex(JSON.stringify(['firebreak.trace', part, id, run])).slice(0, digits);
  return {
    traceId: idOf('trace', 32),
    alertSpan: idOf('alert', 16),
    startSpan: idOf('start', 16),
    workflowSpan: idOf('workflow', 16),
  };
}

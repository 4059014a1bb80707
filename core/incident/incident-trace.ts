import { sha256Hex } from '../text/digest.ts';
import type { IncidentRef } from './incident.ts';

/** By which the spans of one incident's run are found as one trace, and hang together. Ids as W3C Trace Context has them: lower-case hex. */
export interface IncidentTrace {
  readonly traceId: string;
  /** The root: from the first alert until the incident was started. */
  readonly alertSpan: string;
  readonly startSpan: string;
  readonly workflowSpan: string;
}

/**
 * Worked out from what the cell's own messages say the run is, so that each process comes to the same, and no trace context has to come through
 * Temporal, where a stranger could write it. No secret: whoever knows the incident may know it.
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

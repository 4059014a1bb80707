import { incidentIdOf } from '../../../core/incident/incident.ts';
import type { Tracing } from '../../process/telemetry/tracing.ts';
import type { SpooledBatch } from './batch.ts';
import type { Delivered } from './delivery.ts';
import type { IncidentLine } from './incident-line.ts';

/**
 * Adds the delivery of alerts to Temporal to the trace of their incident: from when the first alert was accepted until Temporal has them all, the time in the
 * spool, and what is contained meanwhile. The run is known only at the end. Alerts for a run that another process started are not traced, because its first run
 * is not known here.
 *
 * @param written when they were written to disk; absent if they were already there
 */
export function tracedDelivery(
  tracing: Tracing | undefined,
  {
    line,
    spooled,
    written,
  }: { readonly line: IncidentLine; readonly spooled: SpooledBatch; readonly written?: Promise<unknown> },
  send: () => Promise<Delivered>,
): Promise<Delivered> {
  if (!tracing) return send();
  const { subject, since, size, severity } = spooled;
  const handedOverMs = Date.now();
  const earlier = line.run;
  const writtenMs = written?.then(
    () => Date.now(),
    () => undefined,
  );
  return tracing.ahead(async (join) => {
    waitForTrace(line, join);
    const outcome = await send();
    if (outcome !== 'sent') return outcome;
    const ahead = line.ahead.splice(0);
    const { run } = line;
    if (run === undefined) return outcome;
    const ref = { id: incidentIdOf(subject), run };
    const startMs = Math.min(Date.parse(since), handedOverMs);
    const attributes = { 'firebreak.incident': ref.id, 'firebreak.alerts': size, 'firebreak.severity': severity };
    const { traceId, spanId } = tracing.record(
      ref,
      ({ alertSpan }) => (run === earlier ? { parentId: alertSpan } : { spanId: alertSpan }),
      { name: 'alert', kind: 'server', startMs, endMs: Date.now(), attributes },
    );
    for (const joinTo of ahead) joinTo(traceId, spanId);
    const spoolSpan = (begunMs: number, endMs: number): void => {
      tracing.record(ref, () => ({ parentId: spanId }), { name: 'spool', kind: 'internal', startMs: begunMs, endMs });
    };
    if (writtenMs) void writtenMs.then((at) => at !== undefined && spoolSpan(handedOverMs, at));
    else spoolSpan(startMs, handedOverMs);
    return outcome;
  });
}

/** Maximum number of parts of one incident that wait for its trace; the oldest are dropped from the trace. */
const mostAhead = 16;

/** Traces containment that happens before its alert is sent: it joins the trace when the alert is sent. */
export function tracedAhead(tracing: Tracing | undefined, line: IncidentLine, work: () => void): void {
  if (tracing === undefined) work();
  else
    tracing.ahead((join) => {
      waitForTrace(line, join);
      work();
    });
}

/** Includes work done in a failed attempt: the next successful attempt adds it. */
function waitForTrace({ ahead }: IncidentLine, join: IncidentLine['ahead'][number]): void {
  ahead.push(join);
  if (ahead.length > mostAhead) ahead.shift();
}

import type { Alert } from '../../../core/alert/alert.ts';
import type { SubjectResolver } from '../../../core/alert/subject-resolver.ts';
import { headStartWithinMs } from '../../../core/incident/head-start.ts';
import { incidentIdOf } from '../../../core/incident/incident.ts';
import type { SpooledBatch } from './batch.ts';

/**
 * The batch as it is to be acted on now. An alert that waited in the spool for more than 15 minutes is about a cluster of then: whom it is about
 * is told anew, and nothing is done for it without people.
 *
 * @param now milliseconds since 1970
 */
export function asOfNow(
  spooled: SpooledBatch,
  { resolver, now }: { readonly resolver: SubjectResolver | undefined; readonly now: number },
): SpooledBatch {
  const isLate = ({ receivedAt }: Alert): boolean => now - Date.parse(receivedAt ?? spooled.since) > headStartWithinMs;
  const { batch } = spooled;
  if (!batch.alerts.some(isLate)) return spooled;
  const incident = incidentIdOf(spooled.subject);
  const alerts = batch.alerts.map((alert) => {
    if (!isLate(alert)) return alert;
    const minutes = Math.round((now - Date.parse(alert.receivedAt ?? spooled.since)) / 60_000);
    const waited = `the alert waited for ${minutes} minutes before it could be handled`;
    const resolved = resolver?.resolve(alert);
    // Its incident stays: the id is kept with the alert. What else has changed is what people must know.
    const moved = resolved !== undefined && incidentIdOf(resolved.subject) !== incident;
    const doubt = moved ? `${waited}, and today it would be about ${incidentIdOf(resolved.subject)}` : waited;
    return { ...(moved ? alert : (resolved?.alert ?? alert)), doubt: alert.doubt ?? doubt };
  });
  return { ...spooled, batch: { ...batch, alerts } };
}

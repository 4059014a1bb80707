import { type AuditLog, isWrite } from '../../tools/demo/audit-log.ts';
import { microseconds } from './clock.ts';
import type { PodTarget } from './stage.ts';

/** When the API server answered the patch of this pod, by its own clock. */
export async function patchedAt(log: AuditLog, pod: Pick<PodTarget, 'name'>, withinMs = 20_000): Promise<number> {
  const event = await log.first(
    `label patch of ${pod.name}`,
    withinMs,
    (seen) => isWrite(seen) && seen.verb === 'patch' && seen.objectRef?.resource === 'pods' && seen.objectRef.name === pod.name,
  );
  return microseconds(event.stageTimestamp);
}

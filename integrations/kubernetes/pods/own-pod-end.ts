import type { PodJson } from '../watch/projection.ts';

/**
 * Reasons in `status.reason`, as the kubelet and the controllers write them, for which the node or the cluster ended a pod or did not start it, regardless of
 * its command: its own time is over, the node is short of something, shuts down, makes room or is lost.
 * https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
 */
const fromOutside: ReadonlySet<string> = new Set([
  'DeadlineExceeded',
  'Evicted',
  'NodeLost',
  'NodeShutdown',
  'OutOfcpu',
  'OutOfmemory',
  'OutOfephemeral-storage',
  'OutOfpods',
  'Preempting',
  'Shutdown',
  'Terminated',
]);

/** A restarted node that no longer finds a container reports this end instead of its own. */
const unknownEnds: ReadonlySet<string> = new Set(['ContainerStatusUnknown', 'Unknown']);

/** `by itself`: its command ended, or could not be run, and would do so again. `from outside`: a replacement pod may get further. */
export interface PodEnd {
  readonly how: 'by itself' | 'from outside';
  readonly why: string;
}

/** How a pod with one container ended, or undefined while it may still run. */
export function endOf(pod: PodJson): PodEnd | undefined {
  const { metadata, status } = pod;
  const ended = status?.containerStatuses?.[0]?.state?.terminated;
  const disrupted = status?.conditions?.find((one) => one.type === 'DisruptionTarget' && one.status === 'True')?.reason;
  const failed = status?.phase === 'Failed' ? status.reason : undefined;
  if (failed !== undefined && fromOutside.has(failed)) return { how: 'from outside', why: failed };
  if (!ended && status?.phase !== 'Failed') return;
  if (disrupted) return { how: 'from outside', why: disrupted };
  if (ended?.reason && unknownEnds.has(ended.reason)) return { how: 'from outside', why: 'its node no longer knows how' };
  // Deleting a pod ends its containers first.
  if (metadata?.deletionTimestamp) return { how: 'from outside', why: 'it was deleted' };
  const why = ended ? `exit code ${ended.exitCode} (${ended.reason ?? 'no reason'})` : (status?.reason ?? 'no reason given');
  return { how: 'by itself', why };
}

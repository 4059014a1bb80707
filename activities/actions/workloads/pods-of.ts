import type { TargetName } from '../../../core/action/plan.ts';
import type { ResolvedPod } from '../../../core/actions/pod.schema.ts';
import type { NamedWorkload } from '../../../core/actions/workload.schema.ts';
import { type CellKey, isHeldByCell } from '../../../core/cluster/before-state.ts';
import { type LabelSelector, type PodRecord, selects } from '../../../core/cluster/pod-record.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { listObjects } from '../../../integrations/kubernetes/objects.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { type PodJson, podRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { isOfWorkload, topOwnerOf } from '../../../integrations/kubernetes/workloads/owners.ts';

/**
 * The pods of a workload: those that its selector selects, those that it owns, and those that were its own when its step was planned. Anyone who can write them
 * could have removed a pod from some of these sets meanwhile, but not from all. Pods that the cell has quarantined are no longer its own: they stay.
 */
export async function podsOfWorkload(options: {
  readonly api: KubernetesApi;
  readonly view: Pick<ClusterView, 'ownersOf'>;
  readonly cellKey: CellKey;
  readonly workload: NamedWorkload;
  /** Absent if it has none, or is gone. */
  readonly selector: LabelSelector | undefined;
  readonly planned?: readonly TargetName[] | undefined;
  readonly signal: AbortSignal;
}): Promise<readonly PodRecord[]> {
  const { api, view, cellKey, workload, selector, planned = [], signal } = options;
  const { namespace } = workload;
  const known = new Set(planned);
  const all = await listObjects<PodJson>({ api, ref: { kind: 'Pod', resource: 'pods', namespace }, signal });
  return all
    .map(podRecord)
    .filter((pod) => !isHeldByCell(pod, cellKey) && pod.phase !== 'Succeeded' && pod.phase !== 'Failed')
    .filter(
      (pod) =>
        known.has(`pod/${namespace}/${pod.name}`) ||
        (selector !== undefined && selects(selector, pod.labels)) ||
        isOfWorkload(pod, topOwnerOf({ pod, view }).workload, workload),
    );
}

export function resolvedPods(pods: readonly PodRecord[]): ResolvedPod[] {
  return pods.map(({ namespace, name, uid }) => ({ namespace, name, uid }));
}

/** Returns which of these pods still exist, with one call. */
export function lookAmong(
  api: KubernetesApi,
  { namespace }: NamedWorkload,
  pods: readonly ResolvedPod[],
  signal: AbortSignal,
): () => Promise<readonly PodJson[]> {
  const uids = new Set(pods.map(({ uid }) => uid));
  return async () => {
    if (uids.size === 0) return [];
    const all = await listObjects<PodJson>({ api, ref: { kind: 'Pod', resource: 'pods', namespace }, signal });
    return all.filter(
      ({ metadata, status }) => uids.has(metadata?.uid ?? '') && status?.phase !== 'Succeeded' && status?.phase !== 'Failed',
    );
  };
}

import type { TargetName } from '../../../core/action/plan.ts';
import { type LabelSelector, type PodRecord, selects } from '../../../core/cluster/pod-record.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { listObjects } from '../../../integrations/kubernetes/objects.ts';
import { notQuarantined } from '../../../integrations/kubernetes/policies/network-policies.ts';
import { type PodJson, podRecord } from '../../../integrations/kubernetes/watch/projection.ts';

/**
 * Pods that a policy selects but does not apply to, because they use their node's network. The quarantine label excludes none of them: such a pod is never
 * quarantined, and anyone who creates one can write the label.
 */
export function podsOutside(
  pods: Iterable<Pick<PodRecord, 'namespace' | 'name' | 'labels' | 'hostNetwork' | 'phase'>>,
  selector: LabelSelector,
): readonly TargetName[] {
  const { matchExpressions = [], ...rest } = selector;
  const about = { ...rest, matchExpressions: matchExpressions.filter(({ key }) => key !== notQuarantined.key) };
  return [...pods]
    .filter(({ hostNetwork, phase }) => hostNetwork && phase !== 'Succeeded' && phase !== 'Failed')
    .filter(({ labels }) => selects(about, labels))
    .map(({ namespace, name }) => `pod/${namespace}/${name}`)
    .sort();
}

/** The same, as the API server currently has them. */
export async function readPodsOutside(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly selector: LabelSelector;
  readonly signal: AbortSignal;
}): Promise<readonly TargetName[]> {
  const { api, namespace, selector, signal } = options;
  const pods = await listObjects<PodJson>({ api, ref: { kind: 'Pod', resource: 'pods', namespace }, signal });
  return podsOutside(pods.map(podRecord), selector);
}

export const outsideText = 'uses the network of its node, where no policy applies';

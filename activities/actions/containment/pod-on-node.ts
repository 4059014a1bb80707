import type { ResolvedPod } from '../../../core/actions/pod.schema.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { readSamePod } from '../../../integrations/kubernetes/pods/pods.ts';
import type { PodJson } from '../../../integrations/kubernetes/watch/projection.ts';

export interface PodOnNode {
  readonly found: PodJson;
  readonly node: string;
  /** Of both families, if it has both. */
  readonly addresses: readonly string[];
}

/**
 * The node of a pod, and the addresses that are the pod's own: entries for these in the node's connection table belong to the pod.
 * @throws FB_ERR_REFUSED if it has none, or shares it with the node; otherwise as `readSamePod`.
 */
export async function podOnNode(of: {
  readonly api: KubernetesApi;
  readonly pod: ResolvedPod;
  readonly signal: AbortSignal;
}): Promise<PodOnNode> {
  const found = await readSamePod(of);
  const name = `pod/${of.pod.namespace}/${of.pod.name}`;
  if (found.spec?.hostNetwork)
    throw new FirebreakError(
      'FB_ERR_REFUSED',
      `${name} uses the network of its node: its connections cannot be told apart from the node’s`,
    );
  const { nodeName: node } = found.spec ?? {};
  const { podIP, podIPs = [], phase } = found.status ?? {};
  // https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase: its network is then taken down, but the status keeps the address.
  if (phase === 'Succeeded' || phase === 'Failed')
    throw new FirebreakError('FB_ERR_REFUSED', `${name} has ended: its address may be another pod’s by now`);
  const addresses = [...new Set([...(podIP === undefined ? [] : [podIP]), ...podIPs.map(({ ip }) => ip)])];
  if (node === undefined || addresses.length === 0)
    throw new FirebreakError('FB_ERR_REFUSED', `${name} has no address on a node yet`);
  return { found, node, addresses };
}

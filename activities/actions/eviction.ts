import type { ResolvedPod } from '../../core/actions/pod.schema.ts';
import { type KubernetesApi, pathOf } from '../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../integrations/kubernetes/client-error.ts';
import { readPod } from '../../integrations/kubernetes/pods.ts';

/** `held`: a disruption budget allows no eviction now. `several`: more than one budget selects the pod, which the API refuses for good. */
export type Evicted = 'evicted' | 'gone' | 'held' | 'several';

/**
 * Asks the API server to evict exactly this pod, once; budgets are its to judge. Nothing is ever forced past one.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
 */
export async function evict(options: {
  readonly api: KubernetesApi;
  readonly pod: ResolvedPod;
  readonly signal: AbortSignal;
}): Promise<Evicted> {
  const { api, pod, signal } = options;
  const { namespace, name, uid } = pod;
  const found = await readPod({ api, namespace, name, signal });
  if (found?.metadata?.uid !== uid || found.metadata.deletionTimestamp !== undefined) return 'gone';
  try {
    await api.json({
      method: 'POST',
      path: pathOf({ resource: 'pods', namespace, name, subresource: 'eviction' }),
      body: {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { namespace, name },
        deleteOptions: { preconditions: { uid } },
      },
      what: `create pods/eviction in ${namespace}`,
      signal,
    });
    return 'evicted';
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    if (error.status === 429) return 'held';
    if (error.status === 500) return 'several';
    if (error.status !== 404 && error.status !== 409) throw error;
    const now = await readPod({ api, namespace, name, signal });
    if (now?.metadata?.uid === uid && now.metadata.deletionTimestamp === undefined) throw error;
    return 'gone';
  }
}

export const heldText = 'its disruption budget allows no eviction now';
export const severalText = 'more than one disruption budget selects it, and the API server refuses its eviction';

import type { ResolvedPod } from '../../core/actions/pod.schema.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { readSamePod } from '../../integrations/kubernetes/pods/pods.ts';

/** The plan of an action that reads a pod and changes nothing. @throws as `readSamePod` */
export async function planToRead(options: {
  readonly api: KubernetesApi;
  readonly pod: ResolvedPod;
  readonly signal: AbortSignal;
  readonly notes: readonly string[];
}) {
  const { api, pod, signal, notes } = options;
  await readSamePod({ api, pod, signal });
  const name = `pod/${pod.namespace}/${pod.name}`;
  return { target: { name, uid: pod.uid }, changes: [], blastRadius: [name], notes };
}

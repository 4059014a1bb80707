import type { ResolvedPod } from '../../../core/actions/pod.schema.ts';
import type { Artefact } from '../../../core/evidence/evidence.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { type ContainerLog, readContainerLog } from '../../../integrations/kubernetes/pods/pod-logs.ts';
import { readPod } from '../../../integrations/kubernetes/pods/pods.ts';
import type { PodJson } from '../../../integrations/kubernetes/watch/projection.ts';

type CollectedLog = Pick<Artefact, 'name' | 'mediaType' | 'tool' | 'partial'> & { readonly bytes: Uint8Array };

/** The logs of every container of the pod that has run, and of its previous run if there was one; bounded, and stating what is missing. */
export async function collectPodLogs(options: {
  readonly api: KubernetesApi;
  readonly pod: PodJson;
  readonly target: ResolvedPod;
  readonly maxLines: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}): Promise<readonly CollectedLog[]> {
  const { api, pod, target, maxLines, maxBytes, signal } = options;
  const { namespace, name } = target;
  const logs = logsOf(pod);
  const read = await Promise.all(
    logs.map((log): Promise<ContainerLog> => readContainerLog({ api, namespace, pod: name, ...log, maxLines, maxBytes, signal })),
  );
  // Logs are read by name: a StatefulSet's next pod would have answered just as well.
  const still = await readPod({ api, namespace, name, signal });
  const replaced = still !== undefined && still.metadata?.uid !== target.uid;
  return logs.flatMap(({ container, previous }, index): CollectedLog[] => {
    const log = read[index];
    if (!log) return [];
    const partial = [log.partial, replaced ? 'the pod was replaced meanwhile: these lines may be its successor’s' : undefined]
      .filter((part) => part !== undefined)
      .join('; ');
    const artefact = `logs/${container}${previous ? '.previous' : ''}.log`;
    return [{ name: artefact, mediaType: 'text/plain', tool: 'kubelet-log', ...(partial && { partial }), bytes: log.bytes }];
  });
}

function logsOf(pod: PodJson): readonly { readonly container: string; readonly previous: boolean }[] {
  const { status } = pod;
  const statuses = [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ];
  return statuses.flatMap(({ name, restartCount, state }) => [
    ...(state?.waiting && restartCount === 0 ? [] : [{ container: name, previous: false }]),
    ...(restartCount > 0 ? [{ container: name, previous: true }] : []),
  ]);
}

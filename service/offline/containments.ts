import { lookAtQuarantine, type UndoLook, undoQuarantine } from '../../activities/actions/quarantine-undo.ts';
import type { UndoResult } from '../../core/action.ts';
import type { CellKey } from '../../core/before-state.ts';
import { names } from '../../core/labels.ts';
import type { PodRecord } from '../../core/pod-record.ts';
import { type KubernetesApi, pathOf } from '../../integrations/kubernetes/client.ts';
import { type PodJson, podRecord } from '../../integrations/kubernetes/projection.ts';

/** A pod that is quarantined, or still carries a mark of it, and what giving it back would change. */
export interface Containment {
  readonly pod: PodRecord;
  readonly incident: string | undefined;
  readonly look: UndoLook;
  /** `- label` goes, `+ label` comes back; sorted. */
  readonly changes: readonly string[];
}

/** Every containment in the cluster, or in one namespace, from the API server alone. @throws FB_ERR_REFUSED, FB_ERR_UNAVAILABLE. */
export async function findContainments(options: {
  readonly api: KubernetesApi;
  readonly namespace?: string;
  readonly cellKey: CellKey | undefined;
}): Promise<readonly Containment[]> {
  const { api, namespace, cellKey } = options;
  const found: Containment[] = [];
  let next: string | undefined;
  do {
    const page = await api.json<{ readonly items: readonly PodJson[]; readonly metadata?: { readonly continue?: string } }>({
      method: 'GET',
      path: pathOf({ resource: 'pods', ...(namespace && { namespace }) }),
      query: { limit: '500', ...(next && { continue: next }) },
      what: `list pods in ${namespace ?? 'all namespaces'}`,
      timeoutMs: 30_000,
    });
    for (const item of page.items) {
      const pod = podRecord(item);
      // By the marks, not by the label alone: a pod whose label somebody took off has still not got its own back.
      const marked =
        pod.labels[names.quarantineLabel] !== undefined ||
        pod.annotations[names.beforeAnnotation] !== undefined ||
        pod.annotations[names.incidentAnnotation] !== undefined;
      if (!marked) continue;
      const look = lookAtQuarantine(pod, cellKey);
      found.push({ pod, incident: pod.annotations[names.incidentAnnotation], look, changes: changesOf(pod, look) });
    }
    next = page.metadata?.continue || undefined;
  } while (next);
  return found;
}

/** Undoes one of them. A drifted one is refused unless `force`, which needs a before-state of this pod that can be read. */
export function releaseContainment(options: {
  readonly api: KubernetesApi;
  readonly containment: Containment;
  readonly cellKey: CellKey | undefined;
  readonly force: boolean;
}): Promise<UndoResult> {
  const { api, containment, cellKey, force } = options;
  return undoQuarantine({ api, pod: containment.pod, cellKey, force });
}

function changesOf(pod: PodRecord, { before }: UndoLook): readonly string[] {
  if (!before) return [];
  const keys = [...new Set([...Object.keys(pod.labels), ...Object.keys(before.labels)])].sort();
  return keys.flatMap((key) => {
    const [now, then] = [pod.labels[key], before.labels[key]];
    if (now === then) return [];
    return [...(now === undefined ? [] : [`- ${key}=${now}`]), ...(then === undefined ? [] : [`+ ${key}=${then}`])];
  });
}

import { lookAtQuarantine, type UndoLook, undoQuarantine } from '../../activities/actions/containment/quarantine-undo.ts';
import { names } from '../../core/cluster/labels.ts';
import type { PodRecord } from '../../core/cluster/pod-record.ts';
import { listObjects } from '../../integrations/kubernetes/objects.ts';
import { type PodJson, podRecord } from '../../integrations/kubernetes/watch/projection.ts';
import type { Containment, FindOptions } from './containment.ts';

/** Finds pods that are quarantined, or still carry a mark of it. */
export async function findContainedPods({ api, namespace, cellKey }: FindOptions): Promise<readonly Containment[]> {
  const ref = { kind: 'Pod', resource: 'pods', ...(namespace !== undefined && { namespace }) };
  return (await listObjects<PodJson>({ api, ref })).map(podRecord).flatMap((pod): Containment[] => {
    if (!isMarked(pod)) return [];
    const look = lookAtQuarantine(pod, cellKey);
    return [
      {
        target: `pod/${pod.namespace}/${pod.name}`,
        uid: pod.uid,
        action: 'quarantinePod',
        incident: pod.annotations[names.incidentAnnotation],
        state: look.state,
        authentic: look.authentic,
        difference: look.difference,
        changes: changesOf(pod, look),
        before: look.before?.labels ?? null,
        release: (force) => undoQuarantine({ api, pod, cellKey, by: 'hand', ...(force && { despite: look.difference }) }),
      },
    ];
  });
}

/** Checks all marks, not only the label: a pod whose label somebody removed has still not been restored. */
function isMarked({ labels, annotations }: PodRecord): boolean {
  return (
    labels[names.quarantineLabel] !== undefined ||
    annotations[names.beforeAnnotation] !== undefined ||
    annotations[names.incidentAnnotation] !== undefined
  );
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

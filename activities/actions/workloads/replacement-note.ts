import { type CellKey, type NamedKind, openBeforeState } from '../../../core/cluster/before-state.ts';
import { names } from '../../../core/cluster/labels.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import { isQuarantined } from '../../../integrations/kubernetes/policies/network-policies.ts';
import { controllerOf, ownerEffect } from '../../../integrations/kubernetes/workloads/owners.ts';

type Pod = Pick<PodRecord, 'uid' | 'labels' | 'annotations' | 'owners'>;

/**
 * Says whether another pod comes in the place of one that is ended. A quarantined pod has no owner any more, since the reference went with its labels: the note
 * on it names the owner, and is believed only with the cell's seal.
 */
export function replacementNote(pod: Pod, cellKey: CellKey | undefined): string {
  if (!isQuarantined(pod.labels)) return comesBack(controllerOf(pod.owners));
  const opened = openBeforeState({ text: pod.annotations[names.beforeAnnotation], podUid: pod.uid, key: cellKey });
  if (opened.kind !== 'read' || opened.authentic !== 'yes') return 'Whether another pod has taken its place is not known.';
  const { owner, workload = owner } = opened.state;
  if (!owner || !workload) return nothing;
  // It has waited for the name.
  if (owner.kind === 'StatefulSet') return comesBack(owner);
  return `${workload.kind} ${workload.name} already runs without it: a new pod took its place when it was quarantined.`;
}

const nothing = 'Nothing starts another pod in its place.';

function comesBack(owner: NamedKind | undefined): string {
  return owner ? `${owner.kind} ${owner.name} ${ownerEffect(owner.kind)}: the same image and configuration come back.` : nothing;
}

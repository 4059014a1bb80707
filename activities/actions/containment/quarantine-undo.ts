import { isDeepStrictEqual } from 'node:util';
import type { UndoResult } from '../../../core/action/action.ts';
import { labelDifference } from '../../../core/action/drift.ts';
import {
  type BeforeState,
  type CellKey,
  type GivenBackBy,
  openBeforeState,
  quarantineLabels,
  releaseMark,
} from '../../../core/cluster/before-state.ts';
import { doNotDisrupt, names } from '../../../core/cluster/labels.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import type { AllowRelease, ReleasedObject } from '../../../core/incident/hold.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { despiteConflicts } from '../../../integrations/kubernetes/objects.ts';
import { readPod, replacePodLabels } from '../../../integrations/kubernetes/pods/pods.ts';
import { type PodJson, podRecord } from '../../../integrations/kubernetes/watch/projection.ts';

/** What prevents an exact undo, and what the undo would restore. */
export interface UndoLook {
  /** `clear`: can be undone exactly. `none`: nothing of ours is on the pod. */
  readonly state: 'clear' | 'drifted' | 'none';
  readonly before?: BeforeState;
  readonly authentic: 'yes' | 'no' | 'unknown';
  readonly difference: readonly string[];
}

/** Compares the pod with how the quarantine left it. Pure: `firebreak release` shows it before anything is changed. */
export function lookAtQuarantine(pod: PodRecord, cellKey: CellKey | undefined): UndoLook {
  const opened = openBeforeState({ text: pod.annotations[names.beforeAnnotation], podUid: pod.uid, key: cellKey });
  const marked = pod.labels[names.quarantineLabel] !== undefined || pod.annotations[names.incidentAnnotation] !== undefined;
  if (opened.kind === 'absent') {
    if (!marked) return { state: 'none', authentic: 'unknown', difference: [] };
    return {
      state: 'drifted',
      authentic: 'no',
      difference: [`annotation ${names.beforeAnnotation} is missing: its earlier labels are unknown`],
    };
  }
  if (opened.kind === 'unreadable')
    return {
      state: 'drifted',
      authentic: 'no',
      difference: [`annotation ${names.beforeAnnotation} cannot be read: somebody edited it`],
    };
  const { state: before, authentic } = opened;
  const difference = [
    ...(authentic === 'no'
      ? [`annotation ${names.beforeAnnotation} is not what this cell wrote on this pod: somebody edited it`]
      : []),
    ...(before.podUid === pod.uid ? [] : [`annotation ${names.beforeAnnotation} belongs to another pod`]),
    ...labelDifference({ expected: quarantineLabels(before.incident), found: pod.labels }),
    ...sparingDifference(before, pod),
  ];
  return { state: difference.length > 0 ? 'drifted' : 'clear', before, authentic, difference };
}

/**
 * Restores exactly the labels that the pod had, removes our annotations, and leaves one that says so. Changes nothing if labels have been changed since, if the
 * before-state is not authentic, or if it does not belong to `holder`.
 * @throws FB_ERR_UNAVAILABLE, FB_ERR_REFUSED (no right); FB_ERR_CONFLICT when the pod kept changing.
 */
export async function undoQuarantine(options: {
  readonly api: KubernetesApi;
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
  /** Absent only offline: then nothing can be authenticated, and the caller has acknowledged that. */
  readonly cellKey: CellKey | undefined;
  /** Who releases it: if there is a key, the pod says so from then on. */
  readonly by: GivenBackBy;
  /** Who releases it under observation; absent: it is released for good. */
  readonly observedFor?: readonly string[] | undefined;
  /** The pod's before-state as the cell remembers it: used if somebody has removed all marks from the pod. */
  readonly remembered?: BeforeState | undefined;
  /** Whose quarantine is undone; absent: anyone's. */
  readonly holder?: (before: BeforeState) => boolean;
  /** Differences that a person has seen and accepts when restoring the labels. Needs a readable before-state of this pod; any other difference is refused. */
  readonly despite?: readonly string[];
  readonly allow?: AllowRelease;
  readonly signal?: AbortSignal;
  readonly observe?: (pod: PodJson) => void;
}): Promise<UndoResult> {
  const { api, cellKey, by, observedFor, remembered, holder, despite, allow, signal, observe } = options;
  const { namespace, name, uid } = options.pod;
  const target = `pod/${namespace}/${name}`;
  return despiteConflicts(async (): Promise<UndoResult> => {
    const found = await readPod({ api, namespace, name, ...(signal && { signal }) });
    if (found?.metadata?.uid !== uid) return { state: 'gone', detail: `${target} with this uid no longer exists` };
    if (found.metadata.deletionTimestamp) return { state: 'gone', detail: `${target} is being deleted` };
    const pod = podRecord(found);
    const look = lookAtQuarantine(pod, cellKey);
    const isRobbed = look.state === 'none' && cellKey && remembered?.podUid === uid && (!holder || holder(remembered));
    if (look.state === 'none' && !isRobbed) return { state: 'already', detail: `${target} is not quarantined` };
    const before = isRobbed ? remembered : look.before;
    if (before && look.authentic === 'yes' && holder && !holder(before))
      return drifted(target, [`the quarantine now belongs to another step, of ${before.incident}`]);
    const isAccepted =
      look.state === 'clear' || isRobbed || (despite !== undefined && isDeepStrictEqual(look.difference, despite));
    if (!before || before.podUid !== uid || !isAccepted) return drifted(target, look.difference);
    await allow?.(podGivenBack(pod, before));
    const mark = cellKey && releaseMark(before, by, cellKey, observedFor);
    const { labels, annotations } = isRobbed ? { labels: pod.labels, annotations: {} } : before;
    const undone = await replacePodLabels({
      api,
      pod,
      labels,
      annotations: {
        ...annotations,
        ...mark,
        [names.incidentAnnotation]: null,
        [names.stepAnnotation]: null,
        [names.beforeAnnotation]: null,
      },
      ...(signal && { signal }),
    });
    observe?.(undone);
    if (isRobbed) return { state: 'already', detail: `${target} was no longer quarantined` };
    return { state: 'undone', detail: `${target} has its ${Object.keys(before.labels).length} labels back` };
  }, 'FB_ERR_NOT_FOUND');
}

/** What the note on a pod says, for the check that allows its release. */
export function podGivenBack(
  { namespace, name, uid }: Pick<PodRecord, 'namespace' | 'name' | 'uid'>,
  before: BeforeState | undefined,
): readonly ReleasedObject[] {
  if (!before) return [];
  const { incident, step, terms } = before;
  return [{ object: `pod/${namespace}/${name}`, uid, incident, step, terms }];
}

/** Annotations for autoscalers that somebody has changed since we set them. */
function sparingDifference({ annotations = {} }: BeforeState, pod: PodRecord): readonly string[] {
  return Object.keys(annotations).flatMap((name) => {
    const [set, found] = [doNotDisrupt[name], pod.annotations[name]];
    return set === found ? [] : [`annotation ${name} was changed from ${set} to ${found ?? 'nothing'}`];
  });
}

function drifted(target: string, difference: readonly string[]): UndoResult {
  return { state: 'drifted', detail: `${target} is no longer as the quarantine left it; nothing was changed`, difference };
}

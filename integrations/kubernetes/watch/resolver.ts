import type { Alert, ContainerRef, WorkloadRef } from '../../../core/alert/alert.ts';
import { guessWorkload, resolverFromNames, subjectOf } from '../../../core/alert/subject.ts';
import type { ResolvedAlert, SubjectResolver } from '../../../core/alert/subject-resolver.ts';
import { authenticState, type BeforeState, type CellKey } from '../../../core/cluster/before-state.ts';
import { names } from '../../../core/cluster/labels.ts';
import type { ContainerRecord, PodRecord } from '../../../core/cluster/pod-record.ts';
import { subjectOfIncident } from '../../../core/incident/incident.ts';
import { controllerOf, topOwnerOf } from '../workloads/owners.ts';
import type { ClusterView } from './cluster-view.ts';

type ViewOfPods = Pick<ClusterView, 'ready' | 'pod' | 'podsByContainerPrefix' | 'knowsNode' | 'ownersOf' | 'rolloutOf'>;

/** Clocks of the nodes and the API server may differ, and creation times are truncated to whole seconds. */
const clockToleranceMs = 2_000;

/**
 * Resolves the subject of an alert from the cell's view of the cluster: the pod by name (if it is old enough to be the one) or by a container id prefix with
 * exactly one hit, the workload by owner references, and for a quarantined pod, which has lost its owner, the subject of the incident that holds it.
 */
export function createSubjectResolver(options: { readonly view: ViewOfPods; readonly cellKey: CellKey }): SubjectResolver {
  const { view, cellKey } = options;
  const heldBy = notesOnce(cellKey);
  return {
    resolve(alert) {
      if (!view.ready()) return resolverFromNames.resolve(alert);
      const found = findPod(alert, view);
      if (found.kind === 'pod') return completed({ alert, pod: found.pod, view, held: heldBy(found.pod) });
      const named = resolverFromNames.resolve(alert);
      if (found.kind !== 'many') return named;
      return { ...named, alert: { ...named.alert, doubt: alert.doubt ?? found.why }, ambiguous: found.why };
    },
  };
}

/**
 * Why a pod is in quarantine, according to the cell's note on it. Verified once per state of the pod, each of which is its own record: a contained pod is often
 * one that floods, and verifying its note for each alert cost a third of everything else that an alert costs.
 */
function notesOnce(key: CellKey): (pod: PodRecord) => BeforeState | undefined {
  const known = new WeakMap<PodRecord, BeforeState | 'none'>();
  return (pod) => {
    const before = known.get(pod);
    if (before !== undefined) return before === 'none' ? undefined : before;
    const state = authenticState({ text: pod.annotations[names.beforeAnnotation], podUid: pod.uid, key });
    known.set(pod, state ?? 'none');
    return state;
  };
}

type Found =
  | { readonly kind: 'pod'; readonly pod: PodRecord }
  | { readonly kind: 'none' }
  | { readonly kind: 'many'; readonly why: string };

function findPod(alert: Alert, view: ViewOfPods): Found {
  if (alert.pod) {
    const pod = view.pod(alert.pod.namespace, alert.pod.name);
    if (!pod || (alert.pod.uid !== undefined && alert.pod.uid !== pod.uid)) return { kind: 'none' };
    return isOfThatTime(pod, alert) ? { kind: 'pod', pod } : { kind: 'none' };
  }
  const id = alert.container?.id;
  if (!id) return { kind: 'none' };
  const node = alert.node !== undefined && view.knowsNode(alert.node) ? alert.node : undefined;
  const pods = view.podsByContainerPrefix(id).filter((pod) => node === undefined || pod.node === node);
  const [pod] = pods;
  if (pods.length > 1)
    return { kind: 'many', why: `${pods.length} pods have a container whose id begins with ${id.slice(0, 12)}` };
  return pod && isOfThatTime(pod, alert) ? { kind: 'pod', pod } : { kind: 'none' };
}

/** If a clock is suspect, only the container's id and the pod's uid identify the pod: names are reused. */
function isOfThatTime(pod: PodRecord, alert: Alert): boolean {
  if (alert.clockSuspect !== true) return isOldEnough(pod, alert);
  const { id } = alert.container ?? {};
  return alert.pod?.uid === pod.uid || (!!id && pod.containers.some((container) => container.id?.startsWith(id)));
}

/** A StatefulSet's new pod has the old one's name: an alert from before its creation is not about it. */
function isOldEnough(pod: PodRecord, alert: Alert): boolean {
  const [made, seen] = [Date.parse(pod.createdAt), Date.parse(alert.time)];
  return Number.isNaN(made) || Number.isNaN(seen) || made <= seen + clockToleranceMs;
}

function completed(options: {
  readonly alert: Alert;
  readonly pod: PodRecord;
  readonly view: ViewOfPods;
  readonly held: BeforeState | undefined;
}): ResolvedAlert {
  const { alert, pod, view, held } = options;
  const { namespace, name, uid } = pod;
  const subject = held && subjectOfIncident(held.incident);
  const workload: WorkloadRef =
    subject?.kind === 'workload'
      ? { kind: subject.ownerKind, namespace: subject.namespace, name: subject.name }
      : held?.workload
        ? { ...held.workload, namespace }
        : workloadOf({ pod, view });
  const container = containerOf(alert.container, pod);
  const owner = controllerOf(pod.owners);
  const rollout = owner?.kind === 'ReplicaSet' ? view.rolloutOf(namespace, owner.name) : undefined;
  const full: Alert = {
    ...alert,
    pod: { namespace, name, uid },
    workload,
    ...(rollout && { rollout }),
    ...(pod.node !== undefined && { node: pod.node }),
    ...(container && { container }),
  };
  return { alert: full, subject: subject ?? subjectOf(full) };
}

function workloadOf({ pod, view }: { readonly pod: PodRecord; readonly view: ViewOfPods }): WorkloadRef {
  const { namespace, name } = pod;
  const top = topOwnerOf({ pod, view });
  if (!top.known) return guessWorkload({ namespace, name });
  // A static pod is owned by its node, which is not a workload.
  if (!top.workload || top.workload.kind === 'Node') return { kind: 'Pod', namespace, name };
  return { ...top.workload, namespace };
}

/** Completes the container by its id or name, or because the pod has only one. */
function containerOf(named: ContainerRef | undefined, pod: PodRecord): ContainerRef | undefined {
  const { containers } = pod;
  const { id, name } = named ?? {};
  const record: ContainerRecord | undefined =
    (id ? containers.find((container) => container.id?.startsWith(id)) : undefined) ??
    (name ? containers.find((container) => container.name === name) : undefined) ??
    (containers.length === 1 && !name ? containers[0] : undefined);
  if (!record) return named;
  const digest = record.imageId?.match(/sha256:[0-9a-f]{64}/)?.[0];
  return { image: record.image, ...(record.id && { id: record.id }), ...(digest && { digest }), ...named, name: record.name };
}

import type { NamedKind } from '../../../core/cluster/before-state.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import type { ClusterView } from '../watch/cluster-view.ts';

/** The managing owner, as noted in the reference. */
export function controllingOwner<Owner extends { readonly controller?: boolean }>(owners: readonly Owner[]): Owner | undefined {
  return owners.find(({ controller }) => controller);
}

/** Kind and name of the managing owner. */
export function controllerOf(owners: readonly (NamedKind & { readonly controller?: boolean })[]): NamedKind | undefined {
  const owner = controllingOwner(owners);
  return owner && { kind: owner.kind, name: owner.name };
}

/** The workload at the top of a pod's owners; `known` is false if an owner in between is not in memory (yet). */
export function topOwnerOf(options: { readonly pod: PodRecord; readonly view: Pick<ClusterView, 'ownersOf'> }): {
  readonly workload?: NamedKind;
  readonly known: boolean;
} {
  const { pod, view } = options;
  const direct = controllerOf(pod.owners);
  if (!direct) return { known: true };
  if (direct.kind !== 'ReplicaSet' && direct.kind !== 'Job') return { workload: direct, known: true };
  const above = view.ownersOf(direct.kind, pod.namespace, direct.name);
  if (!above) return { workload: direct, known: false };
  return { workload: controllerOf(above) ?? direct, known: true };
}

/** Whether a pod with this top owner belongs to that workload; a pod without an owner is its own workload. */
export function isOfWorkload(pod: Pick<PodRecord, 'name'>, top: NamedKind | undefined, { kind, name }: NamedKind): boolean {
  return top ? top.kind === kind && top.name === name : kind === 'Pod' && pod.name === name;
}

const effects: Readonly<Record<string, string>> = {
  ReplicaSet: 'starts a new pod in its place',
  StatefulSet: 'starts a new pod of the same name',
  DaemonSet: 'starts a new pod on the node',
  Job: 'starts a new pod and does the work again',
};

/** What a controller does when one of its pods is deleted, in words. */
export function ownerEffect(kind: string): string {
  return effects[kind] ?? 'may start another pod in its place';
}

import type { NamedKind } from '../../../core/cluster/before-state.ts';
import { type PodRecord, selects } from '../../../core/cluster/pod-record.ts';
import type { PodsReady } from '../../../core/incident/effect.ts';
import { isOfWorkload, topOwnerOf } from '../workloads/owners.ts';
import type { ClusterView } from './cluster-view.ts';

type Asked = Pick<ClusterView, 'pods' | 'ownersOf' | 'services'>;

/** Counts only pods that are not being deleted. */
export function readyOf(pods: Iterable<PodRecord>): PodsReady {
  let ready = 0;
  let all = 0;
  for (const pod of pods) {
    if (pod.deleting) continue;
    all += 1;
    if (pod.ready) ready += 1;
  }
  return { ready, pods: all };
}

/** Names of the Services that select a pod with these labels. A Service without a selector selects nothing by itself. Sorted. */
export function servicesOf(view: Asked, namespace: string, labels: Readonly<Record<string, string>>): readonly string[] {
  return view
    .services(namespace)
    .filter(({ selector }) => Object.keys(selector).length > 0 && selects({ matchLabels: selector }, labels))
    .map(({ name }) => name)
    .sort();
}

/** The state of a workload, and of the pods behind Services, without the excluded pods. From memory, so immediate. */
export function standWithout(
  view: Asked,
  of: {
    readonly namespace: string;
    readonly workload: NamedKind | undefined;
    readonly services: readonly string[];
    /** Uids of the excluded pods. */
    readonly without: ReadonlySet<string>;
    /** Milliseconds since 1970: counts only older pods. Absent: all. */
    readonly olderThan?: number;
  },
): { readonly workload?: PodsReady; readonly neighbours?: PodsReady; readonly behind: readonly PodRecord[] } {
  const { namespace, workload, services, without, olderThan = Number.POSITIVE_INFINITY } = of;
  // The API server's times are whole seconds.
  const before = Math.floor(olderThan / 1_000) * 1_000;
  const others = [...view.pods(namespace)].filter(
    ({ uid, createdAt }) => !without.has(uid) && (before === Number.POSITIVE_INFINITY || Date.parse(createdAt) < before),
  );
  const selectors = view
    .services(namespace)
    .filter(({ name }) => services.includes(name))
    .map(({ selector }) => ({ matchLabels: selector }));
  const behind = others.filter(({ labels }) => selectors.some((selector) => selects(selector, labels)));
  return {
    ...(workload && {
      workload: readyOf(others.filter((pod) => isOfWorkload(pod, topOwnerOf({ pod, view }).workload, workload))),
    }),
    ...(services.length > 0 && { neighbours: readyOf(behind) }),
    behind,
  };
}

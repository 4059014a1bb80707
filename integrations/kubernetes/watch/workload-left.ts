import { type LabelSelector, type PodRecord, selects } from '../../../core/cluster/pod-record.ts';
import { type IncidentRef, subjectOfIncident, subjectTitle } from '../../../core/incident/incident.ts';
import type { WorkloadLeft } from '../../../core/incident/workload-left.ts';
import { isOfWorkload, topOwnerOf } from '../workloads/owners.ts';
import type { ClusterView } from './cluster-view.ts';

type Asked = Pick<ClusterView, 'ready' | 'pods' | 'ownersOf' | 'services' | 'budgets'>;

/** From memory, so immediate. Undefined for an incident that is not about a workload, and while the memory is incomplete. */
export function workloadLeft({
  view,
  incident,
  at,
}: {
  readonly view: Asked;
  readonly incident: Pick<IncidentRef, 'id'>;
  readonly at: Date;
}): WorkloadLeft | undefined {
  const subject = subjectOfIncident(incident.id);
  if (subject?.kind !== 'workload' || !view.ready()) return undefined;
  const { namespace, ownerKind: kind, name } = subject;
  const isLeft = (pod: PodRecord): boolean =>
    !pod.deleting && isOfWorkload(pod, topOwnerOf({ pod, view }).workload, { kind, name });
  const pods = [...view.pods(namespace)].filter(isLeft);
  const selecting = (of: readonly { readonly name: string; readonly selector: LabelSelector }[]): readonly string[] =>
    of
      .filter(({ selector }) => pods.some(({ labels }) => selects(selector, labels)))
      .map((one) => one.name)
      .sort();
  const services = view
    .services(namespace)
    .filter(({ selector }) => Object.keys(selector).length > 0)
    .map((service) => ({ name: service.name, selector: { matchLabels: service.selector } }));
  const budgets = view.budgets(namespace);
  return {
    workload: subjectTitle(subject),
    at: at.toISOString(),
    ready: pods.filter(({ ready }) => ready).length,
    pods: pods.length,
    services: selecting(services),
    ...(budgets && { budgets: selecting(budgets) }),
    secrets: [...new Set(pods.flatMap(({ secrets }) => secrets))].sort(),
  };
}

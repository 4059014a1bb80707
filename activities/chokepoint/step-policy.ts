import type { ResponsePolicy } from '../../core/assessment/assessment.ts';
import { type ResponseRules, weakerOf, weakestFor } from '../../core/assessment/policy.ts';
import type { PodRecord } from '../../core/cluster/pod-record.ts';
import type { IncidentMemory } from '../memory/incident-memory.ts';
import type { PolicyStep } from './parts.ts';

/** What is known of labels. */
export interface PolicyView {
  podByUid(uid: string): Pick<PodRecord, 'namespace' | 'labels'> | undefined;
  namespaceLabels(namespace: string): Readonly<Record<string, string>> | undefined;
}

/**
 * What the configuration lets a step do. Where several namespaces are touched, the weakest holds. A playbook's scope counts only if this process itself knows
 * that the playbook answers the incident: what a call says of it could otherwise make the response stronger.
 */
export function policyOfStep(
  { cluster, response }: { readonly cluster: string; readonly response: ResponseRules },
  { view, incidents }: { readonly view?: PolicyView | undefined; readonly incidents: Pick<IncidentMemory, 'of'> },
): (step: PolicyStep) => ResponsePolicy {
  return ({ namespaces, uid, playbook, incident }) => {
    const isKnown = incidents.of(incident).playbooks.includes(playbook);
    const pod = uid === undefined ? undefined : view?.podByUid(uid);
    const places = namespaces.length > 0 ? namespaces : [undefined];
    const held = places.flatMap((namespace) =>
      [[playbook], ...(isKnown ? [] : [[]])].map((playbooks) =>
        weakestFor(response, {
          cluster,
          namespace,
          namespaceLabels: namespace === undefined ? undefined : view?.namespaceLabels(namespace),
          workloadLabels: pod?.namespace === namespace ? pod?.labels : undefined,
          playbooks,
        }),
      ),
    );
    return held.reduce(weakerOf);
  };
}

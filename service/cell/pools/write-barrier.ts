import { AsyncLocalStorage } from 'node:async_hooks';
import type { PolicyStep, WriteBarrier } from '../../../activities/chokepoint/parts.ts';
import type { IncidentMemory } from '../../../activities/memory/incident-memory.ts';
import type { ResponsePolicy } from '../../../core/assessment/assessment.ts';
import { mayBeWritten, weakestFor } from '../../../core/assessment/policy.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { namespaceIn } from '../../../integrations/kubernetes/guarded-api.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import type { Config } from '../../config/load.ts';

export type PolicyView = Pick<ClusterView, 'podByUid' | 'namespaceLabels'>;

/** Whether anything may ever be written in a namespace, by any step. Labels that are not known do not allow it. */
export function mayWriteIn(
  { cluster, response }: Pick<Config, 'cluster' | 'response'>,
  view: () => Pick<PolicyView, 'namespaceLabels'> | undefined,
): (namespace: string | undefined) => boolean {
  return (namespace) =>
    mayBeWritten(response, {
      cluster,
      namespace,
      namespaceLabels: namespace === undefined ? undefined : view()?.namespaceLabels(namespace),
    });
}

/**
 * Stops each call to the API server that would write where the configuration only observes, whichever part of this process makes it. Firebreak's own namespace
 * is open: its leases and pods are there.
 */
export class ObservedPlaces implements WriteBarrier {
  readonly #mayWrite: (namespace: string | undefined) => boolean;
  readonly #ownNamespace: string;
  readonly #doing = new AsyncLocalStorage<'step' | 'release'>();

  constructor(
    config: Pick<Config, 'cluster' | 'response'> & { readonly kubernetes: Pick<Config['kubernetes'], 'ownNamespace'> },
    view: () => Pick<PolicyView, 'namespaceLabels'> | undefined,
  ) {
    this.#mayWrite = mayWriteIn(config, view);
    this.#ownNamespace = config.kubernetes.ownNamespace;
  }

  step<T>(work: () => Promise<T>): Promise<T> {
    return this.#doing.run('step', work);
  }

  release<T>(work: () => Promise<T>): Promise<T> {
    return this.#doing.run('release', work);
  }

  /** @throws FB_ERR_OBSERVED */
  refuse({ path, what }: { readonly path: string; readonly what: string }): void {
    const namespace = namespaceIn(path);
    const doing = this.#doing.getStore();
    if (namespace === this.#ownNamespace || doing === 'release') return;
    // What a step does to the whole cluster, the guardrails have judged by the namespaces that it touches.
    if (namespace === undefined && doing === 'step') return;
    if (!this.#mayWrite(namespace))
      throw new FirebreakError('FB_ERR_OBSERVED', `mode observe: ${what} was not sent to the API server`);
  }
}

/**
 * What the configuration lets a step do. Where several namespaces are touched, the weakest holds. A playbook's scope counts only if this process itself knows
 * that the playbook answers the incident: what a call says of it could otherwise make the response stronger.
 */
export function policyOfStep(
  { cluster, response }: Pick<Config, 'cluster' | 'response'>,
  { view, incidents }: { readonly view?: PolicyView | undefined; readonly incidents: Pick<IncidentMemory, 'of'> },
): (step: PolicyStep) => Pick<ResponsePolicy, 'mode' | 'scope'> {
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
    return held.reduce(weaker);
  };
}

function weaker(one: ResponsePolicy, other: ResponsePolicy): ResponsePolicy {
  return strength[other.mode] < strength[one.mode] ? other : one;
}

const strength = { observe: 0, ask: 1, contain: 2 } as const;

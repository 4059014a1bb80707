import { AsyncLocalStorage } from 'node:async_hooks';
import type { WriteBarrier } from '../../../activities/chokepoint/parts.ts';
import { mayBeContained, mayBeWritten } from '../../../core/assessment/policy.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { namespaceIn } from '../../../integrations/kubernetes/guarded-api.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import type { Config } from '../../config/load.ts';

type Labels = () => Pick<ClusterView, 'namespaceLabels'> | undefined;
type Configured = Pick<Config, 'cluster' | 'response'>;

/** Whether anything may ever be written in a namespace, by any step. Labels that are not known do not allow it. */
export function mayWriteIn({ cluster, response }: Configured, view: Labels): (namespace: string | undefined) => boolean {
  return (namespace) => mayBeWritten(response, { cluster, namespace, namespaceLabels: labelsOf(view, namespace) });
}

/** Whether anything may be contained in a namespace without people's answer. Labels that are not known do not allow it. */
export function mayContainIn({ cluster, response }: Configured, view: Labels): (namespace: string) => boolean {
  return (namespace) => mayBeContained(response, { cluster, namespace, namespaceLabels: labelsOf(view, namespace) });
}

function labelsOf(view: Labels, namespace: string | undefined): Readonly<Record<string, string>> | undefined {
  return namespace === undefined ? undefined : view()?.namespaceLabels(namespace);
}

/**
 * Stops each call to the API server that would write where the configuration only observes, whichever part of this process makes it. Firebreak's own namespace
 * is open: its leases and pods are there.
 */
export class ObservedPlaces implements WriteBarrier {
  readonly #mayWrite: (namespace: string | undefined) => boolean;
  readonly #ownNamespace: string;
  readonly #doing = new AsyncLocalStorage<'step' | 'release'>();

  constructor(config: Configured & { readonly kubernetes: Pick<Config['kubernetes'], 'ownNamespace'> }, view: Labels) {
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

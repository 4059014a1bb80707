import { AsyncLocalStorage } from 'node:async_hooks';
import type { WriteBarrier } from '../../../activities/chokepoint/parts.ts';
import { mayBeWritten } from '../../../core/assessment/policy.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { namespaceIn } from '../../../integrations/kubernetes/guarded-api.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import type { Config } from '../../config/load.ts';

/** Whether anything may ever be written in a namespace, by any step. Labels that are not known do not allow it. */
export function mayWriteIn(
  { cluster, response }: Pick<Config, 'cluster' | 'response'>,
  view: () => Pick<ClusterView, 'namespaceLabels'> | undefined,
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
    view: () => Pick<ClusterView, 'namespaceLabels'> | undefined,
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

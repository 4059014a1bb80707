import { setTimeout as sleep } from 'node:timers/promises';
import { KubeConfig, Watch } from '@kubernetes/client-node';
import { names } from '../../../../core/cluster/labels.ts';
import type { EffectKind } from './effects.ts';

interface Seen {
  readonly metadata: {
    readonly namespace?: string;
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly managedFields?: readonly { readonly manager?: string }[];
  };
}

const paths = ['/api/v1/pods', '/api/v1/secrets', '/apis/apps/v1/deployments'] as const;

/**
 * Watches independently what is in the cluster. A write whose client is killed before the answer is a failure in the audit log (504, `context canceled`),
 * though it may have landed: only the object can tell.
 */
export class Landed {
  readonly #times = new Map<string, number>();
  readonly #watch: Watch;
  readonly #stopping = new AbortController();

  constructor(kubeconfig: string) {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    this.#watch = new Watch(config);
    for (const path of paths) void this.#follow(path);
  }

  /** When it was first seen, milliseconds since 1970. */
  at(kind: EffectKind, target: string): number | undefined {
    return this.#times.get(`${kind} ${target}`);
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** Restarts the watch whenever it ends: a watch without a version begins with everything that exists. */
  async #follow(path: (typeof paths)[number]): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await new Promise<void>((done) => {
        this.#watch
          .watch(path, {}, (phase, object: Seen) => this.#see(path, phase, object), done)
          .then((request) => signal.addEventListener('abort', () => request.abort(), { once: true }), done);
      });
      await sleep(100);
    }
  }

  #see(path: (typeof paths)[number], phase: string, { metadata }: Seen): void {
    if (phase === 'BOOKMARK' || phase === 'ERROR') return;
    const target = `${metadata.namespace}/${metadata.name}`;
    const isOurs = metadata.managedFields?.some(({ manager }) => manager === 'firebreak') === true;
    const isContained = metadata.labels?.[names.quarantineLabel] !== undefined;
    if (path === '/api/v1/secrets' && isOurs) this.#note('secret', target);
    if (path === '/apis/apps/v1/deployments' && isOurs) this.#note('roll', target);
    if (path !== '/api/v1/pods') return;
    if (isContained) this.#note('contain', target);
    else if (this.at('contain', target) !== undefined) this.#note('give-back', target);
    if (phase === 'DELETED' || metadata.deletionTimestamp !== undefined) this.#note('delete', target);
  }

  #note(kind: EffectKind, target: string): void {
    const key = `${kind} ${target}`;
    if (!this.#times.has(key)) this.#times.set(key, Date.now());
  }
}

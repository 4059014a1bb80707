import { setTimeout as sleep } from 'node:timers/promises';
import type { KubernetesApi } from '../../../../integrations/kubernetes/client.ts';
import type { ObjectJson } from '../../../../integrations/kubernetes/objects.ts';

/** As often as the most aggressive controller reverts changes. */
const everyMs = 3_000;

/** Acts like a controller such as Argo CD's: it looks every three seconds, and resets what differs from the declaration under its own field manager. */
export class RevertingController {
  /** Number of completed looks, and number of looks that found something to revert. */
  looks = 0;
  times = 0;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: {
    readonly api: KubernetesApi;
    readonly path: string;
    /** Merge patch for what differs from the declaration; undefined if nothing does. */
    readonly toPutBack: (object: ObjectJson) => object | undefined;
    readonly isPaused?: () => Promise<boolean>;
  }) {
    this.#running = this.#run(options);
  }

  async #run({ api, path, toPutBack, isPaused }: ConstructorParameters<typeof RevertingController>[0]): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      if (!(await isPaused?.())) {
        const body = toPutBack(await api.json<ObjectJson>({ method: 'GET', path, what: 'get what is declared' }));
        const query = { fieldManager: 'argocd-controller' };
        if (body) await api.json({ method: 'PATCH', patch: 'merge', path, query, body, what: 'put back what is declared' });
        if (body) this.times += 1;
      }
      this.looks += 1;
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

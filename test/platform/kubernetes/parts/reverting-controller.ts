import { setTimeout as sleep } from 'node:timers/promises';
import type { KubernetesApi } from '../../../../integrations/kubernetes/client.ts';
import type { ObjectJson } from '../../../../integrations/kubernetes/objects.ts';

/** As often as the fiercest puts back what somebody changed. */
const everyMs = 3_000;

/** What a controller such as Argo CD's does: it looks every three seconds, and what is not as declared it sets again under its own field manager. */
export class RevertingController {
  /** How often it has looked to the end, and how often it found something to put back. */
  looks = 0;
  times = 0;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: {
    readonly api: KubernetesApi;
    readonly path: string;
    /** What is not as declared, as a merge patch; undefined where all is. */
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

import { setTimeout as sleep } from 'node:timers/promises';
import type { KubernetesApi } from './client.ts';

/** An API server closes a connection that nothing has used for 90 s (`IdleTimeout` of its secure port), a load balancer often sooner. */
const usedEveryMs = 45_000;

interface OpenConnectionsOptions {
  readonly api: Pick<KubernetesApi, 'json'>;
  /** How many to keep open. */
  readonly count: number;
  readonly everyMs?: number;
}

/**
 * Keeps connections to the API server open while nothing happens. Without them, a burst after a quiet hour begins with one TLS handshake per containment, on
 * both sides.
 */
export class OpenConnections {
  readonly #options: OpenConnectionsOptions;
  readonly #ended = new AbortController();

  constructor(options: OpenConnectionsOptions) {
    this.#options = options;
  }

  /** Opens them now, and uses each of them from time to time. */
  start(): void {
    void this.#run();
  }

  /** Uses them no more. They stay open until the API server or `close` of the client closes them. */
  stop(): void {
    this.#ended.abort();
  }

  async #run(): Promise<void> {
    const { everyMs = usedEveryMs } = this.#options;
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await this.#useAll();
      await sleep(everyMs, undefined, { ref: false, signal }).catch(() => {});
    }
  }

  /** All at the same time: only then does each request take a connection of its own. Every account may ask for the version. */
  async #useAll(): Promise<void> {
    const { api, count } = this.#options;
    const ask = { method: 'GET', path: '/version', what: 'get the version of the API server' } as const;
    await Promise.allSettled(Array.from({ length: count }, () => api.json(ask)));
  }
}

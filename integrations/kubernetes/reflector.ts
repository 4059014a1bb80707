import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubernetesApi } from './client.ts';
import { KubernetesError } from './client-error.ts';

/** What the API sends of each object at least. */
export interface Listed {
  readonly metadata?: { readonly uid?: string; readonly resourceVersion?: string };
}

export type WatchLog = (event: { readonly resource: string; readonly what: string }) => void;

export interface ReflectorOptions<T extends Listed> {
  readonly api: KubernetesApi;
  /** `pods`, for words. */
  readonly resource: string;
  readonly path: string;
  /** Only names, labels, annotations and owners: for what can be large and is never read whole. */
  readonly metadataOnly?: true;
  readonly onList: (items: readonly T[]) => void;
  readonly onChange: (change: { readonly type: 'set' | 'delete'; readonly item: T }) => void;
  readonly log: WatchLog;
  readonly now?: () => number;
}

const meta = (kind: string): string => `application/json;as=${kind};v=v1;g=meta.k8s.io`;

/** The server sends a bookmark about once a minute: nothing at all for longer means that the watch is dead. */
const silenceMs = 90_000;
const pageSize = 500;

interface Page<T> {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly T[];
}
interface WatchLine<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T & { readonly code?: number };
}

/**
 * Follows one list of the API: lists, watches from there, goes on after a disconnect where it left off, lists again when the
 * server no longer knows that place (410) or a handler failed. Never gives up until stopped.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
export class Reflector<T extends Listed> {
  readonly #options: ReflectorOptions<T>;
  readonly #stop = new AbortController();
  #version: string | undefined;
  #heardAt: number | undefined;
  #loop: Promise<void> | undefined;
  #firstList = Promise.withResolvers<void>();

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
  }

  /** Resolves when the first list is in. */
  start(): Promise<void> {
    this.#loop ??= this.#run();
    return this.#firstList.promise;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    this.#firstList.resolve();
  }

  /** Milliseconds since the server last said anything on this watch; infinite before the first list. */
  age(): number {
    return this.#heardAt === undefined ? Number.POSITIVE_INFINITY : this.#now() - this.#heardAt;
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list();
        await this.#watch();
        failures = 0;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        const known = error instanceof KubernetesError;
        if (!known || error.status === 410) this.#version = undefined;
        this.#options.log({
          resource: this.#options.resource,
          what: known ? error.detail : 'a watch event could not be handled',
        });
        const waitMs = Math.min(5_000, 50 * 2 ** failures) * (0.5 + Math.random() / 2);
        failures = Math.min(failures + 1, 10);
        await sleep(known && error.status === 410 ? 0 : waitMs, undefined, { signal: this.#stop.signal }).catch(() => {});
      }
    }
  }

  async #list(): Promise<void> {
    const { api, path, resource, metadataOnly } = this.#options;
    const items: T[] = [];
    let next: string | undefined;
    let version: string | undefined;
    do {
      const page: Page<T> = await api.json<Page<T>>({
        method: 'GET',
        path,
        query: { limit: String(pageSize), ...(next && { continue: next }) },
        ...(metadataOnly && { accept: meta('PartialObjectMetadataList') }),
        what: `list ${resource}`,
        timeoutMs: 15_000,
        signal: this.#stop.signal,
      });
      items.push(...(page.items ?? []));
      next = page.metadata?.continue || undefined;
      version = page.metadata?.resourceVersion;
    } while (next);
    this.#options.onList(items);
    this.#version = version;
    this.#heardAt = this.#now();
    this.#firstList.resolve();
  }

  async #watch(): Promise<void> {
    const { api, path, resource, metadataOnly } = this.#options;
    const response = await api.stream({
      path,
      query: {
        watch: '1',
        allowWatchBookmarks: 'true',
        timeoutSeconds: String(240 + Math.floor(Math.random() * 120)),
        ...(this.#version && { resourceVersion: this.#version }),
      },
      ...(metadataOnly && { accept: meta('PartialObjectMetadata') }),
      what: `watch ${resource}`,
      signal: this.#stop.signal,
    });
    this.#heardAt = this.#now();
    response.socket.setKeepAlive(true, 15_000);
    response.setTimeout(silenceMs, () => response.destroy());
    try {
      await this.#follow(response);
    } finally {
      response.destroy();
    }
  }

  async #follow(response: IncomingMessage): Promise<void> {
    const { resource } = this.#options;
    let failed = false;
    response.once('error', () => {
      failed = true;
    });
    for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line === '') continue;
      this.#heardAt = this.#now();
      const { type, object }: WatchLine<T> = JSON.parse(line);
      if (type === 'ERROR') {
        const status = object.code ?? 500;
        throw new KubernetesError('FB_ERR_UNAVAILABLE', `watch ${resource} ended by the server (${status})`, {
          status,
          reason: '',
        });
      }
      if (type !== 'BOOKMARK') this.#options.onChange({ type: type === 'DELETED' ? 'delete' : 'set', item: object });
      this.#version = object.metadata?.resourceVersion ?? this.#version;
    }
    if (failed && !this.#stop.signal.aborted)
      throw new KubernetesError('FB_ERR_UNAVAILABLE', `watch ${resource}: the connection failed`, { status: 0, reason: '' });
  }
}

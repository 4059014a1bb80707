import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorName } from '../../../core/system-error.ts';
import type { KubernetesApi } from '../client.ts';
import { KubernetesError } from '../client-error.ts';

/** The minimum that the API sends for each object. */
export interface Listed {
  readonly metadata?: { readonly uid?: string; readonly resourceVersion?: string };
}

/** What a watch has met; `warn` if people should look, as nothing of it happens in ordinary operation. */
export type WatchLog = (event: { readonly level: 'debug' | 'warn'; readonly resource: string; readonly what: string }) => void;

interface ReflectorOptions<T extends Listed> {
  readonly api: KubernetesApi;
  /** `pods`, for messages. */
  readonly resource: string;
  readonly path: string;
  /** Only names, labels, annotations and owners: for objects that can be large and are never read whole. */
  readonly metadataOnly?: true;
  /** A kind that not every cluster has: if it is missing, or we may not read it, it is tried again now and then. */
  readonly mayBeAbsent?: true;
  readonly onList: (items: readonly T[]) => void;
  readonly onChange: (change: { readonly type: 'set' | 'delete'; readonly item: T }) => void;
  readonly log: WatchLog;
  readonly now?: () => number;
}

const meta = (kind: string): string => `application/json;as=${kind};v=v1;g=meta.k8s.io`;

/** The server sends a bookmark about once a minute: a longer silence means that the watch is dead. */
const silenceMs = 90_000;
const absentMs = 30_000;
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
 * Follows one list of the API: lists, watches from there, resumes after a disconnect where it left off, and lists again if the server no longer knows that
 * place (410), has not reached it yet, or a handler failed. Never gives up until stopped.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
export class Reflector<T extends Listed> {
  readonly #options: ReflectorOptions<T>;
  readonly #stop = new AbortController();
  #version: string | undefined;
  #failures = 0;
  #heardAt: number | undefined;
  /** True if an event was begun and not finished: the memory may be wrong, and is read again. */
  #handling = false;
  #loop: Promise<void> | undefined;
  #firstList = Promise.withResolvers<void>();

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
  }

  /** Resolves once the first list has arrived. */
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

  /**
   * Whether this watch has already reported this version of an object, or something later. The answer to a call of our own may be handled after the watch has
   * reported that somebody changed or deleted the object again: then the answer is old.
   */
  hasPassed(version: string | undefined): boolean {
    if (version === undefined || this.#version === undefined) return false;
    return version === this.#version || isOlder(version, this.#version);
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        if (this.#version === undefined || (await this.#isBehind(this.#version))) await this.#list();
        await this.#watch();
        this.#failures = 0;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        const known = error instanceof KubernetesError;
        if (!known || error.status === 410) this.#version = undefined;
        this.#options.log({
          level: known ? 'debug' : 'warn',
          resource: this.#options.resource,
          what: known ? error.detail : `a watch event could not be handled (${errorName(error)})`,
        });
        if (this.#options.mayBeAbsent && known && (error.status === 404 || error.status === 403)) {
          this.#version = undefined;
          this.#options.onList([]);
          await sleep(absentMs, undefined, { signal: this.#stop.signal }).catch(() => {});
          continue;
        }
        const waitMs = Math.min(5_000, 50 * 2 ** this.#failures) * (0.5 + Math.random() / 2);
        this.#failures = Math.min(this.#failures + 1, 10);
        await sleep(known && error.status === 410 ? 0 : waitMs, undefined, { signal: this.#stop.signal }).catch(() => {});
      }
    }
  }

  #page<U extends Listed>(query: { readonly limit: string; readonly continue?: string }): Promise<Page<U>> {
    const { api, path, resource, metadataOnly } = this.#options;
    return api.json<Page<U>>({
      method: 'GET',
      path,
      query,
      ...(metadataOnly && { accept: meta('PartialObjectMetadataList') }),
      what: `list ${resource}`,
      timeoutMs: 15_000,
      signal: this.#stop.signal,
    });
  }

  /**
   * Whether the server has not reached this version yet: its etcd was restored from a backup. It would accept a watch from there, and report nothing until it
   * has reached the version again, which can take hours. https://github.com/kubernetes/kubernetes/issues/107457
   */
  async #isBehind(version: string): Promise<boolean> {
    const { metadata } = await this.#page<Listed>({ limit: '1' });
    if (metadata?.resourceVersion === undefined || !isOlder(metadata.resourceVersion, version)) return false;
    const { log, resource } = this.#options;
    const what = `${resource} are listed again: the API server is at an earlier version, as after a restore of etcd`;
    log({ level: 'warn', resource, what });
    return true;
  }

  async #list(): Promise<void> {
    const items: T[] = [];
    let next: string | undefined;
    let version: string | undefined;
    do {
      const page = await this.#page<T>({ limit: String(pageSize), ...(next && { continue: next }) });
      items.push(...(page.items ?? []));
      next = page.metadata?.continue || undefined;
      version = page.metadata?.resourceVersion;
    } while (next);
    this.#options.onList(items);
    this.#handling = false;
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
    try {
      for await (const line of linesOf(response)) this.#handle(line);
    } catch (error) {
      if (!response.destroyed || response.complete || error instanceof KubernetesError || this.#handling) throw error;
      const detail = `watch ${this.#options.resource}: the connection failed`;
      throw new KubernetesError('FB_ERR_UNAVAILABLE', detail, { status: 0, reason: '' });
    }
  }

  #handle(line: string): void {
    this.#heardAt = this.#now();
    this.#failures = 0;
    this.#handling = true;
    const { type, object }: WatchLine<T> = JSON.parse(line);
    if (type === 'ERROR') {
      const status = object.code ?? 500;
      const detail = `watch ${this.#options.resource} ended by the server (${status})`;
      throw new KubernetesError('FB_ERR_UNAVAILABLE', detail, { status, reason: '' });
    }
    if (type !== 'BOOKMARK') this.#options.onChange({ type: type === 'DELETED' ? 'delete' : 'set', item: object });
    this.#version = object.metadata?.resourceVersion ?? this.#version;
    this.#handling = false;
  }
}

/**
 * Resource versions are comparable as numbers since Kubernetes 1.35, also with the version of a whole list; if they are not numbers, none is older.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
 */
export function isOlder(a: string, b: string): boolean {
  return /^\d+$/.test(a) && /^\d+$/.test(b) && BigInt(a) < BigInt(b);
}

/** `readline` never ends if its input is destroyed: a dropped connection would be waited for forever. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  response.setEncoding('utf8');
  let rest = '';
  for await (const part of response) {
    const lines = String(part).split('\n');
    lines[0] = rest + lines[0];
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield line;
  }
}

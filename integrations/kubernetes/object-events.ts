import { setTimeout as sleep } from 'node:timers/promises';
import type { Right } from '../../core/action/action.ts';
import type { ObjectEvent, Regarding } from '../../core/cluster/object-event.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { KubernetesApi } from './client.ts';
import { createObject, type ObjectRef, readObject } from './objects.ts';

/**
 * The API group of today's Events, which `kubectl describe` and `kubectl get events` read as well: it requires the reporter, the time to the microsecond and
 * the action, and one right in one group is enough. https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
 */
export const eventRight: Right = { apiGroup: 'events.k8s.io', resource: 'events', verbs: ['create'] };

/** Prefix of our reporters' names: admission lets Firebreak write no others. */
export const reporterPrefix = 'firebreak.dev/';

interface EventWriterParts {
  readonly api: KubernetesApi;
  /** The pool that reports. */
  readonly reporter: string;
  /** Which process of the pool. */
  readonly instance: string;
  readonly dropped: (dropped: { readonly events: number; readonly reason: string }) => void;
  /** Resolves when nothing more urgent needs the processor and the API server; called for what was done a moment ago. */
  readonly turn?: () => Promise<void>;
  /** Milliseconds before the first call for waiting events, between attempts, and between two reports of dropped events. */
  readonly pauses?: Pauses;
}

interface Pauses {
  readonly firstMs: number;
  readonly againMs: readonly number[];
  readonly reportMs: number;
}

/** Something that was done at this time. */
interface Done {
  readonly eventsOf: (at: Date) => readonly ObjectEvent[];
  readonly at: Date;
}

const usual: Pauses = { firstMs: 500, againMs: [2_000, 10_000], reportMs: 60_000 };
const mostWaiting = 500;
/** Nothing waits longer for its turn: while hundreds of incidents start, containments may be under way for minutes. */
const turnWithinMs = 3_000;
/** The same reason on the same object is reported once in this time. */
const sameWithinMs = 60_000;
const withinMs = 5_000;

/** Kinds whose uid is read if it is not known. Not Secrets: reading one needs its own right, and returns its value. */
const readable: ReadonlyMap<string, Pick<ObjectRef, 'group' | 'resource'>> = new Map([
  ['Pod', { resource: 'pods' }],
  ['Deployment', { group: 'apps', resource: 'deployments' }],
  ['StatefulSet', { group: 'apps', resource: 'statefulsets' }],
  ['DaemonSet', { group: 'apps', resource: 'daemonsets' }],
  ['CronJob', { group: 'batch', resource: 'cronjobs' }],
]);

/**
 * Writes Events one after another, after the containment: nobody waits for an Event, and none makes anything fail. The queue is bounded; dropped Events are
 * counted and reported.
 */
export class EventWriter {
  readonly #parts: EventWriterParts;
  readonly #pauses: Pauses;
  readonly #waiting: Done[] = [];
  readonly #stopping = new AbortController();
  /** Object → the last reason reported for it. */
  readonly #last = new Map<string, { readonly reason: string; readonly at: number }>();
  readonly #dropped = new Map<string, number>();
  #reporting: NodeJS.Timeout | undefined;
  #work: Promise<void> | undefined;

  constructor(parts: EventWriterParts) {
    this.#parts = parts;
    this.#pauses = parts.pauses ?? usual;
  }

  /**
   * Queues the events about something that was done at this time, and returns at once.
   * @param eventsOf composes them when it is their turn
   */
  write(eventsOf: (at: Date) => readonly ObjectEvent[], at = new Date()): void {
    if (this.#stopping.signal.aborted) return;
    const done = { eventsOf, at };
    if (this.#waiting.length >= mostWaiting) this.#drop('too many wait', this.#composed(done).length);
    else this.#waiting.push(done);
    this.#work ??= this.#writeAll();
  }

  /** A head start and the step of the incident that adopts it do the same thing under two keys, one after the other. */
  #isSaid({ regarding: { kind, namespace = '', name, uid = '' }, reason }: ObjectEvent, at: number): boolean {
    const which = `${kind}/${namespace}/${name}/${uid}`;
    const last = this.#last.get(which);
    this.#last.delete(which);
    this.#last.set(which, { reason, at: last?.reason === reason && at - last.at < sameWithinMs ? last.at : at });
    for (const oldest of this.#last.keys()) if (this.#last.size > mostWaiting) this.#last.delete(oldest);
    return last?.reason === reason && at - last.at < sameWithinMs;
  }

  /** Resolves once the queue is empty. */
  async idle(): Promise<void> {
    await this.#work;
  }

  /** Discards the queue, and reports what was dropped. */
  stop(): void {
    this.#stopping.abort();
    this.#report();
  }

  async #writeAll(): Promise<void> {
    const { signal } = this.#stopping;
    await this.#pause(this.#pauses.firstMs);
    for (let next = this.#waiting.shift(); next && !signal.aborted; next = this.#waiting.shift()) {
      const { at } = next;
      if (Date.now() - at.getTime() < turnWithinMs) await this.#parts.turn?.();
      for (const event of this.#composed(next)) if (!this.#isSaid(event, at.getTime())) await this.#writeOne(event, at);
    }
    this.#work = undefined;
  }

  /** What was done must not fail because nobody can be told of it. */
  #composed({ eventsOf, at }: Done): readonly ObjectEvent[] {
    try {
      return eventsOf(at);
    } catch {
      this.#drop('they cannot be composed');
      return [];
    }
  }

  async #writeOne(event: ObjectEvent, at: Date): Promise<void> {
    const { againMs } = this.#pauses;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#create(event, at);
      } catch (error) {
        const pause = againMs[attempt];
        const reason = error instanceof FirebreakError ? error.code : 'unknown';
        if (pause === undefined || !(error instanceof FirebreakError && error.retryable) || this.#stopping.signal.aborted)
          return this.#drop(reason);
        await this.#pause(pause);
      }
    }
  }

  /** An existing Event of this name is this one, from an earlier attempt. */
  async #create(event: ObjectEvent, at: Date): Promise<void> {
    const { api, reporter, instance } = this.#parts;
    const { regarding, type, reason, action, note, name } = event;
    const namespace = regarding.namespace ?? 'default';
    const uid = regarding.uid ?? (await this.#uidOf(regarding));
    await createObject({
      api,
      ref: { kind: 'Event', group: eventRight.apiGroup, resource: eventRight.resource, namespace, name },
      metadata: {},
      content: {
        eventTime: at.toISOString().replace('Z', '000Z'),
        reportingController: `${reporterPrefix}${reporter}`,
        reportingInstance: instance.slice(0, 128),
        action,
        reason,
        type,
        note,
        regarding: { ...regarding, ...(uid !== undefined && { uid }) },
      },
      signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(withinMs)]),
    });
  }

  async #uidOf({ kind, namespace, name }: Regarding): Promise<string | undefined> {
    const place = readable.get(kind);
    if (!place || namespace === undefined) return undefined;
    const ref = { kind, ...place, namespace, name };
    const object = await readObject({ api: this.#parts.api, ref, signal: AbortSignal.timeout(withinMs) }).catch(() => undefined);
    return object?.metadata.uid;
  }

  #drop(reason: string, events = 1): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + events);
    this.#reporting ??= setTimeout(() => this.#report(), this.#pauses.reportMs).unref();
  }

  #report(): void {
    clearTimeout(this.#reporting);
    this.#reporting = undefined;
    for (const [reason, events] of this.#dropped) this.#parts.dropped({ events, reason });
    this.#dropped.clear();
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal, ref: false }).catch(() => undefined);
  }
}

import { LRUCache } from 'lru-cache';
import type { DurableValues } from '../../activities/memory/memory.ts';
import type { Alert, AlertFacts, Exposure } from '../../core/alert/alert.ts';
import type { Severity } from '../../core/alert/severity.ts';
import type { ResolvedAlert, SubjectResolver } from '../../core/alert/subject-resolver.ts';
import type { PodRecord } from '../../core/cluster/pod-record.ts';
import { NoveltyMemory, type NoveltyOptions, type NoveltyStore } from '../../core/novelty/novelty.ts';
import { AlertStamps, type AskedFacts } from '../../core/playbook/alert-stamps.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import type { AwaitedAlert, AwaitedStore, CountStore } from '../../core/playbook/timed-conditions.ts';
import type { Box } from '../../integrations/crypto-box/box.ts';
import type { ClusterView } from '../../integrations/kubernetes/watch/cluster-view.ts';
import { isOfWorkload, topOwnerOf } from '../../integrations/kubernetes/workloads/owners.ts';
import type { StampSource } from '../intake/read/receive.ts';
import type { Intake } from '../intake/start.ts';
import { type Logger, reasonOf } from '../process/log.ts';

type ViewOfPods = Pick<ClusterView, 'podByUid' | 'services' | 'ingresses'>;

/** Pods can have any labels, set by their creators: this limits how many are added to an alert. */
const mostLabels = 64;

/**
 * The same resolver, which also adds facts about the alert's pod: those that later playbooks may ask for and, if they cost more to find out, only those that an
 * enabled playbook asks for. Reads the watch cache and makes no calls.
 */
export function tellingFacts(resolver: SubjectResolver, view: ViewOfPods, asked: AskedFacts): SubjectResolver {
  const ofPods = new WeakMap<PodRecord, AlertFacts>();
  const factsOf = (pod: PodRecord): AlertFacts => {
    const known = ofPods.get(pod) ?? ownFacts(pod, asked.labels);
    ofPods.set(pod, known);
    const exposure = asked.exposure ? exposureOf(pod, view) : undefined;
    return exposure ? { ...known, exposure } : known;
  };
  return {
    resolve: (given): ResolvedAlert => {
      const resolved = resolver.resolve(given);
      const { alert } = resolved;
      const pod = alert.pod?.uid === undefined ? undefined : view.podByUid(alert.pod.uid);
      return pod ? { ...resolved, alert: { ...alert, facts: { ...alert.facts, ...factsOf(pod) } } } : resolved;
    },
  };
}

function ownFacts(pod: PodRecord, asked: AskedFacts['labels']): AlertFacts {
  const all = Object.entries(pod.labels);
  const lacking = [...asked].map((key) => [key, pod.labels[key] ?? null] as const);
  return {
    labels: Object.fromEntries([...all.slice(0, mostLabels), ...lacking]),
    ...(all.length <= mostLabels && { hasAllLabels: true as const }),
    privileged: pod.privileged === true,
    hostAccess: pod.hostAccess === true,
  };
}

/** Undefined if Ingresses are not known: an empty list would be wrong. */
function exposureOf({ namespace, labels }: PodRecord, view: ViewOfPods): readonly Exposure[] | undefined {
  const ingresses = view.ingresses(namespace);
  if (!ingresses) return undefined;
  // A Service without a selector selects nothing by itself.
  const services = view.services(namespace).filter(({ selector }) => {
    const wanted = Object.entries(selector);
    return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
  });
  const names = new Set(services.map(({ name }) => name));
  return [
    ...(services.length > 0 ? (['service'] as const) : []),
    ...(services.some(({ external }) => external) ? (['external'] as const) : []),
    ...(ingresses.some((ingress) => ingress.services.some((name) => names.has(name))) ? (['ingress'] as const) : []),
  ];
}

type ViewOfWorkloads = Pick<ClusterView, 'podByUid' | 'pods' | 'ownersOf'>;

const countedForMs = 10_000;

/** Looks up in the watch cache what runs where an alert comes from: a sensor's claim about its image would not be trusted. */
export function runningIn(view: ViewOfWorkloads): Required<Pick<NoveltyOptions, 'imageOf' | 'podsOf'>> {
  // A flood of different alerts must not cause the pods of a namespace to be counted for each.
  const counted = new LRUCache<string, number>({ max: 1_000, ttl: countedForMs });
  return {
    imageOf: ({ pod, container, rollout }) => {
      const record = pod?.uid === undefined ? undefined : view.podByUid(pod.uid);
      const { containers = [] } = record ?? {};
      const runs =
        containers.find(({ name }) => name === container?.name) ?? (containers.length === 1 ? containers[0] : undefined);
      const digest = runs?.imageId?.match(/sha256:[0-9a-f]{64}/)?.[0];
      // A recreated pod of an old rollout is not a new rollout.
      const since = Date.parse((rollout ? rollout.at : record?.createdAt) ?? '');
      return digest === undefined ? undefined : { digest, ...(!Number.isNaN(since) && { since }) };
    },
    podsOf: ({ workload }) => {
      if (!workload) return undefined;
      const { kind, namespace, name } = workload;
      const key = `${kind}/${namespace}/${name}`;
      const known = counted.get(key);
      if (known !== undefined) return known;
      const isOne = (pod: PodRecord): boolean =>
        !pod.deleting && isOfWorkload(pod, topOwnerOf({ pod, view }).workload, { kind, name });
      const count = [...view.pods(namespace)].filter(isOne).length;
      counted.set(key, count);
      return count;
    },
  };
}

type ViewOfRollouts = Pick<ClusterView, 'podByUid' | 'pods' | 'ownersOf' | 'rolloutOf'>;

/** A rollout that takes longer is no excuse for what happens in its pods. */
const rolloutMs = 10 * 60_000;

/**
 * Whether the alert's pod belongs to the newest revision of a Deployment, which began at most ten minutes ago, while pods of another revision are left. By the
 * times of the API server. Whoever may edit the Deployment can begin one. Nothing is known of other kinds, so it is false there.
 */
export function rollingOutIn(view: ViewOfRollouts): (alert: Alert, nowMs: number) => boolean {
  const revisionOf = ({ owners }: PodRecord): string | undefined =>
    owners.find(({ kind, controller }) => controller && kind === 'ReplicaSet')?.name;
  return ({ pod: { uid } = {} }, nowMs) => {
    const pod = uid === undefined ? undefined : view.podByUid(uid);
    const revision = pod && revisionOf(pod);
    if (!pod || revision === undefined) return false;
    const began = Date.parse(view.rolloutOf(pod.namespace, revision)?.at ?? '');
    if (Number.isNaN(began) || nowMs - began > rolloutMs) return false;
    const top = topOwnerOf({ pod, view }).workload;
    if (top?.kind !== 'Deployment') return false;
    return [...view.pods(pod.namespace)].some(
      (other) =>
        (revisionOf(other) ?? revision) !== revision && isOfWorkload(other, topOwnerOf({ pod: other, view }).workload, top),
    );
  };
}

/** The image of the container that an alert is about: a sensor's claim would not be trusted. */
export function imageIn(view: Pick<ClusterView, 'podByUid'>): (alert: Alert) => string | undefined {
  return ({ pod, container }) => {
    const { containers = [] } = (pod?.uid === undefined ? undefined : view.podByUid(pod.uid)) ?? {};
    return (containers.find(({ name }) => name === container?.name) ?? (containers.length === 1 ? containers[0] : undefined))
      ?.image;
  };
}

/** Raises by one level, and never to critical: that is the sensor's word. */
const raisedTo: Partial<Readonly<Record<Severity, Severity>>> = { info: 'low', low: 'medium', medium: 'high' };

/** Returns the alert with its novelty. */
function withNovelty(alert: Alert, novelty: NonNullable<AlertFacts['novelty']>, raises: boolean): Alert {
  const to = raises && novelty.state === 'novel' ? raisedTo[alert.severity] : undefined;
  const text = to ? `${novelty.text} The alert is therefore ${to}, not ${alert.severity}.` : novelty.text;
  return { ...alert, ...(to && { severity: to }), facts: { ...alert.facts, novelty: { ...novelty, text } } };
}

/** Stored part of an alert that something must follow: it contains text from commands and attackers. */
export interface StoredAwaited {
  readonly due: number;
  readonly sealed: Uint8Array;
}

/** After a start it takes a while until sensors have sent what they buffered. */
const graceMs = 60_000;
const lookEveryMs = 1_000;

/** Stamps alerts from what this cell remembers, and reports alerts again if nothing followed in time. */
export class CellStamps implements StampSource {
  readonly #stamps: AlertStamps;
  readonly #assessed: ((alert: Alert, nowMs: number) => Alert) | undefined;
  /** Number of counts written. */
  #writes = 0;
  readonly #written: () => Promise<unknown>;
  readonly #log: Pick<Logger, 'error'>;
  readonly #novelty: NoveltyMemory | undefined;
  readonly #raises: boolean;
  #timer: NodeJS.Timeout | undefined;
  #telling: Promise<void> | undefined;

  constructor(parts: {
    readonly playbooks: readonly AnyPlaybook[];
    readonly counts: CountStore;
    readonly awaited: DurableValues<StoredAwaited>;
    /** Resolves when all pending writes are on disk. */
    readonly written: () => Promise<unknown>;
    /** Absent: novelty is not reported. */
    readonly novelty?:
      | (Omit<NoveltyOptions, 'kept'> & { readonly kept: NoveltyStore; readonly raisesSeverity: boolean })
      | undefined;
    /** Writes onto an alert what is to be done about it. Absent: nothing is said about it. */
    readonly assessed?: (alert: Alert, nowMs: number) => Alert;
    readonly box: Box;
    readonly log: Pick<Logger, 'error'>;
  }) {
    const { playbooks, counts, awaited, written, novelty, assessed, box, log } = parts;
    this.#assessed = assessed;
    this.#novelty = novelty && new NoveltyMemory(novelty);
    this.#raises = novelty?.raisesSeverity === true;
    this.#written = written;
    this.#log = log;
    this.#stamps = new AlertStamps({
      playbooks,
      counts: {
        ...counts,
        put: (key, entry) => {
          this.#writes += 1;
          counts.put(key, entry);
        },
      },
      awaited: sealedIn(awaited, box, log),
      notBefore: Date.now() + graceMs,
      full: (condition) => log.error({ condition }, 'too many alerts are waiting for a later event; one more is not tracked'),
    });
  }

  heard(alert: Parameters<StampSource['heard']>[0]): void {
    this.#stamps.heard(alert);
  }

  stamp(...[given, now, sender]: Parameters<StampSource['stamp']>): ReturnType<StampSource['stamp']> {
    const before = this.#writes;
    const novelty = this.#novelty?.take(given, { sender, nowMs: now });
    const stamped = this.#stamps.stamp(novelty ? withNovelty(given, novelty, this.#raises) : given, now);
    // An alert that is repeated because a time is over has been assessed, and happened only once.
    const alert = given.againFor || !this.#assessed ? stamped : this.#assessed(stamped, now);
    // In an alert storm, most alerts change nothing that is remembered.
    return this.#writes > before || alert.countedFor ? { alert, kept: this.#written() } : { alert };
  }

  /** Looks for alerts that nothing followed in time. */
  watch(tellAgain: Intake['tell']): void {
    this.#timer = setInterval(() => {
      // Not awaited: whatever a crash loses is simply reported as new again.
      this.#novelty?.flush(Date.now());
      this.#telling ??= this.#tell(tellAgain).finally(() => {
        this.#telling = undefined;
      });
    }, lookEveryMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#novelty?.flush(Date.now());
    await this.#telling;
  }

  async #tell(tellAgain: Intake['tell']): Promise<void> {
    try {
      for (const { alert, condition, of } of this.#stamps.over(Date.now())) {
        if (await tellAgain(alert)) this.#stamps.told(condition, of);
      }
    } catch (error) {
      this.#log.error({ reason: reasonOf(error) }, 'cannot report an alert again that no later event followed; trying once more');
    }
  }
}

function sealedIn(kept: DurableValues<StoredAwaited>, box: Box, log: Pick<Logger, 'error'>): AwaitedStore {
  return {
    *entries() {
      for (const key of kept.keys()) {
        const entry = kept.get(key);
        if (entry) yield [key, entry.due] as const;
      }
    },
    get: (key): AwaitedAlert | undefined => {
      const entry = kept.get(key);
      if (!entry) return undefined;
      try {
        return { due: entry.due, alert: JSON.parse(Buffer.from(box.open(entry.sealed, aadOf(key))).toString()) };
      } catch {
        log.error({}, 'cannot decrypt an alert that was waiting for a later event: its key is gone');
        return undefined;
      }
    },
    put: (key, { due, alert }) => kept.put(key, { due, sealed: box.seal(Buffer.from(JSON.stringify(alert)), aadOf(key)) }),
    remove: (key) => kept.remove(key),
  };
}

function aadOf(key: string): string {
  return `awaited ${key}`;
}

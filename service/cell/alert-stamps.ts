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

/** Whoever makes pods labels them: no alert becomes longer by more than these. */
const mostLabels = 64;

/**
 * The same resolver, which also says what its pod is like: what playbooks that come later may ask for, and of what costs more to find out, what an
 * enabled one asks for. From the watch cache: it asks nobody.
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
  };
}

/** Undefined where Ingresses are not known: that there is none would not be true. */
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

/** What the watch cache tells of what runs where an alert comes from: a sensor's word for its image would be believed by nobody. */
export function runningIn(view: ViewOfWorkloads): Required<Pick<NoveltyOptions, 'imageOf' | 'podsOf'>> {
  // Whoever sends ever new alerts does not have the pods of a namespace counted for each.
  const counted = new LRUCache<string, number>({ max: 1_000, ttl: countedForMs });
  return {
    imageOf: ({ pod, container, rollout }) => {
      const record = pod?.uid === undefined ? undefined : view.podByUid(pod.uid);
      const { containers = [] } = record ?? {};
      const runs =
        containers.find(({ name }) => name === container?.name) ?? (containers.length === 1 ? containers[0] : undefined);
      const digest = runs?.imageId?.match(/sha256:[0-9a-f]{64}/)?.[0];
      // A pod that is made anew of what was rolled out long ago is no rollout.
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

/** One step, and never to critical: head starts are for what a sensor calls critical. */
const raisedTo: Partial<Readonly<Record<Severity, Severity>>> = { info: 'low', low: 'medium', medium: 'high' };

/** The alert with what is new of it. */
function withNovelty(alert: Alert, novelty: NonNullable<AlertFacts['novelty']>, raises: boolean): Alert {
  const to = raises && novelty.state === 'novel' ? raisedTo[alert.severity] : undefined;
  const text = to ? `${novelty.text} So it is ${to}, and not ${alert.severity}.` : novelty.text;
  return { ...alert, ...(to && { severity: to }), facts: { ...alert.facts, novelty: { ...novelty, text } } };
}

/** What is stored of an alert after which something has to come: it holds what commands and attackers wrote. */
export interface StoredAwaited {
  readonly due: number;
  readonly sealed: Uint8Array;
}

/** After a start it takes a while until sensors have sent what they kept. */
const graceMs = 60_000;
const lookEveryMs = 1_000;

/** Stamps alerts from what this cell remembers, and tells those again after which nothing came in time. */
export class CellStamps implements StampSource {
  readonly #stamps: AlertStamps;
  /** Counts that were written. */
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
    /** Resolves when what was begun to be written is on the disk. */
    readonly written: () => Promise<unknown>;
    /** Absent: nothing is said to be new. */
    readonly novelty?:
      | (Omit<NoveltyOptions, 'kept'> & { readonly kept: NoveltyStore; readonly raisesSeverity: boolean })
      | undefined;
    readonly box: Box;
    readonly log: Pick<Logger, 'error'>;
  }) {
    const { playbooks, counts, awaited, written, novelty, box, log } = parts;
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
    const alert = this.#stamps.stamp(novelty ? withNovelty(given, novelty, this.#raises) : given, now);
    // Of a storm most alerts change nothing that is remembered.
    return this.#writes > before || alert.countedFor ? { alert, kept: this.#written() } : { alert };
  }

  /** Looks for alerts after which nothing came in time. */
  watch(tellAgain: Intake['tell']): void {
    this.#timer = setInterval(() => {
      // Not waited for: what a crash takes of it is new once more.
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
      this.#log.error({ reason: reasonOf(error) }, 'cannot report again an alert that nothing followed; trying once more');
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
        log.error({}, 'cannot decrypt an alert that a later event was expected after: its key is gone');
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

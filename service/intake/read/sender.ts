import { LRUCache } from 'lru-cache';
import type { Alert } from '../../../core/alert/alert.ts';
import { ownSensor } from '../../../core/alert/own-alerts.ts';
import type { ResolvedAlert, SubjectResolver } from '../../../core/alert/subject-resolver.ts';
import { BoundedBodies } from '../../../integrations/bounded-bodies.ts';
import { ConcurrencyLimiter } from '../send/concurrency-limiter.ts';
import { AlertBucket } from './alert-bucket.ts';
import { largestBody } from './parse.ts';

/** What one sender may say, and how fast. What is absent is not restricted. */
export interface SenderRule {
  readonly name: string;
  /** Clusters that it may speak for: an item that names another one is refused. Without it the items' own word is ignored. */
  readonly clusters?: readonly string[] | undefined;
  /** Namespaces that it may speak of; nothing about a node or the cluster as a whole then. */
  readonly namespaces?: readonly string[] | undefined;
  /** The one node that it sees. */
  readonly node?: string | undefined;
  readonly alertsPerSecond?: number | undefined;
  readonly burst?: number | undefined;
}

/** Who sends a request. */
export interface AlertSender {
  readonly rule: SenderRule;
  readonly name: string;
  /** From its certificate or its rule: what it says about pods of other nodes makes nothing happen by itself. */
  readonly node?: string;
  readonly bucket: AlertBucket;
  /** Packed bodies of its that are unpacked at once: others need the threads as well. */
  readonly unpacking: ConcurrencyLimiter;
  /** Its bodies, from their first byte on until they are answered: others need the memory as well. */
  readonly bodies: BoundedBodies;
}

/** More than a cluster's sensors send together: it is there for a sender gone mad. */
const defaultRate = { alertsPerSecond: 20_000, burst: 100_000 };
/** Senders with a node each, so that their number is the cluster's size. */
const mostSenders = 20_000;

/** The senders by name, and by node where each node's is one of its own: their limits are counted apart. */
export class Senders {
  readonly #rules: ReadonlyMap<string, SenderRule>;
  readonly #known = new LRUCache<string, AlertSender>({ max: mostSenders });
  /** Firebreak itself: a limit and rules of its own, whatever name somebody else sends under. */
  readonly own: AlertSender = senderOf({ name: ownSensor });

  constructor(rules: readonly SenderRule[] = []) {
    this.#rules = new Map(rules.map((rule) => [rule.name, rule]));
  }

  of(name: string, boundNode?: string): AlertSender {
    const key = boundNode === undefined ? name : `${name}\n${boundNode}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const rule = this.#rules.get(name) ?? { name };
    const sender = senderOf(rule, boundNode);
    this.#known.set(key, sender);
    return sender;
  }
}

function senderOf(rule: SenderRule, node = rule.node): AlertSender {
  const { name, alertsPerSecond: perSecond = defaultRate.alertsPerSecond, burst = Math.max(perSecond, defaultRate.burst) } = rule;
  return {
    rule,
    name,
    bucket: new AlertBucket({ perSecond, burst }),
    unpacking: new ConcurrencyLimiter(2),
    bodies: new BoundedBodies({ atMost: largestBody, inAll: 4 * largestBody }),
    ...(node !== undefined && { node }),
  };
}

/** Field names by which sensors and forwarders tell their cluster. */
const clusterFields = ['cluster', 'cluster_name', 'clusterName', 'ClusterName', 'k8s.cluster.name', 'k8s_cluster'] as const;
const mention = Buffer.from('luster');

/** Why an item that names a cluster is not taken from this sender; the bytes are JSON by then. */
export function foreignCluster(
  rule: SenderRule,
  { raw, own }: { readonly raw: Uint8Array; readonly own: string },
): string | undefined {
  const { clusters } = rule;
  if (clusters === undefined) return undefined;
  if (!clusters.includes(own)) return `this sender may not speak for cluster ${own}`;
  if (Buffer.from(raw.buffer, raw.byteOffset, raw.length).indexOf(mention) < 0) return undefined;
  const named = namedClusters(JSON.parse(new TextDecoder().decode(raw)));
  return named.some((name) => !clusters.includes(name))
    ? 'this sender may not speak for the cluster that the item names'
    : undefined;
}

function namedClusters(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = clusterFields.flatMap((field) => {
    const name: unknown = Reflect.get(value, field);
    return typeof name === 'string' && name !== '' ? [name] : [];
  });
  const inner = ['output_fields', 'labels', 'commonLabels', 'data', 'metadata'].flatMap((field) => {
    const part: unknown = Reflect.get(value, field);
    return typeof part === 'object' && part !== null && !Array.isArray(part) ? namedClusters(part) : [];
  });
  return [...own, ...inner];
}

/** Why what an alert is about is not this sender's to report. */
export function foreignNamespace(rule: SenderRule, decoded: Alert, { alert, subject }: ResolvedAlert): string | undefined {
  const { namespaces } = rule;
  if (namespaces === undefined) return undefined;
  const named = [decoded.pod, alert.pod, decoded.workload, alert.workload, subject.kind === 'workload' ? subject : undefined];
  const found = named.flatMap((part) => part?.namespace ?? []);
  if (found.length === 0) return 'this sender may only speak of pods in its namespaces';
  return found.every((namespace) => namespaces.includes(namespace)) ? undefined : 'this sender may not speak of that namespace';
}

/**
 * The alert as this sender can know it. Whoever is bound to a node sees that node only: a pod elsewhere, or one that nobody can
 * place, loses its uid, and to a pod without one nothing automatic is done.
 */
export function believed(sender: AlertSender, alert: Alert, resolver: SubjectResolver): ResolvedAlert {
  const { node } = sender;
  if (node === undefined) return resolver.resolve(alert);
  // Its own word for the node would hide which one the cluster says it is.
  const { node: claimed, ...unplaced } = alert;
  const resolved = resolver.resolve(unplaced);
  if (resolved.alert.pod !== undefined) {
    if (resolved.alert.node === node) return resolved;
    const where =
      resolved.alert.node === undefined ? 'nobody knows on which node the pod is' : `the pod is on node ${resolved.alert.node}`;
    return doubted(resolved, `the sender sees node ${node}, and ${where}`);
  }
  const placed = resolver.resolve({ ...unplaced, node });
  if (placed.alert.pod !== undefined && placed.alert.node !== node) return doubted(placed, `the sender sees node ${node} only`);
  return claimed === undefined || claimed === node
    ? placed
    : doubted(placed, `the sender sees node ${node}, and speaks of ${claimed}`);
}

function doubted(resolved: ResolvedAlert, doubt: string): ResolvedAlert {
  const { alert, subject } = resolved;
  // What the cluster says of a pod is not known of one in doubt.
  const { pod, facts: _facts, ...rest } = alert;
  const { uid: _, ...named } = pod ?? {};
  return {
    alert: { ...rest, ...(pod && { pod: { namespace: pod.namespace, name: pod.name, ...named } }), doubt },
    subject,
    ambiguous: doubt,
  };
}

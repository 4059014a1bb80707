import { LRUCache } from 'lru-cache';
import { ConcurrencyLimiter } from '../../../activities/concurrency-limiter.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import { ownSensor } from '../../../core/alert/own-alerts.ts';
import type { ResolvedAlert, SubjectResolver } from '../../../core/alert/subject-resolver.ts';
import { BoundedBodies } from '../../../integrations/bounded-bodies.ts';
import { AlertBucket } from './alert-bucket.ts';
import { largestBody } from './parse.ts';

/** What one sender may report, and how fast. Absent fields do not restrict it. */
export interface SenderRule {
  readonly name: string;
  /** Clusters it may report for: an item that names another cluster is rejected. If absent, the cluster that items name is ignored. */
  readonly clusters?: readonly string[] | undefined;
  /** Namespaces it may report on. If set, it may report nothing about a node or the cluster as a whole. */
  readonly namespaces?: readonly string[] | undefined;
  /** The only node it sees. */
  readonly node?: string | undefined;
  readonly alertsPerSecond?: number | undefined;
  readonly burst?: number | undefined;
}

/** The sender of a request. */
export interface AlertSender {
  readonly rule: SenderRule;
  readonly name: string;
  /** From its certificate or its rule: its reports about pods of other nodes trigger nothing automatically. */
  readonly node?: string;
  readonly bucket: AlertBucket;
  /** Limits how many of its compressed bodies are unpacked at once, because other senders need the threads as well. */
  readonly unpacking: ConcurrencyLimiter;
  /** Limits its bodies from their first byte until they are answered, because other senders need the memory as well. */
  readonly bodies: BoundedBodies;
}

/** More than all sensors of a cluster send together: it only stops a sender that has gone mad. */
const defaultRate = { alertsPerSecond: 20_000, burst: 100_000 };
/** Maximum number of senders; each may be bound to a node, so their number grows with the cluster. */
const mostSenders = 20_000;

/** Senders by name, and also by node if each node has its own sender: their limits are counted separately. */
export class Senders {
  readonly #rules: ReadonlyMap<string, SenderRule>;
  readonly #known = new LRUCache<string, AlertSender>({ max: mostSenders });
  /** Firebreak itself: it has its own limit and rules, even if another sender uses its name. */
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

/** Field names in which sensors and forwarders name their cluster. */
const clusterFields = ['cluster', 'cluster_name', 'clusterName', 'ClusterName', 'k8s.cluster.name', 'k8s_cluster'] as const;
const mention = Buffer.from('luster');

/** Returns why an item that names a cluster is rejected from this sender. The bytes are already known to be JSON. */
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

/** Returns why this sender may not report on the subject of an alert. */
export function foreignNamespace(rule: SenderRule, decoded: Alert, { alert, subject }: ResolvedAlert): string | undefined {
  const { namespaces } = rule;
  if (namespaces === undefined) return undefined;
  const named = [decoded.pod, alert.pod, decoded.workload, alert.workload, subject.kind === 'workload' ? subject : undefined];
  const found = named.flatMap((part) => part?.namespace ?? []);
  if (found.length === 0) return 'this sender may only report on pods in its namespaces';
  return found.every((namespace) => namespaces.includes(namespace)) ? undefined : 'this sender may not report on that namespace';
}

/**
 * Returns the alert reduced to what this sender can know. A sender bound to a node sees only that node: a pod on another node, or one whose node is unknown,
 * loses its uid, and nothing automatic is done to a pod without a uid.
 */
export function believed(sender: AlertSender, alert: Alert, resolver: SubjectResolver): ResolvedAlert {
  const { node } = sender;
  if (node === undefined) return resolver.resolve(alert);
  // If the sender's own node were kept, it would hide the node that the cluster reports.
  const { node: claimed, ...unplaced } = alert;
  const resolved = resolver.resolve(unplaced);
  if (resolved.alert.pod !== undefined) {
    if (resolved.alert.node === node) return resolved;
    const where =
      resolved.alert.node === undefined ? 'the node of the pod is unknown' : `the pod is on node ${resolved.alert.node}`;
    return doubted(resolved, `the sender sees node ${node}, but ${where}`);
  }
  const placed = resolver.resolve({ ...unplaced, node });
  if (placed.alert.pod !== undefined && placed.alert.node !== node) return doubted(placed, `the sender sees only node ${node}`);
  return claimed === undefined || claimed === node
    ? placed
    : doubted(placed, `the sender sees node ${node}, but reports on ${claimed}`);
}

function doubted(resolved: ResolvedAlert, doubt: string): ResolvedAlert {
  const { alert, subject } = resolved;
  // Drops the cluster's facts about the pod, because it is uncertain which pod is meant.
  const { pod, facts: _facts, ...rest } = alert;
  const { uid: _, ...named } = pod ?? {};
  return {
    alert: { ...rest, ...(pod && { pod: { namespace: pod.namespace, name: pod.name, ...named } }), doubt },
    subject,
    ambiguous: doubt,
  };
}

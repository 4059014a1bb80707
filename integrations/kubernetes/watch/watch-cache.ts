import type { V1Ingress, V1NetworkPolicy, V1ObjectMeta, V1Service } from '@kubernetes/client-node';
import type { RolloutRef } from '../../../core/alert/alert.ts';
import type { OwnerRef, PodRecord, PolicyRecord } from '../../../core/cluster/pod-record.ts';
import { type KubernetesApi, pathOf } from '../client.ts';
import { type OtherPolicyJson, otherPolicyKinds } from '../policies/other-policies.ts';
import {
  type BudgetJson,
  type BudgetRecord,
  budgetRecord,
  type ScalerJson,
  type ScalerRecord,
  scalerRecord,
} from '../workloads/disruption.ts';
import type { ClusterView, NodeRecord, OwnerKind } from './cluster-view.ts';
import { PodIndex } from './pod-index.ts';
import {
  type IngressRecord,
  ingressRecord,
  type Jsonify,
  ownersOf,
  type PodJson,
  podRecord,
  policyRecord,
  type ServiceRecord,
  serviceRecord,
} from './projection.ts';
import { Reflector, type WatchLog } from './reflector.ts';

interface Metadata {
  readonly metadata?: Jsonify<V1ObjectMeta>;
}

/** Follows what containment needs: pods (projected), policies, Services, and only the metadata of other objects. */
export class WatchCache implements ClusterView {
  readonly #pods = new PodIndex();
  readonly #owners = { ReplicaSet: new Map<string, readonly OwnerRef[]>(), Job: new Map<string, readonly OwnerRef[]>() };
  readonly #rollouts = new Map<string, RolloutRef>();
  readonly #policies: ByNamespace<PolicyRecord> = new Map();
  readonly #otherPolicies = otherPolicyKinds.map((): ByNamespace<PolicyRecord> => new Map());
  readonly #services: ByNamespace<ServiceRecord> = new Map();
  readonly #ingresses: ByNamespace<IngressRecord> = new Map();
  readonly #budgets: ByNamespace<BudgetRecord> = new Map();
  readonly #scalers: ByNamespace<ScalerRecord> = new Map();
  readonly #namespaces = new Map<string, Readonly<Record<string, string>>>();
  readonly #nodes = new Map<string, NodeRecord>();
  readonly #onNamespace = new Set<(namespace: string) => void>();
  readonly #onPod = new Set<(pod: PodRecord) => void>();
  readonly #onPolicies = new Set<(namespace: string) => void>();
  readonly #reflectors: readonly Reflector<never>[];
  /** Those whose objects our own calls change as well. */
  readonly #watched: { readonly pods: Reflector<PodJson>; readonly policies: Reflector<Jsonify<V1NetworkPolicy>> };
  /** Only mentioned in plans: containment works without these rights. */
  readonly #others: readonly Reflector<OtherPolicyJson>[];
  readonly #ingressReflector: Reflector<Jsonify<V1Ingress>> | undefined;
  readonly #beside: { readonly budgets: Reflector<BudgetJson>; readonly scalers: Reflector<ScalerJson> };
  #ready = false;
  #stopped = false;

  /**
   * @param options.nodes follow the nodes too: only if sensors are expected on each
   * @param options.ingresses follow the Ingresses too: only if a playbook asks how a pod is reached
   */
  constructor(options: {
    readonly api: KubernetesApi;
    readonly log?: WatchLog;
    readonly nodes?: boolean;
    readonly ingresses?: boolean;
  }) {
    const { api, log = () => {} } = options;
    const pods = new Reflector<PodJson>({
      api,
      log,
      resource: 'pods',
      path: pathOf({ resource: 'pods' }),
      onList: (items) => {
        this.#pods.clear();
        for (const item of items) this.#seePod(item);
      },
      onChange: ({ type, item }) => (type === 'set' ? this.#seePod(item) : this.#pods.delete(item.metadata?.uid ?? '')),
    });
    const policies = new Reflector<Jsonify<V1NetworkPolicy>>({
      api,
      log,
      resource: 'networkpolicies',
      path: pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies' }),
      ...keptIn(this.#policies, policyRecord, (namespace) => this.#changedPolicies(namespace)),
    });
    const services = new Reflector<Jsonify<V1Service>>({
      api,
      log,
      resource: 'services',
      path: pathOf({ resource: 'services' }),
      ...keptIn(this.#services, serviceRecord),
    });
    const namespaces = new Reflector<Metadata>({
      api,
      log,
      resource: 'namespaces',
      path: pathOf({ resource: 'namespaces' }),
      metadataOnly: true,
      onList: (items) => {
        this.#namespaces.clear();
        for (const { metadata } of items) this.#seeNamespace(metadata);
      },
      onChange: ({ type, item }) => {
        if (type === 'delete') this.#namespaces.delete(item.metadata?.name ?? '');
        else this.#seeNamespace(item.metadata);
      },
    });
    const owners = (kind: OwnerKind, group: string, resource: string): Reflector<Metadata> =>
      new Reflector<Metadata>({
        api,
        log,
        resource,
        path: pathOf({ group, resource }),
        metadataOnly: true,
        onList: (items) => {
          this.#owners[kind].clear();
          if (kind === 'ReplicaSet') this.#rollouts.clear();
          for (const { metadata = {} } of items) this.#seeOwner(kind, metadata);
        },
        onChange: ({ type, item: { metadata = {} } }) => {
          if (type === 'set') return this.#seeOwner(kind, metadata);
          this.#owners[kind].delete(keyOf(metadata));
          if (kind === 'ReplicaSet') this.#rollouts.delete(keyOf(metadata));
        },
      });
    const nodes = new Reflector<Metadata>({
      api,
      log,
      resource: 'nodes',
      path: pathOf({ resource: 'nodes' }),
      metadataOnly: true,
      onList: (items) => {
        this.#nodes.clear();
        for (const { metadata } of items) this.#seeNode(metadata);
      },
      onChange: ({ type, item }) => {
        if (type === 'delete') this.#nodes.delete(item.metadata?.name ?? '');
        else this.#seeNode(item.metadata);
      },
    });
    this.#others = otherPolicyKinds.map(({ group, version, resource, record }, at) => {
      const kept = this.#otherPolicies[at] ?? new Map();
      return new Reflector<OtherPolicyJson>({
        api,
        log,
        resource: `${resource}.${group}`,
        path: pathOf({ group, version, resource }),
        mayBeAbsent: true,
        ...keptIn(kept, record, (namespace) => this.#changedPolicies(namespace)),
      });
    });
    this.#ingressReflector = options.ingresses
      ? new Reflector<Jsonify<V1Ingress>>({
          api,
          log,
          resource: 'ingresses',
          path: pathOf({ group: 'networking.k8s.io', resource: 'ingresses' }),
          ...keptIn(this.#ingresses, ingressRecord),
        })
      : undefined;
    this.#beside = {
      budgets: new Reflector<BudgetJson>({
        api,
        log,
        resource: 'poddisruptionbudgets',
        path: pathOf({ group: 'policy', resource: 'poddisruptionbudgets' }),
        ...keptIn(this.#budgets, budgetRecord),
      }),
      scalers: new Reflector<ScalerJson>({
        api,
        log,
        resource: 'horizontalpodautoscalers',
        path: pathOf({ group: 'autoscaling', version: 'v2', resource: 'horizontalpodautoscalers' }),
        ...keptIn(this.#scalers, scalerRecord),
      }),
    };
    this.#watched = { pods, policies };
    this.#reflectors = [
      pods,
      policies,
      services,
      namespaces,
      owners('ReplicaSet', 'apps', 'replicasets'),
      owners('Job', 'batch', 'jobs'),
      ...(options.nodes ? [nodes] : []),
    ];
  }

  /** Resolves once all first lists have arrived. It keeps trying until `stop`: do not await it if an alert must not wait. */
  async start(): Promise<void> {
    for (const reflector of this.#asides()) void reflector.start();
    await Promise.all(this.#reflectors.map((reflector) => reflector.start()));
    this.#ready = !this.#stopped;
  }

  #asides() {
    return [...this.#others, ...Object.values(this.#beside), ...(this.#ingressReflector ? [this.#ingressReflector] : [])];
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#ready = false;
    await Promise.all([...this.#reflectors, ...this.#asides()].map((reflector) => reflector.stop()));
  }

  /** Calls the listener once for each namespace, including those already known. */
  onNamespace(listener: (namespace: string) => void): void {
    this.#onNamespace.add(listener);
    for (const namespace of this.#namespaces.keys()) listener(namespace);
  }

  onPod(listener: (pod: PodRecord) => void): void {
    this.#onPod.add(listener);
  }

  onPolicies(listener: (namespace: string) => void): void {
    this.#onPolicies.add(listener);
  }

  age(): number {
    return Math.max(...this.#reflectors.map((reflector) => reflector.age()));
  }

  ready(): boolean {
    return this.#ready;
  }

  pod(namespace: string, name: string): PodRecord | undefined {
    return this.#pods.byName(namespace, name);
  }

  podByUid(uid: string): PodRecord | undefined {
    return this.#pods.byUid(uid);
  }

  podsByContainerPrefix(prefix: string): readonly PodRecord[] {
    return this.#pods.byContainerPrefix(prefix);
  }

  knowsNode(node: string): boolean {
    return this.#pods.knowsNode(node);
  }

  pods(namespace?: string): Iterable<PodRecord> {
    return namespace === undefined ? this.#pods.all() : this.#pods.in(namespace);
  }

  notedPods(): Iterable<PodRecord> {
    return this.#pods.noted();
  }

  ownersOf(kind: OwnerKind, namespace: string, name: string): readonly OwnerRef[] | undefined {
    return this.#owners[kind].get(`${namespace}/${name}`);
  }

  rolloutOf(namespace: string, replicaSet: string): RolloutRef | undefined {
    return this.#rollouts.get(`${namespace}/${replicaSet}`);
  }

  policies(namespace: string): readonly PolicyRecord[] {
    return [...(this.#policies.get(namespace)?.values() ?? [])];
  }

  otherPolicies(namespace: string): readonly PolicyRecord[] {
    return this.#otherPolicies.flatMap((kept) => [
      ...(kept.get(namespace)?.values() ?? []),
      ...[...(kept.get('')?.values() ?? [])].filter(({ onlyIn }) => onlyIn?.includes(namespace) ?? true),
    ]);
  }

  services(namespace: string): readonly ServiceRecord[] {
    return [...(this.#services.get(namespace)?.values() ?? [])];
  }

  ingresses(namespace: string): readonly IngressRecord[] | undefined {
    const reflector = this.#ingressReflector;
    return reflector && known(reflector) ? [...(this.#ingresses.get(namespace)?.values() ?? [])] : undefined;
  }

  budgets(namespace: string): readonly BudgetRecord[] | undefined {
    return known(this.#beside.budgets) ? [...(this.#budgets.get(namespace)?.values() ?? [])] : undefined;
  }

  scalers(namespace: string): readonly ScalerRecord[] | undefined {
    return known(this.#beside.scalers) ? [...(this.#scalers.get(namespace)?.values() ?? [])] : undefined;
  }

  nodes(): readonly NodeRecord[] {
    return [...this.#nodes.values()];
  }

  namespaces(): readonly string[] {
    return [...this.#namespaces.keys()];
  }

  namespaceLabels(name: string): Readonly<Record<string, string>> | undefined {
    return this.#namespaces.get(name);
  }

  observePod(pod: PodJson): void {
    if (!this.#watched.pods.hasPassed(pod.metadata?.resourceVersion)) this.#seePod(pod);
  }

  observePolicy(policy: Jsonify<V1NetworkPolicy>): void {
    if (this.#watched.policies.hasPassed(policy.metadata?.resourceVersion)) return;
    const record = policyRecord(policy);
    put(this.#policies, record);
    this.#changedPolicies(record.namespace);
  }

  #seePod(pod: PodJson): void {
    const { uid = '', resourceVersion } = pod.metadata ?? {};
    // The watch repeats the result of our own call.
    if (resourceVersion !== undefined && this.#pods.byUid(uid)?.resourceVersion === resourceVersion) return;
    const record = podRecord(pod);
    this.#pods.set(record);
    for (const listener of this.#onPod) listener(record);
  }

  /** A policy of the whole cluster affects every namespace. */
  #changedPolicies(namespace: string): void {
    const where = namespace === '' ? this.namespaces() : [namespace];
    for (const listener of this.#onPolicies) for (const one of where) listener(one);
  }

  #seeOwner(kind: OwnerKind, metadata: Jsonify<V1ObjectMeta>): void {
    this.#owners[kind].set(keyOf(metadata), ownersOf(metadata));
    const rollout = kind === 'ReplicaSet' ? rolloutIn(metadata) : undefined;
    if (rollout) this.#rollouts.set(keyOf(metadata), rollout);
  }

  #seeNode(metadata: Jsonify<V1ObjectMeta> | undefined): void {
    if (metadata?.name) this.#nodes.set(metadata.name, { name: metadata.name, labels: metadata.labels ?? {} });
  }

  #seeNamespace(metadata: Jsonify<V1ObjectMeta> | undefined): void {
    if (!metadata?.name || metadata.deletionTimestamp) return;
    const isKnown = this.#namespaces.has(metadata.name);
    this.#namespaces.set(metadata.name, metadata.labels ?? {});
    if (isKnown) return;
    for (const listener of this.#onNamespace) listener(metadata.name);
  }
}

function known(reflector: Pick<Reflector<BudgetJson>, 'age'>): boolean {
  return Number.isFinite(reflector.age());
}

const keyOf = (metadata: Jsonify<V1ObjectMeta>): string => `${metadata.namespace ?? ''}/${metadata.name ?? ''}`;

/** Records of one kind of object: by namespace, then by name. */
type ByNamespace<R> = Map<string, Map<string, R>>;

function put<R extends { readonly namespace: string; readonly name: string }>(records: ByNamespace<R>, record: R): void {
  const inside = records.get(record.namespace) ?? new Map<string, R>();
  records.set(record.namespace, inside.set(record.name, record));
}

/** Handlers with which a reflector maintains such records. `changed` is called for each namespace in which something changed. */
function keptIn<T, R extends { readonly namespace: string; readonly name: string }>(
  records: ByNamespace<R>,
  project: (item: T) => R,
  changed: (namespace: string) => void = () => {},
) {
  return {
    onList: (items: readonly T[]): void => {
      const namespaces = new Set(records.keys());
      records.clear();
      for (const item of items) put(records, project(item));
      for (const namespace of new Set([...namespaces, ...records.keys()])) changed(namespace);
    },
    onChange: ({ type, item }: { readonly type: 'set' | 'delete'; readonly item: T }): void => {
      const record = project(item);
      if (type === 'set') put(records, record);
      else records.get(record.namespace)?.delete(record.name);
      changed(record.namespace);
    },
  };
}

const revision = 'deployment.kubernetes.io/revision';
/** Earlier revisions of the same template: the Deployment was rolled back to it, so its age is meaningless. */
const revisionHistory = 'deployment.kubernetes.io/revision-history';

/** The rollout of a ReplicaSet, from its metadata; undefined if no Deployment created it. */
export function rolloutIn({ annotations = {}, creationTimestamp }: Jsonify<V1ObjectMeta>): RolloutRef | undefined {
  const number = annotations[revision];
  if (number === undefined) return undefined;
  const isAgain = (annotations[revisionHistory] ?? '') !== '';
  return { revision: number, ...(creationTimestamp && !isAgain && { at: creationTimestamp }) };
}

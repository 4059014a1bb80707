import type { V1NetworkPolicy } from '@kubernetes/client-node';
import type { RolloutRef } from '../../../core/alert/alert.ts';
import type { OwnerRef, PodRecord, PolicyRecord } from '../../../core/cluster/pod-record.ts';
import type { BudgetRecord, ScalerRecord } from '../workloads/disruption.ts';
import type { IngressRecord, Jsonify, PodJson, ServiceRecord } from './projection.ts';

export type OwnerKind = 'ReplicaSet' | 'Job';

/** A node's metadata: a sensor is expected there. */
export interface NodeRecord {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Queries on the cell's in-memory view of the cluster. */
export interface ClusterView {
  /** Milliseconds since the API server last spoke on the stalest watch; infinite before the first lists. */
  age(): number;
  /** Whether all first lists have arrived. */
  ready(): boolean;
  pod(namespace: string, name: string): PodRecord | undefined;
  podByUid(uid: string): PodRecord | undefined;
  podsByContainerPrefix(prefix: string): readonly PodRecord[];
  /** All pods, or those of one namespace: iterating over all is too expensive for each containment. */
  pods(namespace?: string): Iterable<PodRecord>;
  /** Pods with a before-state on them, whoever wrote it. */
  notedPods(): Iterable<PodRecord>;
  /** Whether any pod runs on a node of this name: a sensor's host name is often that of its own pod. */
  knowsNode(node: string): boolean;
  /** Owners of a ReplicaSet or a Job; undefined if there is no such object in memory. */
  ownersOf(kind: OwnerKind, namespace: string, name: string): readonly OwnerRef[] | undefined;
  /** The rollout of a Deployment's ReplicaSet; undefined if unknown. */
  rolloutOf(namespace: string, replicaSet: string): RolloutRef | undefined;
  policies(namespace: string): readonly PolicyRecord[];
  /** Policies of network plugins and of the whole cluster that can select pods here: they allow traffic in addition to the NetworkPolicies. */
  otherPolicies(namespace: string): readonly PolicyRecord[];
  services(namespace: string): readonly ServiceRecord[];
  /** Undefined while unknown: nobody needs them, or they may not be read. */
  ingresses(namespace: string): readonly IngressRecord[] | undefined;
  namespaces(): readonly string[];
  /** Undefined for a namespace that is not known. */
  namespaceLabels(name: string): Readonly<Record<string, string>> | undefined;
  /** PodDisruptionBudgets; undefined while unknown, since nothing waits for them. */
  budgets(namespace: string): readonly BudgetRecord[] | undefined;
  /** HorizontalPodAutoscalers; undefined while unknown. */
  scalers(namespace: string): readonly ScalerRecord[] | undefined;
  /** Calls the listener for each pod that was created or changed, once the view has it. Synchronously: the listener must defer anything slow. */
  onPod(listener: (pod: PodRecord) => void): void;
  /** Calls the listener for each namespace whose policies have changed. */
  onPolicies(listener: (namespace: string) => void): void;
  /** Adds the result of one of our own calls before the watch delivers it. If the watch has already reported something later, the result is ignored. */
  observePod(pod: PodJson): void;
  observePolicy(policy: Jsonify<V1NetworkPolicy>): void;
}

import type { V1NetworkPolicy } from '@kubernetes/client-node';
import type { RolloutRef } from '../../../core/alert/alert.ts';
import type { OwnerRef, PodRecord, PolicyRecord } from '../../../core/cluster/pod-record.ts';
import type { BudgetRecord, ScalerRecord } from '../workloads/disruption.ts';
import type { IngressRecord, Jsonify, PodJson, ServiceRecord } from './projection.ts';

export type OwnerKind = 'ReplicaSet' | 'Job';

/** A node's metadata: where a sensor is expected. */
export interface NodeRecord {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What everyone may ask of the cell's memory of the cluster. */
export interface ClusterView {
  /** Milliseconds since the API server last spoke on the stalest watch; infinite before the first lists. */
  age(): number;
  /** All first lists are in. */
  ready(): boolean;
  pod(namespace: string, name: string): PodRecord | undefined;
  podByUid(uid: string): PodRecord | undefined;
  podsByContainerPrefix(prefix: string): readonly PodRecord[];
  /** All, or those of one namespace: a walk over all is too much for each containment. */
  pods(namespace?: string): Iterable<PodRecord>;
  /** Pods with a before-state on them, whoever wrote it. */
  notedPods(): Iterable<PodRecord>;
  /** Whether any pod runs on a node of this name: a sensor's host name is often that of its own pod. */
  knowsNode(node: string): boolean;
  /** Owners of a ReplicaSet or a Job; undefined when there is no such object in memory. */
  ownersOf(kind: OwnerKind, namespace: string, name: string): readonly OwnerRef[] | undefined;
  /** Of a Deployment's ReplicaSet; undefined where nothing is known of it. */
  rolloutOf(namespace: string, replicaSet: string): RolloutRef | undefined;
  policies(namespace: string): readonly PolicyRecord[];
  /** Those of network plugins and of the whole cluster that can select pods here: they allow beside the NetworkPolicies. */
  otherPolicies(namespace: string): readonly PolicyRecord[];
  services(namespace: string): readonly ServiceRecord[];
  /** Undefined while they are not known: nobody asks for them, or they may not be read. */
  ingresses(namespace: string): readonly IngressRecord[] | undefined;
  namespaces(): readonly string[];
  /** PodDisruptionBudgets; undefined while they are not known: nothing waits for them. */
  budgets(namespace: string): readonly BudgetRecord[] | undefined;
  /** HorizontalPodAutoscalers; undefined while they are not known. */
  scalers(namespace: string): readonly ScalerRecord[] | undefined;
  /** Is told of each pod that was made or changed, once the view has it. At once: what takes long is for the listener to put off. */
  onPod(listener: (pod: PodRecord) => void): void;
  /** Is told of each namespace whose policies have changed. */
  onPolicies(listener: (namespace: string) => void): void;
  /** Takes what a call of ours has just returned, before the watch brings it. */
  observePod(pod: PodJson): void;
  observePolicy(policy: Jsonify<V1NetworkPolicy>): void;
}

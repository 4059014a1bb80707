import type { V1PodDisruptionBudget, V2HorizontalPodAutoscaler } from '@kubernetes/client-node';
import type { LabelSelector } from '../../../core/cluster/pod-record.ts';
import type { KubernetesApi } from '../client.ts';
import { listObjects } from '../objects.ts';
import type { Jsonify } from '../watch/projection.ts';

/** A PodDisruptionBudget: which pods it covers. */
export interface BudgetRecord {
  readonly namespace: string;
  readonly name: string;
  readonly selector: LabelSelector;
}

/** A HorizontalPodAutoscaler and the workload that it scales. */
export interface ScalerRecord {
  readonly namespace: string;
  readonly name: string;
  readonly scales: { readonly kind: string; readonly name: string };
}

export type BudgetJson = Jsonify<V1PodDisruptionBudget>;
export type ScalerJson = Jsonify<V2HorizontalPodAutoscaler>;

/** In policy/v1 an empty selector selects every pod, and a missing one selects none. */
export function budgetRecord({ metadata = {}, spec }: BudgetJson): BudgetRecord {
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    selector: spec?.selector ?? { matchExpressions: [{ key: 'firebreak.dev/none', operator: 'In', values: [] }] },
  };
}

export function scalerRecord({ metadata = {}, spec }: ScalerJson): ScalerRecord {
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    scales: { kind: spec?.scaleTargetRef.kind ?? '', name: spec?.scaleTargetRef.name ?? '' },
  };
}

interface InNamespace {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly signal: AbortSignal;
}

export async function budgetsIn({ api, namespace, signal }: InNamespace): Promise<readonly BudgetRecord[]> {
  const ref = { kind: 'PodDisruptionBudget', group: 'policy', resource: 'poddisruptionbudgets', namespace };
  return (await listObjects<BudgetJson>({ api, ref, signal })).map(budgetRecord).sort(byName);
}

export async function scalersIn({ api, namespace, signal }: InNamespace): Promise<readonly ScalerRecord[]> {
  const ref = {
    kind: 'HorizontalPodAutoscaler',
    group: 'autoscaling',
    version: 'v2',
    resource: 'horizontalpodautoscalers',
    namespace,
  };
  return (await listObjects<ScalerJson>({ api, ref, signal })).map(scalerRecord).sort(byName);
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

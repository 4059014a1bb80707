import type { TargetName } from '../action/plan.ts';

/**
 * What is left of the incident's workload besides what is contained, as its cell knew it when people were asked. It changes by itself, so no digest binds it:
 * it tells people what a yes costs.
 */
export interface WorkloadLeft {
  readonly workload: TargetName;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Ready pods among those that are not being deleted. Quarantined pods are not counted. */
  readonly ready: number;
  readonly pods: number;
  /** Names of Services that select at least one of the pods, of PodDisruptionBudgets that count them, of Secrets that they use. Sorted. */
  readonly services: readonly string[];
  /** Absent while they are not known. */
  readonly budgets?: readonly string[];
  readonly secrets: readonly string[];
}

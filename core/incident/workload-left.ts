import type { TargetName } from '../action/plan.ts';

/**
 * What of the incident's workload is left beside what is contained, as its cell remembered it when people were asked. It moves by itself, so no
 * digest binds it: it tells people what a yes costs.
 */
export interface WorkloadLeft {
  readonly workload: TargetName;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Of its pods that are not being deleted. A quarantined one is none of them. */
  readonly ready: number;
  readonly pods: number;
  /** Names of Services that select one of them, of PodDisruptionBudgets that count them, of Secrets that they have. Sorted. */
  readonly services: readonly string[];
  /** Absent while they are not known. */
  readonly budgets?: readonly string[];
  readonly secrets: readonly string[];
}

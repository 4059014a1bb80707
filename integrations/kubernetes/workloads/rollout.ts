import type { LabelSelector } from '../../../core/cluster/pod-record.ts';
import type { ObjectJson } from '../objects.ts';

/** Status fields of Deployment, StatefulSet and DaemonSet that show the progress of a roll. */
interface RolloutStatus {
  readonly observedGeneration?: number;
  readonly replicas?: number;
  readonly updatedReplicas?: number;
  readonly availableReplicas?: number;
  readonly desiredNumberScheduled?: number;
  readonly updatedNumberScheduled?: number;
  readonly numberAvailable?: number;
  readonly conditions?: readonly { readonly type: string; readonly reason?: string }[];
}

export interface RollingObject extends ObjectJson {
  readonly metadata: ObjectJson['metadata'] & { readonly generation?: number };
  readonly spec?: {
    readonly replicas?: number;
    readonly paused?: boolean;
    readonly selector?: LabelSelector;
    readonly updateStrategy?: { readonly type?: string };
    readonly template?: Readonly<Record<string, unknown>>;
  };
  readonly status?: RolloutStatus;
}

export type Rollout = { readonly state: 'done' } | { readonly state: 'rolling' | 'stuck'; readonly detail: string };

/** Progress of a roll, by the rules of `kubectl rollout status`. https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment */
export function rolloutOf(kind: string, { metadata, spec, status = {} }: RollingObject): Rollout {
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    return { state: 'rolling', detail: 'its controller has not seen the change yet' };
  if (status.conditions?.some(({ reason }) => reason === 'ProgressDeadlineExceeded'))
    return { state: 'stuck', detail: 'it has not rolled out within its own deadline' };
  const daemon = kind === 'DaemonSet';
  const wanted = daemon ? (status.desiredNumberScheduled ?? 0) : (spec?.replicas ?? 1);
  const updated = daemon ? (status.updatedNumberScheduled ?? 0) : (status.updatedReplicas ?? 0);
  const available = daemon ? (status.numberAvailable ?? 0) : (status.availableReplicas ?? 0);
  const old = daemon ? 0 : (status.replicas ?? 0) - updated;
  if (updated < wanted || available < wanted || old > 0)
    return {
      state: 'rolling',
      detail: `${updated} of ${wanted} pods are new, ${available} are available, ${old} old ones remain`,
    };
  return { state: 'done' };
}

/** Why a change of the template would roll nothing; undefined if it would roll. */
export function whyNotRoll(kind: string, { spec }: RollingObject): string | undefined {
  if (spec?.paused) return 'it is paused: nothing rolls until somebody resumes it';
  if (kind !== 'Deployment' && spec?.updateStrategy?.type === 'OnDelete')
    return 'its update strategy is OnDelete: nothing rolls until its pods are deleted one by one';
  return undefined;
}

import type { V1PodTemplateSpec } from '@kubernetes/client-node';
import type { LabelSelector } from '../../../core/cluster/pod-record.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { ObjectJson, ObjectRef } from '../objects.ts';
import type { Jsonify } from '../watch/projection.ts';

const places: Readonly<Record<string, { readonly group: string; readonly resource: string }>> = {
  Deployment: { group: 'apps', resource: 'deployments' },
  StatefulSet: { group: 'apps', resource: 'statefulsets' },
  DaemonSet: { group: 'apps', resource: 'daemonsets' },
  ReplicaSet: { group: 'apps', resource: 'replicasets' },
  Job: { group: 'batch', resource: 'jobs' },
  CronJob: { group: 'batch', resource: 'cronjobs' },
};

/** The object reference of a workload. @throws FB_ERR_REFUSED for a kind that is not in `kinds`. */
export function workloadRef(
  workload: { readonly kind: string; readonly namespace: string; readonly name: string },
  kinds: readonly string[] = Object.keys(places),
): ObjectRef {
  const { kind, namespace, name } = workload;
  const place = kinds.includes(kind) ? places[kind] : undefined;
  if (!place)
    throw new FirebreakError('FB_ERR_REFUSED', `${kind.toLowerCase()}/${namespace}/${name} is not one of: ${kinds.join(', ')}`);
  return { kind, ...place, namespace, name };
}

/** The pod-related fields of a workload in `apps` or `batch`. */
export interface WorkloadJson extends ObjectJson {
  readonly spec?: {
    readonly selector?: LabelSelector;
    readonly template?: Jsonify<V1PodTemplateSpec>;
    readonly replicas?: number;
    /** StatefulSets only. */
    readonly persistentVolumeClaimRetentionPolicy?: { readonly whenScaled?: string };
  };
}

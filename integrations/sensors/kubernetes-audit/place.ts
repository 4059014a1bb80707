import type { PodRef, WorkloadRef } from '../../../core/alert/alert.ts';
import { firstKnown } from '../../../core/alert/sensor-text.ts';
import { nodeName, podRef, workloadKindOf, workloadRef } from '../place.ts';
import { type AuditRequest, extraText } from './request.ts';

interface Place {
  readonly pod?: PodRef;
  readonly workload?: WorkloadRef;
  readonly node?: string;
}

/**
 * The pod or workload that the request targeted. For anything else (a Secret, a role), the pod that the token is bound to, if any: that pod did it, or somebody
 * who stole from it.
 */
export function placeOf(request: AuditRequest): Place {
  const { resource, namespace, name, uid, answered, extra } = request;
  if (resource === 'pods') {
    const made = metadataOf(answered);
    const pod = podRef({ namespace, name: name ?? made?.name, uid: firstKnown(uid, made?.uid) });
    return pod === undefined ? {} : { pod };
  }
  if (resource === 'nodes') {
    const node = nodeName(name);
    return node === undefined ? {} : { node };
  }
  const kind = workloadKindOf(resource);
  if (kind !== undefined) {
    const workload = workloadRef({ kind, namespace, name: name ?? metadataOf(answered)?.name });
    return workload === undefined ? {} : { workload };
  }
  const [, ownNamespace] = /^system:serviceaccount:([^:]+):[^:]+$/.exec(request.user ?? '') ?? [];
  const actor = podRef({
    namespace: ownNamespace,
    name: extraText(extra, 'authentication.kubernetes.io/pod-name'),
    uid: extraText(extra, 'authentication.kubernetes.io/pod-uid'),
  });
  const node = nodeName(extraText(extra, 'authentication.kubernetes.io/node-name'));
  return actor === undefined ? {} : { pod: actor, ...(node !== undefined && { node }) };
}

function metadataOf(
  object: Readonly<Record<string, unknown>> | undefined,
): { readonly name?: unknown; readonly uid?: unknown } | undefined {
  const metadata: unknown = object?.metadata;
  return typeof metadata === 'object' && metadata !== null ? metadata : undefined;
}

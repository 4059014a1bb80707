import type { V1ObjectMeta } from '@kubernetes/client-node';
import type { RolloutRef } from '../../../core/alert/alert.ts';
import type { Json } from './projection.ts';

const revision = 'deployment.kubernetes.io/revision';
/** Earlier revisions of the same template: the Deployment has gone back to it, and its age says nothing any more. */
const revisionHistory = 'deployment.kubernetes.io/revision-history';

/** What a ReplicaSet's metadata tells of the rollout that it belongs to; undefined for one that no Deployment made. */
export function rolloutIn({ annotations = {}, creationTimestamp }: Json<V1ObjectMeta>): RolloutRef | undefined {
  const number = annotations[revision];
  if (number === undefined) return undefined;
  const isAgain = (annotations[revisionHistory] ?? '') !== '';
  return { revision: number, ...(creationTimestamp && !isAgain && { at: creationTimestamp }) };
}

import { declareAction } from '../../action/action.ts';
import type { DeletePodInput, DeletePodOutput } from './delete-pod.schema.ts';

/** Ends one pod, by uid: a successor with the same name is never touched. */
export const deletePod = declareAction<DeletePodInput, DeletePodOutput>()({
  name: 'deletePod',
  title: 'Delete the pod',
  effect: 'destructive',
  reach: 'pod',
  pool: 'cell',
  endsTarget: true,
  outcomes: { done: 'Deleted' },
  requires: ['pod'],
  timeouts: { planMs: 5_000, applyMs: 15_000, verifyMs: 60_000 },
  rights: [{ apiGroup: '', resource: 'pods', verbs: ['get', 'delete'] }],
  verifiedBy:
    'The API server no longer knows a pod with this uid. It is `unverified` if somebody else had ended it before, and `partial` while finalizers keep it.',
  undo: 'None: a container that was ended does not come back.',
  example: { pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' } },
});

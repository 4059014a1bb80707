import { declareAction } from '../../action/action.ts';
import type { SuspendRolloutInput, SuspendRolloutOutput } from './suspend-rollout.schema.ts';

/** Pauses a Deployment: a changed template is not rolled out. Running pods continue. */
export const suspendRollout = declareAction<SuspendRolloutInput, SuspendRolloutOutput>()({
  name: 'suspendRollout',
  title: 'Suspend rollouts of the Deployment',
  words: { does: 'suspend rollouts', undo: 'resume rollouts', held: 'rollout paused', ended: 'can roll out again' },
  effect: 'reversible',
  reach: 'workload',
  pool: 'cell',
  holds: [{ kind: 'Deployment', apiGroup: 'apps', resource: 'deployments' }],
  outcomes: { done: 'RolloutSuspended', undone: 'RolloutResumed' },
  requires: [],
  timeouts: { planMs: 5_000, applyMs: 10_000, verifyMs: 10_000 },
  rights: [{ apiGroup: 'apps', resource: 'deployments', verbs: ['get', 'list', 'watch', 'patch'] }],
  verifiedBy: 'The Deployment is read back.',
  undo: 'Resumes it if it was not paused before and nobody has changed that since. What was changed meanwhile then rolls out. What `actions.gitops` has paused with it is no longer paused.',
  example: { deployment: { namespace: 'shop', name: 'cart' } },
});

import { declareAction } from '../../action/action.ts';
import type { SuspendCronJobInput, SuspendCronJobOutput } from './suspend-cron-job.schema.ts';

/** Keeps a CronJob from starting Jobs. Running Jobs continue. */
export const suspendCronJob = declareAction<SuspendCronJobInput, SuspendCronJobOutput>()({
  name: 'suspendCronJob',
  title: 'Suspend the CronJob',
  words: { does: 'suspend CronJob', undo: 'resume CronJob', held: 'suspended', ended: 'runs again' },
  effect: 'reversible',
  reach: 'workload',
  pool: 'cell',
  holds: [{ kind: 'CronJob', apiGroup: 'batch', resource: 'cronjobs' }],
  outcomes: { done: 'CronJobSuspended', undone: 'CronJobResumed' },
  requires: [],
  timeouts: { planMs: 5_000, applyMs: 10_000, verifyMs: 10_000 },
  rights: [{ apiGroup: 'batch', resource: 'cronjobs', verbs: ['get', 'list', 'watch', 'patch'] }],
  verifiedBy: 'The CronJob is read back, and the Jobs of it that still run are named.',
  undo: 'Lets it run again if it did before and nobody has changed that since. A run that was missed may then start at once. What `actions.gitops` has paused with it is no longer paused.',
  example: { cronJob: { namespace: 'shop', name: 'nightly-report' } },
});

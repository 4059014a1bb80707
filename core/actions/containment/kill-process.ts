import { declareAction } from '../../action/action.ts';
import { inContainerRights } from '../in-container-rights.ts';
import type { KillProcessInput, KillProcessOutput } from './kill-process.schema.ts';

/** Ends exactly one process of a container. Whatever started it may start another one. */
export const killProcess = declareAction<KillProcessInput, KillProcessOutput>()({
  name: 'killProcess',
  title: 'End the process in the container',
  effect: 'destructive',
  reach: 'pod',
  pool: 'forensics',
  outcomes: { done: 'ProcessKilled' },
  requires: ['pod'],
  timeouts: { planMs: 5_000, applyMs: 90_000, verifyMs: 90_000 },
  rights: inContainerRights,
  verifiedBy: 'The container no longer has a process with this pid and this start time.',
  undo: 'None: a process that was ended does not come back.',
  example: {
    pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' },
    container: { id: '3f2a9c41d0be', name: 'cart' },
    process: { pid: 37, startTicks: 217_116 },
  },
});

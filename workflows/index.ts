/** Exports of the workflow bundle: the names here are the workflow types. */
import './temporal-world.ts';
import type { ScheduleActivities } from '../core/playbook/scheduled-runs.ts';
import { fastActivities } from './calls.ts';
import { trustedActivities } from './messages.ts';

export { control } from './control/control.ts';
export { incident } from './incident/incident.ts';

/** Started by a Temporal schedule. It carries no information that the cell would trust: the cell itself determines what is due. */
export async function scheduleBell(): Promise<readonly string[]> {
  const options = { startToCloseTimeout: '1m', scheduleToCloseTimeout: '10m' } as const;
  return trustedActivities<ScheduleActivities>(options).runDueSchedules();
}

/**
 * Does nothing, on the path that an incident's first containment takes: when the first alert comes, the bundle is loaded and compiled, and activities, codec
 * and connection have been used before. The cell runs it before it lets alerts through.
 */
export async function warmUp(): Promise<void> {
  const incident = { id: 'warm-up', run: 'warm-up' };
  await fastActivities().verifyVote({
    vote: {
      vote: {
        version: 1,
        id: 'warm-up',
        incident,
        question: 'warm-up',
        questionDigest: '',
        choice: '',
        person: '',
        via: 'cli',
        at: '',
      },
      keyId: '',
      signature: '',
    },
    question: {
      id: 'warm-up',
      incident,
      severity: 'unknown',
      text: '',
      choices: [],
      levels: [],
      requester: 'engine',
      onSilence: '',
    },
    level: 0,
  });
}

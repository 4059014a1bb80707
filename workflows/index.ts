/** What the workflow bundle exports: the names here are the workflow types. */
import './temporal-world.ts';
import type { ScheduleActivities } from '../core/playbook/scheduled-runs.ts';
import { fastActivities } from './calls.ts';
import { trustedActivities } from './messages.ts';

export { control } from './control/control.ts';
export { incident } from './incident/incident.ts';

/** What a schedule of Temporal's starts. It says nothing, and the cell believes nothing: it looks what is due by what it knows itself. */
export async function scheduleBell(): Promise<readonly string[]> {
  const options = { startToCloseTimeout: '1m', scheduleToCloseTimeout: '10m' } as const;
  return trustedActivities<ScheduleActivities>(options).runDueSchedules();
}

/**
 * Does nothing, on the path that an incident's first containment takes: when the first alert comes, the bundle is loaded and compiled, and
 * activities, codec and connection have been used before. Run by the cell before it lets alerts through.
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

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import { isScheduled, scheduledAlert } from '../../../core/playbook/scheduled-runs.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { type Lab, startLab } from '../harness.ts';
import { alertOf, batchOf } from '../people.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab.stop());

const id = 'firebreak/drill-quarantine';
const drill = playbooks.find((one) => one.id === id);

/** The signal that the drill is due for the n-th time. */
function due(n: number): Alert {
  if (!drill || !isScheduled(drill)) throw new Error('there is no such scheduled playbook');
  const { pod, workload, cluster } = alertOf();
  const alert = scheduledAlert({ playbook: drill, cluster, target: { kind: 'cluster' }, due: n * 86_400_000, pod });
  return { ...alert, ...(workload && { workload }) };
}

test('a run that is due while the previous one is under way is skipped, and the next one after that runs again', async () => {
  const incident = await lab.start([due(1)], { playbooks: [id], lingerMs: 3_600_000 });
  await incident.question();
  await incident.alerts(batchOf([due(2)]));
  const skipped = await incident.until(({ timeline }) => timeline.some(({ kind }) => kind === 'playbook.skipped'), 'the skip');
  expect(skipped.questions).toHaveLength(1);
  await incident.vote('leave', 'ana');
  await incident.until(({ bodies }) => bodies.every(({ state }) => state === 'done'), 'the end of the first run');
  await incident.alerts(batchOf([due(3)]));
  const again = await incident.until(({ questions }) => questions.length === 2, 'the question of the next run');
  expect(again.timeline.filter(({ kind }) => kind === 'playbook.again').map(({ text }) => text)).toEqual(['it is due again']);
  const titles = () => lab.seen.applied.filter(({ action }) => action === 'openTicket').map(({ key }) => key);
  await lab.env.sleep('3h');
  await incident.result();
  expect(new Set(titles()).size).toBe(2);
});

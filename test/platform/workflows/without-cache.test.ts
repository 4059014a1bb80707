import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { Runtime } from '@temporalio/worker';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import type { RunningIncident } from '../../workflows/harness.ts';
import { alertOf, batchOf } from '../../workflows/people.ts';
import { replayHistory } from '../../workflows/replay-history.ts';
import { refuse } from '../../workflows/scripted.ts';
import { playbookLines } from '../../workflows/temporal-error-log.ts';
import { recordsIn } from '../../workflows/voting.ts';
import { useRealLab } from './use-real-lab.ts';

const platform = await testPlatform();
const workflowsPath = join(import.meta.dirname, 'added-playbooks.ts');
/** Nothing is kept in memory: each task replays all that came before it. */
const { lab, script } = useRealLab(platform, { workflowsPath, maxCachedWorkflows: 0 });

let incident: RunningIncident;
afterEach(async () => {
  const history = await lab.env.client.workflow.getHandle(incident.id).fetchHistory();
  expect(await replayHistory(incident.id, history, workflowsPath)).toEqual([undefined]);
});

/** Each step is done once, and all records have been acknowledged. */
async function expectWhole(state: 'gone' | 'released'): Promise<void> {
  const end = await incident.result();
  expect(end.open).toBe(false);
  expect(end.leases).toMatchObject([{ state }]);
  const applied = recordsIn(lab, incident, 'step.applied').map(({ body }) => body.step);
  expect(applied).toEqual([...new Set(applied)]);
  expect(end.audit.acknowledged).toBe(end.audit.made);
}

test('an incident whose question goes to the next level comes out the same', async () => {
  const levels = [
    { group: 'oncall', withinMs: 2_000 },
    { group: 'leads', withinMs: 600_000 },
  ];
  incident = await lab.start([alertOf()], { levels });
  await incident.question();
  await incident.alerts(batchOf([alertOf({ title: 'again' })]));
  await incident.signal({ vote: 'garbage' });
  await incident.until((state) => state.questions.some((asked) => asked.level === 1), 'the second level');
  await incident.vote('remove', 'lea');
  await expectWhole('gone');
});

test('an incident whose lease is extended and released comes out the same', async () => {
  incident = await lab.start([alertOf({ rule: 'Terminal shell in container', severity: 'low' })]);
  await incident.vote('quarantine', 'ana');
  await incident.until((state) => state.leases.some((lease) => lease.state === 'active'), 'the quarantine');
  await incident.vote('extend', 'ana', {}, true);
  await incident.until((state) => (state.leases[0]?.renewals ?? 0) >= 1, 'the extension');
  await incident.vote('release', 'ben', {}, true);
  await expectWhole('released');
});

test('a saga that fails is undone', async () => {
  script.snapshotPodState = () => refuse('FB_ERR_REFUSED', 'no such pod');
  incident = await lab.start([alertOf({ rule: 'Whole', severity: 'high' })], { playbooks: ['all-or-nothing'] });
  const { leases } = await incident.result();
  expect(leases.map(({ action, state }) => `${action}: ${state}`)).toEqual([
    'quarantinePod: released',
    'suspendCronJob: released',
  ]);
});

test('a body that sleeps goes on', async () => {
  incident = await lab.start([alertOf({ rule: 'Sleep briefly' })], { playbooks: ['sleeps-briefly'] });
  const { timeline } = await incident.result();
  expect(timeline).toContainEqual(expect.objectContaining({ kind: 'playbook.note', text: 'slept: whole' }));
});

test('what a body does not await is on record with file and line of its source', async () => {
  incident = await lab.start([alertOf({ rule: 'Forget', severity: 'high' })], { playbooks: ['forgets-to-wait'] });
  const { timeline } = await incident.result();
  expect(timeline.find(({ kind }) => kind === 'playbook.unsettled')?.text).toMatch(
    /^waited for, although the playbook does not await it: snapshotPodState on pod.shop.cart-1 .playbooks.saying-playbooks.ts:\d+.. Write await before it, or settle$/,
  );
});

test('what a body logs is in the log of its process, once', async () => {
  const params = { 'tells-what-it-knows': { lease: '30m' } };
  incident = await lab.start([alertOf({ rule: 'Tell', severity: 'high' })], { playbooks: ['tells-what-it-knows'], params });
  await incident.until(({ bodies }) => bodies[0]?.state === 'done', 'the end of the body');
  const lines = () => playbookLines.filter(({ meta }) => meta?.workflowId === incident.id);
  await eventually('its line', () => {
    Runtime.instance().flushLogs();
    return lines().length > 0;
  });
  expect(lines()).toMatchObject([
    { level: 'INFO', message: 'looked', meta: { firebreakPlaybook: { playbook: 'tells-what-it-knows', subject: 'pod:uid-1' } } },
  ]);
  await incident.end();
});

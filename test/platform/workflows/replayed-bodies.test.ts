import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { Runtime } from '@temporalio/worker';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import type { RunningIncident } from '../../workflows/harness.ts';
import { alertOf, batchOf } from '../../workflows/people.ts';
import { startLabOn } from '../../workflows/real-lab.ts';
import { replayHistory } from '../../workflows/replay-history.ts';
import { refuse } from '../../workflows/scripted.ts';
import { playbookLines } from '../../workflows/temporal-error-log.ts';
import { recordsIn } from '../../workflows/voting.ts';
import { useRealLab } from './use-real-lab.ts';

const platform = await testPlatform();
const workflowsPath = join(import.meta.dirname, 'added-playbooks.ts');
const { lab, script } = useRealLab(platform, { workflowsPath });

let incident: RunningIncident;
afterEach(async () => {
  const history = await lab.env.client.workflow.getHandle(incident.id).fetchHistory();
  expect(await replayHistory(incident.id, history, workflowsPath)).toEqual([undefined]);
});

test('an incident comes out the same when nothing is kept in memory, so that each task replays all that came before it', async () => {
  const { temporalAddress: address, temporalNamespace: namespace, prefix } = platform;
  const place = { address, namespace, taskQueue: `${prefix}-uncached` };
  const uncached = await startLabOn(place, { workflowsPath, maxCachedWorkflows: 0 });
  try {
    const rule = { rule: 'Ask soon', severity: 'high' } as const;
    incident = await uncached.start([alertOf(rule)], { playbooks: ['asks-the-next-soon'] });
    await incident.question();
    await incident.alerts(batchOf([alertOf({ ...rule, title: 'again' })]));
    await incident.signal({ vote: 'garbage' });
    await incident.until((state) => state.questions.some((asked) => asked.level === 1), 'the second level');
    await incident.vote('remove', 'lea');
    const end = await incident.result();
    expect(end.open).toBe(false);
    expect(end.leases).toMatchObject([{ state: 'gone' }]);
    const applied = recordsIn(uncached, incident, 'step.applied').map(({ body }) => body.step);
    expect(applied).toEqual([...new Set(applied)]);
    expect(end.audit.acknowledged).toBe(end.audit.made);
  } finally {
    await uncached.stop();
  }
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
  const { timeline } = await incident.until(({ bodies }) => bodies[0]?.state === 'done', 'the end of the body');
  await incident.end();
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

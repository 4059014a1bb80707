import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Client, type WorkflowHandle } from '@temporalio/client';
import { haltedRuns } from '../../../service/temporal/runner/halted-runs.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { alertOf } from '../../workflows/people.ts';
import { clientOptions, testSpeaker } from '../../workflows/speakers.ts';
import { recordsIn } from '../../workflows/voting.ts';
import { useRealLab } from './use-real-lab.ts';

const platform = await testPlatform();
const { lab } = useRealLab(platform, { workflowsPath: join(import.meta.dirname, 'hostile-playbooks.ts') });

test('a task that never returns is ended after seconds, and other incidents go on in the same thread', async () => {
  const endless = await lab.start([alertOf({ rule: 'Spin' })], { playbooks: ['never-returns'] });
  const handle = lab.env.client.workflow.getHandle(endless.id);
  try {
    const contained = await lab.start([alertOf()], { playbooks: ['firebreak/contain-dropped-binary'] });
    await contained.until(({ leases }) => leases.some(({ state }) => state === 'active'), 'the quarantine');
    expect(await failedTaskOf(handle)).toMatch(/timed out after 5000ms/);
  } finally {
    await handle.terminate();
  }
});

test('a command that no incident gives does not leave the cell, and its run is set aside', async () => {
  const hostile = await lab.start([alertOf({ rule: 'Start another' })], { playbooks: ['starts-another'] });
  const handle = lab.env.client.workflow.getHandle(hostile.id);
  const why = 'a workflow of Firebreak never asks for this: startChildWorkflowExecution';
  try {
    expect(await failedTaskOf(handle)).toBe(why);
    await expect(lab.env.client.workflow.getHandle('another').describe()).rejects.toThrow(/not found/i);
    // What the cell puts on record about it, whatever the body says.
    const halted = await eventually('it to be set aside', () =>
      haltedRuns.untold().find(({ workflow }) => workflow === hostile.id),
    );
    expect(halted).toMatchObject({ why });
    const other = await lab.start([alertOf({ n: 2 })], { playbooks: ['firebreak/contain-dropped-binary'] });
    await other.until(({ leases }) => leases.some(({ state }) => state === 'active'), 'the quarantine of another');
  } finally {
    await handle.terminate();
  }
});

test('a body that looks for the host’s objects finds none, and is on record', async () => {
  const leaving = await lab.start([alertOf({ rule: 'Leave' })], { playbooks: ['leaves-sandbox'] });
  const { bodies, timeline } = await leaving.result();
  expect(timeline).toContainEqual(expect.objectContaining({ kind: 'playbook.note', text: 'looks for a way out' }));
  expect(bodies).toMatchObject([{ playbook: 'leaves-sandbox', state: 'failed' }]);
  expect(lab.seen.records).toContainEqual(expect.objectContaining({ kind: 'playbook.failed', actor: 'playbook/leaves-sandbox' }));
  const around = await lab.start([alertOf({ n: 2, rule: 'Look around' })], { playbooks: ['looks-around'] });
  expect((await around.result()).timeline).toContainEqual(
    expect.objectContaining({ kind: 'playbook.note', text: 'foreign: none; looked at a thousand' }),
  );
});

/** Why the first task failed that did. */
const failedTaskOf = (handle: Pick<WorkflowHandle, 'fetchHistory'>): Promise<string> =>
  eventually('a task that failed', async () => {
    const { events } = await handle.fetchHistory();
    return events?.map((event) => event.workflowTaskFailedEventAttributes?.failure?.message).find(Boolean) ?? undefined;
  });

test('siblings of that way lead nowhere, and are on record', async () => {
  const incident = await lab.start([alertOf({ rule: 'Siblings' })], { playbooks: ['tries-siblings'] });
  await incident.result();
  await eventually('the records', async () =>
    lab.seen.records.some(({ kind, actor }) => kind === 'playbook.done' && actor === 'playbook/tries-siblings'),
  );
  const found = recordsIn(lab, incident, 'playbook.note').map(({ body }) => String(body.text));
  expect(found.length).toBeGreaterThan(10);
  expect(found.filter((text) => !text.endsWith(': nothing'))).toEqual(['what is its own: got function']);
});

test('Temporal’s own tools show where in its playbook an incident waits', async () => {
  const incident = await lab.start([alertOf()], { playbooks: ['firebreak/contain-dropped-binary'] });
  await incident.question();
  const { dataConverter } = clientOptions(testSpeaker('lab', { namespace: platform.temporalNamespace }));
  const client = new Client({ connection: lab.env.connection, namespace: platform.temporalNamespace, dataConverter });
  const trace = await client.workflow.getHandle(incident.id).query('__stack_trace');
  expect(trace).toMatchObject({ value: expect.stringMatching(/^ {4}at playbooks\/[\w/-]+\.ts:\d+/) });
});

import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Client } from '@temporalio/client';
import { eventually } from '../../eventually.ts';
import { alertOf } from '../people.ts';
import { clientOptions, testSpeaker } from '../speakers.ts';
import { useLab } from '../use-lab.ts';

const { lab } = useLab(join(import.meta.dirname, 'never-returns.ts'));

test('a task that never returns is ended after seconds, and other incidents go on in the same thread', async () => {
  const endless = await lab.start([alertOf({ rule: 'Spin' })], { playbooks: ['never-returns'] });
  const handle = lab.env.client.workflow.getHandle(endless.id);
  try {
    const contained = await lab.start([alertOf()], { playbooks: ['firebreak/contain-dropped-binary'] });
    await contained.until(({ leases }) => leases.some(({ state }) => state === 'active'), 'the quarantine');
    const failure = await eventually('a task that failed', async () => {
      const { events } = await handle.fetchHistory();
      return events?.map((event) => event.workflowTaskFailedEventAttributes?.failure?.message).find(Boolean) ?? undefined;
    });
    expect(failure).toMatch(/timed out after 5000ms/);
  } finally {
    await handle.terminate();
  }
});

test('Temporal’s own tools show where in its playbook an incident waits', async () => {
  const incident = await lab.start([alertOf()], { playbooks: ['firebreak/contain-dropped-binary'] });
  await incident.question();
  const { dataConverter } = clientOptions(testSpeaker());
  const client = new Client({ connection: lab.env.connection, dataConverter });
  const trace = await client.workflow.getHandle(incident.id).query('__stack_trace');
  expect(trace).toMatchObject({ value: expect.stringMatching(/^ {4}at playbooks\/[\w/-]+\.ts:\d+/) });
});

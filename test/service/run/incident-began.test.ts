import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { MockActivityEnvironment, type TestWorkflowEnvironment } from '@temporalio/testing';
import { incidentBegan } from '../../../service/run/incident-began.ts';
import { startTimeSkipping } from '../../workflows/time-skipping.ts';

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await startTimeSkipping();
}, 60_000);
afterAll(() => env.teardown());

/** As a worker of this server asks, within an activity. */
const began = (id: string, run: string): Promise<number | undefined> =>
  new MockActivityEnvironment({}, { client: env.client }).run(incidentBegan, { id, run });

test('an incident began when the server says, and one of another run or name never did', async () => {
  const before = await env.currentTimeMs();
  const { workflowId, firstExecutionRunId } = await env.client.workflow.start('incident', {
    workflowId: 'one',
    taskQueue: 'nobody',
  });
  const at = await began(workflowId, firstExecutionRunId);
  expect(at).toBeGreaterThanOrEqual(before - 1);
  expect(at).toBeLessThanOrEqual(await env.currentTimeMs());
  expect(await began(workflowId, 'a5d9a4b2-8c52-4d5a-9c3b-0d2f6f1f7c11')).toBeUndefined();
  expect(await began('another', firstExecutionRunId)).toBeUndefined();
});

test('a server that cannot be asked is no answer', async () => {
  const connection = Connection.lazy({ address: '127.0.0.1:9' });
  const away = new MockActivityEnvironment({}, { client: new Client({ connection }) });
  await expect(away.run(incidentBegan, { id: 'one', run: 'r' }, 100)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
  await connection.close();
});

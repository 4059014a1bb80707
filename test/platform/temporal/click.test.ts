import { createPrivateKey, sign } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, type InjectedSinks, NativeConnection, Worker } from '@temporalio/worker';
import { createClickVotes } from '../../../service/desk/click-votes.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { deskKey } from '../../workflows/people.ts';
import '../../workflows/temporal-error-log.ts';
import { asking, type SeenSinks } from './click-workflows.ts';

const { temporalAddress: address, temporalNamespace: namespace, prefix } = await testPlatform();
const most = 2;

test('a dialog that opens loads its incident into memory before the vote arrives, and one that does not open leaves it alone', async () => {
  const taskQueue = `${prefix}-click`;
  const begun: string[] = [];
  const sinks: InjectedSinks<SeenSinks> = {
    seen: { begun: { fn: ({ workflowId }) => void begun.push(workflowId), callDuringReplay: true } },
  };
  const workflowBundle = await bundleWorkflowCode({
    logger: new DefaultLogger('ERROR'),
    workflowsPath: fileURLToPath(new URL('./click-workflows.ts', import.meta.url)),
  });
  const connection = await NativeConnection.connect({ address });
  const clientConnection = await Connection.connect({ address });
  const client = new Client({ connection: clientConnection, namespace });
  const worker = await Worker.create({ connection, namespace, taskQueue, workflowBundle, sinks, maxCachedWorkflows: most });
  const key = createPrivateKey(deskKey.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const votes = createClickVotes({
    roster: { people: [{ id: 'ada', name: 'Ada', slackIds: ['U1'], keys: [] }], groups: { oncall: ['ada'] } },
    signer: { keyId: deskKey.id, sign: async (bytes: Uint8Array) => sign(null, bytes, key).toString('base64') } as never,
    client: () => client,
    replies: { remember: async () => undefined },
    refused: () => undefined,
  });
  const times = (id: string): number => begun.filter((one) => one === id).length;
  const start = async (name: string) => {
    const workflowId = `${prefix}-${name}`;
    const handle = await client.workflow.start(asking, { taskQueue, workflowId });
    await eventually(`${name} in memory`, async () => times(workflowId) === 1);
    return handle;
  };
  const clickOn = ({ workflowId, firstExecutionRunId }: Awaited<ReturnType<typeof start>>, slackUser = 'U1') => ({
    clickId: 'click-1',
    slackUser,
    channel: 'C1',
    button: {
      buttonId: 'button-1',
      incident: { id: workflowId, run: firstExecutionRunId },
      question: 'question-1',
      questionDigest: 'digest',
      choice: 'yes',
      label: 'Yes',
      groups: ['oncall'],
      requester: 'engine',
    },
  });
  try {
    await worker.runUntil(async () => {
      const asked = await start('asked');
      const others = [];
      for (let other = 0; other <= most; other += 1) others.push(await start(`other-${other}`));
      expect(await votes.mayAnswer(clickOn(asked, 'U9'))).toHaveProperty('refusal');
      expect(await votes.mayAnswer(clickOn(asked))).toEqual({});
      await eventually('it is in memory again', async () => times(asked.workflowId) === 2);
      expect(await votes.vote(clickOn(asked))).toMatchObject({ taken: true });
      await asked.result();
      expect(times(asked.workflowId)).toBe(2);
      for (const other of others) await other.terminate('the test is over');
    });
  } finally {
    await clientConnection.close();
    await connection.close();
  }
});

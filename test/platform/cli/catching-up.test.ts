import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { controlNames } from '../../../core/decide/control.ts';
import { incidentNames } from '../../../core/incident/incident.ts';
import { controlIdOf, type EndDecision } from '../../../core/orders/order.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { giveOrder, signedWith } from '../../../service/incidents/orders.ts';
import { incidentState, type Session, sessionOver } from '../../../service/incidents/session.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { bundlePath } from '../../workflows/bundle.ts';
import '../../workflows/temporal-error-log.ts';
import { commandFile } from '../../command-line.ts';
import { clientOptions, member, testSigner, testSpeaker, workerOptions, writePublicKey } from '../../workflows/speakers.ts';

const platform = await testPlatform();
const cluster = platform.prefix;
const folder = mkdtempSync(join(tmpdir(), 'firebreak-catching-up-'));
const config = join(folder, 'firebreak.yaml');
const env = { ...process.env, CODEC_KEY: Buffer.alloc(32, 3).toString('base64') };
const speaker = testSpeaker(cluster, {
  keys: [{ id: 'k', key: Buffer.from(env.CODEC_KEY, 'base64') }],
  namespace: platform.temporalNamespace,
});
let connection: NativeConnection;
let client: Client;
let slack: Session;
let code: string;
let stopWorker = async (): Promise<void> => {};

beforeAll(async () => {
  writeFileSync(
    config,
    `cluster: ${cluster}
temporal: { address: '${platform.temporalAddress}', namespace: ${platform.temporalNamespace}, codecKeys: [{ id: k, key: { env: CODEC_KEY } }] }
intake: { tokens: [{ name: falco, token: { env: FALCO } }] }
trust: { cells: [{ key: '${writePublicKey(folder, member('cell', cluster))}' }] }
roster: { people: [{ id: ada, name: Ada }], groups: { oncall: [ada], leads: [ada] } }
`,
  );
  const workflowsPath = fileURLToPath(new URL('./late-incident.ts', import.meta.url));
  code = await bundlePath(workflowsPath);
  connection = await NativeConnection.connect({ address: platform.temporalAddress });
  client = new Client({ connection, namespace: platform.temporalNamespace, ...clientOptions(speaker) });
  slack = sessionOver(loadConfig({ path: config, env }), client, 2_000);
});

afterAll(async () => {
  await stopWorker();
  await connection?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function work(bundle: string): Promise<void> {
  await stopWorker();
  const worker = await Worker.create({
    connection,
    namespace: platform.temporalNamespace,
    taskQueue: cluster,
    workflowBundle: { codePath: bundle },
    ...workerOptions(speaker),
  });
  const working = worker.run();
  stopWorker = async () => {
    stopWorker = async () => {};
    worker.shutdown();
    await working;
  };
}

const until = (holds: () => Promise<boolean>): Promise<true> => eventually('what is waited for', holds);

async function begin(name: string, taskQueue = cluster): Promise<string> {
  const workflowId = `incident/${cluster}/shop/Deployment/${name}`;
  await client.workflow.start(incidentNames.workflow, { workflowId, taskQueue, args: [] });
  return workflowId;
}

test('while Temporal repeats a task, the command line says so and waits, and Slack is told at once', async () => {
  await work(code);
  const id = await begin('late');
  const asked = async (): Promise<string> => incidentState(slack, { id }).then(String, ({ message }: Error) => message);
  // Temporal gives up on queries after the third failure.
  await until(async () => (await asked()).includes('catching up'));
  await expect(incidentState(slack, { id })).rejects.toMatchObject({
    code: 'FB_ERR_UNAVAILABLE',
    detail: expect.stringMatching(/catching up after an outage of Temporal.*ask again in a minute.*log of the cell/),
  });
  const shown = promisify(execFile)(
    process.execPath,
    [commandFile(), 'incidents', 'show', 'shop/Deployment/late', '--json', '--config', config],
    { env },
  );
  const said: string[] = [];
  shown.child.stderr?.on('data', (text: string) => said.push(text));
  await until(async () => said.length > 0);
  const text = readFileSync(code, 'utf8');
  const mended = join(folder, 'mended.js');
  writeFileSync(mended, text.replaceAll('broken build', 'mended build'));
  expect(readFileSync(mended, 'utf8')).not.toBe(text);
  await work(mended);
  const { stdout, stderr } = await shown;
  expect(stderr).toBe(
    `${id} is catching up after an outage of Temporal, which takes up to a minute, or no cell is running. Nothing is lost. Waiting …\n`,
  );
  expect(JSON.parse(stdout)).toEqual({
    incident: { id },
    open: true,
    traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    // This configuration has no key with which to verify the desk’s word.
    deadlines: [expect.stringMatching(/^not known here: the key file .* cannot be read$/)],
  });
});

test('an incident that no worker answers for is reported as such, not as a fault in Firebreak', async () => {
  const id = await begin('alone', `${cluster}-nobody`);
  await expect(incidentState({ ...slack, withinMs: 700 }, { id })).rejects.toMatchObject({
    code: 'FB_ERR_UNAVAILABLE',
    detail: `no answer about ${id} (not in time): is Temporal reachable, and is a Firebreak with the role cell running?`,
  });
});

test('an order that makes the service restart is waited for: nobody can answer meanwhile', async () => {
  await work(code);
  await client.workflow.start(controlNames.workflow, { workflowId: controlIdOf(cluster), taskQueue: cluster, args: [] });
  const order: EndDecision = {
    ...{ version: 1, kind: 'promotion.end', cluster, decision: '0123456789abcdef', person: 'ada', reason: 'slower' },
    ...{ at: new Date().toISOString() },
  };
  let looks = 0;
  const taken = giveOrder(slack, await signedWith(order, testSigner('ada')), (_, ours) => {
    looks += 1;
    // Its worker ends with the first answer, which says nothing yet; nobody answers the next query.
    if (looks === 1) {
      void stopWorker()
        .then(() => incidentState(slack, { id: controlIdOf(cluster) }).catch(() => undefined))
        .then(() => work(code));
      return undefined;
    }
    return ours.find(({ kind }) => String(kind) === 'order.taken');
  });
  await expect(taken).resolves.toMatchObject({ kind: 'order.taken' });
});

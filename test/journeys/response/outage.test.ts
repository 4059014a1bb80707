import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from '@jest/globals';
import { Runtime, Worker } from '@temporalio/worker';
import { incidentNames } from '../../../core/incident/incident.ts';
import { openTemporalLink, type TemporalLink } from '../../../service/temporal/link.ts';
import { installRuntime } from '../../../service/temporal/runtime.ts';
import { startTemporal, type TemporalServer } from '../../../tools/platform/temporal-server.ts';
import { commandFile } from '../../command-line.ts';
import { until } from '../../service/intake/parts/intake-fixture.ts';
import { bundlePath } from '../../workflows/bundle.ts';
import { member, testSpeaker, workerOptions, writePublicKey } from '../../workflows/speakers.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-outage-'));
const lines: { readonly level: string; readonly fields: object; readonly message: string }[] = [];
const say =
  (level: string) =>
  (fields: object, message: string): void =>
    void lines.push({ level, fields, message });
const speaker = testSpeaker('lab', { keys: [{ id: 'k', key: Buffer.alloc(32, 3) }] });
let server: TemporalServer;
let link: TemporalLink;
let worker: Worker;
let working: Promise<void>;
let watching: ReturnType<typeof watchIncident>['child'] | undefined;

afterAll(async () => {
  watching?.kill();
  worker?.shutdown();
  await working;
  await link?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs `firebreak incidents watch` as a separate process, and collects what it prints. */
function watchIncident(): {
  readonly printed: { out: string; err: string };
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
} {
  const config = join(folder, 'firebreak.yaml');
  writeFileSync(
    config,
    `cluster: lab
temporal: { address: '${server.address}', namespace: ${server.namespace}, codecKeys: [{ id: k, key: { env: CODEC_KEY } }] }
intake: { tokens: [{ name: falco, token: { env: FALCO } }] }
trust: { cells: [{ key: '${writePublicKey(folder, member('cell', 'lab'))}' }] }
roster: { people: [{ id: ada, name: Ada }], groups: { oncall: [ada], leads: [ada] } }
`,
  );
  const child = spawn(
    process.execPath,
    [commandFile(), 'incidents', 'watch', 'shop/Deployment/web', '--json', '--config', config],
    {
      env: { ...process.env, CODEC_KEY: Buffer.alloc(32, 3).toString('base64') },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const printed = { out: '', err: '' };
  child.stdout.on('data', (text) => {
    printed.out += text;
  });
  child.stderr.on('data', (text) => {
    printed.err += text;
  });
  return { printed, child };
}

const linesAbout = (part: string) => lines.filter(({ message }) => message.includes(part));

test('an outage of Temporal is one log line however many polls notice it, and one more when it is back; watching an incident goes on', async () => {
  server = await startTemporal({ stateDir: folder });
  if (server.pid === undefined) return;
  // Temporal allows one runtime per process: shuts down that of the previous files.
  await Runtime.instance().shutdown();
  installRuntime({
    nameOf: () => undefined,
    log: { info: say('info'), warn: say('warn'), error: say('error') },
    answers: () => link.answers(),
    lookEveryMs: 200,
    quietMs: 1_000,
  });
  link = openTemporalLink({
    address: server.address,
    namespace: server.namespace,
    identity: 'test',
    access: () => ({}),
    onWaiting: () => {},
  });
  await link.connected;
  const connected = link.as(speaker);
  if (!connected) throw new Error('not connected');
  const { connection, namespace } = connected.base;
  worker = await Worker.create({
    connection,
    namespace,
    taskQueue: 'outage',
    workflowBundle: { codePath: await bundlePath(fileURLToPath(new URL('../../servers/timeline-incident.ts', import.meta.url))) },
    activities: { nothing: async () => {} },
    ...workerOptions(speaker),
  });
  working = worker.run();
  const workflowId = 'incident/lab/shop/Deployment/web';
  const handle = await connected.client.workflow.start('incident', { workflowId, taskQueue: 'outage' });
  const { printed, child } = watchIncident();
  watching = child;
  await until(() => printed.out.includes('begin'), 30_000);
  process.kill(server.pid, 'SIGKILL');
  await until(() => linesAbout('does not answer the workers').length > 0, 40_000);
  expect(await link.answers()).toBe(false);
  // The others report it within this time.
  await sleep(3_000);
  await server.restart();
  await until(() => linesAbout('answers the workers again').length > 0, 40_000);
  const [first, ...more] = linesAbout('does not answer the workers');
  expect(first).toEqual({
    ...{ level: 'error', fields: { source: 'temporal', code: 'Unavailable', times: 1, forSeconds: 0 } },
    message: expect.anything(),
  });
  // A slow machine may take minutes to reconnect: then it is reported again, after a minute at the earliest.
  for (const { fields } of more) expect(Object(fields).forSeconds).toBeGreaterThanOrEqual(59);
  expect(more.length).toBeLessThan(3);
  expect(linesAbout('answers the workers again')).toMatchObject([{ level: 'info' }]);
  expect(linesAbout('gRPC call')).toEqual([]);
  expect(worker.getState()).toBe('RUNNING');
  await handle.signal(incidentNames.noteSignal, 'end');
  await until(() => child.exitCode !== null, 40_000);
  expect(child.exitCode).toBe(0);
  expect(
    printed.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).text),
  ).toEqual(['begin', 'end']);
  expect(printed.err).toContain('No answer at the moment: the timeline continues when there is one.\n');
});

test('a Temporal that is not up yet is reported once, not on every try', async () => {
  const said: string[] = [];
  const address = '127.0.0.1:1';
  const waiting = openTemporalLink({
    address,
    namespace: 'default',
    identity: 'test',
    access: () => ({}),
    onWaiting: (reason, { times }) => void said.push(`${reason} (${times})`),
  });
  await until(() => said.length > 0, 30_000);
  await sleep(1_500);
  expect(said).toEqual([`Temporal does not answer at ${address} (1)`]);
  expect(await waiting.answers()).toBe(false);
  await waiting.close();
  expect(await waiting.connected).toBe(false);
});

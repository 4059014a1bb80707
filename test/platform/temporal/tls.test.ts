import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createSecureServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { NativeConnection, type Worker } from '@temporalio/worker';
import type { CellActivities } from '../../../core/action/step.ts';
import { connect } from '../../../service/commands/session.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { resolveSecrets } from '../../../service/config/secrets.ts';
import { connectionOptions } from '../../../service/temporal/access.ts';
import { openTemporalLink } from '../../../service/temporal/link.ts';
import { createActivityWorker } from '../../../service/temporal/workers.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { testSpeaker } from '../../workflows/speakers.ts';
import { makeCertificate, openTlsDoor, type TlsDoor } from './mutual-tls.ts';

const platform = await testPlatform();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-temporal-tls-'));
const file = (name: string): string => join(folder, name);
const configPath = file('firebreak.yaml');
process.env.CODEC_KEY = Buffer.alloc(32, 3).toString('base64');
process.env.FALCO = 'token';

function useClient(name: string): void {
  copyFileSync(file(`${name}.pem`), file('client.pem'));
  copyFileSync(file(`${name}.key`), file('client.key'));
}

let door: TlsDoor;

function writeConfig(tls: string): void {
  writeFileSync(
    configPath,
    `cluster: ${platform.prefix}
temporal: { address: '${door.address}', namespace: ${platform.temporalNamespace}, ${tls} codecKeys: [{ id: k, key: { env: CODEC_KEY } }] }
intake: { tokens: [{ name: falco, token: { env: FALCO } }] }
roster: { people: [{ id: ada, name: Ada }], groups: { oncall: [ada], leads: [ada] } }
`,
  );
}

const withCertificate = 'tls: { caFile: ours.pem, certFile: client.pem, keyFile: client.key, serverName: temporal.test },';

beforeAll(async () => {
  for (const name of ['ours', 'next']) makeCertificate({ folder, name });
  makeCertificate({ folder, name: 'server', by: 'ours' });
  makeCertificate({ folder, name: 'first', by: 'ours' });
  makeCertificate({ folder, name: 'second', by: 'next' });
  useClient('first');
  door = await openTlsDoor({ folder, authority: 'ours', temporalAddress: platform.temporalAddress });
});

afterAll(() => {
  door.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a Temporal that demands a client certificate', () => {
  test('is reachable from a command line that has one, and from no other', async () => {
    writeConfig(withCertificate);
    const session = await connect({ config: configPath });
    await session.client.workflowService.describeNamespace({ namespace: platform.temporalNamespace });
    await session.close();
    for (const tls of [
      '',
      'tls: true,',
      'tls: { caFile: ours.pem, serverName: temporal.test },',
      withCertificate.replace('temporal.test', 'other.test'),
    ]) {
      writeConfig(tls);
      await expect(connect({ config: configPath })).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    }
  });

  test('keeps its workers under a renewed certificate without a restart', async () => {
    writeConfig(withCertificate);
    const config = loadConfig({ path: configPath, env: process.env });
    const { temporalAccess } = resolveSecrets({ config, env: process.env, roles: [] });
    const speaker = testSpeaker(platform.prefix, { namespace: platform.temporalNamespace });
    const outcomes: string[] = [];
    const link = openTemporalLink({
      address: door.address,
      namespace: platform.temporalNamespace,
      identity: 'test',
      access: temporalAccess,
      renewEveryMs: 200,
      onRenewed: (outcome) => outcomes.push(outcome),
      onWaiting: () => {},
    });
    let worker: Worker | undefined;
    let working: Promise<void> | undefined;
    try {
      expect(await link.connected).toBe(true);
      const connected = link.as(speaker);
      if (!connected) throw new Error('not connected');
      const activities = { planStep: async () => 'planned' } as unknown as CellActivities;
      const taskQueue = `${platform.prefix}-tls`;
      worker = await createActivityWorker({ ...connected.base, taskQueue, role: 'secrets', activities, concurrency: 1 });
      link.adopt(worker);
      working = worker.run();
      const polls = async () => {
        const { pollers } = await connected.client.workflowService.describeTaskQueue({
          namespace: platform.temporalNamespace,
          taskQueue: { name: taskQueue },
          taskQueueType: 2,
        });
        return pollers?.some(({ identity }) => identity === 'test/secrets');
      };
      await eventually('the worker asks for work', polls);
      const before = worker.connection;
      // Half written: the certificate is there, its key not yet.
      copyFileSync(file('second.pem'), file('client.pem'));
      await eventually('the halves do not fit', async () => outcomes.includes('failed'));
      expect(worker.connection).toBe(before);
      door.believe('next');
      useClient('second');
      await eventually('the renewal', async () => outcomes.includes('renewed'));
      expect(worker.connection).not.toBe(before);
      expect(await link.answers()).toBe(true);
      await eventually('the client that was there asks over the new connection', () => polls().catch(() => false));
      expect(worker.getState()).toBe('RUNNING');
    } finally {
      worker?.shutdown();
      await working;
      await link.close();
      door.believe('ours');
      useClient('first');
    }
  });
});

test('the API key is sent with the calls, over TLS', async () => {
  const seen: (string | undefined)[] = [];
  const server = createSecureServer({ key: readFileSync(file('server.key')), cert: readFileSync(file('server.pem')) });
  const sessions: ServerHttp2Session[] = [];
  server.on('session', (session) => void sessions.push(session));
  server.on('stream', (stream, headers) => {
    seen.push(headers.authorization);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '12' }));
    stream.end();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const tls = { ca: readFileSync(file('ours.pem'), 'utf8'), serverName: 'temporal.test' };
  // It answers nothing: what it received is enough.
  await NativeConnection.connect(connectionOptions(address, { tls, apiKey: 'a-key' })).catch(() => undefined);
  for (const session of sessions) session.destroy();
  server.close();
  expect(seen).toContain('Bearer a-key');
});

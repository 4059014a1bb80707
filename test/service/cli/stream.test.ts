import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { createStreamFeed } from '../../../integrations/database/outbound/stream-feed.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { examine } from '../../../service/doctor/doctor.ts';
import { storeChecks } from '../../../service/doctor/store-checks.ts';
import { firebreakHere } from '../../command-line.ts';
import { ocsfProblems } from '../../core/streams/events.ts';
import { run } from '../../suites/audit-store.ts';
import { writeConfiguration } from '../../suites/signed-records.ts';
import { ReceivingServer } from '../streams/receiving-server.ts';

const home = mkdtempSync(join(tmpdir(), 'firebreak-stream-'));
const config = join(home, 'firebreak.yaml');
let server: ReceivingServer;

beforeEach(async () => {
  server = await ReceivingServer.open();
  mkdirSync(join(home, 'keys'), { recursive: true });
  writeConfiguration(home);
  appendFileSync(config, `streams: [{ name: siem, to: { http: { url: '${server.url}', bearer: { env: TOKEN } } } }]\n`);
});
afterEach(() => server.close());
afterAll(() => rmSync(home, { recursive: true, force: true }));

function bucketAt(endpoint: string) {
  const keys = { accessKeyId: { env: 'TOKEN' }, secretAccessKey: { env: 'TOKEN' } };
  return { s3: { endpoint, region: 'us-east-1', bucket: 'events', ...keys } };
}

async function firebreak(...args: readonly string[]): Promise<{ readonly code: number | null; readonly stdout: string }> {
  const { status, stdout } = await firebreakHere([...args, '--config', config], { folder: home, env: { TOKEN: 't-1' } });
  return { code: status, stdout };
}

describe('firebreak stream', () => {
  test('test sends one event marked as a test, and shows the answer of the receiver', async () => {
    const taken = await firebreak('stream', 'test', 'siem');
    expect(taken.stdout).toMatch(/accepted the event test-.*: HTTP status 200/);
    expect(taken.code).toBe(0);
    expect(server.taken[0]?.headers.authorization).toBe('Bearer t-1');
    const [event] = server.events;
    expect(event).toMatchObject({
      class_uid: 6003,
      api: { operation: 'stream.test' },
      message: expect.stringContaining('nothing has happened'),
    });
    const json = JSON.stringify(event);
    expect(ocsfProblems({ json })).toEqual([]);
    server.script = [401];
    const refused = await firebreak('stream', 'test', 'siem');
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining('did not accept the event: HTTP status 401') });
  });

  test.each([
    ['an address', { http: { url: 'http://127.0.0.1:1/' } }, 'http://127.0.0.1:1 did not accept the event: nothing is listening'],
    [
      'a bucket',
      bucketAt('http://127.0.0.1:1'),
      'the bucket events at http://127.0.0.1:1 did not accept the event: nothing is listening',
    ],
    [
      'a broker',
      { kafka: { brokers: ['127.0.0.1:1'], topic: 'fb', plaintext: true } },
      'the topic fb at 127.0.0.1:1 (Kafka) did not accept the event',
    ],
  ])('test of %s where nothing is listening says so, with its address', async (_, to, said) => {
    writeConfiguration(home);
    appendFileSync(config, `streams: ${JSON.stringify([{ name: 'siem', to }])}\n`);
    const { code, stdout } = await firebreak('stream', 'test', 'siem');
    expect([code, stdout]).toEqual([1, expect.stringContaining(said)]);
    expect(stdout).toContain('nothing is listening at that address and port (');
    expect(stdout).toContain('ECONNREFUSED');
  });

  test('list and doctor report its progress, and what holds it up', async () => {
    const database = await openDatabase({ url: `sqlite:${join(home, 'audit.db')}` });
    await createAuditStore(database).append(run('incident/c/shop/Deployment/cart@r1', 1, 4));
    const feed = createStreamFeed(database);
    await feed.begin('siem', 'beginning');
    await feed.failed('siem', 'HTTP status 503');
    await database.close();
    const { stdout } = await firebreak('stream', 'list', '--json');
    expect(JSON.parse(stdout)).toMatchObject([
      { name: 'siem', format: 'ocsf', lag: { records: 4, chains: 1 }, failing: { reason: 'HTTP status 503' } },
    ]);
    const checks = storeChecks.filter(({ name }) => name === 'streams');
    const examined = { config: loadConfig({ path: config, env: {} }), env: { TOKEN: 't-1' }, roles: ['desk'] as const };
    expect(await examine(examined, { chosen: checks })).toMatchObject([
      { check: 'streams', state: 'warning', text: expect.stringMatching(/^siem: 4 records wait, .*HTTP status 503/) },
    ]);
  });
});

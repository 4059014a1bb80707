import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { openSigner } from '../../../integrations/keys/ed25519.ts';
import { HttpReceiver } from '../../../integrations/slack/door/receiver.ts';
import { RequestVerifier } from '../../../integrations/slack/door/signature.ts';
import { listenAtDesk } from '../../../service/desk/desk.ts';
import { Journal } from '../../../service/desk/journal.ts';
import { createLog } from '../../../service/process/log.ts';
import { RefusalCounts, type RefusedAtDoor } from '../../../service/process/refusal-counts.ts';
import { RefusedCalls } from '../../../service/process/speakers.ts';
import { createProcessMetrics, listenForStatus } from '../../../service/process/status-server.ts';
import { recordsOfKinds } from '../../suites/audit-store.ts';

const secret = 'a-signing-secret';
const chain = 'desk/lab';
let folder: string;
let database: Database;
let store: AuditStore;
let journal: Journal;
let refusals: RefusalCounts;
let server: Server;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-strangers-'));
  database = await openDatabase({ url: `sqlite:${join(folder, 'desk.db')}` });
  store = createAuditStore(database);
  const signer = await openSigner({ file: join(folder, 'desk.pem'), create: true });
  journal = new Journal({ store, chain, signer, log: (problem) => expect(problem).toBe('') });
  refusals = new RefusalCounts({
    tell: (refused) => void journal.record({ kind: 'door.refused', actor: 'desk', body: { ...refused } }),
  });
  const receiver = new HttpReceiver({
    verifier: new RequestVerifier({ secrets: [secret], now: Date.now }),
    onUnproven: ({ reason }) => refusals.count('slack', reason),
    onRefused: ({ reason }) => void journal.record({ kind: 'click.refused', actor: 'slack/unknown', body: { reason } }),
    onFault: () => {},
  });
  server = await listenAtDesk({
    host: '127.0.0.1',
    port: 0,
    slack: receiver,
    signIn: undefined,
    inbound: undefined,
    console: undefined,
  });
});
afterEach(async () => {
  await stop(server);
  // Otherwise a timer would report the remaining counts after the database is gone.
  refusals.flush();
  await journal.flush();
  await database.close();
  rmSync(folder, { recursive: true });
});

async function stop(one: Server): Promise<void> {
  one.closeAllConnections();
  await new Promise((resolve) => one.close(resolve));
}

function urlOf(one: Server): string {
  const address = one.address();
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
}

async function post(body: string, headers: Record<string, string> = {}): Promise<number> {
  const init = { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } };
  return (await fetch(`${urlOf(server)}/slack/events`, init)).status;
}

function signed(body: string, at = Math.floor(Date.now() / 1_000)): Record<string, string> {
  const hex = createHmac('sha256', secret).update(`v0:${at}:${body}`).digest('hex');
  return { 'x-slack-signature': `v0=${hex}`, 'x-slack-request-timestamp': String(at) };
}

async function recorded(): Promise<readonly AuditRecord[]> {
  await journal.flush();
  return recordsOfKinds(store, ['door.refused', 'click.refused']);
}

describe('what strangers send to Slack’s address', () => {
  test('is one record, however much it is', async () => {
    const now = String(Math.floor(Date.now() / 1_000));
    for (let n = 0; n < 150; n += 1) {
      expect(await post(`{"n":${n}}`)).toBe(401);
      expect(await post(`{"n":${n}}`, { 'x-slack-signature': 'v0=00', 'x-slack-request-timestamp': now })).toBe(401);
    }
    const old = '{"old":true}';
    expect(await post(old, signed(old, Math.floor(Date.now() / 1_000) - 600))).toBe(401);
    expect(await post('x'.repeat(2_000_000), signed('x'))).toBe(413);
    expect(await recorded()).toEqual([]);
    refusals.flush();
    expect(await recorded()).toMatchObject([
      { kind: 'door.refused', body: { door: 'slack', counts: { unsigned: 150, bad_signature: 150, too_old: 1, malformed: 1 } } },
    ]);
  });

  test('is separate from what Slack itself sends and cannot be handled, which gets a record each', async () => {
    for (const body of ['{"type":"nothing","n":1}', '{"type":"nothing","n":2}']) await post(body, signed(body));
    await expect(recorded()).resolves.toHaveLength(2);
  });

  test('an unsigned body is not waited for', async () => {
    const endless = new ReadableStream({ start: (body) => body.enqueue(new TextEncoder().encode('{')) });
    const init = { method: 'POST', body: endless, duplex: 'half' as const };
    expect((await fetch(`${urlOf(server)}/slack/events`, init)).status).toBe(401);
  });
});

test('counts are reported now and then, with the times of the first and the last', async () => {
  const told: RefusedAtDoor[] = [];
  let now = Date.parse('2026-06-01T10:00:00Z');
  const counts = new RefusalCounts({ tell: (refused) => told.push(refused), everyMs: 20, now: () => now });
  counts.count('slack', 'unsigned');
  now += 30_000;
  counts.count('slack', 'unsigned');
  counts.count('inbound/github', 'not signed');
  counts.flush();
  const until = '2026-06-01T10:00:30.000Z';
  expect(told).toEqual([
    { door: 'slack', counts: { unsigned: 2 }, from: '2026-06-01T10:00:00.000Z', until },
    { door: 'inbound/github', counts: { 'not signed': 1 }, from: until, until },
  ]);
  counts.flush();
  expect(told).toHaveLength(2);
});

describe('the desk’s own status', () => {
  test('is not served on the public port', async () => {
    for (const path of ['/metrics', '/healthz', '/readyz', '/', '/slack'])
      expect((await fetch(`${urlOf(server)}${path}`)).status).toBe(404);
  });

  test('is served on the status port, even without a cluster', async () => {
    let isAtWork = false;
    const desk = { contentType: 'text/plain', text: async () => 'firebreak_questions 1\n', read: async () => [] };
    const at = { host: '127.0.0.1', port: 0 };
    const refused = new RefusedCalls(createLog({ log: { level: 'error', format: 'json' } }));
    const metrics = createProcessMetrics({ refused, isAtWork: () => isAtWork, others: [desk] });
    const status = await listenForStatus({ ...at, rights: undefined, isAtWork: () => isAtWork, metrics });
    try {
      const text = await (await fetch(`${urlOf(status)}/metrics`)).text();
      expect(text).toContain('firebreak_at_work 0');
      expect(text).toContain('firebreak_questions 1');
      expect((await fetch(`${urlOf(status)}/readyz`)).status).toBe(503);
      isAtWork = true;
      expect((await fetch(`${urlOf(status)}/readyz`)).status).toBe(200);
      expect((await fetch(`${urlOf(status)}/healthz`)).status).toBe(200);
    } finally {
      await stop(status);
    }
  });
});

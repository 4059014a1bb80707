import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Receiver, StreamEvent } from '../../core/streams/stream.ts';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import { createStreamFeed } from '../../integrations/database/outbound/stream-feed.ts';
import type { Database } from '../../integrations/database/queries.ts';
import type { PostTls } from '../../integrations/http-post.ts';
import { createHttpReceiver } from '../../integrations/streams/http-receiver.ts';
import { createSyslogReceiver } from '../../integrations/streams/syslog-receiver.ts';
import { StreamRunner } from '../../service/streams/stream-runner.ts';
import { type CollectorServer, startCollector } from '../../tools/platform/collector-server.ts';
import {
  type LogServer,
  logServerCertificates,
  type ReceivedLog,
  startRsyslog,
  startVictoriaLogs,
  type VictoriaLogs,
} from '../../tools/platform/log-servers.ts';
import { eventMaker, ocsfProblems } from '../core/streams/events.ts';
import { eventually } from '../eventually.ts';
import { startedOrWhyNot } from '../started-or-why-not.ts';
import { run } from '../suites/audit-store.ts';
import { makersTrust } from '../suites/signed-records.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'firebreak-logs-'));
const tls = await logServerCertificates(stateDir);
const rsyslog = await startedOrWhyNot(() => startRsyslog({ stateDir, tls }));
const collector = await startedOrWhyNot(() => startCollector({ stateDir: join(stateDir, 'collector'), syslog: tls.files }));
const victoria = await startedOrWhyNot(() => startVictoriaLogs({ stateDir, tls }));
afterAll(() => rmSync(stateDir, { recursive: true, force: true }));

const running = new AbortController().signal;
const chains = ['cart', 'shop', 'pay'].map((name) => `incident/c/shop/Deployment/${name}@r1`);
const perChain = 30;
const all = chains.length * perChain;

let database: Database;
beforeAll(async () => {
  database = await openDatabase({ url: `sqlite:${join(stateDir, 'audit.db')}` });
  const store = createAuditStore(database);
  for (const chain of chains) await store.append(run(chain, 1, perChain));
});
afterAll(() => database.close());

/** Sends all records, as a desk does. @returns how often the receiver could not accept some and they were sent again: a busy server may close the connection */
async function stream(name: string, receiver: Receiver): Promise<number> {
  const feed = createStreamFeed(database);
  const problems: unknown[] = [];
  const runner = new StreamRunner({
    ...{
      name,
      feed,
      receiver,
      from: 'beginning',
      format: 'ocsf',
      maker: eventMaker,
      trust: makersTrust,
      holder: 'desk-a',
      batch: 20,
    },
    observer: {
      delivered: () => undefined,
      failed: (kind, reason) => problems.push(`${kind}: ${reason}`),
      unproven: (row) => problems.push(row),
      broken: (error) => problems.push(error),
    },
  });
  runner.start();
  await eventually('all of it sent', async () => (await feed.lag(name)).records === 0);
  await runner.stop();
  await receiver.close();
  const isLater = (problem: unknown): boolean => typeof problem === 'string' && problem.startsWith('later: ');
  expect(problems.filter((problem) => !isLater(problem))).toEqual([]);
  return problems.length;
}

interface Told {
  readonly metadata: { readonly uid: string; readonly event_code: string };
  readonly unmapped: { readonly record: { readonly chain: string; readonly place: number } };
}

/** Expects each event to be complete, valid and in the order of its incident, and to be there once, except those sent again, which their ids identify. */
function expectAll(texts: readonly string[], sentAgain = 0): void {
  expect(texts.flatMap((json) => ocsfProblems({ json }))).toEqual([]);
  const all = texts.map((json): Told => JSON.parse(json));
  const events = [...new Map(all.map((told) => [told.metadata.uid, told])).values()];
  if (sentAgain === 0) expect(all).toHaveLength(events.length);
  const placesOf = (of: readonly Told[], chain: string): readonly number[] =>
    of.flatMap(({ unmapped: { record } }) => (record.chain === chain ? [record.place] : []));
  for (const chain of chains) {
    const places = placesOf(events, chain);
    const inOrder = Array.from({ length: perChain }, (_, index) => index + 1);
    // All copies tell whether the receiver has seen a delivery twice.
    if (places.join() !== inOrder.join())
      process.stdout.write(`${chain}: received ${placesOf(all, chain).join()}; ${sentAgain} deliveries were sent again\n`);
    expect(places).toEqual(inOrder);
  }
}

const event = (text: string): StreamEvent => ({
  ...{ id: 'id-1', chain: chains[0] ?? '', at: '2026-11-27T10:00:00.000Z', kind: 'step.applied' },
  json: JSON.stringify({ text }),
});
/** Contents that could end a message, or be cut off. */
const awkward = [event('a line\nand another\r\n ü 🦊 \u0000 <13>1 - '), event('x'.repeat(200_000)), event('after it')];

const known = { ca: tls.ca, cert: tls.cert, key: tls.key };
const syslogTo = (port: number, given: PostTls = known): Receiver =>
  createSyslogReceiver({
    ...{ host: '127.0.0.1', port, serverName: 'localhost', hostname: 'desk-1', timeoutMs: 60_000, access: () => given },
  });

/** Defines a suite on a server of this machine; if there is none, the suite is skipped with the reason. */
function on<Server>(what: string, started: Server | string, suite: (server: Server) => void): void {
  if (typeof started === 'string') describe.skip(`${what} (skipped: ${started})`, () => test('is not tried', () => {}));
  else describe(what, () => suite(started));
}

function takesSyslog(
  port: number,
  received: () => Promise<readonly ReceivedLog[]>,
  { breaksOff = false }: { readonly breaksOff?: boolean } = {},
): void {
  const messages = async (app = 'firebreak') => (await received()).filter((log) => log.app === app);
  test('receives every event of a stream, whole and in order, under our header', async () => {
    const sentAgain = await stream(`syslog-${port}`, syslogTo(port));
    if (!breaksOff) expect(sentAgain).toBe(0);
    await eventually('all of it', async () => new Set((await messages()).map(({ message }) => message)).size >= all);
    const logs = await messages();
    expectAll(
      logs.map(({ message }) => message),
      sentAgain,
    );
    expect(new Set(logs.map(({ host }) => host))).toEqual(new Set(['desk-1']));
    expect(logs.map(({ kind }) => kind)).toEqual(logs.map(({ message }) => (JSON.parse(message) as Told).metadata.event_code));
  });

  test('receives events that contain line breaks or are long exactly as sent', async () => {
    const before = (await messages()).length;
    expect(await syslogTo(port).deliver(awkward, running)).toEqual({ state: 'delivered', answer: 'read to the end' });
    await eventually('them', async () => (await messages()).length >= before + awkward.length);
    const logs = (await messages()).slice(before);
    expect(logs.map(({ message }) => JSON.parse(message))).toEqual(awkward.map(({ json }) => JSON.parse(json)));
  });

  test('gets nothing from a client without a certificate that it knows', async () => {
    const before = (await messages()).length;
    const stranger = syslogTo(port, { ca: tls.ca });
    expect(await stranger.deliver([event('nobody')], running)).toMatchObject({ state: 'later' });
    expect(await syslogTo(port).deliver([event('last')], running)).toMatchObject({ state: 'delivered' });
    await eventually('it', async () => (await messages()).length > before);
    expect((await messages()).slice(before).map(({ message }) => message)).toEqual([event('last').json]);
  });
}

on('rsyslog', rsyslog, (server: LogServer) => takesSyslog(server.port, server.received, { breaksOff: true }));

on('the OpenTelemetry collector', collector, (server: CollectorServer) =>
  takesSyslog(server.syslogPort ?? 0, async () => server.received().flatMap(logsIn)),
);

interface LogBatch {
  readonly resourceLogs?: readonly { readonly scopeLogs: readonly { readonly logRecords: readonly LogRecord[] }[] }[];
}
interface LogRecord {
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
}

function logsIn(batch: unknown): readonly ReceivedLog[] {
  const records = ((batch as LogBatch).resourceLogs ?? []).flatMap(({ scopeLogs }) => scopeLogs.flatMap((one) => one.logRecords));
  return records.map(({ attributes }) => {
    const of = (name: string): string => attributes.find(({ key }) => key === name)?.value.stringValue ?? '';
    return { app: of('appname'), host: of('hostname'), kind: of('msg_id'), message: of('message') };
  });
}

on('VictoriaLogs', victoria, (server: VictoriaLogs) => {
  test('receives every event of a stream over HTTP, and finds it by its fields', async () => {
    const fields = new URLSearchParams({ _stream_fields: 'metadata.event_code', _time_field: 'time', _msg_field: 'message' });
    const receiver = createHttpReceiver({
      ...{ url: `${server.url}?${fields}`, format: 'ocsf', body: 'lines', gzip: true, timeoutMs: 60_000 },
      access: () => ({ tls: { ca: tls.ca } }),
    });
    expect(await stream('victoria', receiver)).toBe(0);
    const found = () => server.find('metadata.correlation_uid:"r1" or metadata.product.name:Firebreak');
    await eventually('all of it', async () => (await found()).length >= all);
    const events = await found();
    expect(new Set(events.map((one) => one['metadata.uid'])).size).toBe(events.length);
    for (const chain of chains) {
      const places = events
        .filter((one) => one['unmapped.record.chain'] === chain)
        .map((one) => Number(one['unmapped.record.place']));
      expect(places.sort((a, b) => a - b)).toEqual(Array.from({ length: perChain }, (_, index) => index + 1));
    }
  });

  const bySyslog = async (): Promise<readonly ReceivedLog[]> =>
    (await server.find('app_name:firebreak')).map((one) => ({
      ...{ app: one.app_name ?? '', host: one.hostname ?? '', kind: one.msg_id ?? '', message: one._msg ?? '' },
    }));
  test('receives syslog messages exactly as sent', async () => {
    const [first, , last] = awkward;
    const sent = [first, last].flatMap((one) => one ?? []);
    expect(await syslogTo(server.syslogPort).deliver(sent, running)).toEqual({ state: 'delivered', answer: 'read to the end' });
    await eventually('them', async () => (await bySyslog()).length >= sent.length);
    const logs = await bySyslog();
    const texts = logs.map(({ message }) => JSON.parse(message).text).sort();
    expect(texts).toEqual(sent.map(({ json }) => JSON.parse(json).text).sort());
    expect(logs[0]).toMatchObject({ host: 'desk-1', kind: 'step.applied' });
  });
});

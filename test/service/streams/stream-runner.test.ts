import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import type { Trust } from '../../../core/messages/sender.ts';
import type { StreamFeed } from '../../../core/streams/stream-feed.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { createStreamFeed } from '../../../integrations/database/outbound/stream-feed.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createHttpReceiver } from '../../../integrations/streams/http-receiver.ts';
import { StreamRunner, type StreamRunnerOptions } from '../../../service/streams/stream-runner.ts';
import { eventMaker } from '../../core/streams/events.ts';
import { eventually } from '../../eventually.ts';
import { run } from '../../suites/audit-store.ts';
import { makersTrust } from '../../suites/signed-records.ts';
import { ReceivingServer } from './receiving-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-streams-'));
const chain = (name: string): string => `incident/c/shop/Deployment/${name}@r1`;
const fast = { lookMs: 20, retryMs: 10, mostRetryMs: 50, refusedMs: 100, heldMs: 30_000 } as const;

let database: Database;
let store: AuditStore;
let feed: StreamFeed;
let server: ReceivingServer;
const running: StreamRunner[] = [];
const told = { failures: [] as string[], unproven: [] as string[], broken: [] as unknown[] };
let count = 0;

beforeEach(async () => {
  count += 1;
  database = await openDatabase({ url: `sqlite:${join(folder, `${count}.db`)}` });
  store = createAuditStore(database);
  feed = createStreamFeed(database);
  server = await ReceivingServer.open();
  for (const list of Object.values(told)) list.length = 0;
});

afterEach(async () => {
  for (const runner of running.splice(0)) await runner.stop();
  await server.close();
  await database.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(over: Partial<StreamRunnerOptions> = {}): StreamRunner {
  const runner = new StreamRunner({
    name: 'siem',
    feed,
    from: 'beginning',
    format: 'cloudevents',
    maker: eventMaker,
    trust: makersTrust,
    receiver: createHttpReceiver({
      url: server.url,
      format: 'cloudevents',
      body: 'lines',
      gzip: true,
      timeoutMs: 60_000,
      access: () => ({ tls: {} }),
    }),
    holder: 'desk-a',
    observer: {
      delivered: () => undefined,
      failed: (kind, reason) => told.failures.push(`${kind}: ${reason}`),
      unproven: ({ chain: of, place }) => told.unproven.push(`${of}#${place}`),
      broken: (error) => told.broken.push(error),
    },
    batch: 7,
    pace: fast,
    ...over,
  });
  running.push(runner);
  runner.start();
  return runner;
}

/** Places of each chain in the order of their first arrival. */
function arrived(): Readonly<Record<string, readonly number[]>> {
  const places: Record<string, number[]> = {};
  for (const { subject, sequence } of server.events) {
    const seen = places[String(subject)] ?? [];
    places[String(subject)] = seen;
    if (!seen.includes(Number(sequence))) seen.push(Number(sequence));
  }
  return places;
}

const upTo = (last: number): readonly number[] => Array.from({ length: last }, (_, index) => index + 1);

async function delivered(records: number): Promise<void> {
  await eventually(`${records} records at the receiver, and none to come`, async () => {
    const ids = new Set(server.events.map(({ id }) => id));
    return ids.size === records && (await feed.lag('siem')).records === 0;
  });
}

describe('a stream', () => {
  test('delivers every record once, in order within its incident, and goes on with what comes', async () => {
    await store.append(run(chain('cart'), 1, 40));
    await store.append(run(chain('shop'), 1, 3));
    start();
    await delivered(43);
    await store.append(run(chain('cart'), 41, 45));
    await delivered(48);
    expect(arrived()).toEqual({ [chain('cart')]: upTo(45), [chain('shop')]: upTo(3) });
    expect(server.events).toHaveLength(48);
    expect(told).toEqual({ failures: [], unproven: [], broken: [] });
  });

  test('loses and reorders nothing if the receiver throttles, fails, cuts off, or accepts it and its answer is lost', async () => {
    await store.append(run(chain('cart'), 1, 30));
    await store.append(run(chain('shop'), 1, 30));
    server.script = [200, 429, 500, 'cut', 'lost-answer', 503, 200, 'cut', 500, 'lost-answer'];
    start();
    await delivered(60);
    expect(arrived()).toEqual({ [chain('cart')]: upTo(30), [chain('shop')]: upTo(30) });
    expect(told.failures).toEqual(expect.arrayContaining(['later: HTTP status 429', 'later: HTTP status 500']));
    expect((await feed.state('siem'))?.failing).toBeUndefined();
  });

  test('reaches the end of more incidents than one look shows', async () => {
    for (let nth = 0; nth < 450; nth += 1) await store.append(run(chain(`app-${nth}`), 1, 1));
    start({ batch: 100 });
    await delivered(450);
    await store.append(run(chain('app-7'), 2, 2));
    await delivered(451);
    expect(server.events).toHaveLength(451);
  });

  test('continues where it was after a crash midway', async () => {
    await store.append(run(chain('cart'), 1, 30));
    server.script = [200, 200, 'hang'];
    const first = start({ batch: 5 });
    await eventually('a delivery without an answer', () => server.hanging === 1);
    await first.stop();
    expect((await feed.lag('siem')).records).toBe(20);
    start({ holder: 'desk-b', batch: 5 });
    await delivered(30);
    expect(arrived()).toEqual({ [chain('cart')]: upTo(30) });
    expect(server.events).toHaveLength(30);
  });

  test('that hangs holds up no records: they are written meanwhile, and delivered when it answers again', async () => {
    await store.append(run(chain('cart'), 1, 3));
    server.script = ['hang'];
    const first = start();
    await eventually('a delivery without an answer', () => server.hanging === 1);
    for (let number = 4; number <= 20; number += 1) await store.append(run(chain('cart'), number, number));
    expect((await store.storedChain(chain('cart'))).records).toHaveLength(20);
    expect((await feed.lag('siem')).records).toBe(20);
    expect(server.hanging).toBe(1);
    await first.stop();
    start();
    await delivered(20);
  });

  test('reads the next delivery while one is on its way, and no further', async () => {
    await store.append(run(chain('cart'), 1, 30));
    server.script = ['hang'];
    const read: number[] = [];
    const counted: StreamFeed = {
      ...feed,
      rowsOf: async (gaps) => {
        const rows = await feed.rowsOf(gaps);
        read.push([...rows.values()].flat().length);
        return rows;
      },
    };
    const first = start({ feed: counted, batch: 10 });
    await eventually('a delivery without an answer, and the next one read', () => server.hanging === 1 && read.length === 2);
    await first.stop();
    expect(read).toEqual([10, 10]);
    start();
    await delivered(30);
    expect(arrived()).toEqual({ [chain('cart')]: upTo(30) });
  });

  test('whose receiver refuses one particular record holds up only that incident, until it is accepted', async () => {
    await store.append(run(chain('cart'), 1, 10));
    await store.append(run(chain('shop'), 1, 10));
    let isPicky = true;
    const isBad = ({ subject, sequence }: Readonly<Record<string, unknown>>): boolean =>
      isPicky && subject === chain('cart') && Number(sequence) === 5;
    server.decide = ({ events }) => (events.some(isBad) ? 400 : 200);
    start();
    const others = { [chain('cart')]: upTo(4), [chain('shop')]: upTo(10) };
    await eventually('all of the other, and what was before it', () => isDeepStrictEqual(arrived(), others));
    await eventually('why it waits', async () => (await feed.state('siem'))?.failing !== undefined);
    await eventually('that all else is noted as delivered', async () => (await feed.lag('siem')).records === 6);
    expect(told.failures).toContain('refused: HTTP status 400');
    isPicky = false;
    await delivered(20);
    expect(arrived()[chain('cart')]).toEqual(upTo(10));
  });

  test('is sent by one of two desks, and by the other once the first has silently gone', async () => {
    await feed.begin('siem', 'beginning');
    expect(await feed.claim('siem', 'desk-that-dies', 600_000)).toBe(true);
    await store.append(run(chain('cart'), 1, 10));
    start({ holder: 'desk-b' });
    await store.append(run(chain('shop'), 1, 10));
    expect((await feed.state('siem'))?.holder).toBe('desk-that-dies');
    // The dead runner's claim has expired.
    await database.all(`UPDATE streams SET held_until = '2020-01-01T00:00:00.000Z'`);
    await delivered(20);
    expect((await feed.state('siem'))?.holder).toBe('desk-b');
  });

  test('of two live desks delivers each record once', async () => {
    for (const name of ['a', 'b', 'c', 'd']) await store.append(run(chain(name), 1, 20));
    start({ holder: 'desk-a' });
    start({ holder: 'desk-b' });
    await delivered(80);
    expect(server.events).toHaveLength(80);
  });

  test('saves nothing for a desk that another one has meanwhile taken over from', async () => {
    await store.append(run(chain('cart'), 1, 3));
    await feed.begin('siem', 'beginning');
    await feed.claim('siem', 'desk-a', 1);
    await eventually('the other desk', () => feed.claim('siem', 'desk-b', 60_000));
    expect(await feed.delivered('siem', 'desk-a', [{ chain: chain('cart'), place: 3 }])).toBe(false);
    expect((await feed.lag('siem')).records).toBe(3);
  });

  test('starts with new records if it is configured to', async () => {
    await store.append(run(chain('cart'), 1, 5));
    start({ from: 'now' });
    await eventually('that it has begun', () => feed.state('siem'));
    await store.append(run(chain('cart'), 6, 8));
    await delivered(3);
    expect(arrived()).toEqual({ [chain('cart')]: [6, 7, 8] });
  });

  test('reports where a row is that somebody wrote into the database, and none of its content', async () => {
    await store.append(run(chain('cart'), 1, 3));
    await database.all(`UPDATE audit_records SET body = '{"step":"a lie"}' WHERE place = 2`);
    start({ format: 'ocsf' });
    await eventually('three events', () => server.events.length === 3);
    expect(server.events[1]).toMatchObject({ class_uid: 2004, severity_id: 4, metadata: { event_code: 'record.unproven' } });
    expect(server.taken.map(({ text }) => text).join()).not.toContain('a lie');
    expect(told.unproven).toEqual([`${chain('cart')}#2`]);
  });

  test('calls nothing forged while a key file cannot be read, but waits', async () => {
    await store.append(run(chain('cart'), 1, 3));
    let isAway = true;
    const trust: Trust = {
      senderOf: (signed) => (isAway ? undefined : makersTrust.senderOf(signed)),
      isUnsureOf: () => isAway,
    };
    start({ trust });
    await eventually('that it waits', () => told.broken.length > 1);
    expect(server.events).toEqual([]);
    isAway = false;
    await delivered(3);
    expect(told.unproven).toEqual([]);
  });

  test('sends a chain again whose cursor somebody has set beyond its end', async () => {
    await store.append(run(chain('cart'), 1, 3));
    const first = start();
    await delivered(3);
    await first.stop();
    await database.all('UPDATE stream_cursors SET place = 1000000');
    await store.append(run(chain('cart'), 4, 4));
    start();
    await delivered(4);
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openDatabase } from '../../../../integrations/database/database.ts';
import { createIncidentList, type IncidentList } from '../../../../integrations/database/incident-list.ts';
import type { Database } from '../../../../integrations/database/queries.ts';
import { portOf } from '../../../../integrations/http-door.ts';
import { createEventStream } from '../../../../service/desk/console/event-stream.ts';
import { createListWriter, createSharedPages } from '../../../../service/desk/console/live-list.ts';
import type { SignedIn } from '../../../../service/desk/console/sessions.ts';
import { eventually } from '../../../eventually.ts';
import { incidentRecords, keyOf, markOf } from './console-desk.ts';

const anHourMs = 3_600_000;
let folder: string;
let database: Database;
let list: IncidentList;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-list-'));
  database = await openDatabase({ url: `sqlite:${join(folder, 'audit.db')}` });
  list = createIncidentList(database, {
    marks: { of: markOf, isOf: (content, mark) => mark === markOf(content) },
    records: async () => [],
  });
});
afterEach(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

const fails = (_: string, error: unknown): never => {
  throw error;
};

test('the first record of a burst is listed at once, the rest together, and nothing is lost when the desk stops', async () => {
  let written = 0;
  const changed = (): void => {
    written += 1;
  };
  const writer = createListWriter({ list, changed, warn: fails, everyMs: anHourMs });
  const [first, ...others] = incidentRecords('shop');
  writer.note(first ? [first] : []);
  await eventually('the first', async () => (await list.find(keyOf('shop'), 'all'))?.seen === 1);
  for (const record of [...others, ...incidentRecords('bank')]) writer.note([record]);
  writer.note([]);
  expect([(await list.find(keyOf('shop'), 'all'))?.seen, written]).toEqual([1, 1]);
  await writer.stop();
  expect(written).toBe(2);
  expect((await list.find(keyOf('shop'), 'all'))?.seen).toBe(4);
  expect((await list.find(keyOf('bank'), 'all'))?.seen).toBe(4);
});

test('records that belong to no incident cost the list nothing', async () => {
  let notes = 0;
  const counted = {
    note: (records: Parameters<IncidentList['note']>[0]) => {
      notes += 1;
      return list.note(records);
    },
    catchUp: list.catchUp,
  };
  const writer = createListWriter({ list: counted, changed: () => undefined, warn: fails });
  writer.note(incidentRecords('shop').map((record) => ({ ...record, chain: 'desk/c' })));
  await writer.stop();
  expect(notes).toBe(0);
});

/** A list that counts how often it is asked for what. */
function counted() {
  const asked = { page: 0, changedSince: 0 };
  const counting: Pick<IncidentList, 'page' | 'changedSince'> = {
    page: (...of) => {
      asked.page += 1;
      return list.page(...of);
    },
    changedSince: (...of) => {
      asked.changedSince += 1;
      return list.changedSince(...of);
    },
  };
  return { asked, counting };
}

test('a page is read once for all who may see the same, and again once something has changed', async () => {
  const { asked, counting } = counted();
  const pages = createSharedPages(counting);
  await list.note([...incidentRecords('shop'), ...incidentRecords('bank')]);
  const namespaces = async (visible: SignedIn['visible'], limit = 50) =>
    (await pages.page({ limit }, visible)).items.map(({ namespace }) => namespace);
  const all = await Promise.all(Array.from({ length: 50 }, () => namespaces('all')));
  expect([all.at(-1)?.toSorted(), asked.page]).toEqual([['bank', 'shop'], 1]);
  expect([await namespaces(['shop']), await namespaces(['bank'])]).toEqual([['shop'], ['bank']]);
  expect(await namespaces('all', 1)).toHaveLength(1);
  await list.note(incidentRecords('pay'));
  pages.changed();
  expect((await namespaces('all')).toSorted()).toEqual(['bank', 'pay', 'shop']);
});

test('a page that could not be read is read again for the next reader', async () => {
  let isAway = true;
  const pages = createSharedPages({
    page: async (...of) => {
      if (isAway) throw new Error('the database is away');
      return list.page(...of);
    },
  });
  await expect(pages.page({ limit: 1 }, 'all')).rejects.toThrow('away');
  isAway = false;
  expect(await pages.page({ limit: 1 }, 'all')).toEqual({ items: [], next: null });
});

test('a change by this desk reaches all listeners after one look, and shared pages are dropped first', async () => {
  const { asked, counting } = counted();
  const said: string[] = [];
  const events = createEventStream({
    list: counting,
    told: () => said.push('forgotten'),
    lasts: async () => true,
    publicUrl: 'http://127.0.0.1',
    log: fails,
    lookEveryMs: anHourMs,
  });
  const { port, opened, close } = await serve(events);
  const ends = new AbortController();
  const heard = Array.from({ length: 40 }, async () => {
    const response = await fetch(`http://127.0.0.1:${port}`, { signal: ends.signal });
    const decoder = new TextDecoder();
    let text = '';
    for await (const part of response.body ?? []) {
      text += decoder.decode(part, { stream: true });
      if (text.includes(keyOf('shop'))) return void said.push('told');
    }
    throw new Error('the stream is over');
  });
  try {
    await eventually('all listen', async () => opened() === heard.length);
    await list.note(incidentRecords('shop'));
    events.changed();
    await Promise.all(heard);
    expect(asked.changedSince).toBe(1);
    expect([said[0], said.length]).toEqual(['forgotten', 41]);
  } finally {
    ends.abort();
    await close();
  }
});

test('however many incidents are written at once, all of them reach whoever listens and whoever reconnects', async () => {
  const at = Date.now();
  list = createIncidentList(database, {
    marks: { of: markOf, isOf: (content, mark) => mark === markOf(content) },
    records: async () => [],
    now: () => at,
  });
  const namespaces = Array.from({ length: 1_203 }, (_, nth) => `shop-${nth}`);
  const keys = namespaces.map((namespace) => keyOf(namespace));
  const lacking = (found: ReadonlyMap<string, number>) => keys.filter((key) => !found.has(key));
  const events = createEventStream({
    list,
    told: () => undefined,
    lasts: async () => true,
    publicUrl: 'http://127.0.0.1',
    log: fails,
    now: () => at,
    lookEveryMs: anHourMs,
  });
  const { port, opened, close } = await serve(events);
  const ends = new AbortController();
  /** Waits until each of them was told. Returns how often each was. */
  const told = async (headers: Record<string, string>): Promise<ReadonlyMap<string, number>> => {
    const response = await fetch(`http://127.0.0.1:${port}`, { headers, signal: ends.signal });
    const decoder = new TextDecoder();
    const times = new Map<string, number>();
    let text = '';
    for await (const part of response.body ?? []) {
      text += decoder.decode(part, { stream: true });
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        if (!line.startsWith('data: {"')) continue;
        const { key }: { readonly key: string } = JSON.parse(line.slice('data: '.length));
        times.set(key, (times.get(key) ?? 0) + 1);
      }
      if (times.size === keys.length) return times;
    }
    throw new Error(`${times.size} of ${keys.length} were told`);
  };
  try {
    const listening = told({});
    await eventually('one listens', async () => opened() === 1);
    await list.note(namespaces.flatMap((namespace) => incidentRecords(namespace).slice(0, 1)));
    events.changed();
    events.changed();
    const live = await listening;
    expect([lacking(live), new Set(live.values())]).toEqual([[], new Set([1])]);
    expect(lacking(await told({ 'last-event-id': new Date(at).toISOString() }))).toEqual([]);
    expect(lacking(await told({}))).toEqual([]);
  } finally {
    ends.abort();
    await close();
  }
});

async function serve(events: ReturnType<typeof createEventStream>) {
  let opened = 0;
  const server = createServer((request, response) => {
    opened += 1;
    events.open(someone(`person-${opened}`), request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    events.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port: portOf(server), opened: () => opened, close };
}

function someone(subject: string): SignedIn {
  return {
    by: 'session',
    id: subject,
    subject,
    name: subject,
    roles: ['viewer'],
    visible: 'all',
    csrf: null,
    endsAt: Date.now() + anHourMs,
  };
}

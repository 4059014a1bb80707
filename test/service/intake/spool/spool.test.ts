import { describe, expect, test } from '@jest/globals';
import type { Alert } from '../../../../core/alert/alert.ts';
import { subjectOf } from '../../../../core/alert/subject.ts';
import { nextBatch } from '../../../../service/intake/send/batch.ts';
import type { SpoolEntry } from '../../../../service/intake/spool/entry.ts';
import { Spool } from '../../../../service/intake/spool/spool.ts';
import { directoriesOfTests, until } from '../parts/intake-fixture.ts';

const directory = directoriesOfTests();

const incidents = ['incident/lab/shop/Deployment/cart', 'incident/lab/shop/Deployment/web'] as const;
const idOf = (serial: number): string => serial.toString(16).padStart(32, serial % 2 === 0 ? '0' : 'f');

function entry(serial: number): SpoolEntry {
  const alert: Alert = {
    id: idOf(serial),
    sensor: 'falco',
    rule: 'r',
    severity: 'low',
    time: '2026-06-01T10:00:00Z',
    title: `alert ${serial}`,
    cluster: 'lab',
    observables: [],
    tags: [],
    mitre: [],
  };
  return { alert, subject: subjectOf(alert), receivedAt: '2026-06-01T10:00:00.000Z' };
}

const opened = (path: string): Promise<Spool> => Spool.open({ directory: path, maxBytes: 1e9 });
const serials = (spool: Spool, incident: string): readonly string[] =>
  spool.entriesOf(incident, { limit: 5_000 }).map(({ entry: { alert } }) => alert.title);

describe('the spool', () => {
  test('keeps the alerts of many incidents in order, each with its own, even across a restart', async () => {
    const path = directory();
    let spool = await opened(path);
    await Promise.all(Array.from({ length: 1_000 }, (_, serial) => spool.add(incidents[serial % 2] ?? '', entry(serial))));
    const of = (first: number): readonly string[] => Array.from({ length: 500 }, (_, n) => `alert ${2 * n + first}`);
    for (const turn of ['before', 'after']) {
      expect([turn, serials(spool, incidents[0])]).toEqual([turn, of(0)]);
      expect([turn, serials(spool, incidents[1])]).toEqual([turn, of(1)]);
      if (turn === 'after') continue;
      await spool.close();
      spool = await opened(path);
    }
    const upTo = spool.entriesOf(incidents[0], { limit: 400 }).at(-1)?.place ?? 0;
    await spool.remove(incidents[0], { upTo });
    expect(serials(spool, incidents[0])).toEqual(of(0).slice(400));
    expect(serials(spool, incidents[1])).toEqual(of(1));
    await spool.remove(incidents[0], { upTo: Number.MAX_SAFE_INTEGER });
    expect(spool.incidents()).toEqual([incidents[1]]);
    const place = await spool.add(incidents[0], entry(1_000));
    expect(spool.entriesOf(incidents[0], { limit: 5 }).map((placed) => placed.place)).toEqual([place]);
    await spool.close();
  });

  test('knows the id of an alert at once, after a restart, and once it is in the ledger', async () => {
    const path = directory();
    let spool = await opened(path);
    await Promise.all(Array.from({ length: 600 }, (_, serial) => spool.add(incidents[0], entry(serial))));
    await spool.remove(incidents[0], { upTo: Number.MAX_SAFE_INTEGER });
    const known = (): number => Array.from({ length: 601 }, (_, serial) => spool.incidentOf(idOf(serial))).filter(Boolean).length;
    const inLedger = (): number =>
      Array.from({ length: 601 }, (_, serial) => spool.ledger.get(idOf(serial))).filter(Boolean).length;
    expect([known(), inLedger()]).toEqual([600, 0]);
    await spool.close();
    spool = await opened(path);
    expect(known()).toBe(600);
    await until(() => inLedger() === 600);
    expect(known()).toBe(600);
    await spool.close();
    spool = await opened(path);
    expect([known(), inLedger()]).toEqual([600, 600]);
    expect(spool.incidentOf(idOf(7))).toBe(incidents[0]);
    await spool.close();
  });

  test('hands out a batch of many alerts in parts, and accepts others in between', async () => {
    const spool = await opened(directory());
    await Promise.all(Array.from({ length: 1_100 }, (_, serial) => spool.add(incidents[0], entry(serial))));
    let turns = 0;
    const turn = (): void => {
      turns += 1;
      if (turns < 50) setImmediate(turn);
    };
    setImmediate(turn);
    const batch = await nextBatch({ spool, incident: incidents[0], known: new Set(), fixed: undefined });
    expect(batch?.size).toBe(1_100);
    expect(turns).toBeGreaterThanOrEqual(4);
    await spool.close();
  });
});

test('a nearly full disk counts as a full spool: a failed write could end the process', async () => {
  const path = directory();
  const roomy = await Spool.open({ directory: path, maxBytes: 1e9 });
  expect(roomy.isFull()).toBe(false);
  await roomy.close();
  const tight = await Spool.open({ directory: path, maxBytes: 1e9, leftFree: Number.MAX_SAFE_INTEGER });
  expect(tight.isFull()).toBe(true);
  await tight.close();
});

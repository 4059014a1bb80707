import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { subjectOf } from '../../../../core/alert/subject.ts';
import type { SpoolEntry } from '../../../../service/intake/spool/entry.ts';
import { Spool } from '../../../../service/intake/spool/spool.ts';
import { WriteAheadLog } from '../../../../service/intake/spool/write-ahead-log.ts';
import { alertOf } from '../../../testing/alert-of.ts';
import { directoriesOfTests, removeDirectory } from '../parts/intake-fixture.ts';

const directory = directoriesOfTests();

const fileIn = (path: string): string => join(path, 'write-ahead.log');
const bytes = (text: string): Uint8Array => Buffer.from(text);
const texts = (log: WriteAheadLog): readonly string[] => log.left().map((record) => Buffer.from(record).toString());

async function begun(path: string): Promise<WriteAheadLog> {
  const log = new WriteAheadLog(path);
  await log.begin();
  return log;
}

describe('the write-ahead log', () => {
  test('has each record as soon as it is said to be durable, those of one write and of the next', async () => {
    const path = directory();
    const log = await begun(path);
    expect(log.left()).toEqual([]);
    const first = [log.append(bytes('a')), log.append(bytes('b'))];
    await Promise.all(first.map(({ durable }) => durable));
    expect(texts(log)).toEqual(['a', 'b']);
    const during = log.append(bytes('c'));
    const next = Promise.resolve().then(() => log.append(bytes('d')).durable);
    await during.durable;
    expect(texts(log).slice(0, 3)).toEqual(['a', 'b', 'c']);
    await next;
    expect(texts(new WriteAheadLog(path))).toEqual(['a', 'b', 'c', 'd']);
    await log.close();
  });

  test('forgets all of it once the last one is released, and no earlier one comes back behind a shorter one', async () => {
    const path = directory();
    const log = await begun(path);
    const some = ['first', 'second', 'third'].map((text) => log.append(bytes(text)));
    await Promise.all(some.map(({ durable }) => durable));
    some[0]?.release();
    some[2]?.release();
    expect(texts(log)).toEqual(['first', 'second', 'third']);
    some[1]?.release();
    expect(texts(log)).toEqual([]);
    // As long as the first one was: what follows in the file is the second one, whole.
    await log.append(bytes('later')).durable;
    expect(texts(log)).toEqual(['later']);
    await log.close();
  });

  test('finds a record that was released before it was written, and those that came meanwhile', async () => {
    const path = directory();
    const log = await begun(path);
    const early = log.append(bytes('early'));
    early.release();
    const meanwhile = log.append(bytes('meanwhile'));
    await Promise.all([early.durable, meanwhile.durable]);
    expect(texts(log)).toEqual(['early', 'meanwhile']);
    meanwhile.release();
    expect(texts(log)).toEqual([]);
    await log.close();
  });

  test('stops at a record that was not written in full', async () => {
    const path = directory();
    const log = await begun(path);
    await Promise.all(['whole', 'torn'].map((text) => log.append(bytes(text)).durable));
    const content = readFileSync(fileIn(path));
    const at = content.indexOf('torn');
    content[at] = 0;
    writeFileSync(fileIn(path), content);
    expect(texts(log)).toEqual(['whole']);
    truncateSync(fileIn(path), at + 1);
    expect(texts(log)).toEqual(['whole']);
    await log.close();
  });

  test('refuses what has no room, and goes on', async () => {
    const log = await begun(directory());
    await expect(log.append(Buffer.alloc(2 * 1024 ** 2)).durable).rejects.toThrow('no room');
    await log.append(bytes('small')).durable;
    expect(texts(log)).toEqual(['small']);
    await log.close();
    await expect(log.append(bytes('closed')).durable).rejects.toThrow('no room');
  });
});

const incident = 'incident/lab/shop/Deployment/web';
const opened = (path: string): Promise<Spool> => Spool.open({ directory: path, maxBytes: 1e9 });

function entryOf(serial: number): SpoolEntry {
  const alert = alertOf({ id: serial.toString(16).padStart(32, '0') });
  return { alert, subject: subjectOf(alert), receivedAt: '2026-06-01T10:00:00.000Z', raw: Buffer.from(`raw ${serial}`) };
}

const waiting = (spool: Spool): readonly SpoolEntry[] => spool.entriesOf(incident, { limit: 100 }).map(({ entry }) => entry);

describe('an alert that is written ahead', () => {
  test('is there after a power cut before its commit, once, also when the spool is opened again', async () => {
    const [running, afterCut] = [directory(), directory()];
    const spool = await opened(running);
    const [one, other] = [entryOf(1), entryOf(2)];
    const added = [spool.addAhead(incident, one), spool.addAhead(incident, other)];
    await Promise.all(added.map(({ durable }) => durable));
    // What the disk has if the database had not committed.
    mkdirSync(afterCut, { recursive: true });
    copyFileSync(fileIn(running), fileIn(afterCut));
    await Promise.all(added.map(({ stored }) => stored));
    await spool.close();
    for (const _ of ['first start', 'second start']) {
      const again = await opened(afterCut);
      expect(waiting(again)).toEqual([one, other]);
      expect(again.incidentOf(one.alert.id)).toBe(incident);
      await again.close();
    }
  });

  test('is stored as any other', async () => {
    const path = directory();
    const spool = await opened(path);
    const { stored } = spool.addAhead(incident, entryOf(1));
    const places = await Promise.all([stored, spool.add(incident, entryOf(2))]);
    expect(places).toEqual([1, 2]);
    await spool.close();
    const again = await opened(path);
    expect(waiting(again)).toEqual([entryOf(1), entryOf(2)]);
    await again.close();
  });

  test('does not come back after it was stored and sent, if the log still has it', async () => {
    const path = directory();
    const spool = await opened(path);
    const { durable, stored } = spool.addAhead(incident, entryOf(1));
    await durable;
    const log = readFileSync(fileIn(path));
    await spool.remove(incident, { upTo: await stored });
    await spool.close();
    writeFileSync(fileIn(path), log);
    const again = await opened(path);
    expect(waiting(again)).toEqual([]);
    expect(again.incidentOf(entryOf(1).alert.id)).toBe(incident);
    await again.close();
  });

  test('stays in the log while the disk is too full to store it', async () => {
    const path = directory();
    const spool = await opened(path);
    const { durable, stored } = spool.addAhead(incident, entryOf(1));
    await durable;
    const log = readFileSync(fileIn(path));
    await stored;
    await spool.close();
    removeDirectory(path);
    mkdirSync(path);
    writeFileSync(fileIn(path), log);
    const full = await Spool.open({ directory: path, maxBytes: 1e9, leftFree: Number.MAX_SAFE_INTEGER });
    expect(waiting(full)).toEqual([]);
    await full.close();
    const roomy = await opened(path);
    expect(waiting(roomy)).toEqual([entryOf(1)]);
    await roomy.close();
  });
});

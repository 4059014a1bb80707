import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { StartMemory } from '../../../activities/memory/start-memory.ts';
import { DurableMemory } from '../../../service/cell/pools/durable-memory.ts';

const id = 'incident/lab/shop/Deployment/cart';
const dayMs = 86_400_000;
const monday = Date.parse('2026-11-23T08:00:00Z');

let clock: number;
let starts: StartMemory;

beforeEach(() => {
  clock = monday;
  starts = new StartMemory({ now: () => clock });
});

const comes = (start: string, firstRun: string, at = clock, memory = starts): Promise<boolean> =>
  memory.takes(id, { id: start, at, firstRun }, firstRun);

describe('of the calls through Temporal', () => {
  test('those of a start’s first run are accepted, again and again', async () => {
    expect(await comes('one', 'a')).toBe(true);
    clock += dayMs * 20;
    expect(await comes('one', 'a', monday)).toBe(true);
    clock += dayMs * 20;
    expect(await comes('one', 'a', monday)).toBe(true);
  });

  test('those of another run of the same start are not', async () => {
    await comes('one', 'a');
    expect(starts.mayRun(id, 'b')).toBe(true);
    expect(await comes('one', 'b', monday)).toBe(false);
    expect(starts.mayRun(id, 'b')).toBe(false);
    expect(await comes('one', 'a', monday)).toBe(true);
    expect(starts.mayRun(id, 'a')).toBe(true);
  });

  test('those of an older start are not, once there is a newer one', async () => {
    await comes('one', 'a');
    clock += 10_000;
    expect(await comes('two', 'b')).toBe(true);
    expect(await comes('one', 'a', monday)).toBe(false);
    expect(await comes('one', 'c', monday)).toBe(false);
    clock += dayMs;
    expect(await comes('three', 'd')).toBe(true);
    expect(await comes('never sent', 'e', monday)).toBe(false);
  });

  test('those of a cell whose clock is slightly behind are', async () => {
    await comes('one', 'a');
    expect(await comes('two', 'b', monday - 30_000)).toBe(true);
  });

  test('those of a run that has ended are not, even if it was reset', async () => {
    await comes('one', 'a');
    starts.ended(id, 'another');
    expect(await comes('one', 'a')).toBe(true);
    starts.ended(id, 'a');
    expect(await comes('one', 'a', monday)).toBe(false);
    expect(starts.mayRun(id, 'a')).toBe(false);
  });

  test('those of a later run are, if it continued as new or was reset while open: that is looked up once', async () => {
    const asked: string[] = [];
    starts.asks(async ({ run, earlier }) => {
      asked.push(run);
      expect(earlier).toEqual(['a']);
      return 'open';
    });
    const start = { id: 'one', at: clock, firstRun: 'a' };
    expect(await comes('one', 'a')).toBe(true);
    for (let n = 0; n < 2; n += 1) expect(await starts.takes(id, start, 'b')).toBe(true);
    expect(asked).toEqual(['b']);
    expect(await starts.mayRunOn(id, 'a', 'b')).toBe(true);
  });

  test('those of a run that was reset after its end are not, even before anybody saw the end', async () => {
    starts.asks(async () => 'ended');
    const start = { id: 'one', at: clock, firstRun: 'a' };
    await comes('one', 'a');
    expect(await starts.mayRunOn(id, 'a', 'b')).toBe(false);
    expect(await starts.takes(id, start, 'b')).toBe(false);
    expect(starts.mayRun(id, 'a')).toBe(false);
    expect(await comes('one', 'a', monday)).toBe(false);
  });

  test('those of a run of unknown origin are not, and the run before it continues', async () => {
    starts.asks(async () => 'unknown');
    await comes('one', 'a');
    expect(await starts.takes(id, { id: 'one', at: clock, firstRun: 'a' }, 'b')).toBe(false);
    expect(starts.mayRun(id, 'a', 'b')).toBe(false);
    expect(await comes('one', 'a', monday)).toBe(true);
  });

  test('those of a forgotten start are not, if it is older than the memory', async () => {
    expect(await comes('one', 'a', monday - 40 * dayMs)).toBe(false);
  });

  test('those that do not name a start are not', async () => {
    expect(await starts.takes(id, undefined, 'a')).toBe(false);
    expect(await starts.takes(id, { id: 'one', at: clock }, 'a')).toBe(false);
  });
});

test('starts are remembered after a restart', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'firebreak-starts-'));
  const log = { error: () => undefined };
  try {
    const first = new DurableMemory(directory, log);
    expect(await comes('one', 'a', clock, new StartMemory({ keeper: first.keeper('starts'), now: () => clock }))).toBe(true);
    await first.close();
    const second = new DurableMemory(directory, log);
    const again = new StartMemory({ keeper: second.keeper('starts'), now: () => clock });
    expect(await comes('one', 'b', clock, again)).toBe(false);
    expect(await comes('one', 'a', clock, again)).toBe(true);
    await second.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

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

const comes = (start: string, firstRun: string, at = clock, memory = starts): boolean =>
  memory.takes(id, { id: start, at, firstRun });

describe('of the calls over Temporal', () => {
  test('those of the run that came of a start first are taken, again and again', () => {
    expect(comes('one', 'a')).toBe(true);
    clock += dayMs * 20;
    expect(comes('one', 'a', monday)).toBe(true);
    clock += dayMs * 20;
    expect(comes('one', 'a', monday)).toBe(true);
  });

  test('those of another run of the same start are not', () => {
    comes('one', 'a');
    expect(starts.mayRun(id, 'b')).toBe(true);
    expect(comes('one', 'b', monday)).toBe(false);
    expect(starts.mayRun(id, 'b')).toBe(false);
    expect(comes('one', 'a', monday)).toBe(true);
    expect(starts.mayRun(id, 'a')).toBe(true);
  });

  test('those of an older start are not, once there was a newer one', () => {
    comes('one', 'a');
    clock += 10_000;
    expect(comes('two', 'b')).toBe(true);
    expect(comes('one', 'a', monday)).toBe(false);
    expect(comes('one', 'c', monday)).toBe(false);
    clock += dayMs;
    expect(comes('three', 'd')).toBe(true);
    expect(comes('never sent', 'e', monday)).toBe(false);
  });

  test('those of a cell whose clock is a little behind are', () => {
    comes('one', 'a');
    expect(comes('two', 'b', monday - 30_000)).toBe(true);
  });

  test('those of a run that has come to its end are not, also where it was set back', () => {
    comes('one', 'a');
    starts.ended(id, 'another');
    expect(comes('one', 'a')).toBe(true);
    starts.ended(id, 'a');
    expect(comes('one', 'a', monday)).toBe(false);
    expect(starts.mayRun(id, 'a')).toBe(false);
  });

  test('those of a start that nobody remembers are not when it is older than the memory', () => {
    expect(comes('one', 'a', monday - 40 * dayMs)).toBe(false);
  });

  test('those that name no start are not', () => {
    expect(starts.takes(id, undefined)).toBe(false);
    expect(starts.takes(id, { id: 'one', at: clock })).toBe(false);
  });
});

test('it knows after a restart what it knew before', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'firebreak-starts-'));
  const log = { error: () => undefined };
  try {
    const first = new DurableMemory(directory, log);
    expect(comes('one', 'a', clock, new StartMemory({ keeper: first.keeper('starts'), now: () => clock }))).toBe(true);
    await first.close();
    const second = new DurableMemory(directory, log);
    const again = new StartMemory({ keeper: second.keeper('starts'), now: () => clock });
    expect(comes('one', 'b', clock, again)).toBe(false);
    expect(comes('one', 'a', clock, again)).toBe(true);
    await second.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import type { Client } from '@temporalio/client';
import { runOlderBuilds } from '../../../../service/cell/builds/older-builds.ts';
import { createLog } from '../../../../service/process/log.ts';
import { storeBuild, storedBuild, storedBuilds } from '../../../../service/temporal/bundle/bundle.ts';
import { eventually } from '../../../eventually.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'firebreak-older-test-'));
afterAll(() => rmSync(stateDir, { recursive: true, force: true }));

function madeBuild(text: string): string {
  const id = createHash('sha256').update(text).digest('hex').slice(0, 16);
  writeFileSync(join(stateDir, 'bundle.js'), text);
  return storeBuild({ id, path: join(stateDir, 'bundle.js') }, stateDir).id;
}

/** Lists open incidents as Temporal does, with the build that each is pinned to. */
function clientOf(open: { builds: readonly string[]; looks: number }): Client {
  const list = async function* () {
    open.looks += 1;
    for (const build of open.builds) {
      const data = Buffer.from(JSON.stringify(`lab:${build}`));
      yield { raw: { searchAttributes: { indexedFields: { TemporalWorkerDeploymentVersion: { data } } } } };
    }
  };
  return { workflow: { list } } as unknown as Client;
}

test('the worker of an older build stops after two checks without an open incident, and starts again for a later one', async () => {
  const [first, second] = [madeBuild('// first\n'), madeBuild('// second\n')];
  const open = { builds: [first, second] as readonly string[], looks: 0 };
  const stopping = new AbortController();
  const told: string[] = [];
  const running = runOlderBuilds({
    client: clientOf(open),
    deployment: 'lab',
    running: () => ['f'.repeat(16)],
    stateDir,
    fetch: async () => undefined,
    start: async ({ id }) => {
      told.push(`starts ${id}`);
      return () => told.push(`ends ${id}`);
    },
    log: createLog({ log: { level: 'fatal', format: 'json' } }),
    signal: stopping.signal,
    everyMs: 1,
  });
  const said = (line: string, times = 1) => eventually(line, () => told.filter((one) => one === line).length === times);
  await said(`starts ${first}`);
  await said(`starts ${second}`);
  open.builds = [second];
  await said(`ends ${first}`);
  open.builds = [second, first];
  await said(`starts ${first}`, 2);
  expect(told).not.toContain(`ends ${second}`);
  stopping.abort();
  await running;
});

test('a superseded worker stops like that of an older build, but never while its build is in use again', async () => {
  const [saved, again] = ['a'.repeat(16), 'b'.repeat(16)];
  const open = { builds: [saved] as readonly string[], looks: 0 };
  const stopping = new AbortController();
  const ended: string[] = [];
  let begunWith: readonly string[] = [again];
  const superseded = new Map([saved, again].map((id) => [id, () => ended.push(id)] as const));
  const running = runOlderBuilds({
    client: clientOf(open),
    deployment: 'lab',
    running: () => begunWith,
    superseded: () => new Map([...superseded].filter(([id]) => !ended.includes(id)).map(([id, end]) => [id, () => void end()])),
    stateDir,
    fetch: async () => undefined,
    start: async () => {
      throw new Error('its worker runs already');
    },
    log: createLog({ log: { level: 'fatal', format: 'json' } }),
    signal: stopping.signal,
    everyMs: 1,
  });
  const looks = (more: number) => {
    const from = open.looks;
    return eventually('more looks', () => open.looks >= from + more);
  };
  // Two looks end a build without open incidents: this applies to neither.
  await looks(5);
  expect(ended).toEqual([]);
  open.builds = [];
  await eventually('the end of the first', () => ended.includes(saved));
  await looks(5);
  expect(ended).toEqual([saved]);
  begunWith = [];
  await eventually('the end of the other', () => ended.includes(again));
  stopping.abort();
  await running;
});

const dayMs = 86_400_000;

test('a build is removed a week after its last use, unless an open or a new incident needs it', async () => {
  const [retired, open, begunWith] = [madeBuild('// retired\n'), madeBuild('// open\n'), madeBuild('// begun with\n')];
  const start = Date.now();
  const pinned = { builds: [open] as readonly string[], looks: 0 };
  let nowMs = start + 6 * dayMs;
  const stopping = new AbortController();
  const running = runOlderBuilds({
    client: clientOf(pinned),
    deployment: 'lab',
    running: () => [begunWith],
    stateDir,
    fetch: async () => undefined,
    start: async () => () => undefined,
    log: createLog({ log: { level: 'fatal', format: 'json' } }),
    signal: stopping.signal,
    everyMs: 1,
    now: () => nowMs,
  });
  const kept = (): readonly boolean[] => [retired, open, begunWith].map((id) => storedBuild(id, stateDir) !== undefined);
  const looks = (more: number) => {
    const from = pinned.looks;
    return eventually('more looks', () => pinned.looks >= from + more);
  };
  await looks(4);
  expect(kept()).toEqual([true, true, true]);
  nowMs = start + 8 * dayMs;
  await eventually('the end of the retired one', () => storedBuild(retired, stateDir) === undefined);
  expect(kept()).toEqual([false, true, true]);
  // Its last incident is over: the week starts now.
  pinned.builds = [];
  nowMs = start + 12 * dayMs;
  await looks(4);
  expect(kept()).toEqual([false, true, true]);
  expect(storedBuilds(stateDir).get(open)).toBeGreaterThan(nowMs);
  nowMs = start + 20 * dayMs;
  await eventually('the end of the other', () => storedBuild(open, stateDir) === undefined);
  expect(kept()).toEqual([false, false, true]);
  stopping.abort();
  await running;
});

test('an unrelated file in the builds folder is not touched', async () => {
  const other = join(stateDir, 'builds', 'notes.txt');
  writeFileSync(other, 'mine');
  utimesSync(other, 0, 0);
  expect([...storedBuilds(stateDir).keys()]).not.toContain('notes');
  expect([...storedBuilds(join(stateDir, 'nowhere')).keys()]).toEqual([]);
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import type { LastRun } from '../../../core/playbook/scheduled-runs.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { DurableMemory } from '../../../service/cell/pools/durable-memory.ts';
import { ScheduledRuns, type ScheduledRunsParts } from '../../../service/cell/scheduled-runs.ts';

const at = (text: string): number => Date.parse(text);
const rotation = { 'firebreak/remind-of-rotation': { namespace: 'shop', secret: 'db' } };
const drill = { 'firebreak/drill-quarantine': { namespace: 'shop' } };

let directory: string;
let memory: DurableMemory;
let now: number;
let lines: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'firebreak-due-'));
  memory = new DurableMemory(directory, { error: () => undefined });
  now = at('2026-01-15T12:00:00Z');
  lines = [];
});
afterEach(async () => {
  await memory.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A cell whose intake accepts alerts as `tell` decides. */
function cell(over: Partial<ScheduledRunsParts> & { readonly tell?: (alert: Alert) => Promise<boolean> } = {}): {
  readonly runs: ScheduledRuns;
  readonly told: Alert[];
} {
  const { tell = async () => true, ...parts } = over;
  const told: Alert[] = [];
  const log = (fields: object) => void lines.push(JSON.stringify(fields));
  const runs = new ScheduledRuns({
    cluster: 'lab',
    playbooks,
    params: rotation,
    kept: memory.values<LastRun>('scheduled-runs'),
    written: () => memory.written(),
    view: { ready: () => true, pods: () => [] },
    log: { info: log, warn: log, error: log },
    now: () => now,
    ...parts,
  });
  runs.open(async (alert) => {
    told.push(alert);
    return tell(alert);
  });
  return { runs, told };
}

function drillPod(name: string, over: Partial<PodRecord> = {}): PodRecord {
  return {
    namespace: 'shop',
    name,
    uid: `uid-${name}`,
    createdAt: '2026-01-01T00:00:00Z',
    labels: { 'firebreak.dev/drill': 'true' },
    annotations: {},
    owners: [],
    containers: [],
    ready: true,
    deleting: false,
    phase: 'Running',
    ...over,
  } as PodRecord;
}

test('each due time gets exactly one run, however many checks there are, and none before it is due', async () => {
  const { runs, told } = cell();
  expect(await Promise.all([runs.look(), runs.look()])).toEqual([[], []]);
  now = at('2026-03-08T00:00:01Z');
  const begun = await Promise.all([runs.look(), runs.look(), runs.look()]);
  expect(begun.flat().every((id) => id === 'firebreak/remind-of-rotation')).toBe(true);
  await runs.look();
  expect(told).toMatchObject([
    {
      sensor: 'firebreak',
      scheduledFor: 'firebreak/remind-of-rotation',
      workload: { kind: 'Secret', namespace: 'shop', name: 'db' },
      severity: 'info',
    },
  ]);
  await runs.stop();
});

test('a started run is remembered after a restart', async () => {
  const first = cell();
  now = at('2026-03-08T00:00:01Z');
  expect(await first.runs.look()).toEqual(['firebreak/remind-of-rotation']);
  await first.runs.stop();
  await memory.close();
  memory = new DurableMemory(directory, { error: () => undefined });
  const second = cell();
  expect(await second.runs.look()).toEqual([]);
  expect(second.told).toEqual([]);
  await second.runs.stop();
});

test('a run that was not accepted starts at the next check, under the same id', async () => {
  const answers = [false, true];
  const { runs, told } = cell({ tell: async () => answers.shift() ?? true });
  now = at('2026-03-08T00:00:01Z');
  expect(await runs.look()).toEqual([]);
  expect(await runs.look()).toEqual(['firebreak/remind-of-rotation']);
  expect(new Set(told.map(({ id }) => id)).size).toBe(1);
  expect(told).toHaveLength(2);
  await runs.stop();
});

test('a run that is too late is skipped, and logged once', async () => {
  const { runs, told } = cell();
  now = at('2026-03-20T00:00:00Z');
  await runs.look();
  await runs.look();
  expect(told).toEqual([]);
  expect(lines.filter((line) => line.includes('too late'))).toHaveLength(1);
  await runs.stop();
});

test('a playbook whose parameters name no target never runs', async () => {
  const { runs, told } = cell({ params: {} });
  expect(runs.playbooks).toEqual([]);
  now = at('2026-03-08T00:00:01Z');
  await runs.look();
  expect(told).toEqual([]);
  await runs.stop();
});

test('a drill targets the newest ready pod with its label by uid, and waits until there is one', async () => {
  const pods: PodRecord[] = [];
  const { runs, told } = cell({ params: drill, view: { ready: () => true, pods: () => pods } });
  now = at('2026-02-01T10:00:00Z');
  expect(await runs.look()).toEqual([]);
  pods.push(
    drillPod('old'),
    drillPod('young', { createdAt: '2026-01-20T00:00:00Z' }),
    drillPod('going', { createdAt: '2026-01-25T00:00:00Z', deleting: true }),
    drillPod('other', { createdAt: '2026-01-26T00:00:00Z', labels: {} }),
  );
  expect(await runs.look()).toEqual(['firebreak/drill-quarantine']);
  expect(told).toMatchObject([{ pod: { namespace: 'shop', name: 'young', uid: 'uid-young' } }]);
  await runs.stop();
});

test('of two cells that check concurrently, only the one that claims a run starts it', async () => {
  const claimed = new Map<string, string>();
  const claimAs = (who: string) => async (playbook: string, due: number) => {
    const key = `${playbook} ${due}`;
    if (!claimed.has(key)) claimed.set(key, who);
    return claimed.get(key) === who;
  };
  const [one, other] = ['one', 'other'].map((who) => cell({ claim: claimAs(who), kept: memory.values<LastRun>(who) })) as [
    ReturnType<typeof cell>,
    ReturnType<typeof cell>,
  ];
  now = at('2026-03-08T00:00:01Z');
  await Promise.all([one.runs.look(), other.runs.look()]);
  claimed.clear();
  await Promise.all([one.runs.look(), other.runs.look()]);
  expect([...one.told, ...other.told]).toHaveLength(1);
  await Promise.all([one.runs.stop(), other.runs.stop()]);
});

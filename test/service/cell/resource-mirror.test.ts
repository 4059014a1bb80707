import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import type { CellActivities } from '../../../core/action/step.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { ShownResources } from '../../../integrations/kubernetes/shown-resources.ts';
import { type OwnKnowledge, openKnowledge } from '../../../service/cell/pools/durable-memory.ts';
import { hearingQuestions, type OpenRun, ResourceMirror } from '../../../service/cell/resources/resource-mirror.ts';
import { createLog } from '../../../service/process/log.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-mirror-'));
const log = createLog({ log: { level: 'fatal', format: 'json' } });
const opened: OwnKnowledge[] = [];
afterAll(async () => {
  await Promise.all(opened.map((knowledge) => knowledge.close()));
  rmSync(folder, { recursive: true, force: true });
});

const at = '2026-11-27T16:03:20Z';
let now = 0;
let asked: string[] = [];
let calls: string[] = [];
let openQuestions = 0;
beforeEach(() => {
  now = Date.parse('2026-11-27T16:04:00Z');
  [asked, calls, openQuestions] = [[], [], 0];
});

/** An API server that accepts everything, and returns only what was written. */
function apiServer(): KubernetesApi {
  const objects = new Map<string, { metadata: { name: string; namespace: string }; status?: object }>();
  return {
    server: 'https://cluster.example',
    json: async ({ method, path, body }) => {
      calls.push(`${method} ${path}`);
      const of = path.replace(/\/status$/, '');
      if (method === 'GET') return { items: /incidents$/.test(path) ? [...objects.values()] : [] } as never;
      const known = objects.get(of);
      if (method === 'POST') {
        const made = structuredClone(body) as { metadata: { name: string; namespace: string } };
        objects.set(`${path}/${made.metadata.name}`, made);
        return made as never;
      }
      if (known) Object.assign(known, body);
      return known as never;
    },
    stream: () => Promise.reject(new Error('nothing comes')),
    socket: () => Promise.reject(new Error('nothing comes')),
    clock: () => undefined,
    close: () => undefined,
  };
}

function stateOf(id: string): IncidentState {
  const status = { state: 'open' } as const;
  const question = { id: 'q1' };
  return {
    incident: { id, run: `run of ${id}` },
    ...{ severity: 'critical', verdict: 'unknown', reached: 'contained', open: true, openedAt: at, total: 3 },
    counts: [{ rule: 'A rule', severity: 'critical', count: 3, firstSeen: at, lastSeen: at }],
    questions: Array.from({ length: openQuestions }, () => ({ question, status })),
  } as unknown as IncidentState;
}

const runs = (count: number): OpenRun[] =>
  Array.from({ length: count }, (_, n) => {
    const id = `incident/lab/shop/Deployment/cart-${n}`;
    return { id, run: `run of ${id}`, kinds: 1 };
  });

function mirrorOf(open: readonly OpenRun[], name: string): ResourceMirror {
  const knowledge = openKnowledge(join(folder, name), log);
  opened.push(knowledge);
  return new ResourceMirror({
    resources: new ShownResources(apiServer(), new AbortController().signal),
    open: () => open,
    seen: knowledge.seenIncidents,
    releases: knowledge.stepReleases,
    leases: knowledge.votes.leases,
    containments: () => [],
    ask: async (id) => {
      asked.push(id);
      return stateOf(id);
    },
    words: { ownNamespace: 'firebreak', groups: ['oncall'] },
    retentionMs: 86_400_000,
    isAlone: true,
    log,
    now: () => now,
  });
}

async function look(mirror: ResourceMirror, afterMs: number): Promise<readonly string[]> {
  now += afterMs;
  asked = [];
  calls = [];
  await mirror.look();
  return asked;
}

/** Waits until each of them was asked once. */
async function known(mirror: ResourceMirror, open: readonly OpenRun[]): Promise<void> {
  const all = new Set<string>();
  while (all.size < open.length) for (const id of await look(mirror, 5_000)) all.add(id);
}

test('of a hundred quiet incidents, each round queries the one that was queried longest ago', async () => {
  const open = runs(100);
  const mirror = mirrorOf(open, 'quiet');
  await known(mirror, open);
  const [first] = await look(mirror, 61_000);
  expect(asked).toHaveLength(1);
  const [second] = await look(mirror, 5_000);
  expect(asked).toHaveLength(1);
  expect(second).not.toBe(first);
  // Each at most once a minute.
  const few = runs(2);
  const small = mirrorOf(few, 'few');
  await known(small, few);
  expect([...(await look(small, 61_000)), ...(await look(small, 5_000))].sort()).toEqual(few.map(({ id }) => id));
  expect(await look(small, 5_000)).toEqual([]);
});

test('an incident with a new question, a new answer or a new kind of alert is queried soon', async () => {
  const open = runs(30);
  const mirror = mirrorOf(open, 'heard');
  await known(mirror, open);
  const id = open[17]?.id ?? '';
  const given: Pick<CellActivities, 'answerersTo' | 'verifyVote'> = {
    answerersTo: async () => ({}) as never,
    verifyVote: async () => ({}) as never,
  };
  const activities = hearingQuestions(given, (incident) => mirror.hears(incident));
  const question = { incident: { id } } as never;
  await activities.answerersTo({ question });
  openQuestions = 1;
  expect(await look(mirror, 0)).toEqual([]);
  expect(await look(mirror, 1_000)).toEqual([id]);
  expect(calls.every((call) => call.includes('cart-17') || call.startsWith('POST'))).toBe(true);
  expect(calls.at(-1)).toMatch(/^PATCH .*cart-17.*\/status$/);
  await activities.verifyVote({ question, vote: {} as never, level: 0 });
  expect(await look(mirror, 1_000)).toEqual([id]);
  open.splice(3, 1, { ...open[3], kinds: 2 } as OpenRun);
  expect(await look(mirror, 1_000)).toEqual([open[3]?.id]);
});

test('known incidents are still shown after a restart, without querying all of them again', async () => {
  const open = runs(60);
  const mirror = mirrorOf(open, 'restarted');
  await known(mirror, open);
  await opened.at(-1)?.close();
  opened.pop();
  const again = mirrorOf(open, 'restarted');
  expect(await look(again, 5_000)).toHaveLength(1);
  expect(calls.filter((call) => call.startsWith('POST'))).toHaveLength(60);
});

test('everything is read from the API server every half minute, and less often with more than a thousand incidents', async () => {
  const reads = (): number => calls.filter((call) => /^GET .*\/incidents$/.test(call)).length;
  const few = mirrorOf(runs(10), 'read-few');
  await look(few, 0);
  expect([reads(), await look(few, 15_000).then(() => reads()), await look(few, 15_000).then(() => reads())]).toEqual([1, 0, 1]);
  const many = mirrorOf(runs(2_000), 'read-many');
  await look(many, 0);
  await look(many, 0);
  await look(many, 60_000);
  expect([reads(), await look(many, 30_000).then(() => reads()), await look(many, 30_000).then(() => reads())]).toEqual([
    1, 0, 1,
  ]);
});

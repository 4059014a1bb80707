import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import type { IntakeReport } from '../../../../core/alert/intake-report.ts';
import type { StoredRecord } from '../../../../core/audit/audit-store.ts';
import { type IncidentSummary, listedOf, summaryOf } from '../../../../core/console/incident-summary.ts';
import { sees } from '../../../../core/console/routes.ts';
import type { ControlState } from '../../../../core/decide/control.ts';
import type { Trust } from '../../../../core/messages/sender.ts';
import { loadConfig } from '../../../../service/config/load.ts';
import { createOverviews } from '../../../../service/desk/console/overview.ts';
import { ReachableObjects } from '../../../suites/reachable-objects.ts';
import { makersTrust, newMaker, maker as trusted } from '../../../suites/signed-records.ts';
import { incidentRecords } from './console-desk.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-overview-'));
const path = join(folder, 'firebreak.yaml');
writeFileSync(
  path,
  'cluster: c\nintake: { tokens: [{ name: falco, token: { env: TOKEN } }] }\nroster: { people: [{ id: ana, name: Ana }], groups: { oncall: [ana], leads: [ana] } }\n',
);
const config = loadConfig({ path, env: {} });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = '2026-03-01T14:02:11.000Z';
const clockAt = (minutes: number): { now: number } => ({ now: Date.parse(at) + minutes * 60_000 });
const isoAt = (minutes: number): string => new Date(clockAt(minutes).now).toISOString();
type Reader = Parameters<ReturnType<typeof createOverviews>['overview']>[0];
const viewer = { visible: 'all' } as Reader;
const tenant = { visible: ['shop'] } as Partial<Reader> as Reader;

/** A question that the cell asked, in a separate run. */
function asked(nth: number, maker = trusted, askedAt = at): StoredRecord {
  const chain = `incident/c/shop/Deployment/app-${nth}@run-1`;
  const incident = { id: `incident/c/shop/Deployment/app-${nth}`, run: 'run-1' };
  const question = {
    id: `q-${nth}`,
    incident,
    levels: [{ group: 'oncall' }],
    choices: [],
    requester: 'playbook/p',
    text: 'Yours?',
  };
  const record = { chain, number: 1, at: askedAt, kind: 'question.asked', actor: 'playbook/p', body: { question } };
  return { chain, place: 1, previous: '', hash: '', signed: maker.sign(record) };
}

/** The parts of overviews, if nothing has happened. */
function overviewsOf(
  rows: () => readonly StoredRecord[],
  trust: Trust,
  clock: { now: number },
  over: {
    readonly incidents?: readonly IncidentSummary[];
    readonly control?: (cluster: string) => Promise<ControlState | undefined>;
    readonly openQuestions?: Parameters<typeof createOverviews>[0]['openQuestions'];
    readonly config?: typeof config;
    readonly pages?: (asked: { readonly since: string }) => AsyncIterable<readonly StoredRecord[]>;
  } = {},
) {
  const incidents = over.incidents ?? [];
  async function* onePage() {
    yield [...rows()];
  }
  const seenBy = (visible: Reader['visible']) => incidents.filter(({ namespace }) => sees(visible, namespace));
  return createOverviews({
    config: over.config ?? config,
    list: {
      since: async (_, visible) => seenBy(visible),
      contained: async () => [],
      counts: async () => ({ clusters: [], days: new Map<string, number>() }),
    },
    store: { eachOfKinds: over.pages ?? onePage },
    trust,
    control: over.control ?? (async () => undefined),
    openQuestions: over.openQuestions,
    now: () => clock.now,
  });
}

test('a prepared overview verifies again only one record per key, so that a key no longer trusted does not count', async () => {
  const clock = { now: Date.parse(at) + 60_000 };
  let proofs = 0;
  let believes = true;
  const trust: Trust = {
    senderOf: (signed) => {
      proofs += 1;
      return believes ? makersTrust.senderOf(signed) : undefined;
    },
  };
  const rows = [...Array.from({ length: 60 }, (_, nth) => asked(nth)), asked(60, newMaker())];
  const overviews = overviewsOf(() => rows, trust, clock);
  await overviews.prepare();
  expect(proofs).toBe(61);
  expect((await overviews.overview(viewer)).questions.asked).toBe(60);
  expect(proofs).toBe(61);

  clock.now += 10_000;
  rows.push(asked(61));
  expect((await overviews.overview(viewer)).questions.asked).toBe(61);
  // The new one, the forged one, and one of the key that was trusted.
  expect(proofs).toBe(64);

  clock.now += 10_000;
  believes = false;
  expect((await overviews.overview(viewer)).questions.asked).toBe(0);
});

test('each look reads what came since the last one, and once an hour everything, which counts late records', async () => {
  const clock = clockAt(60);
  const rows = [asked(1), asked(2)];
  const since: string[] = [];
  async function* pages(of: { readonly since: string }) {
    since.push(of.since);
    yield rows.filter(({ signed }) => signed && signed.record.at >= of.since);
  }
  const overviews = overviewsOf(() => [], makersTrust, clock, { pages });
  const askedNow = async () => (await overviews.overview(viewer)).questions.asked;
  expect(await askedNow()).toBe(2);
  clock.now = clockAt(70).now;
  rows.push(asked(3, trusted, isoAt(55)), asked(4, trusted, isoAt(40)));
  expect(await askedNow()).toBe(3);
  expect(since).toEqual([isoAt(60 - 30 * 24 * 60), isoAt(50)]);
  clock.now = clockAt(121).now;
  expect(await askedNow()).toBe(4);
  expect(since.at(-1)).toBe(isoAt(121 - 30 * 24 * 60));
  // A month after the first two were asked.
  clock.now = clockAt(30 * 24 * 60 + 30).now;
  expect(await askedNow()).toBe(2);
});

test('an open question is followed to its end, and simultaneous looks read only once', async () => {
  const clock = clockAt(10);
  const question = asked(1);
  const rows = [question];
  let reads = 0;
  let going = Promise.resolve();
  async function* pages() {
    reads += 1;
    await going;
    yield [...rows];
  }
  const overviews = overviewsOf(() => [], makersTrust, clock, { pages });
  expect((await overviews.overview(viewer)).questions).toMatchObject({ asked: 1, open: 1, expired: 0 });
  if (!question.signed) throw new Error('no record');
  const { chain } = question;
  const ended = { chain, number: 2, at: isoAt(10), kind: 'question.expired', actor: 'engine', body: { question: 'q-1' } };
  rows.push({ ...question, place: 2, signed: trusted.signAfter(ended, question.signed) });
  let go = (): void => undefined;
  going = new Promise((resolve) => {
    go = resolve;
  });
  clock.now += 6_000;
  const [first, people] = [overviews.overview(viewer), overviews.people()];
  clock.now += 6_000;
  const second = overviews.overview(viewer);
  go();
  for (const look of await Promise.all([first, second])) expect(look.questions).toMatchObject({ asked: 1, open: 0, expired: 1 });
  await people;
  expect(reads).toBe(2);
});

test('the overview keeps its counts, and at most two pages of records at a time', async () => {
  const held = new ReachableObjects();
  let most = 0;
  async function* pages() {
    for (let page = 0; page < 6; page += 1) {
      const rows = Array.from({ length: 10 }, (_, nth) => asked(10 * page + nth));
      for (const { signed } of rows) if (signed) held.watch(signed.record.body);
      yield rows.splice(0);
      most = Math.max(most, await held.count());
    }
  }
  const overviews = overviewsOf(() => [], makersTrust, { now: Date.parse(at) + 60_000 }, { pages });
  await overviews.prepare();
  expect(most).toBeLessThanOrEqual(20);
  expect(await held.count()).toBe(0);
  expect((await overviews.overview(viewer)).questions.asked).toBe(60);
});

const intakeReport = (over: Partial<IntakeReport> = {}): IntakeReport => ({
  ...{ source: 'cell-0/1', at: isoAt(20), since: isoAt(0), accepted: 7, duplicates: 1, refused: { rate_limit: 3 } },
  hidden: { 's-1': 12 },
  sensors: [
    { sensor: 'falco', alerts: 5, drops: 2, droppedAt: isoAt(18), heardAt: isoAt(19), lacks: [] },
    { sensor: 'tetragon', alerts: 0, drops: 0, heardAt: isoAt(19), lacks: [] },
  ],
  watched: [{ sensor: 'falco', nodes: 3, silent: 1, longest: [{ node: 'n1', since: isoAt(9) }] }],
  open: { count: 0, worst: [] },
  ...over,
});

const stranger = { from: '10.0.0.7', count: 9, since: isoAt(2), lastAt: isoAt(20), reason: 'a token is needed' };

const decided = (kind: string, terms: object) => ({ status: { state: 'active' }, proposal: { order: { kind, terms } } });
const terms = { owner: 'ana', reason: 'Known', until: isoAt(900) };
const matching = (namespace: string) => ({
  rule: 'R',
  namespace,
  workload: { kind: 'Deployment', name: 'cart' },
  image: { digest: 'sha256:1' },
});
const controlSaid = (intakes?: readonly IntakeReport[]): ControlState =>
  ({
    decisions: [
      decided('suppression.propose', { ...terms, id: 's-1', upTo: 'low', match: matching('shop') }),
      decided('suppression.propose', { ...terms, id: 's-2', upTo: 'low', match: matching('bank') }),
      ...[
        { id: 'r-1', mode: 'freeze', scope: { kind: 'cluster' } },
        { id: 'r-2', mode: 'freeze', scope: { kind: 'namespace', name: 'bank' } },
        { id: 'r-3', mode: 'break-glass', scope: { kind: 'incident', name: 'incident/c/bank/Deployment/pay' } },
        { id: 'r-4', mode: 'break-glass', scope: { kind: 'incident', name: 'incident/c/shop/Deployment/cart' } },
      ].map((restraint) => decided('restraint.propose', { ...terms, ...restraint })),
    ],
    ...(intakes && { intakes }),
  }) as never;

const incidents = ['shop', 'bank'].flatMap((namespace) => summaryOf(incidentRecords(namespace, 'cart', 'run-1', isoAt(5))) ?? []);

test('sensors are shown with what their cluster’s intakes report: drops, silent nodes, sensors without findings, and rejected items', async () => {
  const overviews = overviewsOf(() => [], makersTrust, clockAt(21), {
    incidents,
    control: async () => controlSaid([intakeReport({ unauthorized: [stranger, { ...stranger, sensor: 'falco' }] })]),
  });
  const { sensors, intakes, clusters, suppressions } = await overviews.overview(viewer);
  const watched = { nodes: 3, silent: 1, longest: [{ node: 'n1', since: isoAt(9) }] };
  expect(sensors).toEqual([
    {
      ...{ cluster: 'c', name: 'falco', alerts: 4, lastAlertAt: isoAt(5) },
      health: { heardAt: isoAt(19), drops: 2, droppedAt: isoAt(18), lacks: [], watched },
    },
    {
      ...{ cluster: 'c', name: 'tetragon', alerts: 0, lastAlertAt: null },
      health: { heardAt: isoAt(19), drops: 0, droppedAt: null, lacks: [], watched: null },
    },
  ]);
  expect(intakes).toEqual([
    {
      ...{ cluster: 'c', source: 'cell-0/1', at: isoAt(20), since: isoAt(0), isAway: false, accepted: 7, duplicates: 1 },
      refused: [{ reason: 'rate_limit', count: 3 }],
      unauthorized: [null, 'falco'].map((sensor) => ({ from: '10.0.0.7', sensor, count: 9, since: isoAt(2), lastAt: isoAt(20) })),
    },
  ]);
  expect(clusters).toMatchObject([{ name: 'c', answers: true }]);
  expect(suppressions?.map(({ id, hidden }) => [id, hidden])).toEqual([
    ['s-1', 12],
    ['s-2', 0],
  ]);
});

test('reports of an intake that has been away for long count for no sensor, and the intake is shown as away', async () => {
  const overviews = overviewsOf(() => [], makersTrust, clockAt(40), {
    incidents,
    control: async () => controlSaid([intakeReport()]),
  });
  const { sensors, intakes } = await overviews.overview(viewer);
  expect(intakes).toMatchObject([{ isAway: true }]);
  expect(sensors).toMatchObject([{ name: 'falco', alerts: 4, health: null }]);
});

test('while the cell does not report, nothing is shown that only it knows', async () => {
  const { sensors, intakes, clusters, suppressions, guardrails } = await overviewsOf(() => [], makersTrust, clockAt(21), {
    incidents,
  }).overview(viewer);
  expect(clusters).toMatchObject([{ name: 'c', answers: false }]);
  expect([suppressions, guardrails.restraints, intakes]).toEqual([null, null, []]);
  expect(sensors).toMatchObject([{ name: 'falco', health: null }]);
});

test('whoever sees one namespace is shown what touches it, but no node, no intake and nothing of others', async () => {
  const overviews = overviewsOf(() => [], makersTrust, clockAt(21), {
    incidents,
    control: async () => controlSaid([intakeReport()]),
  });
  const { sensors, intakes, suppressions, guardrails, playbooks } = await overviews.overview(tenant);
  expect(sensors).toEqual([{ cluster: 'c', name: 'falco', alerts: 2, lastAlertAt: isoAt(5), health: null }]);
  expect(intakes).toBeNull();
  expect(suppressions?.map(({ id }) => id)).toEqual(['s-1']);
  expect(guardrails.restraints?.map(({ id }) => id)).toEqual(['r-1', 'r-4']);
  expect(playbooks.reduce((sum, { runs }) => sum + runs, 0)).toBe(0);
});

test('a desk of several clusters asks each of them', async () => {
  const cells = ['c', 'eu'].map((cluster) => ({ cluster, key: 'k' }));
  const hub = { ...config, trust: { ...config.trust, cells } };
  const { clusters, guardrails } = await overviewsOf(() => [], makersTrust, clockAt(21), {
    config: hub,
    control: async (cluster) => (cluster === 'eu' ? controlSaid() : undefined),
  }).overview(viewer);
  expect(clusters).toMatchObject([
    { name: 'c', answers: false },
    { name: 'eu', answers: true },
  ]);
  expect(guardrails.restraints?.map(({ cluster }) => cluster)).toEqual(['eu', 'eu', 'eu', 'eu']);
});

test('a playbook is shown with what it contained itself, how long that took after the alert, and how long people took to answer', async () => {
  const ids = (await overviewsOf(() => [], makersTrust, clockAt(21)).overview(viewer)).playbooks.map((one) => one.id);
  const [contains = '', asks = '', idle = ''] = ids;
  const [opened, started, applied] = incidentRecords('shop', 'cart', 'run-1', isoAt(5));
  if (!opened || !started || !applied) throw new Error('no records');
  const records = [
    opened,
    { ...started, actor: `playbook/${contains}` },
    { ...applied, actor: `playbook/${contains}`, at: isoAt(6) },
    // The second alert starts another playbook, and the first playbook contains once more.
    { ...opened, kind: 'alert.joined', at: isoAt(8) },
    { ...started, actor: `playbook/${asks}`, at: isoAt(8) },
    { ...applied, actor: `playbook/${contains}`, at: isoAt(9), body: { ...applied.body, step: 's2' } },
  ].map((record, index) => ({ ...record, number: index + 1 }));
  const told = async (of: typeof records) => {
    const found = summaryOf(of);
    const run = found ? [{ ...found, verdict: 'benign' as const }] : [];
    const { playbooks, times } = await overviewsOf(() => [], makersTrust, clockAt(21), { incidents: run }).overview(viewer);
    const by = (id: string) => playbooks.find((one) => one.id === id);
    return { contains: by(contains), asks: by(asks), idle: by(idle), times };
  };
  const aMinute = { p50: 60, p90: 60 };
  const before = await told(records);
  expect(before.contains).toMatchObject({ runs: 1, verdicts: { benign: 1 }, toContain: aMinute, toDecide: null });
  expect(before.asks).toMatchObject({ runs: 1, toContain: null });
  expect(before.idle).toMatchObject({ runs: 0, toContain: null });
  const later = { ...applied, actor: `playbook/${asks}`, at: isoAt(9), number: 7, body: { ...applied.body, step: 's3' } };
  const after = await told([...records, later]);
  expect([after.contains?.toContain, after.asks?.toContain, after.times.toContain]).toEqual([aMinute, aMinute, aMinute]);
});

/** Low for a quarter of an hour, then critical and contained within a second. */
function lowThenCritical(kind = 'alert.joined') {
  const [opened, started, applied, checked] = incidentRecords('shop', 'cart', 'run-1', isoAt(0));
  if (!opened || !started || !applied || !checked) throw new Error('no records');
  const counts = [{ rule: 'Terminal shell', severity: 'low', count: 1, firstSeen: isoAt(0), lastSeen: isoAt(0) }];
  return [
    { ...opened, body: { ...opened.body, counts } },
    { ...started, at: isoAt(0) },
    { ...opened, kind, at: isoAt(15) },
    { ...applied, at: isoAt(15.01) },
    { ...checked, at: isoAt(15.02) },
    // A worse alert after the containment called for nothing that was measured.
    { ...opened, kind: 'alert.joined', at: isoAt(17) },
  ].map((record, index) => ({ ...record, number: index + 1 }));
}

test('the time to contain counts from the alert that called for it, not from a low one long before', async () => {
  const summary = summaryOf(lowThenCritical());
  expect(summary).toMatchObject({ openedAt: isoAt(0), calledAt: isoAt(15), containedAt: isoAt(15.01) });
  const { times, playbooks } = await overviewsOf(() => [], makersTrust, clockAt(21), {
    incidents: summary ? [summary] : [],
  }).overview(viewer);
  expect(times.toContain?.p50).toBeCloseTo(0.6);
  expect(playbooks.filter(({ toContain }) => (toContain?.p50 ?? 0) > 1)).toEqual([]);
});

test('a containment is proven by its last check alone', () => {
  const records = lowThenCritical();
  const last = records.at(-1);
  if (!last) throw new Error('no records');
  const [proven, before] = [summaryOf(records), summaryOf(records.slice(0, 4))].map((found) => found && listedOf(found));
  expect([before?.contained, before?.isProven, proven?.isProven]).toEqual([1, false, true]);
  const drifted = { ...last, number: 7, kind: 'step.checked', body: { step: 's1', verification: { state: 'drifted' } } };
  const found = summaryOf([...records, drifted]);
  expect(found && listedOf(found).isProven).toBe(false);
});

test('the overview counts the open questions that the page of questions lists', async () => {
  const { questions } = await overviewsOf(() => [asked(1), asked(2)], makersTrust, clockAt(1), {
    openQuestions: async ({ visible }) => (visible === 'all' ? 5 : 3),
  }).overview(tenant);
  expect(questions).toMatchObject({ asked: 2, open: 3 });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import type { AppliedStep, CellActivities, StepCall } from '../../../core/action/step.ts';
import type { Severity } from '../../../core/alert/severity.ts';
import { type BeforeState, quarantineMarks } from '../../../core/cluster/before-state.ts';
import type { HeldContainment } from '../../../core/cluster/cluster-resources.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { effectText } from '../../../core/incident/effect.ts';
import { holdTermsNow } from '../../../core/incident/hold.ts';
import { EffectBook } from '../../../service/cell/effect-book.ts';
import { type OwnKnowledge, openKnowledge } from '../../../service/cell/pools/durable-memory.ts';

const cellKey = new Uint8Array(32).fill(5);
const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'r' };
const step = `${incident.id}/r/contain/cart/quarantinePod/0`;
const uid = 'uid-1';
const workload = { kind: 'Deployment', name: 'cart' };
const asked = { incident, step };
const minute = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'firebreak-effect-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function podOf(name: string, over: Partial<PodRecord> = {}): PodRecord {
  return {
    namespace: 'shop',
    name,
    uid: `uid-${name}`,
    resourceVersion: '1',
    createdAt: '2026-06-01T09:00:00Z',
    labels: { app: 'cart' },
    annotations: {},
    owners: [{ kind: 'ReplicaSet', name: 'cart-5d4c', uid: 'rs', controller: true }],
    containers: [],
    hostNetwork: false,
    deleting: false,
    phase: 'Running',
    ready: true,
    secrets: [],
    ...over,
  };
}

/** A pod in quarantine: it no longer belongs to a ReplicaSet, and has a note of its before-state. */
function quarantined(over: Partial<PodRecord> = {}): PodRecord {
  const state: BeforeState = {
    version: 1,
    incident: incident.id,
    step,
    podUid: uid,
    labels: { app: 'cart' },
    workload,
    terms: { ...holdTermsNow({}), at: '2026-06-01T10:00:00.400Z' },
  };
  return podOf('cart-1', { uid, owners: [], ...quarantineMarks(state, cellKey), ...over });
}

const held: HeldContainment = {
  target: 'pod/shop/cart-1',
  uid,
  action: 'quarantinePod',
  incident: incident.id,
  step,
  terms: holdTermsNow({}),
  problems: [],
};
const call = {
  key: step,
  action: 'quarantinePod',
  input: { pod: { namespace: 'shop', name: 'cart-1', uid } },
  incident,
} as StepCall;

/** A cell over one namespace, with a clock and a cluster that the test sets. */
class World {
  now = Date.parse('2026-06-01T10:00:00Z');
  pods: readonly PodRecord[] = [
    quarantined({ restarts: 1 }),
    podOf('cart-2'),
    podOf('cart-3', { labels: { app: 'other' }, owners: [] }),
  ];
  held: readonly HeldContainment[] = [held];
  age = 0;
  isBusy = false;
  warnings: () => Promise<{ total: number; reasons: Record<string, number>; more?: true }> = async () => ({
    total: 0,
    reasons: {},
  });
  readonly #name: string;
  #knowledge: OwnKnowledge;

  constructor(name: string) {
    this.#name = name;
    this.#knowledge = openKnowledge(join(folder, name), pino({ level: 'silent' }));
  }

  book(cells = 1): EffectBook {
    return new EffectBook({
      view: {
        age: () => this.age,
        ready: () => true,
        pods: () => this.pods,
        podByUid: (wanted) => this.pods.find((pod) => pod.uid === wanted),
        ownersOf: () => [{ ...workload, uid: 'd', controller: true }],
        services: () => [
          { namespace: 'shop', name: 'cart', selector: { app: 'cart' } },
          { namespace: 'shop', name: 'all', selector: {} },
        ],
      },
      cellKey,
      containments: () => this.held,
      warnings: () => this.warnings(),
      quarantines: this.#knowledge.watchedQuarantines,
      alerts: this.#knowledge.alertsOfPods,
      isBusy: () => this.isBusy,
      cells,
      log: pino({ level: 'silent' }),
      now: () => this.now,
    });
  }

  async restart(): Promise<void> {
    await this.#knowledge.close();
    this.#knowledge = openKnowledge(join(folder, this.#name), pino({ level: 'silent' }));
  }

  close(): Promise<void> {
    return this.#knowledge.close();
  }
}

const worlds: World[] = [];
function worldOf(name: string): World {
  const world = new World(name);
  worlds.push(world);
  return world;
}
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

const apply = async (book: EffectBook, given = call): Promise<void> => {
  const applied: AppliedStep = { plan: {} as never, output: {} };
  const activities = book.following({
    applyStep: async () => applied,
    applyStepNow: async () => applied,
  } as Partial<CellActivities> as CellActivities);
  await activities.applyStepNow(given);
};
const alerts = (book: EffectBook, severity: Severity, times: number, of = uid): void => {
  for (let n = 0; n < times; n += 1)
    book.heard({ pod: { namespace: 'shop', name: 'cart-1', uid: of }, severity, observables: [] });
};
const look = (book: EffectBook, of = asked) => book.look(of, AbortSignal.timeout(10_000));

describe('the effect check of a quarantine', () => {
  test('counts the alerts that the cell has accepted since for the contained pod, and for no other', async () => {
    const world = worldOf('counts');
    const book = world.book();
    alerts(book, 'critical', 5);
    await apply(book);
    alerts(book, 'high', 2);
    alerts(book, 'critical', 1);
    alerts(book, 'critical', 7, 'uid-cart-2');
    world.now += 10 * minute;
    const found = await look(book);
    expect(found).toMatchObject({ outcome: 'alerts-stopped', alerts: { counts: { critical: 1, high: 2 } } });
    expect(effectText(found)).toMatch(
      /^Alerts have stopped: 1 critical, 2 high since, the last 10 minutes ago\. The quarantine is in force\./,
    );
    alerts(book, 'low', 1);
    expect(await look(book)).toMatchObject({ outcome: 'alerts-continue', alerts: { counts: { critical: 1, high: 2, low: 1 } } });
  });

  test('is postponed while the cell is busy, but only for a minute or two', async () => {
    const world = worldOf('busy');
    const book = world.book();
    await apply(book);
    const { lookAtEffect } = book.activities;
    world.isBusy = true;
    await expect(lookAtEffect(asked)).rejects.toMatchObject({ type: 'FB_ERR_UNAVAILABLE', nonRetryable: false });
    world.isBusy = false;
    expect(await lookAtEffect(asked)).toMatchObject({ outcome: 'no-alerts' });
    world.isBusy = true;
    for (let n = 0; n < 6; n += 1) await expect(lookAtEffect(asked)).rejects.toMatchObject({ type: 'FB_ERR_UNAVAILABLE' });
    expect(await lookAtEffect(asked)).toMatchObject({ outcome: 'no-alerts' });
  });

  test('reports how many pods of the workload and behind its Services are ready now and were before', async () => {
    const world = worldOf('ready');
    const book = world.book();
    // After a head start it exists before the incident asks for what was done.
    world.pods = [...world.pods, podOf('cart-5', { createdAt: '2026-06-01T10:00:00Z' })];
    await apply(book);
    // The replacement pod never becomes ready.
    const { ready: _, ...unready } = podOf('cart-4');
    world.pods = [quarantined({ restarts: 3 }), podOf('cart-2'), unready];
    world.now += 10 * minute;
    expect(await look(book)).toMatchObject({
      outcome: 'no-alerts',
      restarts: 2,
      pods: { there: 1, of: 1 },
      workload: { name: 'deployment/shop/cart', before: { ready: 2, pods: 2 }, now: { ready: 1, pods: 2 } },
      neighbours: { services: ['cart'], before: { ready: 2, pods: 2 }, now: { ready: 1, pods: 2 } },
    });
  });

  test('reports how many alerts are about a connection, and how often its neighbours have restarted', async () => {
    const world = worldOf('connections');
    const book = world.book();
    world.pods = [quarantined(), podOf('cart-2', { restarts: 4 }), podOf('cart-3', { labels: { app: 'other' } })];
    await apply(book);
    alerts(book, 'high', 2);
    const pod = { namespace: 'shop', name: 'cart-1', uid };
    book.heard({ pod, severity: 'high', observables: [{ type: 'ip', value: '203.0.113.7' }] });
    book.heard({ pod, severity: 'high', observables: [{ type: 'path', value: '/bin/sh' }] });
    // One restarts, one is new and has restarted, and one is behind another Service.
    world.pods = [
      quarantined({ restarts: 9 }),
      podOf('cart-2', { restarts: 5 }),
      podOf('cart-4', { restarts: 2 }),
      podOf('cart-3', { labels: { app: 'other' }, restarts: 7 }),
    ];
    world.now += 10 * minute;
    const found = await look(book);
    expect(found).toMatchObject({ alerts: { counts: { high: 4 }, addressed: 1 }, neighbours: { restarts: 3 } });
    expect(effectText(found)).toContain('4 high since, 1 of them with an address or a domain, the last 10 minutes ago.');
    expect(effectText(found)).toContain('Behind its Service cart: 2 of 2 pods ready, 2 of 2 before, 3 restarts since.');
    expect(found.unknown).toContain('whether its neighbours answer with errors: only their own monitoring shows that');
  });

  test('also works after a restart of the cell', async () => {
    const world = worldOf('restart');
    const first = world.book();
    await apply(first);
    alerts(first, 'high', 4);
    first.stop();
    await world.restart();
    world.now += 10 * minute;
    const second = world.book();
    alerts(second, 'high', 1);
    expect(await look(second)).toMatchObject({ alerts: { counts: { high: 5 } }, workload: { before: { ready: 2, pods: 2 } } });
  });

  test('reports that the quarantine is incomplete, or that the pod is not in it, whatever the incident assumes', async () => {
    const world = worldOf('broken');
    const book = world.book();
    await apply(book);
    world.held = [{ ...held, problems: ['networkpolicy/shop/open allows its traffic'] }];
    expect(await look(book)).toMatchObject({ outcome: 'not-in-force', problems: ['networkpolicy/shop/open allows its traffic'] });
    world.held = [];
    expect(await look(book)).toMatchObject({ outcome: 'not-in-force', problems: ['one of its pods is no longer in quarantine'] });
    world.pods = [];
    const gone = await look(book);
    expect(gone).toMatchObject({ outcome: 'no-alerts', pods: { there: 0, of: 1 } });
    expect(effectText(gone)).toContain('The pod is gone.');
  });

  test('reports nothing about a quarantine of another incident, or one of another step', async () => {
    const world = worldOf('others');
    const book = world.book();
    await apply(book);
    for (const of of [
      { incident: { ...incident, id: 'incident/lab/shop/Deployment/other' }, step },
      { incident, step: 'another' },
    ]) {
      const found = await look(book, of);
      expect(found.outcome).toBe('unknown');
      expect(found.alerts).toBeUndefined();
      expect(found.unknown[0]).toMatch(/^its effect/);
    }
  });

  test('does not report the current state if the API server has not answered for a while, but still counts alerts', async () => {
    const world = worldOf('stale');
    const book = world.book(2);
    await apply(book);
    world.age = 2 * minute;
    const looked = await look(book);
    const { at, since, alerts, unknown, ...found } = looked;
    expect(found).toEqual({ outcome: 'unknown', isStale: true, problems: [] });
    expect(effectText(looked)).toBe(
      'No alert has come from it since. Its current state is not known: the API server has not answered for a while.',
    );
    world.age = 0;
    expect((await look(book)).pods).toBeDefined();
  });

  test('lists what it could not find out', async () => {
    const world = worldOf('unknown');
    const book = world.book(2);
    await apply(book);
    world.warnings = async () => {
      throw new FirebreakError('FB_ERR_UNAVAILABLE', 'events is forbidden');
    };
    const found = await look(book);
    expect(found.warnings).toBeUndefined();
    expect(found.unknown).toEqual([
      'whether connections that were already open persist where no sensor reports it: only their node knows, which countConnections would ask',
      'alerts that other cells of this cluster have accepted',
      'whether its neighbours answer with errors: only their own monitoring shows that',
      'warnings in the namespace: FB_ERR_UNAVAILABLE: events is forbidden',
    ]);
    world.warnings = async () => ({ total: 500, reasons: { BackOff: 400, Unhealthy: 100 }, more: true });
    const read = await look(book);
    expect(effectText(read)).toContain('Warnings in the namespace since: BackOff 400, Unhealthy 100.');
    expect(read.unknown).toContain('further warnings in the namespace: there are more than are read');
  });
});

describe('the effect check of an account that lost its rights', () => {
  const key = `${incident.id}/r/contain/cart/revokeServiceAccount/0`;
  const account = 'system:serviceaccount:shop:cart';
  const revoked = {
    ...{ key, action: 'revokeServiceAccount', input: { serviceAccount: { namespace: 'shop', name: 'cart' } }, incident },
  } as StepCall;
  const binding: HeldContainment = {
    ...{ target: 'rolebinding/shop/cart', action: 'revokeServiceAccount', incident: incident.id, step: key },
    ...{ terms: holdTermsNow({}), problems: [] },
  };
  const request = (of: string) => ({ apiRequest: { account: of, verb: 'get' }, severity: 'high' as const, observables: [] });

  test('counts only the alerts that have named it since, and says what no sensor reports', async () => {
    const world = worldOf('account');
    world.held = [binding];
    const book = world.book();
    book.heard(request(account));
    await apply(book, revoked);
    world.now += 10 * minute;
    const before = await look(book, { incident, step: key });
    expect(before).toMatchObject({
      outcome: 'no-alerts',
      scope: { kind: 'account', name: account },
      alerts: { counts: {} },
      problems: [],
    });
    expect(effectText(before)).toBe('No alert has come from it since. Its rights are removed.');
    expect(before.unknown).toEqual(['whether its tokens were used where no sensor of the API audit reports it']);
    book.heard(request(account));
    book.heard(request('system:serviceaccount:shop:other'));
    const after = await look(book, { incident, step: key });
    expect(after).toMatchObject({ outcome: 'alerts-continue', alerts: { counts: { high: 1 } } });
    expect(effectText(after)).toMatch(/^Alerts still come from it: 1 high since, .* Its rights are removed\.$/);
  });

  test('reports a binding that is not as it should be, also after a restart', async () => {
    const world = worldOf('account-restart');
    const book = world.book();
    await apply(book, revoked);
    book.stop();
    await world.restart();
    world.now += 10 * minute;
    world.held = [{ ...binding, problems: ['the account is in it again'] }, held];
    const again = world.book();
    again.heard(request(account));
    const found = await look(again, { incident, step: key });
    expect(found).toMatchObject({ outcome: 'not-in-force', alerts: { counts: { high: 1 } } });
    expect(effectText(found)).toContain('Not all of its rights are removed: the account is in it again.');
  });
});

describe('the effect check of another containment', () => {
  const workloadRef = { kind: 'CronJob', namespace: 'shop', name: 'nightly' };
  const inShop = (over: object) => ({
    pod: { namespace: 'shop', name: 'any', uid: 'uid-any' },
    severity: 'high' as const,
    observables: [],
    ...over,
  });
  test.each([
    ['cordonNode', { node: 'node-1' }, inShop({ node: 'node-1' }), inShop({ node: 'node-2' })],
    [
      'isolateNamespace',
      { namespace: 'shop' },
      inShop({}),
      { pod: { namespace: 'other', name: 'any' }, severity: 'high' as const, observables: [] },
    ],
    [
      'blockEgress',
      { workload: { ...workloadRef, kind: 'Deployment' }, to: ['203.0.113.7'] },
      inShop({ workload: { ...workloadRef, kind: 'Deployment' } }),
      inShop({ workload: { ...workloadRef, kind: 'Deployment', namespace: 'other' } }),
    ],
    ['suspendCronJob', { cronJob: { namespace: 'shop', name: 'nightly' } }, inShop({ workload: workloadRef }), inShop({})],
  ])('by %s counts only the alerts that have come from it since', async (action, input, ofIt, ofAnother) => {
    const world = worldOf(action);
    const key = `${incident.id}/r/contain/cart/${action}/0`;
    const own: HeldContainment = { ...held, action, step: key, target: 'node/node-1' };
    const { uid: _, ...ownWithoutUid } = own;
    world.held = [held, ownWithoutUid];
    const first = world.book();
    first.heard(ofIt);
    await apply(first, { key, action, input, incident } as unknown as StepCall);
    first.heard(ofAnother);
    world.now += 10 * minute;
    const before = await look(first, { incident, step: key });
    expect(before).toMatchObject({ outcome: 'no-alerts', alerts: { counts: {} }, problems: [] });
    expect(effectText(before)).toBe('No alert has come from it since.');
    first.stop();
    await world.restart();
    const book = world.book();
    book.heard(ofIt);
    world.held = [{ ...ownWithoutUid, problems: ['somebody has taken it back'] }];
    const after = await look(book, { incident, step: key });
    expect(after).toMatchObject({ outcome: 'not-in-force', alerts: { counts: { high: 1 } } });
    expect(effectText(after)).toBe(
      'Alerts still come from it: 1 high since, the last 0 minutes ago. The containment is incomplete: somebody has taken it back.',
    );
    // What no look can tell is another for each.
    expect(after.unknown).toHaveLength(1);
  });
});

import { afterEach, expect, test } from '@jest/globals';
import { type IntakeReport, type NamedIncident, openReportOf } from '../../../../core/alert/intake-report.ts';
import { IntakeMetrics } from '../../../../service/intake/metrics.ts';
import { IntakeReporter } from '../../../../service/intake/watch/intake-reporter.ts';
import { SensorHealth } from '../../../../service/intake/watch/sensor-health.ts';
import { SilenceWatch } from '../../../../service/intake/watch/silence.ts';
import { eventually } from '../../../eventually.ts';
import { FakeIncidentGateway } from '../../../fakes/incident-gateway.ts';
import { type Door, falcoEvent, openDoor, removeDirectory, silent } from '../parts/intake-fixture.ts';

const doors: Door[] = [];
afterEach(async () => {
  for (const { intake, directory } of doors.splice(0)) {
    await intake.stop(100);
    removeDirectory(directory);
  }
});

/** The parts of an intake on a clock that the test advances; two nodes are expected to have Falco. */
function standing(arrives: () => boolean = () => true) {
  const clock = { now: Date.parse('2026-06-01T10:00:00Z') };
  const now = () => clock.now;
  const told: IntakeReport[] = [];
  const metrics = new IntakeMetrics({
    spoolBytes: () => 0,
    spoolShare: () => 0,
    oldestSeconds: () => 0,
    openLines: () => 0,
    refusedForGood: () => 0,
    orphans: () => 0,
    standingStill: () => 0,
    releasesRefused: () => 0,
  });
  const health = new SensorHealth(now);
  const silence = new SilenceWatch({
    cluster: 'lab',
    expected: [
      { sensor: 'falco', daemonSet: { namespace: 'falco', name: 'falco' }, nodes: {}, silentAfterMs: 120_000, speaks: true },
    ],
    view: { ready: () => true, nodes: () => ['n1', 'n2'].map((name) => ({ name, labels: {} })) as never, pods: () => [] },
    heard: (sensor, hosts) => Math.max(0, ...hosts.flatMap((host) => health.seenAt(sensor, host) ?? [])) || undefined,
    lastAlertOf: () => undefined,
    raise: async () => true,
    back: async () => undefined,
    log: silent,
    now,
  });
  const open: NamedIncident[] = [];
  const reporter = new IntakeReporter({
    ...{ source: 'here', metrics, health, silence, now },
    open: () => openReportOf(open),
    hidden: { counts: () => new Map([['s-1', { count: 12, firstSeen: '', lastSeen: '' }]]) },
    tell: async (report) => {
      told.push(report);
      return arrives();
    },
  });
  return { clock, told, metrics, health, silence, open, reporter };
}

test('says how many alerts were accepted and rejected, which sensors were heard from, what was dropped, and which nodes are silent', async () => {
  const { clock, told, metrics, health, silence, reporter } = standing();
  await silence.look();
  metrics.accepted('low');
  metrics.accepted('critical');
  metrics.duplicate();
  metrics.refused('rate_limit');
  clock.now += 60_000;
  health.alert('falco', 'n1');
  health.message({ sensor: 'falco', host: 'n1', text: 'Falco internal: syscall event drop. 4 system calls dropped' });
  health.lacks('kubernetes-audit', 'the content of configmaps');
  clock.now += 100_000;
  await silence.look();
  await reporter.look();
  expect(told).toEqual([
    {
      source: 'here',
      at: '2026-06-01T10:02:40.000Z',
      since: '2026-06-01T10:00:00.000Z',
      accepted: 2,
      duplicates: 1,
      refused: { rate_limit: 1 },
      hidden: { 's-1': 12 },
      sensors: [
        {
          ...{ sensor: 'falco', alerts: 1, drops: 1, lacks: [] },
          ...{ droppedAt: '2026-06-01T10:01:00.000Z', heardAt: '2026-06-01T10:01:00.000Z' },
        },
        {
          ...{ sensor: 'kubernetes-audit', alerts: 0, drops: 0, lacks: ['the content of configmaps'] },
          heardAt: '2026-06-01T10:01:00.000Z',
        },
      ],
      watched: [{ sensor: 'falco', nodes: 2, silent: 1, longest: [{ node: 'n2', since: '2026-06-01T10:00:00.000Z' }] }],
      open: { count: 0, worst: [] },
    },
  ]);
});

test('reports again at once if something is worse, otherwise every five minutes, and soon if a report did not arrive', async () => {
  let arrives = false;
  const { clock, told, metrics, reporter } = standing(() => arrives);
  expect(await reporter.look()).toBe(10_000);
  arrives = true;
  await reporter.look();
  expect(told).toHaveLength(2);
  for (let minute = 0; minute < 4; minute += 1) {
    clock.now += 60_000;
    metrics.accepted('low');
    expect(await reporter.look()).toBe(60_000);
  }
  expect(told).toHaveLength(2);
  clock.now += 60_000;
  await reporter.look();
  expect(told.at(2)).toMatchObject({ accepted: 4 });
  metrics.refused('spool_full');
  clock.now += 60_000;
  await reporter.look();
  expect(told.at(3)).toMatchObject({ refused: { spool_full: 1 } });
});

test('says within a minute that an incident has begun, and only with the next report that one is over', async () => {
  const { clock, told, open, reporter } = standing();
  await reporter.look();
  open.push(
    { incident: 'incident/lab/shop/Deployment/cart', severity: 'low' },
    { incident: 'incident/lab/cluster', severity: 'critical' },
  );
  clock.now += 60_000;
  await reporter.look();
  expect(told.at(1)?.open).toEqual({
    count: 2,
    worst: [
      { incident: 'incident/lab/cluster', severity: 'critical' },
      { incident: 'incident/lab/shop/Deployment/cart', severity: 'low' },
    ],
  });
  open.pop();
  clock.now += 60_000;
  await reporter.look();
  expect(told).toHaveLength(2);
});

test('says within a minute that one is more severe, or has another rule, than reported', async () => {
  const { clock, told, open, reporter } = standing();
  const cart = { incident: 'incident/lab/shop/Deployment/cart', severity: 'low', rules: ['A rule'] } as const;
  for (const one of [cart, { ...cart, severity: 'critical' as const }, { ...cart, rules: ['A rule', 'Another'] }]) {
    open.splice(0, 1, one);
    clock.now += 60_000;
    await reporter.look();
    expect(told.at(-1)?.open.worst).toEqual([one]);
  }
  clock.now += 60_000;
  await reporter.look();
  expect(told).toHaveLength(3);
});

test('names the worst open incidents, as many as fit a report, and counts all', () => {
  const open = Array.from({ length: 5_000 }, (_, n) => ({
    incident: `incident/lab/shop/Deployment/${'cart'.repeat(20)}-${n}`,
    severity: n === 4_999 ? ('critical' as const) : ('low' as const),
  }));
  const { count, worst } = openReportOf(open);
  expect([count, worst[0]?.severity]).toEqual([5_000, 'critical']);
  expect(worst).toHaveLength(100);
});

test('also names those that began last, since a list begins with them', () => {
  const open = Array.from({ length: 1_000 }, (_, n) => ({
    incident: `incident/lab/shop/Deployment/cart-${n}`,
    severity: n < 150 ? ('high' as const) : ('low' as const),
    rules: ['A rule'],
    started: { run: `run-${n}`, at: new Date(Date.UTC(2026, 5, 1, 10, 0, n)).toISOString() },
  }));
  const { worst, newest = [] } = openReportOf(open);
  expect(worst.every(({ severity }) => severity === 'high')).toBe(true);
  expect(newest).toEqual(open.toReversed().slice(0, 100));
});

test('a running intake reports what it has received', async () => {
  const told: IntakeReport[] = [];
  let arrives = false;
  const door = await openDoor(new FakeIncidentGateway(), {
    // The first report does not arrive, so it is soon sent again.
    reports: {
      open: () => openReportOf([]),
      tell: async (report) => {
        told.push(report);
        return arrives;
      },
      tellAgainMs: 100,
    },
  });
  doors.push(door);
  await door.post(JSON.stringify(falcoEvent()));
  await door.post('no JSON');
  arrives = true;
  const lost = told.length;
  await eventually('a report after those that did not arrive', () => lost > 0 && told.length > lost);
  expect(told.at(-1)).toMatchObject({
    accepted: 1,
    refused: { unreadable: 1 },
    sensors: [{ sensor: 'falco', alerts: 1, drops: 0 }],
  });
});

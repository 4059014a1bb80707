import { afterEach, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { StormReport } from '../../../../core/alert/storm.ts';
import { askRunningStorm } from '../../../../service/intake/control.ts';
import { DistinctCount, StormWatch } from '../../../../service/intake/watch/storm.ts';
import { TopTalkers } from '../../../../service/intake/watch/top-talkers.ts';
import { eventually } from '../../../eventually.ts';
import { FakeIncidentGateway } from '../../../fakes/incident-gateway.ts';
import { type Door, falcoEvent, openDoor, removeDirectory, silent } from '../parts/intake-fixture.ts';

const alert = {
  id: 'a'.repeat(32),
  sensor: 'falco',
  rule: 'Terminal shell in container',
  severity: 'low',
  time: '2026-06-01T10:00:00Z',
  title: 'A shell',
  cluster: 'lab',
  observables: [],
  tags: [],
  mitre: [],
} as const;
const workload = (number: number): string => `incident/lab/shop/Deployment/web-${number}`;

/** A storm watch on a clock that the test advances. */
function watched(taken: (report: StormReport) => boolean = () => true) {
  let now = Date.parse('2026-06-01T10:00:00Z');
  const told: StormReport[] = [];
  const watch = new StormWatch({
    source: 'here',
    alertsPerSecond: 10,
    workloads: 5,
    calmAfterSeconds: 30,
    now: () => now,
    tell: async (report) => {
      told.push(report);
      return taken(report);
    },
    log: silent,
  });
  watches.push(watch);
  return {
    watch,
    told,
    /** Passes that many alerts a second on that many workloads, for that long. */
    pass: async (seconds: number, { perSecond = 0, workloads = 1, noisy = 0 } = {}) => {
      for (let second = 0; second < seconds; second += 1) {
        for (let count = 0; count < perSecond; count += 1) watch.saw(workload(count % workloads), alert);
        for (let count = 0; count < noisy; count += 1)
          watch.saw(workload(9_999), { ...alert, rule: 'Noise', severity: 'critical' });
        now += 1_000;
        watch.look();
        await new Promise((done) => setImmediate(done));
      }
    },
  };
}

const watches: StormWatch[] = [];
const doors: Door[] = [];
afterEach(async () => {
  for (const watch of watches.splice(0)) watch.stop();
  for (const { intake, directory } of doors.splice(0)) {
    await intake.stop(100);
    removeDirectory(directory);
  }
});

describe('a storm', () => {
  test('is not what one workload does, and not a rate below the threshold', async () => {
    const { told, pass } = watched();
    await pass(60, { perSecond: 100, workloads: 1 });
    await pass(60, { perSecond: 4, workloads: 4 });
    expect(told).toEqual([]);
  });

  test('is reported when it begins, once a minute, and when it has been calm for long enough, but not at every lull', async () => {
    const { told, pass, watch } = watched();
    await pass(20, { perSecond: 20, workloads: 20, noisy: 5 });
    expect(told).toMatchObject([{ state: 'on', source: 'here' }]);
    expect(watch.isOn).toBe(true);
    // Down to just over half, and quiet for less than the calm period.
    await pass(40, { perSecond: 6, workloads: 6 });
    await pass(25);
    await pass(40, { perSecond: 20, workloads: 20 });
    expect(told.map(({ state }) => state)).toEqual(['on', 'on', 'on']);
    await pass(80);
    expect(told.at(-1)).toMatchObject({ state: 'over' });
    expect(told.filter(({ state }) => state === 'over')).toHaveLength(1);
    expect(watch.view()).toMatchObject({ on: false, alerts: 0 });
    const [first, last] = [told[0], told.at(-1)];
    expect(last?.began).toBe(first?.began);
    expect(first?.top[0]).toMatchObject({ rule: 'Noise', workload: 'shop/Deployment/web-9999', sensor: 'falco' });
    expect(last?.critical).toBe(100);
    expect(last?.workloads).toBe(21);
  });

  test('counts exactly from its beginning', async () => {
    const { told, pass } = watched();
    await pass(30, { perSecond: 20, workloads: 20 });
    const seconds = (Date.parse('2026-06-01T10:00:30Z') - Date.parse(told[0]?.began ?? '')) / 1_000;
    await pass(120);
    expect(told.at(-1)).toMatchObject({ state: 'over', alerts: seconds * 20 });
  });

  test('what could not be reported is reported again, with the state at that time', async () => {
    let down = true;
    const { told, pass } = watched(() => !down);
    await pass(12, { perSecond: 20, workloads: 20 });
    const tries = told.length;
    expect(tries).toBeGreaterThan(0);
    await pass(20, { perSecond: 20, workloads: 20 });
    expect(told.length).toBeGreaterThan(tries);
    expect(told.length).toBeLessThan(tries + 6);
    down = false;
    await pass(5, { perSecond: 20, workloads: 20 });
    const heard = told.at(-1);
    expect(heard?.alerts).toBeGreaterThan(told[0]?.alerts ?? 0);
    await pass(20, { perSecond: 20, workloads: 20 });
    expect(told.at(-1)).toBe(heard);
  });
});

describe('its memory', () => {
  test('finds whoever exceeds its share among any number of others, with a count that is not too high', () => {
    const places = 10;
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 600 }), (stream) => {
        const talkers = new TopTalkers(places);
        const exact = new Map<string, number>();
        for (const one of stream) {
          talkers.add(String(one));
          exact.set(String(one), (exact.get(String(one)) ?? 0) + 1);
        }
        const found = talkers.top(places);
        expect(found.length).toBeLessThanOrEqual(places);
        for (const { key, count } of found) expect(count).toBeLessThanOrEqual(exact.get(key) ?? 0);
        for (const [key, count] of exact) {
          if (count > stream.length / places) expect(found.map((one) => one.key)).toContain(key);
        }
      }),
    );
  });

  test.each([1, 50, 5_000, 30_000])('counts %i workloads to within a few percent', (many) => {
    const count = new DistinctCount();
    for (let number = 0; number < many; number += 1) count.add(workload(number));
    for (let number = 0; number < many; number += 1) count.add(workload(number));
    expect(Math.abs(count.count - many)).toBeLessThanOrEqual(many * 0.05);
  });
});

describe('a storm at the door', () => {
  test('is reported, measured, and shown to whoever asks the running service', async () => {
    const told: StormReport[] = [];
    const door = await openDoor(new FakeIncidentGateway(), {
      storm: { alertsPerSecond: 2, workloads: 5, calmAfterSeconds: 60, tell: async (report) => told.push(report) > 0 },
    });
    doors.push(door);
    expect(await askRunningStorm(door.directory)).toMatchObject({ on: false, alerts: 0 });
    const events = Array.from({ length: 60 }, (_, number) =>
      falcoEvent({}, { 'k8s.pod.name': `web${number % 20}-6d4cf56db6-xbcdf` }),
    );
    const { json } = await door.post(JSON.stringify(events));
    expect(json).toMatchObject({ accepted: 60 });
    await eventually('the storm', () => told.length > 0);
    // It is reported once a second: on a slow machine, in the middle of the sixty.
    expect(told).toMatchObject([{ state: 'on', workloads: expect.any(Number), top: expect.any(Array) }]);
    const seen = await eventually('all of them', async () => {
      const view = await askRunningStorm(door.directory);
      return view?.alerts === 60 && view;
    });
    expect(seen).toMatchObject({ on: true, workloads: 20 });
    expect(seen.top).toHaveLength(10);
    const metrics = await (await fetch(`${door.intake.url}/metrics`)).text();
    expect(metrics).toMatch(/^firebreak_intake_storm 1$/m);
    expect(metrics).toMatch(/^firebreak_intake_accepted_per_second [1-9]/m);
  });
});

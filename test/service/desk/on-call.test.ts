import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isOnCallOutside } from '../../../core/people/on-call.ts';
import { answersFor, type Roster } from '../../../core/people/roster.ts';
import { createPagerDutyOnCall } from '../../../integrations/pagerduty/on-call.ts';
import { followDuty } from '../../../service/desk/on-call.ts';
import { type OnCallFake, startOnCallFake } from '../../fakes/pagerduty/on-call.ts';

const roster: Roster = {
  people: [
    { id: 'ana', name: 'Ana', slackIds: ['U1'], keys: [], pagerdutyId: 'PANA000' },
    { id: 'ben', name: 'Ben', slackIds: ['U2'], keys: [], pagerdutyId: 'PBEN000' },
    { id: 'eve', name: 'Eve', slackIds: ['U3'], keys: [], pagerdutyId: 'PEVE000' },
    { id: 'lea', name: 'Lea', slackIds: ['U4'], keys: [] },
  ],
  groups: { oncall: ['ana', 'ben'], leads: ['lea'] },
  delegations: [
    { person: 'ben', to: 'lea', from: Date.parse('2026-03-02T20:00:00Z'), until: Date.parse('2026-03-02T21:00:00Z') },
  ],
};
const begun = Date.parse('2026-03-02T08:00:00Z');
const hour = 3_600_000;
const hours = (n: number): string => new Date(begun + n * hour).toISOString();

let fake: OnCallFake;
let now = begun;
const warnings: { readonly ageSeconds?: number; readonly reason?: string }[] = [];
const log = { warn: (facts: object) => void warnings.push(facts) } as never;
const stops: (() => void)[] = [];
beforeEach(async () => {
  fake = await startOnCallFake({ token: 'pd-token' });
  now = begun;
  warnings.length = 0;
});
afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  await fake.stop();
});

async function follow(token = 'pd-token') {
  const read = createPagerDutyOnCall({ token, apiUrl: fake.url, timeoutMs: 2_000 });
  const duty = followDuty({ roster, schedules: { oncall: 'PSCHED1' }, read, everyMs: 3_600_000, log, now: () => now });
  stops.push(duty.stop);
  await duty.refresh();
  const may = (person: string, group = 'oncall'): boolean =>
    answersFor({ roster, person, groups: [group], at: now, narrowed: (holder, asked) => duty.isOnCall(holder, asked, now) }) !==
    undefined;
  return { duty, who: () => ['ana', 'ben', 'eve', 'lea'].filter((person) => may(person)), may };
}

const shift = (user: string, from: number, until: number, schedule = 'PSCHED1') => ({
  user,
  schedule,
  start: hours(from),
  end: hours(until),
});

describe('PagerDuty’s on-call', () => {
  test('narrows the group to whoever is on call, before and after the hand-over, and adds nobody from outside the group', async () => {
    fake.shifts.push(
      shift('PANA000', -4, 4),
      shift('PBEN000', 4, 12),
      shift('PEVE000', -4, 12),
      shift('PBEN000', -9, 90, 'POTHER1'),
    );
    const { who, may } = await follow();
    expect(who()).toEqual(['ana']);
    // A group without a followed schedule is as in the roster.
    expect(may('lea', 'leads')).toBe(true);
    now = begun + 4 * hour;
    expect(who()).toEqual(['ben']);
    expect(fake.calls.every((call) => call.startsWith('GET /oncalls'))).toBe(true);
    expect(warnings).toEqual([]);
  });

  test('lets a stand-in answer for whoever is on call', async () => {
    fake.shifts.push(shift('PBEN000', -4, 48));
    const { who } = await follow();
    now = Date.parse('2026-03-02T20:30:00Z');
    expect(who()).toEqual(['lea']);
  });

  test('is down: the last answer stays valid with its age, even across a hand-over, and after two days the roster alone decides', async () => {
    fake.shifts.push(shift('PANA000', -4, 24), shift('PBEN000', 24, 400));
    const { duty, who } = await follow();
    fake.inject({ method: 'GET', path: /oncalls/, what: 'fail', status: 503, times: 100 });
    now = begun + 25 * hour;
    await duty.refresh();
    expect(warnings.at(-1)).toMatchObject({ ageSeconds: 25 * 3_600 });
    expect(JSON.stringify(warnings)).not.toContain('pd-token');
    expect(who()).toEqual(['ben']);
    now = begun + 48 * hour;
    expect(who()).toEqual(['ana', 'ben']);
  });

  test.each([
    [
      'is down from the start',
      () => fake.inject({ method: 'GET', path: /oncalls/, what: 'fail', status: 500, times: 100 }),
      'pd-token',
    ],
    ['hangs', () => fake.inject({ method: 'GET', path: /oncalls/, what: 'hang', times: 100 }), 'pd-token'],
    ['does not know the key', () => fake.shifts.push(shift('PANA000', -4, 4)), 'another'],
    ['has nobody on call', () => undefined, 'pd-token'],
  ])('%s: the roster alone decides, and the log says so', async (_what, make, token) => {
    make();
    const { who } = await follow(token);
    expect(who()).toEqual(['ana', 'ben']);
    expect(warnings.length).toBeGreaterThan(0);
    expect(JSON.stringify(warnings)).not.toContain(token === 'another' ? 'token=another' : 'pd-token');
  });

  test('gives an unexpected answer, which is an outage and not “nobody”', async () => {
    fake.shifts.push(shift('PANA000', 0, 24));
    const { duty, who } = await follow();
    const before = who();
    fake.inject({ method: 'GET', path: /oncalls/, what: 'fail', status: 200, body: '<!doctype html>' });
    await duty.refresh();
    expect([before, who()]).toEqual([['ana'], ['ana']]);
  });

  test('is read to its last page', async () => {
    for (let n = 0; n < 130; n += 1)
      fake.shifts.push({ ...shift('PEVE000', n, n + 1), start: hours(n / 10), end: hours(n / 10 + 0.1) });
    fake.shifts.push(shift('PBEN000', -1, 40));
    const { who } = await follow();
    expect(who()).toEqual(['ben']);
  });
});

test('whatever an outside schedule says, nobody may answer whom the roster does not allow', () => {
  const shifts = fc.array(fc.record({ user: fc.constantFrom('PANA000', 'PEVE000', 'PX'), from: fc.nat(20), until: fc.nat(40) }));
  fc.assert(
    fc.property(shifts, fc.nat(50), fc.constantFrom('ana', 'ben', 'eve', 'lea'), (list, at, person) => {
      const known = { shifts: list, readAt: 0, until: 30 };
      const asked = { roster, person, groups: ['oncall'], at };
      const users = (id: string) => roster.people.flatMap((one) => (one.id === id && one.pagerdutyId ? [one.pagerdutyId] : []));
      const narrowed = answersFor({ ...asked, narrowed: (holder) => isOnCallOutside(known, users(holder), at) !== false });
      if (answersFor(asked) === undefined) expect(narrowed).toBeUndefined();
    }),
    { seed: 6 },
  );
});

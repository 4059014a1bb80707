import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { instantOf, isTimeZone, localText, wallClockAt, wallClockOf } from '../../../core/people/local-time.ts';
import { answerersOf, answersFor, type Roster } from '../../../core/people/roster.ts';
import { onCallAt, type Rotation, type Schedule, turnAt } from '../../../core/people/schedule.ts';

const wall = (text: string): number => wallClockOf(text) ?? Number.NaN;
const at = Date.parse;
const berlin = 'Europe/Berlin';

describe('wall clocks', () => {
  test('are parsed only if they are valid dates and times', () => {
    expect(wallClockOf('2026-03-29')).toBe(wallClockOf('2026-03-29T00:00'));
    for (const text of ['2026-02-30', '2026-13-01', '2026-03-29T24:00', '2026-03-29T09:60', 'tomorrow', '2026-3-29', ''])
      expect(wallClockOf(text)).toBeUndefined();
  });

  test.each([
    ['in winter', '2026-01-10T09:00', berlin, '2026-01-10T08:00:00Z'],
    ['in summer', '2026-07-10T09:00', berlin, '2026-07-10T07:00:00Z'],
    ['skipped at the start of summer time', '2026-03-29T02:30', berlin, '2026-03-29T01:30:00Z'],
    ['that occurs twice at its end', '2026-10-25T02:30', berlin, '2026-10-25T00:30:00Z'],
    ['in half-hour zones', '2026-04-05T01:45', 'Australia/Lord_Howe', '2026-04-04T14:45:00Z'],
    ['on the day that Samoa skipped', '2011-12-30T12:00', 'Pacific/Apia', '2011-12-30T22:00:00Z'],
    ['without summer time', '2026-07-10T09:00', 'Asia/Kolkata', '2026-07-10T03:30:00Z'],
  ])('convert a time %s', (_what, text, zone, instant) => {
    expect(new Date(instantOf(wall(text), zone)).toISOString()).toBe(new Date(instant).toISOString());
  });

  test('survive a round trip, or come back later by as much as the clock jumps', () => {
    const zones = [berlin, 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Chatham', 'America/St_Johns', 'UTC'];
    const minutes = fc.integer({ min: at('2020-01-01T00:00:00Z') / 60_000, max: at('2037-01-01T00:00:00Z') / 60_000 });
    fc.assert(
      fc.property(fc.constantFrom(...zones), minutes, (zone, minute) => {
        const asked = minute * 60_000;
        const late = wallClockAt(instantOf(asked, zone), zone) - asked;
        expect([0, 30 * 60_000, 60 * 60_000]).toContain(late);
      }),
      { numRuns: 2_000, seed: 6 },
    );
  });

  test('match the calendar of the zone at any time, even around clock changes, whatever was asked before', () => {
    const changes: readonly (readonly [string, string])[] = [
      [berlin, '2026-03-29T01:00:00Z'],
      [berlin, '2026-10-25T01:00:00Z'],
      ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
      ['America/St_Johns', '2006-04-02T03:31:00Z'],
      ['Africa/Monrovia', '1972-01-07T00:44:30Z'],
      ['Pacific/Apia', '2011-12-30T10:00:00Z'],
    ];
    const told: string[] = [];
    const expected: string[] = [];
    for (const [zone, change] of changes)
      for (const before of [
        -86_400_000, -3_600_000, -60_000, -1_000, -1, 0, 1, 1_000, 60_000, 3_599_999, 3_600_000, 86_400_000,
      ]) {
        const instant = at(change) + before;
        const wallClock = new Date(wallClockAt(instant, zone)).toISOString().slice(0, 19).replace('T', ' ');
        told.push(`${zone} ${before}: ${wallClock}`);
        expected.push(`${zone} ${before}: ${new Date(instant).toLocaleString('sv', { timeZone: zone })}`);
      }
    expect(told).toEqual(expected);
  });

  test('of one hour take only two look-ups in the calendar, however often they are asked for', () => {
    const read = jest.spyOn(Intl.DateTimeFormat.prototype, 'formatToParts');
    const hour = at('2031-05-05T05:00:00Z');
    for (let second = 0; second < 3_600; second += 10) wallClockAt(hour + second * 1_000, 'Asia/Kathmandu');
    expect(read).toHaveBeenCalledTimes(2);
    read.mockRestore();
  });

  test('need a named time zone: an offset is not enough', () => {
    expect(['Europe/Berlin', 'UTC', 'America/Argentina/Buenos_Aires'].map(isTimeZone)).toEqual([true, true, true]);
    expect(['+02:00', 'Europe/Atlantis', '', '2', 'Berlin'].map(isTimeZone)).toEqual([false, false, false, false, false]);
  });
});

describe('turns', () => {
  const weekly: Rotation = { people: ['ana', 'ben', 'lea'], start: wall('2026-03-02T09:00'), days: 7 };
  const who = (text: string, zone = berlin): string | undefined => turnAt(weekly, zone, at(text))?.person;

  test('hand over at nine by the wall clock, in winter and summer', () => {
    expect(who('2026-03-02T07:59:59Z')).toBeUndefined();
    expect(who('2026-03-02T08:00:00Z')).toBe('ana');
    expect(who('2026-03-09T07:59:59Z')).toBe('ana');
    expect(who('2026-03-09T08:00:00Z')).toBe('ben');
    // This week has 167 hours.
    expect(turnAt(weekly, berlin, at('2026-03-29T12:00:00Z'))).toEqual({
      person: 'ana',
      from: at('2026-03-23T08:00:00Z'),
      until: at('2026-03-30T07:00:00Z'),
    });
    expect(who('2026-03-30T06:59:59Z')).toBe('ana');
    expect(who('2026-03-30T07:00:00Z')).toBe('ben');
  });

  test('hand over once, even in an hour that occurs twice', () => {
    const night: Rotation = { people: ['ana', 'ben'], start: wall('2026-10-24T02:30'), days: 1 };
    const minutes = Array.from({ length: 39 * 60 }, (_, minute) => at('2026-10-24T12:00:00Z') + minute * 60_000);
    const turns = minutes.map((minute) => turnAt(night, berlin, minute)?.person);
    expect(turns.filter((one, index) => index > 0 && one !== turns[index - 1])).toEqual(['ben', 'ana']);
    expect(turns.lastIndexOf('ana', 800)).toBe(minutes.indexOf(at('2026-10-25T00:29:00Z')));
  });

  test('neither leave gaps nor overlap', () => {
    const zones = fc.constantFrom(berlin, 'America/New_York', 'Australia/Lord_Howe', 'UTC');
    const instants = fc.integer({ min: at('2026-03-03T00:00:00Z'), max: at('2040-01-01T00:00:00Z') });
    fc.assert(
      fc.property(zones, instants, fc.integer({ min: 1, max: 28 }), (zone, instant, days) => {
        const turn = turnAt({ ...weekly, days }, zone, instant);
        expect(turn && turn.from <= instant && instant < turn.until).toBe(true);
        const next = turn && turnAt({ ...weekly, days }, zone, turn.until);
        expect(next?.from).toBe(turn?.until);
        const order = weekly.people;
        expect(next?.person).toBe(order[(order.indexOf(turn?.person ?? '') + 1) % order.length]);
      }),
      { numRuns: 1_000, seed: 6 },
    );
  });
});

const schedule: Schedule = {
  timeZone: berlin,
  rotations: [{ people: ['ana', 'ben'], start: wall('2026-03-02T09:00'), days: 7 }],
  shifts: [{ person: 'lea', from: at('2026-03-06T17:00:00Z'), until: at('2026-03-08T17:00:00Z') }],
  overrides: [
    { person: 'ben', replaces: 'ana', from: at('2026-03-03T12:00:00Z'), until: at('2026-03-03T18:00:00Z') },
    { person: 'eve', from: at('2026-03-07T00:00:00Z'), until: at('2026-03-07T06:00:00Z') },
  ],
};

describe('a schedule', () => {
  test.each([
    ['has nobody before it begins', '2026-03-01T12:00:00Z', []],
    ['has a turn', '2026-03-03T11:59:59Z', ['ana']],
    ['has an override instead of a turn', '2026-03-03T12:00:00Z', ['ben']],
    ['returns to the turn after the override', '2026-03-03T18:00:00Z', ['ana']],
    ['has a dated shift in addition to the turn', '2026-03-06T17:00:00Z', ['ana', 'lea']],
    ['has an override of everybody', '2026-03-07T03:00:00Z', ['eve']],
    ['has the next turn', '2026-03-09T08:00:00Z', ['ben']],
  ])('%s', (_what, time, people) => {
    expect(onCallAt(schedule, at(time)).map(({ person }) => person)).toEqual(people);
  });

  test('says why somebody is on call', () => {
    const [one] = onCallAt(schedule, at('2026-03-03T13:00:00Z'));
    expect(one).toEqual({ person: 'ben', by: 'override', replaces: 'ana', until: at('2026-03-03T18:00:00Z') });
    expect(localText(at('2026-07-01T10:00:00Z'), berlin)).toBe('2026-07-01 12:00');
  });
});

describe('delegation', () => {
  const person = (id: string) => ({ id, name: id, slackIds: [], keys: [] });
  const roster: Roster = {
    people: ['ana', 'ben', 'eve', 'lea'].map(person),
    groups: { oncall: ['ana', 'ben', 'lea'], leads: ['lea'] },
    schedules: { oncall: schedule },
    delegations: [
      { person: 'ana', to: 'lea', from: at('2026-03-04T00:00:00Z'), until: at('2026-03-05T00:00:00Z') },
      { person: 'lea', to: 'eve', from: at('2026-03-04T12:00:00Z'), until: at('2026-03-06T00:00:00Z') },
    ],
  };
  const who = (group: string, time: string): readonly string[] => answerersOf(roster, group, at(time)).map((one) => one.person);

  test('moves a right for a time, but cannot pass on a delegated one', () => {
    expect(who('oncall', '2026-03-03T23:59:59Z')).toEqual(['ana']);
    expect(who('oncall', '2026-03-04T00:00:00Z')).toEqual(['lea']);
    // Lea is away herself now: nobody has ana’s right until she is back.
    expect(who('oncall', '2026-03-04T12:00:00Z')).toEqual([]);
    expect(who('oncall', '2026-03-05T00:00:00Z')).toEqual(['ana']);
    expect(who('leads', '2026-03-05T12:00:00Z')).toEqual(['eve']);
    expect(who('leads', '2026-03-06T00:00:00Z')).toEqual(['lea']);
  });

  test('an override puts nobody on call who is not in the group', () => {
    expect(who('oncall', '2026-03-07T03:00:00Z')).toEqual([]);
  });

  test('a right delegated by somebody who may not decide does not count', () => {
    const asked = { roster, person: 'lea', groups: ['oncall'], at: at('2026-03-04T06:00:00Z') };
    expect(answersFor(asked)).toBe(0);
    expect(answersFor({ ...asked, without: ['ana'] })).toBeUndefined();
    expect(answersFor({ ...asked, without: ['ana'], groups: ['oncall', 'leads'] })).toBe(1);
    expect(answersFor({ ...asked, without: ['lea'] })).toBeUndefined();
    expect(answersFor({ ...asked, person: 'ana' })).toBeUndefined();
  });

  test('a name that every JavaScript object has is not a group', () => {
    for (const group of ['constructor', '__proto__', 'toString', 'nobody'])
      expect(who(group, '2026-03-03T12:00:00Z')).toEqual([]);
  });
});

import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { nextHandOver } from '../../../core/people/hand-over.ts';
import { answerersOf, type Roster } from '../../../core/people/roster.ts';

const hour = 3_600_000;
/** Hours count from here: Berlin's clocks go forward in the second night. */
const start = Date.parse('2026-03-28T00:00:00Z');
const people = ['ana', 'ben', 'lea'];
const span = fc.tuple(fc.integer({ min: 0, max: 90 }), fc.integer({ min: 1, max: 40 })).map(([from, long]) => ({
  from: start + from * hour,
  until: start + (from + long) * hour,
}));
const shift = fc.tuple(fc.constantFrom(...people), span).map(([person, times]) => ({ person, ...times }));
const rotation = fc.record({
  people: fc.uniqueArray(fc.constantFrom(...people), { minLength: 1 }),
  // Including one that begins only later, and one that began long before.
  start: fc.constantFrom(-50, 9, 33, 60).map((hours) => start + hours * hour),
  days: fc.constantFrom(1, 2),
});
const rosters = fc
  .record({
    timeZone: fc.constantFrom('UTC', 'Europe/Berlin'),
    rotations: fc.array(rotation, { maxLength: 2 }),
    shifts: fc.array(shift, { maxLength: 5 }),
    overrides: fc.array(shift, { maxLength: 2 }),
    handed: fc.array(fc.tuple(shift, fc.constantFrom(...people)), { maxLength: 2 }),
  })
  .map(
    ({ handed, ...oncall }): Roster => ({
      people: people.map((id) => ({ id, name: id, slackIds: [], keys: [] })),
      groups: { oncall: people },
      schedules: { oncall },
      delegations: handed.map(([one, to]) => ({ ...one, to })),
    }),
  );

function who(roster: Roster, at: number): string {
  return JSON.stringify(answerersOf(roster, 'oncall', at).map(({ person, standsInFor }) => [person, standsInFor?.person]));
}

test('who may answer does not change until the next hand-over', () => {
  fc.assert(
    fc.property(rosters, fc.integer({ min: 0, max: 99 }), (roster, hours) => {
      const at = start + hours * hour;
      const next = nextHandOver(roster, ['oncall'], at) ?? at + 100 * hour;
      expect(next).toBeGreaterThan(at);
      const now = who(roster, at);
      const others: string[] = [];
      for (let time = at; time < Math.min(next, at + 100 * hour); time += hour)
        if (who(roster, time) !== now) others.push(who(roster, time));
      expect(others).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
});

function rotating(
  ...rotations: readonly { readonly people: readonly string[]; readonly start: number; readonly days: number }[]
) {
  const schedule = { timeZone: 'Europe/Berlin', rotations, shifts: [], overrides: [] };
  return { people: [], groups: { oncall: people }, schedules: { oncall: schedule } };
}

test('the first turn of a rotation is a hand-over, by the wall clock of its time zone', () => {
  const roster = rotating({ people: ['ana'], start: Date.parse('2026-03-30T09:00:00Z'), days: 7 });
  expect(nextHandOver(roster, ['oncall'], start)).toBe(Date.parse('2026-03-30T07:00:00Z'));
});

test('the end of a turn is a hand-over even if the same person is on call by another rotation', () => {
  const begin = Date.parse('2026-03-27T09:00:00Z');
  const roster = rotating({ people: ['ana'], start: begin, days: 7 }, { people: ['ana', 'ben'], start: begin, days: 1 });
  expect(nextHandOver(roster, ['oncall'], start)).toBe(Date.parse('2026-03-28T08:00:00Z'));
});

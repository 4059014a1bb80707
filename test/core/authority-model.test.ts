import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { severities } from '../../core/alert/severity.ts';
import { type Ballot, type World, ways, words } from './authority-reference.ts';
import { calm, compare, ids, plans } from './authority-world.ts';

/*
 * What people may decide, against a reference that was written from the words of the design alone (`authority-reference.ts`).
 */

const flaws = ['incident', 'run', 'question', 'stale', 'choice', 'stranger', 'no-time', 'unsigned', 'changed'] as const;

function sound<Made extends Partial<Ballot>>({ flaw: _f, again: _a, signedAs: _w, stamp: _s, reason: _r, ...rest }: Made) {
  return rest;
}

describe('who decides what', () => {
  test('for every risk, severity and requester, with any two votes of any two people, in any order', () => {
    let worlds = 0;
    let decided = 0;
    const votes = ids.flatMap((person) => (['yes', 'other', 'no'] as const).map((choice) => ({ person, choice })));
    for (const risk of Object.keys(plans) as World['risk'][])
      for (const severity of ['critical', 'high'] as const)
        for (const requester of [undefined, 'ben'] as const)
          for (const first of votes)
            for (const second of votes) {
              const ballots: Ballot[] = [first, second].map((one, n) => ({ ...one, via: 'slack', at: n + 1, arrives: n + 1 }));
              worlds += 1;
              if (compare({ ...calm, risk, severity, ...(requester && { requester }), ballots })) decided += 1;
            }
    expect(worlds).toBe(8 * 2 * 2 * 144);
    expect(decided).toBeGreaterThan(worlds / 4);
    expect(decided).toBeLessThan(worlds);
  });

  test.each(flaws)('a vote with this flaw (%s) does not count, alone or with others', (flaw) => {
    for (const risk of ['destructive', 'wide'] as const)
      for (const via of ways)
        for (const place of [0, 1, 2]) {
          const ballots: Ballot[] = ['ana', 'ben', 'cy'].map((person, n) => ({
            person,
            choice: 'yes',
            via,
            word: 'right',
            at: n + 1,
            arrives: n + 1,
            ...(n === place && { flaw }),
          }));
          compare({ ...calm, risk, provider: true, ballots });
          compare({ ...calm, risk, provider: true, ballots: ballots.slice(place, place + 1) });
        }
  });

  test('an older vote that arrives after a no does not override it', () => {
    const said = (person: string, choice: Ballot['choice'], at: number, arrives: number): Ballot => ({
      person,
      choice,
      at,
      arrives,
      via: 'slack',
    });
    const ballots = [said('ben', 'yes', 3, 3), said('ana', 'no', 4, 4), said('ben', 'other', 2, 5), said('lea', 'other', 6, 6)];
    expect(compare({ ...calm, risk: 'wide', ballots })).toMatchObject({ choice: 'no', by: ['ana'] });
  });

  test('for all kinds of levels, shifts, stand-ins, clocks, actors, repeated votes and changes of mind', () => {
    const ballot = fc.record(
      {
        person: fc.constantFrom(...ids),
        choice: fc.constantFrom('yes' as const, 'other' as const, 'no' as const),
        via: fc.constantFrom(...ways),
        word: fc.oneof({ weight: 5, arbitrary: fc.constant('right' as const) }, fc.constantFrom(...words)),
        gap: fc.constantFrom(0, 1, 4, 11, 16, 40),
        // Dated before its arrival, or in the future: by minutes.
        early: fc.constantFrom(0, 0, 0, 1, 14, 16, 45, -4, -6),
        flaw: fc.constantFrom(...flaws),
        again: fc.nat(5),
        signedAs: fc.constantFrom(...ways),
        stamp: fc.constantFrom('desk' as const, 'own' as const, 'of another' as const),
        reason: fc.constantFrom('none' as const, 'short' as const, 'endless' as const),
      },
      { requiredKeys: ['person', 'choice', 'via', 'gap', 'early'] },
    );
    const worlds = fc.record(
      {
        risk: fc.constantFrom(...(Object.keys(plans) as World['risk'][])),
        severity: fc.constantFrom(...severities),
        provider: fc.constantFrom(true as const),
        requester: fc.constantFrom(...ids),
        shift: fc.constantFrom({ from: -60, until: 600 }, { from: -60, until: 10 }, { from: 10, until: 20 }),
        standIn: fc.constantFrom('ana' as const, 'lea' as const),
        actor: fc.record({ person: fc.constantFrom(...ids), at: fc.constantFrom(0, 3, 20) }),
        clicks: fc.array(fc.oneof({ weight: 6, arbitrary: ballot.map(sound) }, ballot), {
          maxLength: 7,
        }),
      },
      { requiredKeys: ['risk', 'severity', 'shift', 'clicks'] },
    );
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(worlds, ({ clicks, ...world }) => {
        let now = 0;
        const ballots = clicks.map(({ gap, early, ...click }): Ballot => {
          now += gap;
          return { ...click, arrives: now, at: now - early };
        });
        const decided = compare({ ...world, ballots });
        const what = decided ? `${decided.choice}/${decided.by.length}/${decided.stands}` : 'nothing';
        seen.set(what, (seen.get(what) ?? 0) + 1);
      }),
      { seed: 6, numRuns: 6_000 },
    );
    // Otherwise it would also hold for a rule that refuses everything.
    for (const what of ['yes/1/true', 'yes/2/true', 'other/1/true', 'no/1/true', 'nothing'])
      expect(seen.get(what)).toBeGreaterThan(15);
  });

  test('the people who ordered it, in teams of one to three, whatever is asked and whenever they answer', () => {
    const click = fc.record({
      person: fc.constantFrom(...ids),
      choice: fc.constantFrom('yes' as const, 'no' as const),
      gap: fc.constantFrom(0, 1, 11, 40),
      early: fc.constantFrom(0, 0, 16),
    });
    const worlds = fc.record(
      {
        risk: fc.constantFrom(...(Object.keys(plans) as World['risk'][])),
        severity: fc.constantFrom('critical' as const, 'high' as const),
        ordered: fc.subarray([...ids], { minLength: 1, maxLength: 2 }),
        only: fc.subarray([...ids], { minLength: 1, maxLength: 3 }),
        requester: fc.constantFrom(...ids),
        shift: fc.constantFrom({ from: -60, until: 600 }, { from: -60, until: 10 }),
        standIn: fc.constantFrom('ana' as const, 'lea' as const),
        actor: fc.record({ person: fc.constantFrom(...ids), at: fc.constantFrom(0, 3) }),
        clicks: fc.array(click, { minLength: 1, maxLength: 4 }),
      },
      { requiredKeys: ['risk', 'severity', 'ordered', 'only', 'shift', 'clicks'] },
    );
    const seen = { alone: 0, byOthers: 0, nothing: 0 };
    fc.assert(
      fc.property(worlds, ({ clicks, ...world }) => {
        let now = 0;
        const ballots = clicks.map(({ gap, early, ...one }): Ballot => {
          now += gap;
          return { ...one, via: 'slack', arrives: now, at: now - early };
        });
        const by = compare({ ...world, ballots })?.by;
        const theirs = by?.some((person) => world.ordered.some((one) => one === person));
        seen[by === undefined ? 'nothing' : theirs ? 'alone' : 'byOthers'] += 1;
      }),
      { seed: 6, numRuns: 4_000 },
    );
    for (const times of Object.values(seen)) expect(times).toBeGreaterThan(50);
  });
});

import { describe, expect, test } from '@jest/globals';
import type { Plan } from '../../../core/action/plan.ts';
import { answerersTo, type Standing, standingOf } from '../../../core/decide/standing.ts';
import type { Roster } from '../../../core/people/roster.ts';

const at = Date.parse('2026-03-02T03:00:00Z');
const dayMs = 86_400_000;
const plan = (effect: Plan['effect']): Plan => ({
  action: effect === 'destructive' ? 'deletePod' : 'quarantinePod',
  effect,
  reach: 'pod',
  target: { name: 'pod/shop/cart-1' },
  changes: [],
  blastRadius: ['pod/shop/cart-1'],
  notes: [],
  inputDigest: 'sha256:0',
});
const ending = [
  { id: 'remove', label: 'Delete it', plans: [plan('destructive')], quorum: 1 },
  { id: 'leave', label: 'Leave it', plans: [], quorum: 1 },
];
const containing = [{ id: 'apply', label: 'Cut it off', plans: [plan('reversible')], quorum: 1 }];

const people = ['ana', 'ben', 'lea', 'eve'].map((id) => ({ id, name: id.toUpperCase(), slackIds: [], keys: [] }));
const alone: Roster = { people, groups: { oncall: ['ana'], leads: ['ana'], guests: ['eve'] } };
const withLea: Roster = { ...alone, groups: { ...alone.groups, leads: ['ana', 'lea'] } };

function asked(over: Partial<Standing['question']> = {}): Standing['question'] {
  return {
    choices: ending,
    levels: [
      { group: 'oncall', withinMs: 900_000 },
      { group: 'leads', withinMs: 3_600_000 },
    ],
    requester: 'playbook/firebreak/quarantine-on-order',
    requesters: ['ana'],
    ...over,
  };
}

const stands = (roster: Roster, over: Partial<Standing['question']> = {}, person = 'ana', actors: readonly string[] = []) => {
  const question = asked(over);
  return standingOf({ question, roster, actors }, person, [at], question.levels);
};

describe('a person who ordered it', () => {
  test('may answer what ends it if nobody else can be asked, and is marked as alone', () => {
    expect(stands(alone)).toEqual({ ok: true, level: 1, alone: true });
  });

  test('may not as long as somebody at any level can be asked', () => {
    expect(stands(withLea)).toEqual({ ok: false, reason: expect.stringContaining('as long as somebody else can be asked') });
    expect(stands(withLea, {}, 'lea')).toEqual({ ok: true, level: 1 });
  });

  test('may never answer whether to do what they ordered', () => {
    expect(stands(alone, { choices: containing })).toEqual({ ok: false, reason: expect.stringContaining('somebody else must') });
  });

  test('may never answer their own question', () => {
    expect(stands(alone, { requester: 'person/ana' })).toEqual({ ok: false, reason: 'The person who asks may not answer.' });
  });

  test('has no more rights than the roster gives them', () => {
    expect(stands(alone, { requesters: ['eve'] }, 'eve')).toMatchObject({ ok: false });
    const guests = { ...alone, groups: { ...alone.groups, oncall: [], leads: [] } };
    expect(stands(guests)).toEqual({ ok: false, reason: expect.stringContaining('Only oncall or leads') });
  });

  test('does not become alone if an alert names the others, and may not answer if it names them', () => {
    expect(stands(withLea, { actors: ['lea'] })).toMatchObject({ ok: false });
    expect(stands(withLea, {}, 'ana', ['lea'])).toMatchObject({ ok: false });
    expect(stands(alone, {}, 'ana', ['ana'])).toEqual({ ok: false, reason: expect.stringContaining('names you as the actor') });
  });

  test('is alone only if so at every time checked: at night, but not once the next shift begins', () => {
    const shift = (person: string, from: number, until: number) => ({
      person,
      from: at + from * dayMs,
      until: at + until * dayMs,
    });
    const shifts = [shift('ana', -1, 1), shift('ben', 1, 2)];
    const roster: Roster = {
      ...alone,
      groups: { oncall: ['ana', 'ben'], leads: ['ana'] },
      schedules: { oncall: { timeZone: 'UTC', rotations: [], shifts, overrides: [] } },
    };
    const question = asked();
    expect(standingOf({ question, roster }, 'ana', [at], question.levels)).toMatchObject({ alone: true });
    expect(standingOf({ question, roster }, 'ana', [at, at + dayMs], question.levels)).toMatchObject({ ok: false });
  });

  test('cannot pass on the right: a stand-in does not decide on the order of the person they stand in for', () => {
    const delegations = [{ person: 'ana', to: 'ben', from: at - dayMs, until: at + dayMs }];
    expect(stands({ ...alone, delegations }, {}, 'ben')).toMatchObject({ ok: false });
    expect(stands({ ...alone, delegations })).toMatchObject({ ok: false });
  });

  test('may answer if the only other person ordered it too, but not if a third person did not', () => {
    const both = { ...alone, groups: { oncall: ['ana', 'ben'], leads: ['ben'] } };
    expect(stands(both, { requesters: ['ana', 'ben'] })).toMatchObject({ ok: true, alone: true });
    expect(stands(both, { requesters: ['ana', 'ben'] }, 'ben')).toMatchObject({ ok: true, alone: true });
    expect(stands(withLea, { requesters: ['ana', 'ben'] })).toMatchObject({ ok: false });
  });
});

describe('who may answer, as a card shows it', () => {
  test('is listed by name for each level, with whether the person who ordered it may', () => {
    expect(answerersTo({ question: asked(), roster: alone }, at)).toEqual({
      levels: [['ANA'], ['ANA']],
      requesters: [{ name: 'ANA', alone: true }],
    });
    expect(answerersTo({ question: asked(), roster: withLea }, at)).toEqual({
      levels: [[], ['LEA']],
      requesters: [{ name: 'ANA', alone: false }],
    });
  });

  test('is nobody for a group that is not on the roster', () => {
    const levels = [{ group: 'nobody-knows', withinMs: 1 }];
    expect(answerersTo({ question: asked({ levels, requesters: [] }), roster: alone }, at)).toEqual({
      levels: [[]],
      requesters: [],
    });
  });
});

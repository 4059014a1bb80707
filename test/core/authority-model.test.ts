import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Choice, type Question, questionDigest, quorumOf, type SignedVote } from '../../core/approval.ts';
import type { QuestionState } from '../../core/incident-state.ts';
import type { Plan } from '../../core/plan.ts';
import { countVote, proofOf, silenceOn } from '../../core/question.ts';
import type { Roster } from '../../core/roster.ts';
import { severities } from '../../core/severity.ts';
import { checkProof, checkVote, type VoteKeys } from '../../core/vote-check.ts';
import { type Ballot, decide, type World } from './authority-reference.ts';

/*
 * What people may decide, against a reference that was written from the words of the design alone (`authority-reference.ts`): it knows no
 * signature, no digest, no reducer. Here its votes are made into real ones, forged and true, and taken the way the incident takes them.
 */

const start = Date.parse('2026-11-24T22:00:00Z');
const minute = 60_000;

/** Keys are played: a signature is the key's name and what it signed. Real ones are in `question.test.ts`. */
const keys: VoteKeys = {
  deskKeyIds: ['desk'],
  keyIdsOf: (person) => person.keys,
  verify: (keyId, bytes, signature) => signature === `${keyId}:${Buffer.from(bytes).toString()}`,
};

const plan: Plan = {
  action: 'deletePod',
  effect: 'destructive',
  reach: 'pod',
  target: { name: 'pod/shop/cart-1', uid: 'u' },
  changes: [{ target: 'pod/shop/cart-1', what: 'is deleted' }],
  blastRadius: ['pod/shop/cart-1'],
  notes: [],
  inputDigest: 'd',
};

const plans: Readonly<Record<World['risk'], Plan>> = {
  none: { ...plan, effect: 'reversible', action: 'quarantinePod' },
  weakening: { ...plan, effect: 'reversible', action: 'undo:quarantinePod', weakens: true },
  destructive: plan,
  wide: { ...plan, reach: 'node' },
  'many-objects': { ...plan, blastRadius: Array.from({ length: 21 }, (_, n) => `pod/shop/cart-${n}`) },
  'others-secrets': { ...plan, blastRadius: ['deployment/shop/cart', 'deployment/shop/orders', 'secret/shop/db'] },
  'own-secrets': { ...plan, blastRadius: ['deployment/shop/cart', 'secret/shop/db'] },
  protected: { ...plan, effect: 'reversible', blastRadius: ['pod/kube-system/dns'] },
};

const ids = ['ana', 'ben', 'cy', 'lea'] as const;

const isIn =
  ({ only }: World) =>
  (person: string): boolean =>
    only?.includes(person) ?? true;

function rosterOf(world: World): Roster {
  const on = (person: string) => ({ person, from: start + world.shift.from * minute, until: start + world.shift.until * minute });
  return {
    people: ids.map((id) => ({ id, name: id, slackIds: [`U${id}`], keys: [`key-${id}`], accounts: [`${id}@example.com`] })),
    groups: { oncall: ['ana', 'ben', 'cy'].filter(isIn(world)), leads: ['lea', 'ben'].filter(isIn(world)) },
    schedules: {
      oncall: {
        timeZone: 'UTC',
        rotations: [],
        shifts: [on('ana'), ...['ben', 'cy'].map((id) => ({ ...on(id), from: 0, until: 9e15 }))],
        overrides: [],
      },
    },
    delegations: world.standIn
      ? [{ person: 'ben', to: world.standIn, from: start + 5 * minute, until: start + 60 * minute }]
      : [],
  };
}

function questionOf(world: World): Question {
  const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'r' };
  const yes = [plans[world.risk]];
  const choice = (id: string, of: readonly Plan[]): Choice => ({ id, label: id, plans: of, quorum: 1 });
  return {
    id: 'q',
    incident,
    severity: world.severity,
    text: 'Really?',
    // The quorum that a question states is not what is believed.
    choices: [choice('yes', yes), choice('other', yes), choice('no', [])],
    levels: [
      { group: 'oncall', withinMs: 15 * minute },
      { group: 'leads', withinMs: 60 * minute },
    ],
    requester: world.requester === undefined ? 'playbook/p' : `person/${world.requester}`,
    ...(world.ordered && { requesters: world.ordered }),
  };
}

/** By which the same signature says that it came. */
const otherWay = { slack: 'cli', cli: 'slack' } as const;

function signedVote(ballot: Ballot, question: Question, n: number): SignedVote {
  const { person, choice, flaw } = ballot;
  const other = (name: string): string => (flaw === name ? 'another' : '');
  const vote = {
    version: 1,
    id: ballot.id ?? `v${n}`,
    incident: { id: `${question.incident.id}${other('incident')}`, run: `${question.incident.run}${other('run')}` },
    question: `${question.id}${other('question')}`,
    questionDigest: flaw === 'stale' ? questionDigest({ ...question, text: 'As it was?' }) : questionDigest(question),
    choice: `${choice}${other('choice')}`,
    person: flaw === 'stranger' ? 'eve' : person,
    via: flaw === 'wrong-way' ? otherWay[ballot.via] : ballot.via,
    reason: 'not ours',
    at: flaw === 'no-time' ? 'now' : new Date(start + ballot.at * minute).toISOString(),
  } as const;
  const keyId =
    flaw === 'other-key' ? `key-${person === 'ana' ? 'ben' : 'ana'}` : ballot.via === 'slack' ? 'desk' : `key-${person}`;
  const bytes = new TextEncoder().encode(`firebreak.vote.v1\n${canonical(vote)}`);
  const signature = `${keyId}:${Buffer.from(bytes).toString()}`;
  if (flaw === 'unsigned') return { vote, keyId, signature: '' };
  if (flaw === 'changed') return { vote: { ...vote, choice: choice === 'yes' ? 'other' : 'yes' }, keyId, signature };
  return { vote, keyId, signature };
}

function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const sorted = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`;
}

/** As `workflows/questions.ts` takes votes: check, count, ask the next level when its time has come. */
function taken(world: World) {
  const question = questionOf(world);
  const roster = rosterOf(world);
  const actorsAt = (at: number): readonly string[] => (world.actor && at >= world.actor.at ? [world.actor.person] : []);
  let state: QuestionState = {
    question: { ...question, choices: question.choices.map((choice) => ({ ...choice, quorum: quorumAsked(question, choice) })) },
    digest: '',
    status: { state: 'open' },
    votes: [],
    level: 0,
    levelUntil: '',
    askedAt: new Date(start).toISOString(),
    plans: [],
  };
  state = { ...state, digest: questionDigest(state.question) };
  let nextAt = 15;
  const signed: SignedVote[] = [];
  const advance = (to: number): void => {
    for (; state.status.state === 'open' && to >= nextAt; ) {
      if (state.level === 0) {
        state = { ...state, level: 1 };
        nextAt += 60;
      } else state = { ...state, status: silenceOn(state, { now: '', actors: actorsAt(nextAt) }) };
    }
  };
  for (const [n, ballot] of world.ballots.entries()) {
    advance(ballot.arrives);
    const vote =
      ballot.again === undefined
        ? signedVote(ballot, state.question, n)
        : (signed[ballot.again % Math.max(1, n)] ?? signedVote(ballot, state.question, n));
    signed.push(vote);
    const actors = actorsAt(ballot.arrives);
    const check = checkVote({
      signed: vote,
      question: state.question,
      level: state.level,
      roster,
      keys,
      now: start + ballot.arrives * minute,
      actors,
    });
    if (!check.ok) continue;
    const before = state.level;
    const now = new Date(start + ballot.arrives * minute).toISOString();
    ({ state } = countVote(state, vote, { now, severity: world.severity, level: check.level, actors }));
    if (state.level > before) nextAt = ballot.arrives + 60;
  }
  advance(1_000);
  const proof = proofOf(state);
  const last = world.ballots.at(-1)?.arrives ?? 0;
  const stands =
    proof &&
    checkProof({
      proof,
      severity: world.severity,
      roster,
      keys,
      now: start + last * minute,
      actors: actorsAt(last),
      protectedNamespaces: ['kube-system'],
    });
  return { status: state.status, stands: stands?.ok === true };
}

function quorumAsked(question: Question, choice: Choice): number {
  return quorumOf({
    plans: choice.plans,
    severity: question.severity,
    incident: question.incident.id,
    protectedNamespaces: ['kube-system'],
  });
}

function compare(world: World): ReturnType<typeof decide> {
  const expected = decide(world);
  const { status, stands } = taken(world);
  const seen = status.state === 'decided' ? { choice: status.choice, by: [...status.by].sort() } : undefined;
  const wanted = expected && { choice: expected.choice, by: [...expected.by].sort() };
  // Only what differs is worth the time of a matcher: there are tens of thousands.
  if (!isDeepStrictEqual(seen, wanted)) expect({ world, decided: seen }).toEqual({ world, decided: wanted });
  if (expected && stands !== expected.stands) expect({ world, stands }).toEqual({ world, stands: expected.stands });
  return expected;
}

const calm: World = { risk: 'destructive', severity: 'high', ballots: [], shift: { from: -60, until: 600 } };
const flaws = [
  'incident',
  'run',
  'question',
  'stale',
  'choice',
  'stranger',
  'wrong-way',
  'no-time',
  'other-key',
  'unsigned',
  'changed',
] as const;

describe('who decides what', () => {
  test('every risk, severity and requester, with every two votes of every two people, in every order', () => {
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

  test.each(flaws)('a vote with this wrong (%s) is none, in whatever company', (flaw) => {
    for (const risk of ['destructive', 'wide'] as const)
      for (const via of ['slack', 'cli'] as const)
        for (const place of [0, 1, 2]) {
          const ballots: Ballot[] = ['ana', 'ben', 'cy'].map((person, n) => ({
            person,
            choice: 'yes',
            via,
            at: n + 1,
            arrives: n + 1,
            ...(n === place && { flaw }),
          }));
          compare({ ...calm, risk, ballots });
          compare({ ...calm, risk, ballots: ballots.slice(place, place + 1) });
        }
  });

  test('what was said before a no was said all the same: an older vote that comes later is not the last word', () => {
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

  test('whatever else: levels, shifts, stand-ins, clocks, actors, repetitions, changes of mind', () => {
    const ballot = fc.record(
      {
        person: fc.constantFrom(...ids),
        choice: fc.constantFrom('yes' as const, 'other' as const, 'no' as const),
        via: fc.constantFrom('slack' as const, 'cli' as const),
        gap: fc.constantFrom(0, 1, 4, 11, 16, 40),
        // Dated earlier than it arrives, or into the future: by minutes.
        early: fc.constantFrom(0, 0, 0, 1, 14, 16, 45, -4, -6),
        flaw: fc.constantFrom(...flaws),
        again: fc.nat(5),
      },
      { requiredKeys: ['person', 'choice', 'via', 'gap', 'early'] },
    );
    const worlds = fc.record(
      {
        risk: fc.constantFrom(...(Object.keys(plans) as World['risk'][])),
        severity: fc.constantFrom(...severities),
        requester: fc.constantFrom(...ids),
        shift: fc.constantFrom({ from: -60, until: 600 }, { from: -60, until: 10 }, { from: 10, until: 20 }),
        standIn: fc.constantFrom('ana' as const, 'lea' as const),
        actor: fc.record({ person: fc.constantFrom(...ids), at: fc.constantFrom(0, 3, 20) }),
        clicks: fc.array(fc.oneof({ weight: 3, arbitrary: ballot.map(({ flaw: _f, again: _a, ...rest }) => rest) }, ballot), {
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
      { seed: 6, numRuns: 4_000 },
    );
    // Otherwise it would hold for a rule that refuses everything.
    for (const what of ['yes/1/true', 'yes/2/true', 'other/1/true', 'no/1/true', 'nothing'])
      expect(seen.get(what)).toBeGreaterThan(15);
  });

  test('who ordered it: in teams of one, two and three, whatever is asked, whenever they answer', () => {
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

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Plan } from '../../../core/action/plan.ts';
import { type Question, questionDigest, type SignedVote } from '../../../core/decide/approval.ts';
import { countVote, proofOf } from '../../../core/decide/question.ts';
import { checkProof, checkVote } from '../../../core/decide/vote-check.ts';
import { isVoteShaped } from '../../../core/decide/vote-shape.ts';
import type { QuestionState } from '../../../core/incident/incident-state.ts';
import { roster, signVote, voteKeys } from '../../workflows/people.ts';

const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'r' };
const release: Plan = {
  action: 'undo:quarantinePod',
  effect: 'reversible',
  reach: 'pod',
  weakens: true,
  target: { name: 'pod/shop/cart-1', uid: 'u' },
  changes: [],
  blastRadius: [],
  notes: [],
  inputDigest: 'd',
};

function questionOf(over: Partial<Question> = {}): Question {
  return {
    id: 'q',
    incident,
    severity: 'critical',
    text: 't',
    choices: [
      { id: 'release', label: 'Release', plans: [release], quorum: 2 },
      { id: 'stay', label: 'Stay', plans: [{ ...release, action: 'x' }], quorum: 2 },
      { id: 'no', label: 'No', plans: [], quorum: 1 },
    ],
    levels: [{ group: 'oncall', withinMs: 1 }],
    requester: 'playbook/p',
    onSilence: 'It stays.',
    ...over,
  };
}

function open(question = questionOf()): QuestionState {
  return {
    question,
    digest: questionDigest(question),
    status: { state: 'open' },
    votes: [],
    level: 0,
    levelUntil: '',
    askedAt: '',
    plans: [],
  };
}

function vote(person: string, choice: string, id = `${person}-${choice}-${Math.random()}`, question = questionOf()): SignedVote {
  return signVote({
    version: 1,
    id,
    incident: question.incident,
    question: question.id,
    questionDigest: questionDigest(question),
    choice,
    person,
    via: 'slack',
    reason: 'not ours',
    at: '2026-11-24T22:00:00Z',
  });
}

const at = { now: '2026-11-24T22:00:00Z', severity: 'critical' } as const;
const now = Date.parse(at.now);

describe('counting votes', () => {
  test('whatever is clicked, in any order, gives one final outcome by enough distinct people', () => {
    const clicks = fc.array(
      fc.record({
        person: fc.constantFrom('ana', 'ben', 'lea'),
        choice: fc.constantFrom('release', 'stay', 'no'),
        again: fc.boolean(),
      }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(clicks, (list) => {
        let state = open();
        const sent: SignedVote[] = [];
        for (const { person, choice, again } of list) {
          const signed = (again ? sent[0] : undefined) ?? vote(person, choice);
          sent.push(signed);
          const before = state.status;
          ({ state } = countVote(state, signed, at));
          if (before.state === 'decided') expect(state.status).toBe(before);
        }
        expect(new Set(state.votes.map((signed) => signed.vote.person)).size).toBe(state.votes.length);
        if (state.status.state !== 'decided') return;
        const { choice, by } = state.status;
        expect(new Set(by).size).toBeGreaterThanOrEqual(choice === 'no' ? 1 : 2);
        const proof = proofOf(state);
        expect(proof && checkProof({ proof, severity: 'critical', roster, keys: voteKeys, now }).ok).toBe(
          // A lead's vote is not valid at the first level: the check before the count would have rejected it.
          !by.includes('lea'),
        );
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  test('the reply says how many more people are needed', () => {
    const asked = open();
    const choices = asked.question.choices.map((choice) => ({ ...choice, quorum: 3 }));
    const three = { ...asked, question: { ...asked.question, choices } };
    const { state, reply } = countVote(three, vote('ana', 'release'), at);
    expect(reply).toBe('Counted: 1 of 3 people for “Release”. 2 more people must agree.');
    expect(countVote(state, vote('ben', 'release'), at).reply).toBe(
      'Counted: 2 of 3 people for “Release”. One more person must agree.',
    );
  });

  test('a changed vote is not restored by sending the old one again', () => {
    const first = vote('ana', 'release');
    let { state } = countVote(open(), first, at);
    ({ state } = countVote(state, vote('ana', 'stay'), at));
    const again = countVote(state, first, at);
    expect(again.outcome).toBe('repeated');
    expect(again.state).toBe(state);
    expect(countVote(again.state, vote('ben', 'release'), at).state.status.state).toBe('open');
  });

  test('a delayed vote does not undo its person’s newer one', () => {
    const late = vote('ana', 'release');
    const since = { ...vote('ana', 'stay'), vote: { ...vote('ana', 'stay').vote, at: '2026-11-24T22:00:05Z' } };
    const counted = countVote(open(), since, at);
    const result = countVote(counted.state, late, at);
    expect(result).toMatchObject({ outcome: 'refused', state: counted.state });
  });

  test('two people’s votes with the same id are separate votes', () => {
    const { state } = countVote(open(), vote('ana', 'release', 'same'), at);
    expect(countVote(state, vote('ben', 'release', 'same'), at).state.status.state).toBe('decided');
  });

  test('a question asked at low needs as many people as critical once it is critical', () => {
    const question = questionOf({
      severity: 'low',
      choices: [{ id: 'release', label: 'Release', plans: [release], quorum: 1 }],
    });
    const signed = vote('ana', 'release', 'v', question);
    expect(countVote(open(question), signed, at).state.status.state).toBe('open');
    expect(countVote(open(question), signed, { ...at, severity: 'low' }).state.status.state).toBe('decided');
  });

  test('an expired question accepts no answer', () => {
    const state: QuestionState = { ...open(), status: { state: 'expired', at: 'x' } };
    expect(countVote(state, vote('ana', 'no'), at)).toMatchObject({
      outcome: 'refused',
      reply: 'This question is no longer open.',
    });
  });
});

describe('checking one vote', () => {
  const check = (signed: SignedVote, question = questionOf(), level = 0) =>
    checkVote({ signed, question, level, roster, keys: voteKeys, now });

  test('the person who asks may not answer', () => {
    const question = questionOf({ requester: 'person/ana' });
    expect(check(vote('ana', 'no', 'v', question), question)).toEqual({
      ok: false,
      reason: 'The person who asks may not answer.',
      signed: true,
    });
    expect(check(vote('ben', 'no', 'v', question), question).ok).toBe(true);
  });

  test('a group may answer once its level is reached', () => {
    const question = questionOf({
      levels: [
        { group: 'oncall', withinMs: 1 },
        { group: 'leads', withinMs: 1 },
      ],
    });
    expect(check(vote('lea', 'no', 'v', question), question, 0).ok).toBe(false);
    expect(check(vote('lea', 'no', 'v', question), question, 1).ok).toBe(true);
    expect(check(vote('eve', 'no', 'v', question), question, 1).ok).toBe(false);
  });

  test('any change to what was signed is found', () => {
    const signed = vote('ana', 'no');
    fc.assert(
      fc.property(fc.constantFrom('id', 'choice', 'person', 'at', 'questionDigest', 'question'), fc.string(), (field, text) => {
        fc.pre(text !== signed.vote[field]);
        expect(check({ ...signed, vote: { ...signed.vote, [field]: text } }).ok).toBe(false);
      }),
    );
  });
});

test('no JSON value makes the check of a vote’s shape throw', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(isVoteShaped(value)).toBe(false);
      expect(isVoteShaped({ vote: value, keyId: 'k', signature: 's' })).toBe(false);
    }),
  );
  expect(isVoteShaped(vote('ana', 'no'))).toBe(true);
});

import { describe, expect, test } from '@jest/globals';
import { type Question, questionDigest, type SignedVote, type Vote } from '../../../core/decide/approval.ts';
import { answersToSign, answersTyped, type Form, field, problemOfForm, problemsOfAnswers } from '../../../core/decide/form.ts';
import { countVote, openState, proofOf, saidBy } from '../../../core/decide/question.ts';
import { stepUpNonce } from '../../../core/decide/step-up.ts';
import { checkProof, checkVote } from '../../../core/decide/vote-check.ts';
import { isVoteShaped } from '../../../core/decide/vote-shape.ts';
import { digestOf } from '../../../core/text/digest.ts';
import { roster, signVote, voteKeys } from '../../workflows/people.ts';

const form = {
  hours: field.number('For how many hours?', { min: 1, max: 72 }),
  how: field.choice('How?', { soft: 'Softly', hard: 'At once' }),
  why: field.text('What for?', { longest: 20 }),
  who: field.people('Who looks?', { group: 'oncall', most: 1 }),
} satisfies Form;
const right = { hours: 4, how: 'soft', why: 'a test', who: ['ana'] };

describe('a filled-in form', () => {
  test.each<[string, Record<string, unknown>, Record<string, string>]>([
    ['all of it', right, {}],
    ['a number that is too large', { ...right, hours: 73 }, { hours: 'Enter a number from 1 to 72.' }],
    ['a number as a text', { ...right, hours: '4' }, { hours: 'Enter a number from 1 to 72.' }],
    ['no number', { ...right, hours: Number.NaN }, { hours: 'Enter a number from 1 to 72.' }],
    ['an option that is not there', { ...right, how: 'toString' }, { how: 'Choose one.' }],
    ['blanks', { ...right, why: '  ' }, { why: 'Enter a text.' }],
    ['too much', { ...right, why: 'x'.repeat(21) }, { why: 'Enter at most 20 characters: these are 21.' }],
    ['somebody of another group', { ...right, who: ['lea'] }, { who: 'Name members of oncall.' }],
    ['nobody', { ...right, who: [] }, { who: 'Name at least one person, and each person only once.' }],
    ['one person twice', { ...right, who: ['ana', 'ana'] }, { who: 'Name at least one person, and each person only once.' }],
    ['too many people', { ...right, who: ['ana', 'ben'] }, { who: 'Name at most 1 people.' }],
    ['an unknown field', { ...right, other: 1 }, { other: 'This field was not asked for.' }],
  ])('is checked: %s', (_what, answers, problems) => {
    expect(problemsOfAnswers(form, answers, roster)).toEqual(problems);
  });

  test('is read from text fields', () => {
    const typed: Record<string, string> = { hours: ' 4 ', how: 'soft', why: 'a test', who: 'ana, ben' };
    expect(answersTyped(form, (name) => typed[name])).toEqual({ ...right, who: ['ana', 'ben'] });
    expect(
      problemsOfAnswers(
        form,
        answersTyped(form, () => undefined),
        roster,
      ),
    ).toMatchObject({ hours: expect.anything() });
  });

  test('has known secrets taken out before it is signed', () => {
    const why = { note: field.text('Why?') };
    expect(answersToSign(why, { note: 'password=hunter2hunter2' }).note).not.toContain('hunter2');
  });

  test.each<[Form, string]>([
    [{}, 'a form must have 1 to 10 fields'],
    [{ 'a b': field.text('A') }, 'the field name a b is invalid'],
    [{ a: field.choice('A', { one: 'One' }) }, 'a must have 2 to 100 options'],
    [{ a: field.number('A', { min: 2, max: 1 }) }, 'a accepts no number'],
    [{ a: field.text('') }, 'the label of a must have 1 to 100 characters'],
  ])('is impossible for the form %j', (bad, problem) => {
    expect(problemOfForm(bad)).toContain(problem);
  });
});

const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'r' };
const question: Question = {
  id: 'q',
  incident,
  severity: 'critical',
  text: 't',
  choices: [
    { id: 'go', label: 'Go', plans: [], quorum: 2, form, harmless: true },
    { id: 'no', label: 'No', plans: [], quorum: 1 },
  ],
  levels: [{ group: 'oncall', withinMs: 1 }],
  requester: 'playbook/p',
  onSilence: 's',
};
const now = Date.parse('2026-11-24T22:00:00Z');

function vote(person: string, over: Partial<Vote> = {}): SignedVote {
  return signVote({
    version: 1,
    id: `${person}-${Math.random()}`,
    incident,
    question: 'q',
    questionDigest: questionDigest(question),
    choice: 'go',
    person,
    via: 'slack',
    reason: 'not ours',
    at: new Date(now).toISOString(),
    answers: right,
    ...over,
  });
}
const check = (signed: SignedVote) => checkVote({ signed, question, level: 0, roster, keys: voteKeys, now });
const count = (votes: readonly SignedVote[]) =>
  votes.reduce(
    (state, signed) => countVote(state, signed, { now: new Date(now).toISOString(), severity: 'critical' }).state,
    openState(question, { at: now }),
  );

describe('a vote with a form', () => {
  test('is accepted as filled in, and recorded with its answers', () => {
    const signed = vote('ana');
    expect(isVoteShaped(signed)).toBe(true);
    expect(check(signed)).toMatchObject({ ok: true });
    expect(saidBy('Ana', 'go', signed.vote)).toBe('Ana: go (hours 4, how soft, why a test, who ana): not ours');
  });

  test.each<[string, SignedVote]>([
    ['nothing filled in', (({ vote: { answers: _, ...bare } }) => signVote(bare))(vote('ana'))],
    ['something missing', vote('ana', { answers: { hours: 4 } })],
    ['something wrong', vote('ana', { answers: { ...right, who: ['lea'] } })],
    ['a form for a choice that has none', vote('ana', { choice: 'no' })],
  ])('is refused with %s', (_what, signed) => {
    expect(check(signed)).toMatchObject({ ok: false, reason: expect.stringContaining('not filled in as requested') });
  });

  test('is refused if its answers were changed on the way', () => {
    const signed = vote('ana');
    expect(check({ ...signed, vote: { ...signed.vote, answers: { ...right, hours: 72 } } })).toMatchObject({ ok: false });
  });

  test('is invalid with any other kind of answer', () => {
    const signed = vote('ana');
    for (const answers of [null, 'x', [1], { a: {} }, { a: [1] }, { a: null }])
      expect(isVoteShaped({ ...signed, vote: { ...signed.vote, answers } })).toBe(false);
  });

  test('needs a sign-in for exactly these answers', () => {
    const { questionDigest: digest, choice, person } = vote('ana').vote;
    const of = (hours: number) => stepUpNonce({ questionDigest: digest, choice, person, answers: { ...right, hours } });
    expect(of(4)).not.toBe(of(5));
  });
});

describe('people who fill in a form', () => {
  test('agree only if their answers are the same', () => {
    const differing = count([vote('ana'), vote('ben', { answers: { ...right, hours: 5 } })]);
    expect(differing.status).toEqual({ state: 'open' });
    const agreeing = count([
      vote('ana'),
      vote('ben', { answers: { ...right, hours: 5 } }),
      vote('ana', { answers: { ...right, hours: 5 } }),
    ]);
    expect(agreeing.status).toMatchObject({ state: 'decided', by: ['ben', 'ana'], answers: { hours: 5 } });
    expect(proofOf(agreeing)?.votes.map(({ vote: { answers } }) => answers?.hours)).toEqual([5, 5]);
  });

  test('are checked by the cell: differing votes decide nothing, whoever combines them', () => {
    const votes = [vote('ana'), vote('ben', { answers: { ...right, hours: 5 } })];
    const carry = (proof: readonly SignedVote[]) =>
      checkProof({ proof: { question, choice: 'go', votes: proof }, severity: 'critical', roster, keys: voteKeys, now });
    expect(carry(votes)).toEqual({ ok: false, reason: 'the people did not fill in the same answers' });
    expect(carry([vote('ana'), vote('ben')])).toEqual({ ok: true });
    expect(carry([vote('ana')])).toMatchObject({ ok: false });
  });

  test('sign the form too: another form is another question', () => {
    const [go, no] = question.choices;
    const wider = { ...go, form: { ...form, hours: field.number('For how many hours?', { min: 1, max: 720 }) } };
    expect(questionDigest({ ...question, choices: [wider as never, no as never] })).not.toBe(questionDigest(question));
    expect(digestOf(form)).toBe(digestOf({ ...form }));
  });
});

import { describe, expect, test } from '@jest/globals';
import type { Plan } from '../../../core/action/plan.ts';
import { shownChoice } from '../../../core/cards/question-card.ts';
import type { Question } from '../../../core/decide/approval.ts';
import { openState } from '../../../core/decide/question.ts';
import type { IncidentState, QuestionState } from '../../../core/incident/incident-state.ts';
import type { TrustedClick } from '../../../service/desk/click-votes.ts';
import { shownOfLease, standingButton } from '../../../service/desk/slash/lease-answers.ts';
import { createLeaseAnswers, draftOf } from '../../../service/desk/slash/slash-lease.ts';

const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'run-1' };
const pod = 'pod/shop/cart-x2x8k';
const release: Plan = {
  action: 'undo:quarantinePod',
  effect: 'reversible',
  reach: 'pod',
  weakens: true,
  target: { name: pod, uid: 'uid-1' },
  changes: [{ target: pod, what: 'restores what quarantinePod changed' }],
  blastRadius: [pod],
  notes: [],
  inputDigest: 'd',
};

function asked(over: Partial<Question> = {}): QuestionState {
  const question: Question = {
    id: 'lease:0123456789abcdef-l',
    incident,
    severity: 'critical',
    text: 'quarantinePod lasts until later',
    choices: [
      { id: 'extend', label: 'Extend it', plans: [], quorum: 1 },
      { id: 'release', label: '', plans: [release], quorum: 2 },
    ],
    levels: [{ group: 'oncall', withinMs: 900_000 }],
    requester: 'engine',
    onSilence: 'It is renewed.',
    ...over,
  };
  return openState(question, { at: 0 });
}

/** What the dialog showed, and what became of it if the incident says this by the time it is submitted. */
async function answered(shown: QuestionState, now: QuestionState, choice = 'release', others: readonly QuestionState[] = []) {
  const votes: TrustedClick[] = [];
  const stateWith = (question: QuestionState) =>
    ({ incident, severity: 'critical', questions: [question, ...others] }) as unknown as IncidentState;
  const offered = shown.question.choices.find(({ id }) => id === choice);
  if (!offered) throw new Error('no such choice');
  const button = standingButton(shown.question, { id: choice, label: 'Release pod' });
  const draft = draftOf(stateWith(shown), shown, button, shownChoice(offered), undefined);
  const answer = createLeaseAnswers({
    stateOf: async () => stateWith(now),
    signIns: { open: async () => ({ text: 'Sign in first.' }) },
    votes: {
      mayAnswer: async () => ({}),
      vote: async (click) => {
        votes.push(click);
        return { text: 'Taken.' };
      },
    },
  });
  const sent = { about: 'lease' as const, dialogId: 'm_1', slackUser: 'U0ADA', channel: 'C1', reason: 'not ours', draft };
  const told = await answer(sent);
  return { draft, told, votes };
}

test('the release dialog shows its plan and the quorum, and submitting it is a vote on exactly that question', async () => {
  const { draft, told, votes } = await answered(asked(), asked());
  expect(draft.choice).toMatchObject({ weakens: true, quorum: 2, blastRadius: [pod] });
  expect(draft.card.incident).toMatchObject({ severity: 'critical', cluster: 'lab' });
  expect(told).toEqual({ text: 'Taken.' });
  expect(votes).toMatchObject([{ reason: 'not ours', button: { choice: 'release', questionDigest: asked().digest } }]);
});

test.each<[string, Partial<Question>]>([
  ['was asked again', { text: 'quarantinePod lasts until much later' }],
  ['means something else by silence', { onSilence: 'It is released.' }],
  [
    'releases something else',
    { choices: [{ id: 'release', label: '', plans: [{ ...release, blastRadius: [pod, 'pod/shop/other'] }], quorum: 2 }] },
  ],
  [
    'does what it does not say',
    { choices: [{ id: 'release', label: '', plans: [{ ...release, action: 'deletePod' }], quorum: 1 }] },
  ],
  ['is another one', { id: 'lease:fedcba9876543210-l' }],
])('nothing is signed if the question meanwhile %s', async (_how, over) => {
  const { told, votes } = await answered(asked(), asked(over));
  expect(told.text).toContain('Nothing was decided');
  expect(votes).toEqual([]);
});

test('if the widest step needs a sign-in, it leads there', async () => {
  const stepUp = asked({ choices: [{ id: 'release', label: '', plans: [release], quorum: 2, stepUp: true }] });
  const { told, votes } = await answered(stepUp, stepUp);
  expect(told.text).toBe('Sign in first.');
  expect(votes).toEqual([]);
});

describe('while a question of the incident offers the same release', () => {
  const card = asked({
    id: 'q-1',
    text: 'Is the new binary in *cart* expected?',
    choices: [
      { id: 'release', label: 'Yes, release it', plans: [release], quorum: 2 },
      { id: 'stay', label: 'No', plans: [], quorum: 1 },
    ],
  });

  test('a dialog that was already open signs nothing, and says where to answer', async () => {
    const { told, votes } = await answered(asked(), asked(), 'release', [card]);
    expect(told.text).toMatch(
      /^An open question decides whether this is released: “Is the new binary in .cart. expected\?” Answer that question/u,
    );
    expect(told.text).not.toContain('*cart*');
    expect(votes).toEqual([]);
  });

  test('the lease can still be extended', async () => {
    expect((await answered(asked(), asked(), 'extend', [card])).votes).toMatchObject([{ button: { choice: 'extend' } }]);
  });

  test('its page and the console offer nothing else', () => {
    const state = { severity: 'critical', counts: [], leases: [], steps: [], evidence: [] };
    const shown = shownOfLease({ ...state, questions: [asked(), card] } as unknown as IncidentState, asked());
    expect(shown.choices.map(({ id }) => id)).toEqual(['extend']);
    expect(shown.text).toContain('Is the new binary');
  });

  test.each<[string, QuestionState]>([
    ['is decided', { ...card, status: { state: 'decided', choice: 'stay', by: ['ada'], at: '2026-11-28T00:00:00Z' } }],
    [
      'is of another step',
      openState(
        { ...card.question, choices: [{ id: 'release', label: '', plans: [{ ...release, inputDigest: 'e' }], quorum: 2 }] },
        { at: 0 },
      ),
    ],
  ])('but not if that question %s', async (_how, other) => {
    expect((await answered(asked(), asked(), 'release', [other])).votes).toHaveLength(1);
  });
});

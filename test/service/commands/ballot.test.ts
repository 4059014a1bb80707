import { expect, test } from '@jest/globals';
import { type Question, questionDigest } from '../../../core/decide/approval.ts';
import type { QuestionState } from '../../../core/incident/incident-state.ts';
import { ballotLines } from '../../../service/commands/vote.ts';
import { castVote } from '../../../service/incidents/cast-vote.ts';

const choice: Question['choices'][number] = {
  id: 'release',
  label: 'A harmless test',
  plans: [
    {
      action: 'undo:quarantinePod',
      effect: 'reversible',
      reach: 'pod',
      weakens: true,
      target: { name: 'pod/shop/cart-x2x8k' },
      changes: [{ target: 'pod/shop/cart-x2x8k', what: 'gives back its labels' }],
      blastRadius: ['pod/shop/cart-x2x8k'],
      notes: ['it can talk again'],
      inputDigest: 'd',
    },
  ],
  quorum: 2,
};
const question: Question = {
  id: 'q',
  incident: { id: 'incident/lab/shop/Deployment/cart', run: 'run-1' },
  severity: 'critical',
  text: 'Is it expected?',
  choices: [choice],
  levels: [],
  requester: 'playbook/x',
  onSilence: 'It stays.',
};
const asked: QuestionState = {
  question,
  digest: questionDigest(question),
  status: { state: 'open' },
  votes: [],
  level: 0,
  levelUntil: '',
  askedAt: '',
  plans: [],
};

test('what is printed before it is signed is what the question and its plans say', () => {
  expect(ballotLines({ question: asked, choice, person: 'ada' })).toEqual([
    'About: deployment/shop/cart, cluster lab, critical',
    'Question: Is it expected?',
    'Answer of ada: Release pod (weakens the response, needs 2 people)',
    '  pod/shop/cart-x2x8k: gives back its labels',
    '  touches: pod/shop/cart-x2x8k',
    '  note: it can talk again',
  ]);
});

test('no vote is signed on a question of another incident than the one that was named', async () => {
  const state = { incident: { id: 'incident/lab/shop/Deployment/other', run: 'run-1' }, timeline: [], questions: [asked] };
  const ballot = { state, question: asked, choice, person: 'ada', keyFile: '/nowhere' };
  await expect(castVote(undefined as never, ballot)).rejects.toMatchObject({
    code: 'FB_ERR_REFUSED',
    message: expect.stringContaining('incident/lab/shop/Deployment/cart'),
  });
});

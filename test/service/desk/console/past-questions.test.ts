import { expect, test } from '@jest/globals';
import type { Plan } from '../../../../core/action/plan.ts';
import type { AuditRecord } from '../../../../core/audit/audit.ts';
import type { Question } from '../../../../core/decide/approval.ts';
import { pastQuestionsOf } from '../../../../service/desk/console/past-questions.ts';

const incident = { id: 'incident/c/shop/Deployment/cart', run: 'run-1' };
const roster = {
  people: [
    { id: 'ada', name: 'Ada Byron', slackIds: [], keys: [] },
    { id: 'ben', name: 'Ben Hur', slackIds: [], keys: [] },
  ],
  groups: { oncall: ['ada', 'ben'] },
};
const release: Plan = {
  action: 'undo:quarantinePod',
  effect: 'reversible',
  reach: 'pod',
  weakens: true,
  target: { name: 'pod/shop/cart-1' },
  changes: [],
  blastRadius: [],
  notes: [],
  inputDigest: 'd',
};

function questionOf(id: string, over: Partial<Question> = {}): Question {
  return {
    id,
    incident,
    severity: 'critical',
    text: `Is ${id} expected?`,
    choices: [
      { id: 'release', label: 'Yes, it is ours', plans: [], quorum: 2 },
      { id: 'remove', label: 'No, remove it', plans: [], quorum: 1 },
    ],
    levels: [{ group: 'oncall', withinMs: 900_000 }],
    requester: 'playbook/contain',
    onSilence: 'It stays.',
    ...over,
  };
}

/** In this order, a minute apart. */
function recordsOf(...told: readonly (readonly [string, AuditRecord['body']])[]): readonly AuditRecord[] {
  return told.map(([kind, body], index) => ({
    ...{ chain: `${incident.id}@run-1`, number: index + 1, kind, actor: 'engine', body },
    at: `2026-11-28T00:0${index}:00.000Z`,
  }));
}

const vote = (question: string, person: string, choice: string, reason?: string) => ({
  vote: { question, person, choice, at: '2026-11-28T00:00:30.000Z', ...(reason !== undefined && { reason }) },
});

test('a question that is over says what was chosen, by whom and why, and who voted otherwise', () => {
  const [past, ...others] = pastQuestionsOf(
    recordsOf(
      ['question.asked', { question: questionOf('q1') }],
      ['vote.accepted', vote('q1', 'ada', 'remove', 'not ours')],
      ['vote.accepted', vote('q1', 'ada', 'release', 'ours after all')],
      ['vote.accepted', vote('q1', 'ben', 'release')],
      ['question.decided', { question: 'q1', choice: 'release', by: ['ada', 'ben'] }],
    ),
    roster,
  );
  expect(others).toEqual([]);
  expect(past).toMatchObject({
    text: 'Is q1 expected?',
    state: 'decided',
    choice: 'Yes, it is ours',
    by: ['Ada Byron', 'Ben Hur'],
    why: null,
    askedAt: '2026-11-28T00:00:00.000Z',
    endedAt: '2026-11-28T00:04:00.000Z',
    answers: [
      { person: 'Ada Byron', choice: 'Yes, it is ours', reason: 'ours after all' },
      { person: 'Ben Hur', reason: null },
    ],
  });
});

test('one without an answer says why it is over; the newest comes first, and open ones are left out', () => {
  const past = pastQuestionsOf(
    recordsOf(
      ['question.asked', { question: questionOf('q1') }],
      ['question.asked', { question: questionOf('q2') }],
      ['question.asked', { question: questionOf('q3') }],
      ['question.expired', { question: 'q1', text: 'nobody answered' }],
      ['question.void', { question: 'q2', text: 'the pod is gone' }],
    ),
    roster,
  );
  expect(past).toMatchObject([
    { state: 'void', why: 'the pod is gone', choice: null, by: [] },
    { state: 'expired', why: 'nobody answered' },
  ]);
});

test('a lease is asked about again and again: each answer names its own people, and says what the plan says', () => {
  const id = 'lease:0123456789abcdef-l';
  const asked = questionOf(id, {
    text: 'something else',
    choices: [
      { id: 'extend', label: 'Extend it', plans: [], quorum: 1 },
      { id: 'release', label: '', plans: [release], quorum: 1 },
    ],
  });
  const past = pastQuestionsOf(
    recordsOf(
      ['vote.accepted', vote(id, 'ada', 'extend')],
      ['question.decided', { question: id, choice: 'extend', by: ['ada'], asked }],
      ['vote.accepted', vote(id, 'ben', 'release', 'ours')],
      ['question.decided', { question: id, choice: 'release', by: ['ben'], asked }],
    ),
    roster,
  );
  expect(past).toMatchObject([
    { kind: 'lease', by: ['Ben Hur'], answers: [{ person: 'Ben Hur', reason: 'ours' }] },
    { kind: 'lease', choice: 'Extend it', by: ['Ada Byron'], answers: [{ person: 'Ada Byron' }] },
  ]);
  expect(past[0]?.text).not.toContain('something else');
});

test('questions from before the first record are left out, as is anything not shaped like a question', () => {
  expect(
    pastQuestionsOf(
      recordsOf(['question.asked', { question: 'q1' }], ['question.decided', { question: 'q1', choice: 'release', by: ['ada'] }]),
      roster,
    ),
  ).toEqual([]);
});

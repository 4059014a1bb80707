import { describe, expect, test } from '@jest/globals';
import { type Question, questionDigest, type Vote } from '../../../core/decide/approval.ts';
import { field } from '../../../core/decide/form.ts';
import type { QuestionState, TimelineEntry } from '../../../core/incident/incident-state.ts';
import { besidesOf } from '../../../service/commands/incidents/incident-text.ts';
import { answersSet, ballotLines } from '../../../service/commands/vote.ts';
import { castVote, receptionOf } from '../../../service/incidents/cast-vote.ts';

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
      changes: [{ target: 'pod/shop/cart-x2x8k', what: 'restores its labels' }],
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
  until: '2026-05-01T00:15:00.000Z',
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

test('the text printed before signing is that of the question and its plans', () => {
  expect(ballotLines({ question: asked, choice, person: 'ada' })).toEqual([
    'About: deployment/shop/cart, cluster lab, critical',
    'Question: Is it expected?',
    'If nobody answers by 2026-05-01T00:15:00.000Z: It stays.',
    'Answer by ada: Release pod (weakens the response, needs 2 people)',
    '  pod/shop/cart-x2x8k: restores its labels',
    '  touches: pod/shop/cart-x2x8k',
    '  note: it can talk again',
  ]);
});

test('a form field is shown as it has to be typed', () => {
  const form = { hours: field.number('For how many hours?', { min: 1, max: 72 }) };
  const open = { ...asked, levelUntil: '2026-05-01T00:15:00.000Z', question: { ...question, choices: [{ ...choice, form }] } };
  const about = { names: { person: String, actor: String }, restraints: [], deadlines: [], config: 'firebreak.yaml' };
  const state = { incident: question.incident, audit: { acknowledged: 1, made: 1 }, questions: [open] };
  const [of, command] = besidesOf(state, about).asked.flat().slice(-2);
  expect(of).toMatch(/; For how many hours\? \(a number from 1 to 72\)\)$/);
  expect(command?.trim()).toBe(
    'firebreak answer shop/Deployment/cart --choice release --reason "WHY" --set hours=VALUE --as YOU --key FILE',
  );
});

test('no vote is signed on a question of an incident other than the named one', async () => {
  const state = { incident: { id: 'incident/lab/shop/Deployment/other', run: 'run-1' }, timeline: [], questions: [asked] };
  const ballot = { state, question: asked, choice, person: 'ada', keyFile: '/nowhere' };
  await expect(castVote(undefined as never, ballot)).rejects.toMatchObject({
    code: 'FB_ERR_REFUSED',
    message: expect.stringContaining('incident/lab/shop/Deployment/cart'),
  });
});

test('the result of a vote is matched to that very vote, even if another in the same name is refused meanwhile', () => {
  const of = (signature: string, kind: string, actor: string) => ({
    at: '2026-05-01T00:00:00Z',
    kind,
    actor,
    text: kind,
    of: signature,
  });
  const before = { incident: question.incident, timeline: [], questions: [] };
  const after = (...timeline: readonly TimelineEntry[]) => ({ ...before, timeline });
  const vote: Vote = {
    version: 1,
    id: 'cli-1',
    incident: question.incident,
    question: question.id,
    questionDigest: asked.digest,
    choice: choice.id,
    person: 'ada',
    via: 'cli',
    at: '2026-05-01T00:00:00Z',
  };
  const [strange, own] = ['of somebody else', 'of this one'];
  const stranger = of(strange, 'vote.refused', 'claimed/ada');
  const signed = { vote, keyId: 'k', signature: own };
  expect(receptionOf(before, after(stranger), signed)).toBeUndefined();
  expect(receptionOf(before, after(stranger, of(own, 'vote.accepted', 'person/ada')), signed)).toEqual({ accepted: true });
  expect(
    receptionOf(before, after(of(strange, 'vote.accepted', 'person/ada'), of(own, 'vote.refused', 'claimed/ada')), signed),
  ).toEqual({
    accepted: false,
    reason: 'vote.refused',
  });
});

describe('a form field of a choice', () => {
  const form = {
    hours: field.number('For how many hours?', { min: 1, max: 72 }),
    who: field.people('Who looks?', { group: 'oncall' }),
  };
  const asking = { ...choice, form };
  const people = { people: [{ id: 'ada', name: 'Ada', slackIds: [], keys: [] }], groups: { oncall: ['ada'] } };

  test('is set on the command line, and printed before it is signed', () => {
    const answers = answersSet(asking, ['hours=4', 'who=ada'], people);
    expect(answers).toEqual({ hours: 4, who: ['ada'] });
    const lines = ballotLines({ question: asked, choice: asking, person: 'ada', ...(answers && { answers }) });
    expect(lines).toContain('  filled in: hours 4, who ada');
    expect(answersSet(choice, [], people)).toBeUndefined();
  });

  test.each<[readonly string[], string]>([
    [['who=ada'], 'For how many hours? Use --set hours=…: a number from 1 to 72'],
    [['hours=4', 'who=eve'], 'Who looks? Use --set who=…: at most 10 people of oncall, by their ids, separated by commas'],
    [['hours'], 'write --set FIELD=VALUE, not hours'],
    [['hours=4', 'who=ada', 'other=1'], 'release does not ask for other'],
  ])('%j: is refused with what to write instead', (set, says) => {
    expect(() => answersSet(asking, set, people)).toThrow(says);
  });
});

import { expect, test } from '@jest/globals';
import { alertOf } from '../people.ts';
import { planOf } from '../scripted.ts';
import { useLab } from '../use-lab.ts';

const { lab, script } = useLab();

test('a button, the record and the question promise no rotation if the plan says that nothing is rotated', async () => {
  script['plan:rotateSecret'] = (call) => ({ ...planOf(call), changes: [], notes: ['Nothing is rotated.'] });
  const incident = await lab.start([alertOf()]);
  await incident.until(() => lab.seen.cards.some((card) => card.incident.id === incident.id), 'the card');
  const labels = lab.seen.cards.find((card) => card.incident.id === incident.id)?.choices.map(({ label }) => label);
  expect(labels).toEqual([
    'Yes: release pod',
    'Yes: release pod, watched for 24 hours',
    'No: delete pod; no secret can be rotated',
  ]);
  const { questions } = await incident.state();
  const standing = questions.find(({ question }) => question.id.startsWith('lease:'));
  expect(standing?.question.choices.map(({ label }) => label)).toEqual(['Extend it', 'Keep it for good', 'Release pod']);
  await incident.vote('remove', 'ana');
  await incident.result();
  const asked = lab.seen.records.find(({ kind, chain }) => kind === 'question.asked' && chain.startsWith(incident.id));
  expect(JSON.stringify(asked?.body)).toContain('No: delete pod; no secret can be rotated');
});

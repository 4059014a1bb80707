import { expect, test } from '@jest/globals';
import { field } from '../../core/decide/form.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { simulate } from '../../testing/simulate.ts';
import { alertOf } from './alert-of.ts';

const asks = definePlaybook(
  { id: 'asks', title: 'Asks for how long', on: { match: { rule: alertOf().rule }, minSeverity: 'low', requires: [] }, uses: {} },
  async ({ ask, note }) => {
    const answer = await ask({
      question: 'For how long?',
      choices: { extend: 'Extend it', end: 'End it' },
      forms: { extend: { hours: field.number('Hours', { min: 2, max: 72 }) } },
      onSilence: 'Nothing.',
    });
    note(answer.choice === 'extend' ? `for ${answer.form.hours} h` : answer.choice);
  },
);

test('a form is filled in as the test says, or with the plainest that there is', async () => {
  expect((await simulate(asks, { alert: alertOf(), answer: 'extend' })).notes).toEqual(['for 2 h']);
  const filled = await simulate(asks, { alert: alertOf(), answer: () => ({ choice: 'extend', form: { hours: 9 } }) });
  expect(filled.notes).toEqual(['for 9 h']);
});

test('what the form does not allow is no answer', async () => {
  const story = await simulate(asks, { alert: alertOf(), answer: () => ({ choice: 'extend', form: { hours: 999 } }) });
  expect(story.notes).toEqual(['silence']);
});

import { expect, test } from '@jest/globals';
import { field } from '../../core/decide/form.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { forkIncident } from '../../service/simulation/fork.ts';
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

test('a form is filled in as the test says, or with the simplest valid values', async () => {
  expect((await simulate(asks, { alert: alertOf(), answer: 'extend' })).notes).toEqual(['for 2 h']);
  const filled = await simulate(asks, { alert: alertOf(), answer: () => ({ choice: 'extend', form: { hours: 9 } }) });
  expect(filled.notes).toEqual(['for 9 h']);
});

test('values that the form does not allow are not an answer', async () => {
  const story = await simulate(asks, { alert: alertOf(), answer: () => ({ choice: 'extend', form: { hours: 999 } }) });
  expect(story.notes).toEqual(['silence']);
});

test('a form can name people of the simulation, and those that the test adds', async () => {
  const names = definePlaybook(
    { id: 'names', title: 'Names', on: { match: { rule: alertOf().rule }, minSeverity: 'low', requires: [] }, uses: {} },
    async ({ ask, note }) => {
      const answer = await ask({
        question: 'Who?',
        choices: { yes: 'Yes' },
        forms: { yes: { who: field.people('Who looks after it?', { group: 'oncall' }) } },
        onSilence: 'Nothing.',
      });
      note(answer.choice === 'yes' ? answer.form.who.join() : answer.choice);
    },
  );
  const said = { alert: alertOf(), answer: () => ({ choice: 'yes', form: { who: ['ada'] } }) };
  expect((await simulate(names, { alert: alertOf(), answer: 'yes' })).notes).toEqual(['oncall-1']);
  expect((await simulate(names, said)).notes).toEqual(['silence']);
  expect((await simulate(names, { ...said, named: ['ada'] })).notes).toEqual(['ada']);
  // As recorded: the people of the incident are on no roster of a simulation.
  const fork = await forkIncident(
    {
      chain: 'incident/lab/shop/Deployment/cart@1',
      alerts: [{ alert: alertOf(), at: 0 }],
      playbooks: ['names'],
      events: [],
      steps: [],
      answers: [{ text: 'Who?', choice: 'yes', at: 60_000, level: 0, form: { who: ['ada'] } }],
      verdict: 'unknown',
      missing: [],
    },
    { playbooks: [names] },
  );
  expect(fork.story.notes).toEqual(['ada']);
});

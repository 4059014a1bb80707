import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleAlert } from 'firebreak/alerts';
import { everyAnswer, simulate } from 'firebreak/testing';
import { closeExposedPort } from '../playbooks/close-exposed-port.ts';

const alert = { ...sampleAlert('falco', 'Terminal shell in container', { severity: 'high' }), rule: 'Run shell untrusted' };

test('people are asked, and whatever they answer, nothing is left open', async () => {
  const { answers, problems } = await everyAnswer(closeExposedPort, alert);
  assert.deepEqual(problems, []);
  assert.deepEqual(answers, [
    'close: closePort by oncall-1, openTicket; true_positive; closePort in force',
    'leave: openTicket',
    'silence: openTicket',
  ]);
});

test('the port is that of the parameters', async () => {
  const { steps } = await simulate(closeExposedPort, { alert, answer: 'close', params: { group: 'sg-7', port: 443 } });
  assert.deepEqual(
    steps.map(({ action }) => action),
    ['closePort', 'openTicket'],
  );
});

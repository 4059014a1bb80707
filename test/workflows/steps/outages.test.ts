import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Lab, startLab } from '../harness.ts';
import { alertOf } from '../people.ts';

let letGo = () => {};
const ticketSystemIsDown = new Promise<void>((resolve) => {
  letGo = resolve;
});

let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ script: { openTicket: () => ticketSystemIsDown } });
});
afterAll(() => lab.stop());

test('while the ticket system is down people are asked, and what they decide is done', async () => {
  const incident = await lab.start([alertOf()]);
  await incident.vote('remove', 'ana');
  const state = await incident.until((now) => now.reached === 'eradicated' && now.leases[0]?.state === 'gone', 'the deletion');
  expect(state.open).toBe(true);
  letGo();
  const end = await incident.result();
  expect(end.bodies).toMatchObject([{ state: 'done' }]);
  expect(end.steps.find((step) => step.action === 'openTicket')?.state).toBe('unverified');
});

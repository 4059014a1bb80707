import { expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import { assessedAs } from '../../fixtures/assessed.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf, batchOf } from '../people.ts';
import { useLab } from '../use-lab.ts';

const { lab, script } = useLab();

const shellRule = { rule: 'Terminal shell in container', severity: 'medium' } as const;
const shell = (response: Parameters<typeof assessedAs>[0], over: Partial<Alert> = {}): Alert =>
  alertOf({ ...shellRule, assessment: assessedAs(response), ...over });

const recordsOf = ({ id }: RunningIncident) => lab.seen.records.filter(({ chain }) => chain.startsWith(id));
const of = ({ id }: RunningIncident, action: string) =>
  lab.seen.applied.filter((call) => call.action === action && call.incident.id === id);
const asksOf = async (incident: RunningIncident) =>
  (await incident.state()).questions.filter(({ question }) => !question.id.startsWith('lease:'));
const withheld = (incident: RunningIncident) =>
  incident.until(({ timeline }) => timeline.some(({ kind }) => kind === 'question.withheld'), 'that nobody is asked');

test('nobody is asked about an alert that is only filed: its ticket and the record say so', async () => {
  const incident = await lab.start([shell('file')]);
  const end = await incident.result();
  expect(end.questions).toEqual([]);
  expect(end.bodies).toMatchObject([{ playbook: 'firebreak/ask-about-shell', state: 'done' }]);
  expect(recordsOf(incident).find(({ kind }) => kind === 'question.withheld')?.body).toMatchObject({
    text: expect.stringMatching(
      /^nobody is asked, since “Terminal shell in container” is only filed for later \(assessed by the test\): Is the shell in cart-1 /,
    ),
  });
  expect(of(incident, 'openTicket')).toMatchObject([
    { input: { body: expect.stringContaining('Nobody was asked: nothing was done to the pod.') } },
  ]);
});

test('about an alert that is only recorded there is no question and no ticket', async () => {
  const incident = await lab.start([shell('watch')]);
  const end = await incident.result();
  expect(end.questions).toEqual([]);
  expect(end.bodies).toMatchObject([{ state: 'done' }]);
  expect(of(incident, 'openTicket')).toEqual([]);
  expect(recordsOf(incident).find(({ kind }) => kind === 'step.planned')?.body).toMatchObject({
    action: 'openTicket',
    text: expect.stringContaining('not done, since the alert is only recorded'),
  });
});

test('an alert that is reason to ask asks, though the same rule was only filed before', async () => {
  const incident = await lab.start([shell('file')], { lingerMs: 60_000 });
  await withheld(incident);
  await incident.until(({ bodies }) => bodies.every(({ state }) => state === 'done'), 'the end of the first run');
  await incident.alerts(batchOf([shell('ask', { id: 'second-act' })]));
  expect((await incident.question()).question.text).toMatch(/^Is the shell in cart-1 /);
  await incident.alerts(batchOf([shell('file', { id: 'once-more' })]));
  await incident.until(({ total }) => total === 3, 'the third alert');
  expect(await asksOf(incident)).toHaveLength(1);
  await incident.vote('expected', 'ana');
  expect((await incident.result()).verdict).toBe('benign');
});

test('people are asked at once, even while the run before still waits for the ticket system', async () => {
  let isBack = false;
  script.openTicket = () => {
    if (!isBack) throw new Error('the ticket system is down');
  };
  const incident = await lab.start([shell('file')]);
  await incident.until(({ steps }) => steps.some(({ action }) => action === 'openTicket'), 'the ticket');
  await incident.alerts(batchOf([shell('ask', { id: 'second-act' })]));
  await incident.question();
  isBack = true;
  await incident.vote('expected', 'ana');
  const { bodies } = await incident.result();
  expect(bodies.map(({ state }) => state)).toEqual(['done', 'done']);
});

test('a pod about which nobody was asked is contained by a later alert of the same rule, and people are asked about that', async () => {
  const incident = await lab.start([shell('file')], { lingerMs: 60_000 });
  await withheld(incident);
  await incident.alerts(batchOf([shell('contain', { id: 'second-act' })]));
  const { question } = await incident.question();
  expect(question.choices.map(({ id }) => id)).toEqual(['release', 'watch', 'remove']);
  expect(of(incident, 'quarantinePod')).toHaveLength(1);
});

test('what is only filed has no part in a containment, and so none in its release', async () => {
  const binary = alertOf();
  const incident = await lab.start([binary, shell('file')]);
  const { question } = await incident.question();
  await incident.until(({ bodies }) => bodies.some(({ state }) => state === 'done'), 'the end of the shell');
  expect(await asksOf(incident)).toHaveLength(1);
  expect(question.requester).toBe('playbook/firebreak/contain-dropped-binary');
  await incident.vote('release', 'ana');
  await incident.vote('release', 'ben');
  const end = await incident.result();
  expect(end.leases.map(({ state }) => state)).toEqual(['released']);
});

test('the assessment decides whether a question wakes somebody, not the playbook', async () => {
  const about = async (alert: Alert) => {
    const incident = await lab.start([alert], { playbooks: ['firebreak/ask-about-shell', 'firebreak/contain-cryptominer'] });
    const { question } = await incident.question();
    return question.levels.map(({ page = false }) => page);
  };
  const calm = { ...assessedAs('ask'), pages: false };
  const miner = alertOf({ rule: 'Detect crypto miners using the Stratum protocol', assessment: calm });
  expect(await about(miner)).toEqual([false, false]);
  expect(await about(shell('ask'))).toEqual([true, true]);
});

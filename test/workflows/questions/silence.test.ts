import { describe, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import { containedOnSilence } from '../../../core/assessment/silence-seal.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { assessedAs } from '../../fixtures/assessed.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';

const { lab, script } = useLab();

const silent = { ...assessedAs('ask'), onSilence: 'contain', seal: 'sealed by the test' } as const;
const shell = (assessment: Alert['assessment'] = silent): Alert =>
  alertOf({ rule: 'Terminal shell in container', severity: 'high', ...(assessment && { assessment }) });

const quarantines = ({ id }: RunningIncident) =>
  lab.seen.applied.filter((call) => call.action === 'quarantinePod' && call.incident.id === id);
const recordsOf = ({ id }: RunningIncident, kind: string) =>
  lab.seen.records.filter((record) => record.chain.startsWith(id) && record.kind === kind);
const afterwards = ({ questions }: Pick<IncidentState, 'questions'>) =>
  questions.find(({ question: { text } }) => text.includes('Nobody answered this before'));
const ticketsOf = ({ id }: RunningIncident) =>
  lab.seen.applied.filter((call) => call.action === 'openTicket' && call.incident.id === id);

describe('silence that contains', () => {
  test('contains the pod when the whole time is over, and people are asked what becomes of it', async () => {
    const incident = await lab.start([shell()]);
    const { question } = await incident.question();
    expect(question).toMatchObject({ onSilence: containedOnSilence, containsOnSilence: 'uid-1' });
    await lab.env.sleep('3h');
    const { questions } = await incident.until(
      (state) => afterwards(state) !== undefined,
      'the question about the contained pod',
    );
    expect(questions[0]?.status).toMatchObject({ state: 'expired' });
    const [call, ...more] = quarantines(incident);
    expect(more).toEqual([]);
    expect(call).toMatchObject({ unanswered: { question, seal: 'sealed by the test', heard: 'heard by the scripted cell' } });
    expect(call?.approval).toBeUndefined();
    const [expired] = recordsOf(incident, 'question.expired');
    expect(expired?.body).toMatchObject({ text: 'nobody answered: the pod is contained' });
    expect(Date.parse(expired?.at ?? '')).toBeGreaterThanOrEqual(Date.parse(question.until ?? ''));
    const [ticket] = ticketsOf(incident);
    expect(ticket?.input).toMatchObject({ body: expect.stringContaining('The pod is quarantined.') });
    const next = afterwards({ questions });
    const at = new Date(await lab.env.currentTimeMs()).toISOString();
    await incident.vote('release', 'ana', { question: next?.question.id ?? '', questionDigest: next?.digest ?? '', at });
    const end = await incident.result();
    expect(end.leases).toMatchObject([{ state: 'released' }]);
  });

  test('does nothing once people have answered', async () => {
    const incident = await lab.start([shell()]);
    await incident.question();
    await incident.vote('expected', 'ana');
    expect((await incident.result()).verdict).toBe('benign');
    expect(quarantines(incident)).toEqual([]);
  });

  test('does nothing if the cell refuses, which is on record, and the body goes on as after any silence', async () => {
    script.quarantinePod = () => refuse('FB_ERR_REFUSED', 'people have decided about it since');
    const incident = await lab.start([shell()]);
    await incident.question();
    const end = await incident.result();
    expect(end.leases).toEqual([]);
    expect(recordsOf(incident, 'step.failed')).toHaveLength(1);
    expect(ticketsOf(incident)[0]?.input).toMatchObject({
      body: expect.stringContaining('Nobody answered: nothing was done to the pod.'),
    });
  });
});

test.each<[string, Alert['assessment']]>([
  ['the policy says nothing about silence', assessedAs('ask')],
  ['no cell has confirmed it', { ...assessedAs('ask'), onSilence: 'contain' }],
])('nothing is done in silence if %s', async (_, assessment) => {
  const incident = await lab.start([shell(assessment)]);
  const { question } = await incident.question();
  expect(question.onSilence).toBe('Nothing is done to the pod. A ticket is filed.');
  await incident.result();
  expect(quarantines(incident)).toEqual([]);
});

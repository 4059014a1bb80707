import { expect, test } from '@jest/globals';
import { waiverOf } from '../../../core/action/waiver.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';
import { recordsIn } from '../voting.ts';

const { lab, script } = useLab();

/** What people are asked when an approved step waits. */
const isWaiver = (text: string) => text.startsWith('No evidence of cart-1 is kept yet');

async function waiting(): Promise<RunningIncident> {
  script.snapshotPodState = async () => refuse('FB_ERR_UNAVAILABLE', 'the store is away');
  const incident = await lab.start([alertOf()]);
  await incident.vote('remove', 'ana');
  await incident.until((now) => now.questions.some(({ status }) => status.state === 'decided'), 'the decision');
  return incident;
}

async function askedToWaive(incident: RunningIncident) {
  await lab.env.sleep('61s');
  const { questions } = await incident.until(
    (now) => now.questions.some(({ question }) => isWaiver(question.text)),
    'the question',
  );
  const asked = questions.find(({ question }) => isWaiver(question.text));
  if (!asked) throw new Error('nobody is asked');
  return asked;
}

const destroyed = (incident: RunningIncident) =>
  lab.seen.applied.filter((call) => call.incident.id === incident.id && ['rotateSecret', 'deletePod'].includes(call.action));

test('what people approved waits for evidence, and all of its steps run without it once enough of them waive it', async () => {
  const incident = await waiting();
  const { question, digest } = await askedToWaive(incident);
  expect(question.choices).toMatchObject([
    { id: 'waive', plans: [waiverOf({ name: 'pod/shop/cart-1', uid: 'uid-1' })], quorum: 2 },
    { id: 'wait', plans: [], quorum: 1 },
  ]);
  const vote = async (person: string) =>
    incident.vote('waive', person, {
      question: question.id,
      questionDigest: digest,
      at: new Date(await lab.env.currentTimeMs()).toISOString(),
    });
  await vote('ana');
  await incident.until(
    ({ questions }) => questions.some(({ votes, question: { id } }) => id === question.id && votes.length === 1),
    'a vote',
  );
  expect(destroyed(incident)).toEqual([]);
  await vote('ben');
  await incident.until(() => destroyed(incident).length === 2, 'the steps');
  for (const call of destroyed(incident)) expect(call.waiver).toMatchObject({ choice: 'waive' });
  const { timeline } = await incident.until((now) => now.timeline.some(({ kind }) => kind === 'evidence.waived'), 'the record');
  expect(timeline.find(({ kind }) => kind === 'evidence.waived')).toMatchObject({ actor: 'person/ana,person/ben' });
});

test('nobody is asked while the wait is short, and the question ends with the deadline, without a yes', async () => {
  const incident = await waiting();
  expect((await incident.state()).questions.some(({ question }) => isWaiver(question.text))).toBe(false);
  await askedToWaive(incident);
  await lab.env.sleep('31m');
  const { questions } = await incident.until(() => destroyed(incident).length === 2, 'the steps');
  expect(questions.find(({ question }) => isWaiver(question.text))?.status).toMatchObject({ state: 'void' });
  for (const call of destroyed(incident)) expect(call.waiver).toBeUndefined();
  await incident.until(() => recordsIn(lab, incident, 'evidence.deadline').length > 0, 'the record');
  const late = recordsIn(lab, incident, 'evidence.deadline');
  const target = { name: 'pod/shop/cart-1', uid: 'uid-1' };
  for (const record of late)
    expect(record).toMatchObject({
      actor: 'engine',
      body: { target, text: expect.stringContaining('the deadline for evidence') },
    });
});

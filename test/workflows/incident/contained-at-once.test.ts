import { expect, test } from '@jest/globals';
import { assessedAs } from '../../fixtures/assessed.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf, batchOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';

const { lab, script } = useLab();

const unshare = alertOf({ rule: 'Change namespace privileges via unshare', severity: 'low' });
const releaseAgent = alertOf({ rule: 'Detect release_agent File Container Escapes', title: 'release_agent was written' });
const miner = alertOf({ rule: 'Detect crypto miners using the Stratum protocol', title: 'it mines' });

const quarantines = (incident: RunningIncident) =>
  lab.seen.applied.filter(({ action, incident: { id } }) => action === 'quarantinePod' && id === incident.id);
const asked = async (incident: RunningIncident) =>
  (await incident.state()).questions.filter(({ question }) => !question.id.startsWith('lease:'));

/** An incident whose first alert is asked about. */
async function askedAbout(): Promise<RunningIncident> {
  const incident = await lab.start([unshare], {
    playbooks: ['firebreak/contain-container-escape', 'firebreak/contain-cryptominer'],
  });
  await incident.question();
  expect(quarantines(incident)).toEqual([]);
  return incident;
}

/** What is asked once the pod is contained. */
async function nextQuestion(incident: RunningIncident) {
  await incident.until(
    ({ questions }) => questions.some(({ question }) => question.choices.some(({ id }) => id === 'remove')),
    'the question after the containment',
  );
  return (await asked(incident)).filter(({ status }) => status.state === 'open');
}

test('a critical alert contains a pod about which a question is open, and that question becomes the one after a containment', async () => {
  const incident = await askedAbout();
  await incident.alerts(batchOf([releaseAgent]));
  const open = await nextQuestion(incident);
  expect(quarantines(incident).map(({ severity }) => severity)).toEqual(['critical']);
  const [before] = await asked(incident);
  expect(before?.status).toMatchObject({
    state: 'void',
    why: 'the pod was contained at once because of “Detect release_agent File Container Escapes” (critical): what was answered before does not count',
  });
  expect(open.map(({ question }) => question.choices.map(({ id }) => id))).toEqual([['release', 'watch', 'remove']]);
  expect(open[0]?.question.text).toMatch(/contained at once because of “Detect release_agent .*”: release_agent was written$/);
  // Its silence matters, as that of any critical one.
  expect(open[0]?.question.levels[0]).toMatchObject({ group: 'oncall', page: true });
});

test('a vote for the question before the containment no longer counts, even if it was sent earlier and is still being checked', async () => {
  const incident = await askedAbout();
  const { promise: isChecked, resolve: goOn } = Promise.withResolvers<void>();
  script.verifyVote = () => isChecked;
  await incident.vote('expected', 'ana');
  await incident.alerts(batchOf([releaseAgent]));
  await nextQuestion(incident);
  goOn();
  const [before] = await asked(incident);
  await incident.vote('expected', 'ben', { question: before?.question.id ?? '', questionDigest: before?.digest ?? '' });
  const { timeline } = await incident.state();
  expect(timeline.filter(({ kind }) => kind === 'vote.refused')).toHaveLength(2);
  const { verdict, leases } = await incident.state();
  expect(verdict).toBe('unknown');
  expect(leases.map(({ state }) => state)).toEqual(['active']);
});

test('a critical alert of another playbook contains it too, once, and both are asked about in one question', async () => {
  const incident = await askedAbout();
  await incident.alerts(batchOf([miner]));
  await incident.until(({ timeline }) => timeline.some(({ kind }) => kind === 'question.joined'), 'the second finding');
  const open = await nextQuestion(incident);
  expect(open.map(({ question }) => question.text)).toEqual([expect.stringContaining('also covers a further finding')]);
  expect(quarantines(incident)).toHaveLength(1);
  expect((await asked(incident))[0]?.status.state).toBe('void');
});

test('a containment that is refused leaves the question open', async () => {
  script.quarantinePod = () => refuse('FB_ERR_PROTECTED', 'namespace shop is protected');
  const incident = await askedAbout();
  await incident.alerts(batchOf([releaseAgent]));
  await incident.until(({ steps }) => steps.some(({ state }) => state === 'failed'), 'the refusal');
  expect((await asked(incident)).map(({ status }) => status.state)).toEqual(['open']);
});

test('a critical alert in doubt is asked about, and does not keep a certain one from containing', async () => {
  script.quarantinePod = ({ doubt }) => (doubt === undefined ? undefined : refuse('FB_ERR_ASK_FIRST', doubt));
  const incident = await askedAbout();
  await incident.alerts(batchOf([{ ...releaseAgent, id: 'in-doubt', doubt: 'the sender sees only node a' }]));
  await incident.until(
    ({ questions }) => questions.some(({ question }) => question.requester === 'engine' && !question.id.startsWith('lease:')),
    'doubt',
  );
  await incident.alerts(batchOf([releaseAgent]));
  const open = await nextQuestion(incident);
  expect(open.map(({ question }) => question.choices.map(({ id }) => id))).toEqual([['release', 'watch', 'remove']]);
});

test('a lower alert never contains, and never lowers anything', async () => {
  const incident = await askedAbout();
  await incident.alerts(batchOf([alertOf({ rule: unshare.rule, severity: 'high', n: 1 })]));
  await incident.until(({ total }) => total === 2, 'the second alert');
  expect(quarantines(incident)).toEqual([]);
  await incident.alerts(batchOf([releaseAgent]));
  await nextQuestion(incident);
  await incident.alerts(batchOf([{ ...unshare, id: 'lower-again' }]));
  await incident.until(({ total }) => total === 4, 'the last alert');
  expect((await incident.state()).leases.map(({ state }) => state)).toEqual(['active']);
  expect(quarantines(incident)).toHaveLength(1);
});

test('one person releases it under observation, and a low alert that the cell assesses so contains it again', async () => {
  const incident = await askedAbout();
  await incident.alerts(batchOf([releaseAgent]));
  const [open] = await nextQuestion(incident);
  const quorums = open?.question.choices.map(({ id, quorum }) => [id, quorum]);
  expect(quorums).toEqual([
    ['release', 2],
    ['watch', 1],
    ['remove', 1],
  ]);
  await incident.vote('watch', 'ana', { question: open?.question.id ?? '', questionDigest: open?.digest ?? '' });
  await incident.until(({ leases }) => leases.some(({ state }) => state === 'released'), 'the release');
  expect((await incident.state()).verdict).toBe('unknown');
  await incident.alerts(batchOf([alertOf({ rule: unshare.rule, severity: 'low', assessment: assessedAs('contain') })]));
  await incident.until(() => quarantines(incident).length === 2, 'the second containment');
});

import { expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import { assessedAs } from '../../fixtures/assessed.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf, batchOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';
import { recordsIn } from '../voting.ts';

const { lab, script } = useLab();

const playbooks = ['firebreak/contain-container-escape', 'firebreak/contain-cryptominer', 'firebreak/ask-about-shell'];
const unshare = alertOf({ rule: 'Change namespace privileges via unshare', severity: 'low' });
const miner = alertOf({ rule: 'Detect crypto miners using the Stratum protocol', severity: 'high', title: 'it mines' });
const shell = alertOf({
  rule: 'Terminal shell in container',
  severity: 'info',
  title: 'a shell',
  assessment: { ...assessedAs('ask'), pages: false },
});
const releaseAgent = alertOf({ rule: 'Detect release_agent File Container Escapes', title: 'release_agent was written' });

const asked = async (incident: RunningIncident) =>
  (await incident.state()).questions.filter(({ question }) => !question.id.startsWith('lease:'));
const joins = (incident: RunningIncident) => recordsIn(lab, incident, 'question.joined');
const quarantines = (incident: RunningIncident) =>
  lab.seen.applied.filter(({ action, incident: { id } }) => action === 'quarantinePod' && id === incident.id);

async function begin(first: Alert = unshare): Promise<RunningIncident> {
  const incident = await lab.start([first], { playbooks });
  await incident.question();
  return incident;
}

async function find(incident: RunningIncident, ...alerts: readonly Alert[]): Promise<void> {
  const before = joins(incident).length;
  await incident.alerts(batchOf(alerts));
  await incident.until(() => joins(incident).length === before + alerts.length, 'the further findings');
}

test('what other playbooks would ask about the same pod joins the open question, worst first', async () => {
  const incident = await begin();
  await find(incident, shell);
  await find(incident, miner);
  const questions = await asked(incident);
  expect(questions).toHaveLength(1);
  expect(questions[0]?.question.text).toMatch(
    /it mines\. The answer also covers 2 further findings, worst first: “Change namespace privileges via unshare” \(low\), “Terminal shell in container” \(info\)\.$/,
  );
  expect(questions[0]?.question.choices.map(({ id, label }) => [id, label])).toEqual([
    ['expected', 'Yes, all of it is expected'],
    ['look', 'Leave it as it is, and look into it'],
    ['quarantine', 'No: quarantine pod'],
  ]);
  const cards = () => lab.seen.cards.filter((card) => card.incident.id === incident.id);
  await incident.until(() => cards().at(-1)?.questionDigest === questions[0]?.digest, 'the card');
  expect(new Set(cards().map(({ questionId }) => questionId)).size).toBe(1);
  expect(cards().at(-1)?.happened.rule).toBe(miner.rule);
  expect(recordsIn(lab, incident, 'question.asked')).toHaveLength(1);
});

test('one answer contains the pod for all of them, by the step of the playbook whose plan was shown', async () => {
  const incident = await begin();
  await find(incident, miner, shell);
  await incident.vote('quarantine', 'ana');
  const { bodies, leases, verdict } = await incident.until(
    ({ bodies: all }) => all.length === 3 && all.every(({ state }) => state === 'done'),
    'the bodies',
  );
  expect(bodies.map((body) => body.verdict)).toEqual(['suspicious', 'suspicious', 'suspicious']);
  expect(verdict).toBe('suspicious');
  expect(quarantines(incident)).toHaveLength(1);
  expect(quarantines(incident)[0]).toMatchObject({
    playbook: 'firebreak/contain-container-escape',
    approval: { question: { requester: 'playbook/firebreak/contain-container-escape' } },
  });
  expect(leases).toHaveLength(1);
  expect(leases[0]?.holders.toSorted()).toEqual(playbooks.toSorted().map((playbook) => `${playbook}/pod:uid-1`));
});

test('one no or one silence settles all of them as well', async () => {
  const calm = await begin();
  await find(calm, miner, shell);
  await calm.vote('expected', 'ana');
  expect((await calm.result()).bodies.map(({ verdict, decided }) => [verdict, decided?.by])).toEqual(
    playbooks.map(() => ['benign', ['ana']]),
  );
  const silent = await begin();
  await find(silent, miner, shell);
  const end = await silent.result();
  expect(end.bodies.every(({ state, verdict }) => state === 'done' && verdict === undefined)).toBe(true);
  expect(recordsIn(lab, silent, 'question.expired')).toHaveLength(1);
});

test('an answer covers what the person saw, and nothing that was found since', async () => {
  const incident = await lab.start([alertOf({ rule: unshare.rule })], { playbooks });
  await incident.until(({ leases }) => leases.length === 1, 'the containment');
  const first = await incident.question();
  // Two people are needed on critical.
  await incident.vote('release', 'ana');
  await incident.until(({ questions }) => questions.some(({ votes }) => votes.length === 1), 'the first vote');
  await find(incident, miner);
  const [joint] = await asked(incident);
  expect(joint).toMatchObject({ votes: [], status: { state: 'open' }, question: { id: first.question.id } });
  expect(joint?.digest).not.toBe(first.digest);
  expect(lab.seen.threads.some((text) => text.includes('was found after Ana answered'))).toBe(true);
  // Ben has the older card before him.
  await incident.vote('release', 'ben', { questionDigest: first.digest });
  await incident.until(() => recordsIn(lab, incident, 'vote.refused').length === 1, 'the refusal');
  expect(recordsIn(lab, incident, 'vote.refused')[0]?.body).toMatchObject({ text: expect.stringContaining('out of date') });
  await incident.vote('release', 'ana');
  await incident.vote('release', 'ben');
  const { leases } = await incident.until(({ leases: [lease] }) => lease?.state === 'released', 'the release');
  expect(leases).toHaveLength(1);
  // Both bodies were answered: nobody is told that another one still holds it.
  expect(recordsIn(lab, incident, 'lease.release-refused')).toEqual([]);
});

test('a removal that one answer approves happens once', async () => {
  const incident = await lab.start([alertOf({ rule: unshare.rule })], { playbooks });
  await incident.question();
  await find(incident, miner);
  await incident.vote('remove', 'ana');
  const { bodies } = await incident.result();
  expect(bodies.map(({ state, verdict }) => [state, verdict])).toEqual([
    ['done', 'true_positive'],
    ['done', 'true_positive'],
  ]);
  const destroyed = lab.seen.applied.filter(
    ({ incident: { id }, action }) => id === incident.id && /deletePod|rotateSecret/.test(action),
  );
  expect(destroyed.map(({ action, playbook }) => [action, playbook])).toEqual([
    ['rotateSecret', 'firebreak/contain-container-escape'],
    ['deletePod', 'firebreak/contain-container-escape'],
  ]);
});

test('a pod that is contained meanwhile ends the question for all, and what is asked then is one question again', async () => {
  const incident = await begin();
  await find(incident, miner, shell);
  await incident.alerts(batchOf([releaseAgent]));
  await incident.until(
    ({ questions }) =>
      questions.some(({ question }) => question.choices.some(({ id }) => id === 'remove') && question.text.includes('2 further')),
    'the joint question after the containment',
  );
  const open = (await asked(incident)).filter(({ status }) => status.state === 'open');
  expect(open.map(({ question }) => question.choices.map(({ id }) => id))).toEqual([['release', 'watch', 'remove']]);
  expect((await asked(incident))[0]?.status.state).toBe('void');
});

test('a finding that wakes people makes the question wake them, and nothing is passed on later than it would be alone', async () => {
  const incident = await begin(shell);
  const [before] = await asked(incident);
  expect(before?.question.levels).toEqual([
    { group: 'oncall', withinMs: 1_800_000 },
    { group: 'leads', withinMs: 7_200_000 },
  ]);
  await lab.env.sleep('20m');
  await find(incident, alertOf({ rule: miner.rule, severity: 'high', assessment: assessedAs('ask') }));
  const [after] = await asked(incident);
  expect(after?.question.levels.map(({ group, page }) => [group, page])).toEqual([
    ['oncall', true],
    ['leads', true],
  ]);
  expect(after?.levelUntil).toBe(before?.levelUntil);
  expect(Date.parse(after?.question.until ?? '')).toBeGreaterThanOrEqual(Date.parse(before?.question.until ?? ''));
  await lab.env.sleep('11m');
  const passed = await incident.until(({ questions }) => questions[0]?.level === 1, 'the next level');
  expect(passed.questions[0]?.status.state).toBe('open');
  const end = await incident.result();
  expect(end.questions[0]?.status).toMatchObject({ state: 'expired' });
});

test('what is about another pod, offers something else or asks other people stays a question of its own', async () => {
  const incident = await begin();
  await incident.alerts(batchOf([alertOf({ rule: miner.rule, severity: 'high', n: 2 })]));
  await incident.until(({ questions }) => questions.length === 2, 'the question about the other pod');
  script['plan:quarantinePod'] = () => refuse('FB_ERR_PROTECTED', 'namespace shop is protected');
  await incident.alerts(batchOf([shell]));
  await incident.until(({ questions }) => questions.length === 3, 'the question that offers no containment');
  expect(joins(incident)).toEqual([]);
  expect((await asked(incident)).map(({ status }) => status.state)).toEqual(['open', 'open', 'open']);
});

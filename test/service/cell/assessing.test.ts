import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { defaultGuardrails } from '../../../core/action/guardrail.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import { HeldBack } from '../../../core/assessment/held-back.ts';
import type { PodFacts } from '../../../core/assessment/stories.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import type { Question } from '../../../core/decide/approval.ts';
import { answering } from '../../../core/playbook/answering.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { podRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { imageIn, rollingOutIn } from '../../../service/cell/alert-stamps.ts';
import { CellAssessor } from '../../../service/cell/assessing.ts';
import { HarmlessAnswers } from '../../../service/cell/harmless-answers.ts';
import { openKnowledge } from '../../../service/cell/pools/durable-memory.ts';

const minute = 60_000;
const now = Date.parse('2026-11-27T10:00:00Z');
const log = { info: () => {}, warn: () => {}, error: () => {} };
const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});
const freshDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'firebreak-assessing-'));
  directories.push(directory);
  return directory;
};

const escapes = { rule: 'Detect release_agent File Container Escapes', severity: 'critical' } as const;
const dropped = { rule: 'Drop and execute new binary in container', severity: 'critical' } as const;
const shell = { rule: 'Terminal shell in container', severity: 'low' } as const;
const reverse = { rule: 'Redirect STDOUT/STDIN to Network Connection in Container', severity: 'low' } as const;
const apk = { rule: 'Launch Package Management Process in Container', severity: 'high' } as const;

const web = { kind: 'Deployment', namespace: 'shop', name: 'web' };

function alertOf({ rule, severity }: Pick<Alert, 'rule' | 'severity'>, over: Partial<Alert> = {}): Alert {
  return {
    ...{ id: rule, sensor: 'falco', rule, severity, title: rule, time: new Date(now).toISOString(), cluster: 'lab' },
    ...{ pod: { namespace: 'shop', name: 'web-1', uid: 'web-1' }, workload: web, container: { name: 'web', image: 'web:1' } },
    ...{ process: { name: 'sh', pid: 7, commandLine: rule }, observables: [], tags: [], mitre: [] },
    ...over,
  };
}

/** A pod of the Deployment `web`, in one of its revisions. */
function podOf(name: string, replicaSet: string): PodRecord {
  return podRecord({
    metadata: {
      ...{ name, uid: name, namespace: 'shop' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: replicaSet, uid: replicaSet, controller: true }],
    },
    spec: { containers: [{ name: 'web', image: 'registry.example/web:1' }] },
  });
}

function viewOf(pods: readonly PodRecord[], began: Readonly<Record<string, number>>) {
  return {
    podByUid: (uid: string) => pods.find((one) => one.uid === uid),
    pods: () => pods,
    ownersOf: () => [{ kind: 'Deployment', name: 'web', uid: 'web', controller: true }],
    rolloutOf: (_: string, replicaSet: string) => {
      const at = began[replicaSet];
      return at === undefined ? undefined : { revision: replicaSet, at: new Date(at).toISOString() };
    },
  };
}

const pods = [podOf('web-1', 'new'), podOf('web-2', 'old')];
const rollingOut = viewOf(pods, { old: now - 600 * minute, new: now - 2 * minute });
const settled = viewOf(pods.slice(0, 1), { new: now - 2 * minute });

const nothingHeldBack = () =>
  new HeldBack({
    ...{ rules: defaultGuardrails, windowMs: 60 * minute, podsOf: () => 2, held: () => [] },
    playbooksOf: (alert) => answering(playbooks, alert),
    levels: [],
  });

function assessorIn(
  directory: string,
  { view = settled, answers = 0, observed }: { view?: typeof settled; answers?: number; observed?: PodFacts['observed'] } = {},
) {
  const assessor = new CellAssessor({
    stateDir: directory,
    own: [],
    policyOf: () => ({ mode: 'contain', profile: 'balanced', onSilence: 'nothing', scope: 'all' }),
    podsOf: () => 2,
    isContained: () => false,
    observedRelease: () => observed,
    isRollingOut: rollingOutIn(view),
    answeredHarmless: () => answers,
    heldBack: nothingHeldBack(),
    cellKey: new Uint8Array(32).fill(3),
    box: createBox({ keys: [{ id: 'test', key: new Uint8Array(32).fill(7) }] }),
    log,
  });
  return (alerts: readonly Alert[]) =>
    alerts.map((alert, place) => assessor.assessed(alert, now + place * 5_000).assessment).at(-1);
}

describe('the cell knows of a rollout', () => {
  test('only in a pod of its newest revision, for ten minutes, while pods of another one are left', () => {
    const isRollingOut = (view: typeof settled, name: string, at = now): boolean =>
      rollingOutIn(view)(alertOf(shell, { pod: { namespace: 'shop', name, uid: name } }), at);
    expect(isRollingOut(rollingOut, 'web-1')).toBe(true);
    expect(isRollingOut(rollingOut, 'web-2')).toBe(false);
    expect(isRollingOut(rollingOut, 'web-1', now + 9 * minute)).toBe(false);
    expect(isRollingOut(settled, 'web-1')).toBe(false);
    expect(isRollingOut(rollingOut, 'unknown')).toBe(false);
  });

  test('which whoever may edit the workload can begin: it defers one critical alert, and neither a sure rule nor a second act', () => {
    const during = (...acts: readonly Pick<Alert, 'rule' | 'severity'>[]) =>
      assessorIn(freshDirectory(), { view: rollingOut })(acts.map((act) => alertOf(act)))?.response;
    expect(during(dropped)).toBe('ask');
    expect(assessorIn(freshDirectory())([alertOf(dropped)])?.response).toBe('contain');
    expect(during(escapes)).toBe('contain');
    expect(during(shell, reverse)).toBe('contain');
  });
});

test('any alert contains a pod that one person has released under observation', () => {
  const low = alertOf({ rule: 'A rule that nobody knows', severity: 'info' });
  const observed = { by: ['ada'], at: '2026-03-01T03:00:00Z' };
  expect(assessorIn(freshDirectory())([low])?.response).not.toBe('contain');
  const assessed = assessorIn(freshDirectory(), { observed })([low]);
  expect(assessed).toMatchObject({ response: 'contain', seal: expect.any(String) });
  expect(assessed?.reasons).toContain('ada released it under observation at 2026-03-01T03:00:00Z: any alert cuts it off again');
});

describe('the cell knows of access to the node', () => {
  const recordOf = (spec: object) =>
    podRecord({ metadata: { name: 'p', uid: 'p', namespace: 'shop' }, spec: { containers: [], ...spec } });

  test.each([
    ['a path of the node', { volumes: [{ name: 'root', hostPath: { path: '/' } }] }],
    ['the processes of the node', { hostPID: true }],
    ['the network of the node', { hostNetwork: true }],
    ['the IPC of the node', { hostIPC: true }],
  ])('%s', (_, spec) => expect(recordOf(spec)).toMatchObject({ hostAccess: true }));

  test('and of none in other pods', () => {
    expect(recordOf({ volumes: [{ name: 'tmp', emptyDir: {} }] }).hostAccess).toBeUndefined();
  });

  test('which makes a likely alert reason enough, and never lowers anything', () => {
    const response = (hostAccess: boolean) => assessorIn(freshDirectory())([alertOf(apk, { facts: { hostAccess } })])?.response;
    expect([response(false), response(true)]).toEqual(['ask', 'contain']);
  });
});

const question = (id: string, over: Partial<Question> = {}): Question => ({
  id,
  incident: { id: 'incident/lab/shop/Deployment/web', run: id },
  severity: 'high',
  text: 'Is it yours?',
  choices: [
    { id: 'expected', label: 'Yes', plans: [], quorum: 1, harmless: true },
    { id: 'attack', label: 'No', plans: [], quorum: 1 },
  ],
  levels: [],
  requester: 'playbook/ask',
  onSilence: 'Nothing is done.',
  ...over,
});

describe('what people have answered', () => {
  function answersAbout(alerts: readonly Alert[], keeper?: ConstructorParameters<typeof HarmlessAnswers>[0]['keeper']) {
    const attacked: Alert[] = [];
    const answers = new HarmlessAnswers({
      keeper,
      alertsOf: () => alerts,
      imageOf: imageIn(settled),
      onAttack: (those) => attacked.push(...those),
    });
    return { answers, attacked };
  }

  test('counts once for each question, for the same rule, program, image and owner only', () => {
    const { answers } = answersAbout([alertOf(apk)]);
    for (const id of ['1', '2', '2', '3']) answers.decided(question(id), { choice: 'expected' });
    expect(answers.of(alertOf(apk))).toBe(3);
    expect(answers.of(alertOf(shell))).toBe(0);
    expect(answers.of(alertOf(apk, { process: { name: 'xmrig' } }))).toBe(0);
    expect(answers.of(alertOf(apk, { workload: { ...web, name: 'cart' } }))).toBe(0);
    // By the cluster: the image that a sensor names changes nothing.
    expect(answers.of(alertOf(apk, { container: { name: 'web', image: 'other' } }))).toBe(3);
    expect(answers.of(alertOf(apk, { pod: { namespace: 'shop', name: 'web-9', uid: 'unknown' } }))).toBe(0);
    expect(answers.of(alertOf(apk, { doubt: 'another node' }))).toBe(0);
  });

  test('teaches nothing of an act that was added to the incident, and nothing if the incident is not known completely', () => {
    const { answers } = answersAbout([alertOf(shell), alertOf(escapes)]);
    answers.decided(question('1'), { choice: 'expected' });
    expect([answers.of(alertOf(shell)), answers.of(alertOf(escapes))]).toEqual([0, 0]);
  });

  test('begins anew with another answer, and forgets what was learned from that pod', () => {
    const { answers, attacked } = answersAbout([alertOf(apk)]);
    for (const id of ['1', '2', '3']) answers.decided(question(id), { choice: 'expected' });
    answers.decided(question('4'), { choice: 'attack' });
    expect(answers.of(alertOf(apk))).toBe(0);
    expect(attacked).toHaveLength(1);
    answers.decided(question('5', { choices: [{ id: 'go', label: 'Release', plans: [], quorum: 1 }] }), { choice: 'go' });
    expect(attacked).toHaveLength(1);
  });

  test('is still known after a restart', async () => {
    const directory = freshDirectory();
    const before = openKnowledge(directory, log);
    answersAbout([alertOf(apk)], before.harmlessAnswers).answers.decided(question('1'), { choice: 'expected' });
    await before.close();
    const after = openKnowledge(directory, log);
    expect(answersAbout([], after.harmlessAnswers).answers.of(alertOf(apk))).toBe(1);
    await after.close();
  });

  test('leaves the decision about a sure rule and a second act to people, and changes nothing about other acts', () => {
    const judged = (acts: readonly Pick<Alert, 'rule' | 'severity'>[], answers: number) =>
      assessorIn(freshDirectory(), { answers })(acts.map((act) => alertOf(act)));
    expect(judged([escapes], 3)).toMatchObject({ response: 'ask', pages: true });
    expect(judged([shell, reverse], 3)).toMatchObject({ response: 'ask', pages: true });
    expect(judged([escapes], 2)?.response).toBe('contain');
  });
});

test('what was learned from a pod that people have called attacked is forgotten', () => {
  const assessor = (unlearns: boolean) => {
    const parts = { directory: freshDirectory() };
    const cell = new CellAssessor({
      stateDir: parts.directory,
      own: [],
      policyOf: () => ({ mode: 'contain', profile: 'balanced', onSilence: 'nothing', scope: 'all' }),
      podsOf: () => undefined,
      isContained: () => false,
      observedRelease: () => undefined,
      isRollingOut: () => false,
      answeredHarmless: () => 0,
      heldBack: nothingHeldBack(),
      cellKey: new Uint8Array(32).fill(3),
      box: createBox({ keys: [{ id: 'test', key: new Uint8Array(32).fill(7) }] }),
      log,
    });
    const bad = alertOf(dropped, { pod: { namespace: 'shop', name: 'web-2', uid: 'web-2' } });
    cell.assessed(bad, now);
    if (unlearns) cell.unlearn([bad]);
    return cell.assessed(alertOf(dropped), now + 20 * minute).assessment?.response;
  };
  expect([assessor(false), assessor(true)]).toEqual(['file', 'contain']);
});

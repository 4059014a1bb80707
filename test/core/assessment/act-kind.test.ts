import { describe, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import { actKindOf, techniqueOf } from '../../../core/assessment/act-kind.ts';
import { assess } from '../../../core/assessment/assessment.ts';
import { ownConfidences, ruleConfidence } from '../../../core/assessment/rule-confidence.ts';
import { actKinds } from '../../../core/assessment/rules/act-kinds.ts';
import { ruleTables } from '../../../core/assessment/rules/tables.ts';
import { PodStories } from '../../../core/assessment/stories.ts';
import { answering } from '../../../core/playbook/answering.ts';
import { matchAlert } from '../../../core/playbook/match-alert.ts';
import { problemsOfMatch } from '../../../core/playbook/match-problems.ts';
import { ruleSets } from '../../../core/rules/known-rules.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { alertOfRule } from '../../../service/coverage/payloads.ts';

const alertOf = (over: Partial<Alert>): Alert => ({
  id: '0'.repeat(32),
  sensor: 'new-sensor',
  rule: 'a rule that no table has',
  severity: 'high',
  time: '2026-11-27T09:00:00Z',
  title: 'something',
  cluster: 'lab',
  pod: { namespace: 'shop', name: 'web-1', uid: 'uid-1' },
  observables: [],
  tags: [],
  mitre: [],
  ...over,
});
const answersTo = (alert: Alert) => answering(playbooks, alert).map(({ id }) => id.replace(/^firebreak\//, ''));
const isRest = (id: string) => id === 'ask-about-unanswered' || id === 'ticket-unanswered';

describe('what was done', () => {
  test.each([
    [{ sensor: 'kubescape', rule: 'XMR Crypto Mining Detection' }, 'miner'],
    [{ sensor: 'falco', rule: 'PTRACE attached to process' }, 'injection'],
    [{ sensor: 'tetragon', rule: 'our-own', tags: ['hook:__x64_sys_ptrace'] }, 'injection'],
    [{ sensor: 'tetragon', rule: 'process_exec', process: { name: 'xmrig' } }, 'miner'],
    [{ sensor: 'kubearmor', rule: 'our-own-netcat' }, 'reverse-shell'],
    [{ sensor: 'inspektor-gadget', rule: 'trace_exec', process: { name: 'nsenter' } }, 'escape'],
    [{ mitre: ['TA0004', 'T1611'] }, 'escape'],
    [{ mitre: ['T1548.001'] }, 'privilege'],
    [{ sensor: 'falco', mitre: ['T1496'], process: { name: 'x' } }, 'miner'],
    [{ mitre: ['T1059'] }, undefined],
    [{}, undefined],
    [{ mitre: ['T1611'], apiRequest: { account: 'mallory', verb: 'create' } }, undefined],
    [{ sensor: 'firebreak', mitre: ['T1496'] }, undefined],
  ] as const)('of %j is %s', (over, kind) => expect(actKindOf(alertOf(over))).toBe(kind));

  test('by a table comes before what an alert says of itself', () =>
    expect(actKindOf(alertOf({ sensor: 'kubescape', rule: 'Exec from mount', mitre: ['T1496'] }))).toBe('new-binary'));

  test.each([
    { rule: 'XMR Crypto Mining Detection' },
    { sensor: 'tetragon', rule: 'syscalls' },
    { sensor: 'x', rule: 'y', tags: [] },
  ])('is not known for the part %j of an alert, so that a match may still hold', (part) =>
    expect(matchAlert({ act: 'miner' }, part)).toBeUndefined(),
  );

  test('has to be one of the kinds that there are', () =>
    expect(problemsOfMatch({ act: 'mining' })).toEqual([expect.stringContaining('miner')]));

  test.each(['miner', 'escape', 'kernel', 'injection', 'credentials'])('%s has an example for a simulation', (kind) => {
    const technique = techniqueOf(kind);
    expect(actKindOf(alertOf({ mitre: technique === undefined ? [] : [technique] }))).toBe(kind);
  });
});

describe('a sensor that nobody has written a playbook for', () => {
  test.each([
    ['T1496', 'contain-cryptominer'],
    ['T1611', 'contain-container-escape'],
    ['T1055', 'contain-process-injection'],
    ['T1014', 'ask-about-kernel-change'],
    ['T1485', 'stop-destruction'],
    ['T1190', 'contain-exploited-application'],
  ])('finds an answer by %s', (technique, playbook) => {
    expect(answersTo(alertOf({ mitre: [technique] }))).toEqual([playbook]);
    expect(answersTo(alertOf({ mitre: [] })).every(isRest)).toBe(true);
  });

  test('finds the answer without people for a new binary that is critical', () =>
    expect(answersTo(alertOf({ severity: 'critical', mitre: ['T1620'] }))).toEqual(['contain-dropped-binary']));
});

describe('each rule of Kubescape and of Tracee', () => {
  const rules = ruleSets.filter(({ id }) => id === 'kubescape' || id === 'tracee').flatMap((set) => set.rules);

  test.each(rules.map((rule) => [rule.name, rule] as const))('%s is in a table', (name, { sensor }) =>
    expect(ruleTables[sensor]).toHaveProperty([name]),
  );

  test.each(rules.filter(({ sensor, name }) => ruleTables[sensor]?.[name]?.act).map((rule) => [rule.name, rule] as const))(
    '%s is about an attack, and one shipped playbook answers it',
    (_, rule) => {
      const alert = alertOfRule(rule, 'pod');
      const answers = alert ? answersTo(alert) : [];
      // Reading the token, or where it is loaded, is no attack in itself: it is recorded.
      expect(answers).toHaveLength(1);
      expect(answers.filter(isRest)).toEqual([]);
    },
  );

  test.each(
    rules.filter(({ sensor, name }) => sensor === 'kubescape' && !ruleTables[sensor]?.[name]?.act).map(({ name }) => name),
  )('%s has no act: it only says that a learned profile lacks something', (name) =>
    expect(ruleTables.kubescape?.[name]?.confidence).toBe('weak'),
  );
});

test('each kind of act can be matched', () => {
  for (const act of actKinds) expect(problemsOfMatch({ act })).toEqual([]);
});

describe('how sure a rule is', () => {
  const alert = alertOf({ sensor: 'kubescape', rule: 'Exec from mount' });
  const own = ownConfidences({
    kubescape: { severities: {}, rules: { 'Exec from mount': { confidence: 'sure', why: 'we mount no programs' } } },
  });

  test('is what the configuration says, before the table', () => {
    expect(ruleConfidence(alert).confidence).toBe('weak');
    expect(ruleConfidence(alert, own)).toMatchObject({ confidence: 'sure', why: 'we mount no programs' });
  });

  test('is said of the rule of that sensor only', () =>
    expect(ruleConfidence({ ...alert, sensor: 'falco' }, own).confidence).toBe('likely'));

  test('decides whether a pod is cut off', () => {
    const policy = { mode: 'contain', profile: 'balanced', onSilence: 'nothing', scope: 'all' } as const;
    expect(assess(new PodStories().hear(alert, { nowMs: 0 }), policy).response).not.toBe('contain');
    expect(assess(new PodStories({ own }).hear(alert, { nowMs: 0 }), policy).response).toBe('contain');
  });
});

import { describe, expect, test } from '@jest/globals';
import { defaultGuardrails } from '../../../core/action/guardrail.ts';
import { defaultResponse, type ResponseRules } from '../../../core/assessment/policy.ts';
import { ruleSets } from '../../../core/rules/known-rules.ts';
import { auditRules } from '../../../integrations/sensors/kubernetes-audit/rules.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { explainRule, type RuleQuestion, type RuleSettings } from '../../../service/coverage/explain-rule.ts';

const now = Date.parse('2026-12-01T03:00:00Z');
const graveRule = 'Detect release_agent File Container Escapes';
const shell = 'Terminal shell in container';

function explained(question: Partial<RuleQuestion> = {}, over: Partial<RuleSettings> = {}) {
  return explainRule(
    { namespace: 'shop', rule: graveRule, ...question },
    { cluster: 'lab', playbooks, guardrails: defaultGuardrails, capWindowMinutes: 60, response: defaultResponse, ...over },
    now,
  );
}
const response = (over: Partial<ResponseRules>): ResponseRules => ({ ...defaultResponse, ...over });

describe('explain', () => {
  test('says that a grave rule cuts the pod off, which playbook answers, and why', () => {
    const [first] = explained().cases;
    expect(first).toMatchObject({ done: 'contained', severity: 'critical', assessment: { response: 'contain' } });
    expect(first?.playbooks.map(({ id }) => id)).toContain('firebreak/contain-container-escape');
    expect(first?.assessment.reasons.join('\n')).toContain('new, compared with shop/any workload');
  });

  test('says what a second act changes, and what the same on another pod of the workload', () => {
    const { cases } = explained({ rule: shell });
    expect(cases.map(({ assessment: { response } }) => response)).toEqual(['file', 'watch', 'contain']);
    expect(cases[2]?.assessment.reasons.join('\n')).toMatch(/second act within 5 minutes: another act, then Terminal shell/);
  });

  test('judges a second rule that is named', () => {
    const { cases } = explained({ rule: shell, secondRule: 'Drop and execute new binary in container' });
    expect(cases.map(({ rule, done }) => [rule, done])).toEqual([
      [shell, 'filed'],
      ['Drop and execute new binary in container', 'contained'],
    ]);
  });

  test('believes what the configuration says of a rule', () => {
    const own = [{ sensor: 'falco', rule: graveRule, confidence: 'weak' as const, why: 'our backup does it' }];
    const [first] = explained({}, { own }).cases;
    expect(first).toMatchObject({ done: 'filed' });
    expect(first?.assessment.reasons.join('\n')).toContain('the rule is weak: our backup does it');
  });

  test('takes mode and profile of the scope that holds', () => {
    const scopes = [{ name: 'shops', namespaces: ['shop*'], mode: 'contain' as const }];
    const rules = response({ mode: 'observe', scopes });
    expect(explained({}, { response: rules })).toMatchObject({
      policy: { mode: 'contain', scope: 'scope shops' },
      cases: [{ done: 'contained' }, {}, {}],
    });
    expect(explained({ namespace: 'bank' }, { response: rules })).toMatchObject({
      policy: { mode: 'observe' },
      cases: [{ done: 'filed', assessment: { would: 'contain' } }, {}, {}],
    });
  });

  test('counts labels of the namespace only if they are given, and says that they are asked for', () => {
    const rules = response({ scopes: [{ namespaceLabels: { stage: 'test' }, mode: 'observe' }] });
    expect(explained({}, { response: rules }).policy.mode).toBe('contain');
    expect(explained({}, { response: rules }).limits.join('\n')).toContain('--namespace-label');
    expect(explained({}, { response: rules, namespaceLabels: { stage: 'test' } }).policy.mode).toBe('observe');
  });

  test('says that guardrails refuse a protected namespace, whatever the assessment says', () => {
    expect(explained({ namespace: 'kube-system' }).cases[0]).toMatchObject({
      done: 'refused',
      assessment: { response: 'contain' },
      effect: expect.stringContaining('kube-system is protected'),
    });
  });

  test('names the playbook that contains for the rest, for a rule that only files a ticket and for one that nobody knows', () => {
    const [, , second] = explained({ rule: 'Read sensitive file untrusted' }).cases;
    const [own] = explained({ rule: 'Our rule', sensor: 'falco', severity: 'critical' }).cases;
    for (const one of [second, own]) {
      expect(one).toMatchObject({ done: 'contained' });
      expect(one?.playbooks).toContainEqual(expect.objectContaining({ id: 'firebreak/contain-unanswered', mayContain: true }));
    }
  });

  test('says that nobody cuts the pod off if no playbook that answers may', () => {
    const [first] = explained({}, { playbooks: playbooks.filter(({ contains }) => contains === undefined) }).cases;
    expect(first).toMatchObject({ done: 'not contained', assessment: { response: 'contain' } });
  });

  test('names the nearest rules for one that nobody has', () => {
    expect(() => explained({ rule: 'Terminal shell' })).toThrow(/did you mean “Terminal shell in container”/);
    expect(() => explained({ rule: shell, secondRule: 'Drop and execute' })).toThrow(/Drop and execute new binary in container/);
  });

  test('takes a rule of your own if its severity is known', () => {
    expect(explained({ rule: 'Our rule', sensor: 'falco', severity: 'critical' }).cases[0]).toMatchObject({
      severity: 'critical',
    });
    const severities = { falco: { severities: { 'Our rule': 'high' as const } } };
    expect(explained({ rule: 'Our rule' }, { severities }).cases[0]).toMatchObject({ severity: 'high' });
  });

  test('explains each rule that it knows, with a severity', () => {
    const names = [...ruleSets.flatMap(({ rules }) => rules.map(({ name, sensor }) => ({ rule: name, sensor })))];
    const audit = auditRules.map(({ name }) => ({ rule: name, sensor: 'kubernetes-audit' }));
    const wrong = [...names, ...audit].filter((one) => explained(one).cases[0]?.severity === 'unknown');
    expect(wrong).toEqual([]);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { type KnownRule, ruleSets } from '../../../core/rules/known-rules.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { coverageInTurns, coverageOf, navigatorLayer, percentCovered } from '../../../service/coverage/coverage.ts';
import { alertOfRule } from '../../../service/coverage/payloads.ts';
import { ruleSetInFolder } from '../../../service/coverage/rule-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-rules-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const all = ruleSets.flatMap(({ rules }) => rules);
const places = all.flatMap((rule) => rule.places.map((place) => [`${rule.set}: ${rule.name}`, place, rule] as const));

describe('the rule sets', () => {
  test('have a name, a source and a version', () => {
    expect(ruleSets.map(({ id, rules }) => [id, rules.length > 20])).toEqual(
      ['falco', 'falco-plugins', 'tetragon', 'tracee', 'kubescape', 'kubearmor'].map((id) => [id, true]),
    );
    for (const { from, version } of ruleSets)
      expect([from, version]).toEqual([expect.stringMatching(/\w\/\w/), expect.stringMatching(/20\d\d-|^v\d/)]);
  });

  test('each give an alert under the rule’s own name, with the place where it happened', () => {
    const wrong = places.flatMap(([what, place, rule]) => {
      const alert = alertOfRule(rule, place);
      const where = alert?.pod ? 'pod' : alert?.node ? 'node' : 'cluster';
      return alert?.rule === rule.name && alert.sensor === rule.sensor && where === place
        ? []
        : [`${what}: ${alert?.rule} (${where})`];
    });
    expect(wrong).toEqual([]);
  });

  test('each give an alert with a severity, and the techniques of its tags', () => {
    expect(places.filter(([, place, rule]) => alertOfRule(rule, place)?.severity === 'unknown').map(([what]) => what)).toEqual(
      [],
    );
    const releaseAgent = all.find(({ name }) => name === 'cgroup_release_agent');
    expect(releaseAgent && alertOfRule(releaseAgent, 'pod')).toMatchObject({ severity: 'high', mitre: ['T1611', 'TA0004'] });
  });
});

describe('coverage', () => {
  const falco = (over: Partial<KnownRule>): KnownRule => ({
    set: 'own',
    part: 'x',
    sensor: 'falco',
    name: 'A rule that nobody knows',
    severity: 'WARNING',
    tags: [],
    isOff: false,
    places: ['pod'],
    ...over,
  });
  const coveredOf = (rule: KnownRule) =>
    coverageOf(playbooks, [{ id: 'own', title: 'own', from: 'x', version: 'x', rules: [rule] }])[0]?.rules[0];

  test('of a rule that a playbook names is yes, with its id', () => {
    expect(coveredOf(falco({ name: 'Drop and execute new binary in container', severity: 'CRITICAL' }))).toMatchObject({
      covered: 'yes',
      answers: [{ place: 'pod', playbooks: expect.arrayContaining(['firebreak/contain-dropped-binary']) }],
    });
  });

  test('of a rule below the minimum severity of a playbook does not include that playbook', () => {
    const found = coveredOf(falco({ name: 'Drop and execute new binary in container', severity: 'DEBUG' }));
    expect(found?.answers[0]?.playbooks).not.toContain('firebreak/contain-dropped-binary');
  });

  test('of a rule that only a catch-all playbook answers does not count', () =>
    expect(coveredOf(falco({ severity: 'CRITICAL' }))).toMatchObject({ covered: 'rest', answers: [{ playbooks: [] }] }));

  test('of the public rule sets is as high as documented', () => {
    const shares = new Map<string, number>();
    for (const { set, rules } of coverageOf(playbooks, ruleSets)) {
      shares.set(set.id, percentCovered(rules));
      for (const [part, of = []] of Object.entries(Object.groupBy(rules, ({ rule }) => rule.part)))
        shares.set(`${set.id}/${part}`, percentCovered(of));
    }
    expect([shares.get('falco/stable'), shares.get('falco/incubating')]).toEqual([100, 100]);
    for (const [name, least] of [
      ['falco/sandbox', 90],
      ['tracee', 90],
      ['tetragon', 80],
      ['kubearmor', 80],
    ] as const)
      expect({ name, isEnough: (shares.get(name) ?? 0) >= least }).toEqual({ name, isEnough: true });
  });

  test('gives the same result in turns, which let others run and report progress', async () => {
    const others: number[] = [];
    const timer = setInterval(() => others.push(told.length), 0);
    const told: number[] = [];
    const found = await coverageInTurns(playbooks, ruleSets, (share) => told.push(share));
    clearInterval(timer);
    expect(found).toEqual(coverageOf(playbooks, ruleSets));
    expect(told.toSorted((a, b) => a - b)).toEqual(told);
    expect(told.at(-1)).toBeGreaterThan(0.95);
    expect(new Set(others).size).toBeGreaterThan(5);
  });

  test('as a layer has the ATT&CK version, and each technique once with its share', () => {
    const layer = navigatorLayer(coverageOf(playbooks, ruleSets));
    expect(layer).toMatchObject({ domain: 'enterprise-attack', versions: { attack: '19', layer: '4.5' } });
    const { techniques } = layer as { techniques: readonly { techniqueID: string; score: number; comment: string }[] };
    expect(techniques.filter(({ comment }) => !/^(1 rule|(?!1 )\d+ rules); /.test(comment))).toEqual([]);
    expect(new Set(techniques.map(({ techniqueID }) => techniqueID)).size).toBe(techniques.length);
    expect(techniques).toContainEqual(expect.objectContaining({ techniqueID: 'T1611', score: expect.any(Number) }));
  });
});

describe('custom rule files', () => {
  test('are read: Falco rules, TracingPolicies and KubeArmor policies', () => {
    writeFileSync(
      join(folder, 'own.yaml'),
      `- macro: is_shell
  condition: proc.name = sh
- rule: Shell in the shop
  desc: somebody
  condition: is_shell
  output: a shell
  priority: WARNING
  tags: [container, mitre_execution, T1059]
- rule: Terminal shell in container
  enabled: false
`,
    );
    writeFileSync(
      join(folder, 'policies.yml'),
      `apiVersion: cilium.io/v1alpha1
kind: TracingPolicyNamespaced
metadata: { name: block-c2 }
spec: { kprobes: [{ call: tcp_connect, tags: [severity.high] }] }
---
apiVersion: security.kubearmor.com/v1
kind: KubeArmorHostPolicy
metadata: { name: hsp-no-cron }
spec: { severity: 7, tags: [T1053.003], action: Block }
`,
    );
    expect(ruleSetInFolder(folder).rules).toMatchObject([
      { sensor: 'falco', name: 'Shell in the shop', severity: 'WARNING', places: ['pod'], isOff: false },
      { sensor: 'tetragon', name: 'block-c2', tags: ['severity.high'], places: ['pod'] },
      { sensor: 'kubearmor', name: 'hsp-no-cron', severity: '7', places: ['node'] },
    ]);
  });

  test('that are missing or not YAML are named', () => {
    expect(() => ruleSetInFolder(join(folder, 'none'))).toThrow(/there is no folder/);
    const broken = mkdtempSync(join(folder, 'broken-'));
    writeFileSync(join(broken, 'broken.yaml'), '- rule: [');
    expect(() => ruleSetInFolder(broken)).toThrow(/broken\.yaml: not YAML/);
  });
});

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { checkPacks, type PacksToCheck } from '../../../service/check/check-packs.ts';
import type { CheckFinding } from '../../../service/check/finding.ts';
import { type Config, loadConfig } from '../../../service/config/load.ts';
import { ruleSetInFolder } from '../../../service/coverage/rule-files.ts';
import { readPack } from '../../../service/packs/pack-files.ts';
import { firebreakHere } from '../../command-line.ts';
import { acmeFiles, writePackFolder } from '../../pack-folder.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-check-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Asks before it changes anything, and uses an action that is off, and one that nothing shipped uses alone. */
const miner = `import { cutConnections, openTicket, quarantinePod } from 'firebreak/actions';
import { definePlaybook, param } from 'firebreak/playbook';

export const miner = definePlaybook(
  {
    id: 'miner',
    title: 'Cut off a pod that mines',
    on: { match: { rule: ['Detect crypto miners', 'Detect a miner of ours'] }, minSeverity: 'high', requires: ['pod'] },
    params: { lease: param.duration('96h') },
    uses: { cutConnections, openTicket, quarantinePod },
    levels: [{ group: 'oncall', within: '15m' }],
  },
  async ({ alert, steps, settle, params }) => {
    await settle({ cut: steps.quarantinePod({ pod: alert.pod, lease: params.lease }) });
    await steps.openTicket({ title: alert.title, body: 'It mines.', labels: [] });
  },
);
`;
const pack = writePackFolder(join(folder, 'acme'), { ...acmeFiles, 'playbooks/miner.ts': miner, 'saying.ts': undefined });

/** This configuration has no Slack: people answer with their keys. */
const newKey = (): string => generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();

function configured(more: object = {}): Config {
  const path = join(folder, 'firebreak.yaml');
  const sections = {
    cluster: 'lab',
    intake: { tokens: [{ name: 'falco', token: { env: 'FALCO_TOKEN' } }] },
    roster: {
      people: [
        { id: 'ada', name: 'Ada', keys: [newKey()] },
        { id: 'bob', name: 'Bob', keys: [newKey()] },
      ],
      groups: { oncall: ['ada', 'bob'], leads: ['ada', 'bob'] },
    },
    ...more,
  };
  writeFileSync(path, JSON.stringify(sections));
  return loadConfig({ path, env: {} });
}

async function found(options: Omit<PacksToCheck, 'sources'>): Promise<(check: CheckFinding['check']) => readonly string[]> {
  const { findings } = await checkPacks({ sources: [{ folder: pack }], ...options });
  return (check) =>
    findings
      .filter((one) => one.check === check)
      .map(({ severity, file, line, problem, remedy }) => `${severity} ${file}:${line} ${problem}. ${remedy}`);
}

test('an alert of the pack that cannot be read gets a warning', async () => {
  const where = writePackFolder(mkdtempSync(join(folder, 'alerts-')), { ...acmeFiles, 'alerts/miner.json': '{ "rule": ' });
  const { findings } = await checkPacks({ sources: [{ folder: where }] });
  expect(findings).toContainEqual({
    severity: 'warning',
    check: 'answers',
    file: 'alerts/miner.json',
    problem: 'no playbook is tried on it: the JSON ends before its brackets are closed',
    remedy: 'Store it there as its sensor sends it, or remove it.',
  });
});

describe('a pack without a configuration', () => {
  test('gets findings on whom it asks, and on actions that are off by default', async () => {
    const of = await found({});
    expect(of('groups')).toEqual([expect.stringMatching(/^notice playbooks\/miner\.ts:11 it asks oncall\. /)]);
    expect(of('rights')).toEqual([
      expect.stringMatching(/^warning playbooks\/miner\.ts:10 cutConnections is off until actions\.optIn .* names it/),
    ]);
    expect(of('types')).toEqual([]);
    expect(of('code')).toEqual([]);
  });
});

test('a pack is tried on its own alerts, however many there are', async () => {
  const alert = (name: string) => ({
    rule: 'Detect crypto miners',
    priority: 'Critical',
    source: 'syscall',
    time: '2026-06-01T10:00:00.000000001Z',
    output: 'Mines',
    tags: ['container'],
    output_fields: {
      'container.id': '46b9ca37a04f',
      'k8s.ns.name': 'bank',
      'k8s.pod.name': name,
      'proc.cmdline': 'x'.repeat(1_000),
    },
  });
  const own = writePackFolder(join(folder, 'with-alerts'), {
    ...acmeFiles,
    'alerts/many.json': JSON.stringify(Array.from({ length: 300 }, (_, index) => alert(`ledger-${index}`))),
  });
  const { findings } = await checkPacks({ sources: [{ folder: own }] });
  expect(findings.map(({ problem }) => problem)).toContainEqual(
    expect.stringMatching(/^quarantinePod on pod\/bank\/ledger-0 stays in force, and nobody is asked about it/),
  );
});

describe('a pack with a configuration', () => {
  test('gets findings on an action that is off, and on rights that nothing else needs', async () => {
    const of = await found({ config: configured({ playbooks: { enabled: [] } }) });
    expect(of('configuration')).toEqual(
      expect.arrayContaining([expect.stringMatching(/acme\/miner uses cutConnections, which is off.*actions\.optIn/)]),
    );
    expect(of('rights')).toEqual([
      expect.stringMatching(
        /^notice playbooks\/miner\.ts:10 cutConnections needs rights that nothing else needs: .*create pods in its own namespace \(forensics\)/,
      ),
    ]);
    expect(of('groups')).toEqual([]);
  });

  test('that already lists it and enables everything shipped gets no finding on extra rights', async () => {
    const { integrity } = readPack({ folder: pack });
    const config = configured({
      packs: [{ folder: pack, integrity }],
      actions: { optIn: ['cutConnections'] },
      forensics: { toolsImage: `registry.example.com/tools@sha256:${'1'.repeat(64)}` },
    });
    const of = await found({ config });
    expect(of('configuration')).toEqual([]);
    expect(of('rights')).toEqual([]);
  });
});

test('rule names are looked up in the given rule files, and rules without a playbook are listed', async () => {
  const rules = join(folder, 'rules');
  writePackFolder(rules, {
    'ours.yaml': `- { rule: Detect crypto miner, condition: x, priority: CRITICAL, tags: [container] }
- { rule: Detect a miner of ours, condition: x, priority: CRITICAL, tags: [container] }
- { rule: A rule of ours for hosts and containers, condition: x, priority: WARNING, tags: [] }
`,
  });
  const of = await found({ rules: ruleSetInFolder(rules) });
  expect(of('rules')).toEqual([
    'warning playbooks/miner.ts:8 the rule files have no “Detect crypto miners”: it never matches. Did you mean “Detect crypto miner”?',
  ]);
  expect(of('coverage')).toEqual([
    expect.stringMatching(/^notice ours\.yaml:undefined no playbook is for “Detect crypto miner” \(critical\): only firebreak\//),
    'notice ours.yaml:undefined no playbook is for “A rule of ours for hosts and containers” (medium) in a pod: only firebreak/ticket-unanswered, which take what is left. Write a playbook for it, or leave it as it is.',
  ]);
});

test('the command prints each finding with its place and exits with 1 on an error; coverage also takes a pack', async () => {
  const cli = (...args: readonly string[]) => firebreakHere(['playbooks', ...args], { folder });
  const checked = await cli('check', '--pack', pack);
  expect(checked.stdout).toMatch(/^warning {2}playbooks\/miner\.ts:10: acme\/miner: cutConnections is off/m);
  expect(checked.stdout).toMatch(/^acme 1\.0\.0: 1 error, 3 warnings, 3 notices$/m);
  // With the arguments of the call, so that the command can be copied.
  expect(checked.stdout).toContain('firebreak simulate --pack acme --playbook acme/miner --every.');
  expect(checked.status).toBe(1);
  const covered = await cli('coverage', '--pack', pack, '--rules', join(folder, 'rules'), '--all');
  expect(covered.stdout).toMatch(/^Detect a miner of ours .*yes .*acme\/miner$/m);
});

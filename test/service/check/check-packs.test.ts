import { execFileSync } from 'node:child_process';
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
  test('gets findings on groups that not every roster has, and on actions that are off by default', async () => {
    const of = await found({});
    expect(of('groups')).toEqual([]);
    const own = writePackFolder(join(folder, 'own-group'), {
      ...acmeFiles,
      'playbooks/miner.ts': miner.replace("group: 'oncall'", "group: 'shop'"),
      'saying.ts': undefined,
    });
    const { findings } = await checkPacks({ sources: [{ folder: own }] });
    expect(findings).toContainEqual(
      expect.objectContaining({
        severity: 'notice',
        check: 'groups',
        file: 'playbooks/miner.ts',
        line: 11,
        problem: 'it asks shop',
      }),
    );
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
  expect(checked.stdout).toMatch(/^acme 1\.0\.0: 1 error, 3 warnings, 1 notice$/m);
  // With the arguments of the call, so that the command can be copied.
  expect(checked.stdout).toContain('firebreak simulate --pack acme --playbook acme/miner --every.');
  expect(checked.status).toBe(1);
  const covered = await cli('coverage', '--pack', pack, '--rules', join(folder, 'rules'), '--all');
  expect(covered.stdout).toMatch(/^Detect a miner of ours .*yes .*acme\/miner$/m);
});

describe('a pack that calls a shipped playbook', () => {
  const calls = `import { definePack, definePlaybook } from 'firebreak/playbook';
const first = definePlaybook(
  { id: 'first', title: 'First', on: { match: { rule: 'One' }, minSeverity: 'low', requires: ['pod'] }, uses: {} },
  async ({ runPlaybook, note }) => {
    note((await runPlaybook({ id: 'firebreak/ask-about-shell', on: { requires: ['pod'] } })).state);
  },
);
export default definePack({ name: 'calls', version: '1.0.0', playbooks: [first] });
`;
  const where = writePackFolder(join(folder, 'calls'), { 'firebreak.pack.ts': calls });
  const refused = /playbook firebreak\/ask-about-shell is not enabled/;

  test.each([
    ['without a configuration', undefined],
    ['where all are enabled', {}],
    ['where this one is', { playbooks: { enabled: ['firebreak/ask-about-shell'] } }],
  ])('is not told that it is not enabled %s', async (_, more) => {
    const { findings } = await checkPacks({ sources: [{ folder: where }], ...(more && { config: configured(more) }) });
    expect(findings.filter(({ problem }) => refused.test(problem))).toEqual([]);
  });

  test('is told so where others are', async () => {
    const config = configured({ playbooks: { enabled: ['firebreak/contain-dropped-binary'] } });
    const { findings } = await checkPacks({ sources: [{ folder: where }], config });
    expect(findings).toContainEqual(expect.objectContaining({ severity: 'error', problem: expect.stringMatching(refused) }));
  });
});

test('two versions of one pack are an error, in a folder and in a tarball', async () => {
  const where = writePackFolder(join(folder, 'versions'));
  writeFileSync(join(where, 'package.json'), '{ "name": "acme-playbooks", "version": "1.2.0", "type": "module" }');
  execFileSync('tar', ['-czf', join(folder, 'acme.tgz'), '-C', folder, 'versions']);
  for (const source of [{ folder: where }, { tarball: join(folder, 'acme.tgz') }]) {
    const { findings } = await checkPacks({ sources: [source], depth: 'quick' });
    expect(findings).toContainEqual({
      severity: 'error',
      check: 'envelope',
      file: 'firebreak.pack.ts',
      problem: 'the pack has the version 1.0.0, and its package.json has 1.2.0',
      remedy: 'Give both the same: npm pkg set version=1.0.0, or change the version in firebreak.pack.ts.',
    });
  }
});

describe('a lease', () => {
  const withLease = (lease: string) =>
    writePackFolder(mkdtempSync(join(folder, 'lease-')), {
      ...acmeFiles,
      'playbooks/miner.ts': (acmeFiles['playbooks/miner.ts'] ?? '').replace('lease: params.lease', `lease: ${lease}`),
    });
  const about = async (where: string, config?: Config) =>
    (await checkPacks({ sources: [{ folder: where }], ...(config && { config }) })).findings.flatMap(({ severity, problem }) =>
      problem.includes('lease of') ? [`${severity} ${problem}`] : [],
    );

  test('that is longer than any installation allows is an error, in a body', async () => {
    expect(await about(withLease("'200d'"))).toEqual([
      expect.stringMatching(/^error quarantinePod has a lease of 200 days; the longest is 30 days \(720h\)/),
    ]);
    expect(await about(withLease("'30d'"))).toEqual([]);
  });

  test('that is longer than any installation allows is an error, in the configuration', async () => {
    const where = withLease('params.lease');
    const config = configured({
      packs: [{ folder: where, integrity: readPack({ folder: where }).integrity }],
      playbooks: { params: { 'acme/miner': { lease: '200d' } } },
    });
    expect(await about(where, config)).toEqual([expect.stringMatching(/^error .* lease of 200 days; the longest/)]);
  });

  test('that the configuration shortens is a notice', async () => {
    const config = configured({ guardrails: { longestLeaseHours: 24 } });
    expect(await about(withLease("'48h'"), config)).toEqual([
      expect.stringMatching(
        /^notice quarantinePod has a lease of 48 hours, which guardrails.longestLeaseHours shortens to 24 hours/,
      ),
    ]);
  });
});

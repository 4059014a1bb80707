import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { checkConfig, loadConfig } from '../../../service/config/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-quarantine-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const minimal = `cluster: lab
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01ADA] }], groups: { oncall: [ada], leads: [ada] } }
`;
const path = join(folder, 'firebreak.yaml');
function written(quarantine: object): string {
  writeFileSync(path, `${minimal}actions: ${JSON.stringify({ quarantine })}\n`);
  return path;
}
const read = (quarantine: object) => loadConfig({ path: written(quarantine), env: {} }).actions.quarantine;

test('a quarantine has no exceptions by default', () => {
  expect(read({})).toEqual({});
});

test('{} means the usual DNS, and a single address means a block of one', () => {
  expect(read({ dns: {} })).toEqual({
    dns: { namespace: 'kube-system', podLabels: { 'k8s-app': 'kube-dns' }, addresses: [] },
  });
  expect(read({ dns: { addresses: ['169.254.20.10', 'fd00::a'] }, forensics: { namespace: 'forensics' } })).toMatchObject({
    dns: { addresses: ['169.254.20.10/32', 'fd00::a/128'] },
    forensics: { namespace: 'forensics' },
  });
});

test.each([
  [{ dns: { addresses: ['0.0.0.0/0'] } }, 'actions.quarantine.dns.addresses[0]: not a single IP address'],
  [{ dns: { podLabels: {} } }, 'actions.quarantine.dns.podLabels: at least one label'],
  [{ forensics: { namespace: 'firebreak' } }, 'actions.quarantine.forensics.namespace: this is Firebreak’s own'],
  [{ dns: { podLabels: { app: 'not a value' } } }, 'not a valid label value'],
  [{ dns: { podLabels: { 'not/a/name': 'dns' } } }, 'podLabels'],
  [{ forensics: {} }, 'actions.quarantine.forensics.namespace'],
])('an exception that is too wide is refused: %j', (quarantine, problem) => {
  const checked = checkConfig({ path: written(quarantine), env: {} });
  const problems = checked.ok ? [] : checked.problems.map((one) => `${one.path}: ${one.problem}`);
  expect(problems).toEqual([expect.stringContaining(problem)]);
});

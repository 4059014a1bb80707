import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import pino from 'pino';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesApi, KubernetesCall } from '../../../integrations/kubernetes/client.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { warnOfMissingRights } from '../../../service/run/missing-rights.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-missing-rights-'));
afterAll(() => rmSync(folder, { recursive: true }));

const path = join(folder, 'firebreak.yaml');
writeFileSync(
  path,
  `cluster: lab
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01ADA] }], groups: { oncall: [ada], leads: [ada] } }
kubernetes: { kubeconfig: k, ownNamespace: security }
actions: { optIn: [cutConnections] }
`,
);
const config = loadConfig({ path, env: {} });

/** What is said at the start of a pool whose API server answers so. */
async function saidOf(pool: 'cell' | 'forensics', answer: (right: Readonly<Record<string, string>>) => boolean) {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const json = async ({ body }: KubernetesCall) => ({
    status: { allowed: answer((body as { spec: { resourceAttributes: Record<string, string> } }).spec.resourceAttributes) },
  });
  await warnOfMissingRights({ api: { json } as unknown as KubernetesApi, pool, config, log });
  return lines.map(({ right, neededBy, reason }) => (reason === undefined ? [right, neededBy] : reason));
}

test('a start says which right is missing for which action, before an attacker is there', async () => {
  expect(await saidOf('cell', () => true)).toEqual([]);
  expect(await saidOf('cell', ({ verb, resource }) => !(verb === 'patch' && resource === 'pods'))).toEqual([
    ['patch pods', ['quarantinePod']],
  ]);
});

test('rights in Firebreak’s own namespace are asked for where it runs', async () => {
  expect(await saidOf('forensics', ({ namespace }) => namespace === undefined || namespace === 'security')).toEqual([]);
  expect(await saidOf('forensics', ({ namespace }) => namespace === undefined)).toEqual([
    ['create pods in its own namespace', ['cutConnections']],
    ['delete pods in its own namespace', ['cutConnections']],
  ]);
});

test('where nobody answers, that is said, and nothing else happens', async () => {
  const away = () => {
    throw new FirebreakError('FB_ERR_UNAVAILABLE', 'away');
  };
  expect(await saidOf('cell', away)).toEqual([expect.stringContaining('away')]);
});

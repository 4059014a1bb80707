import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { nodeIsolationOf } from '../../../service/cell/pools/cell-actions.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { resolveSecrets } from '../../../service/config/secrets.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-node-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const path = join(folder, 'firebreak.yaml');
const read = (actions: object) => {
  writeFileSync(
    path,
    `cluster: lab
temporal: { codecKeys: [{ id: one, key: { env: CODEC_KEY } }] }
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01ADA] }], groups: { oncall: [ada], leads: [ada] } }
actions: ${JSON.stringify(actions)}
`,
  );
  return loadConfig({ path, env: {} });
};
const env = { CODEC_KEY: Buffer.alloc(32).toString('base64'), FALCO_TOKEN: 'token-of-falco' };
const nodeIsolation = { webhook: { url: 'https://nodes.example.com/firebreak', secret: { file: 'node.secret' } } };

test('the secret of the provider’s hook is next to the configuration, and is read for the cell only', () => {
  const config = read({ nodeIsolation });
  writeFileSync(join(folder, 'node.secret'), 'node-secret\n');
  const secrets = resolveSecrets({ config, env, roles: ['cell'] });
  expect(secrets.nodeIsolation).toBe('node-secret');
  expect(nodeIsolationOf(config, secrets)).toMatchObject({
    cluster: 'lab',
    isolator: { title: 'the webhook at nodes.example.com' },
  });
  expect(resolveSecrets({ config, env, roles: ['secrets'] }).nodeIsolation).toBeUndefined();
});

test('without it there is no hook', () => {
  expect(nodeIsolationOf(read({}), {})).toBeUndefined();
});

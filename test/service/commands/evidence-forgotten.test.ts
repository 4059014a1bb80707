import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { createEvidenceWriter } from '../../../activities/evidence/evidence-writer.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { openEvidence } from '../../../service/process/evidence.ts';
import { ensureKeys } from '../../../service/process/keys/key-files.ts';
import { commandFile } from '../../command-line.ts';
import { stepContext } from '../../platform/kubernetes/parts/cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-forgotten-'));
afterAll(() => rmSync(folder, { recursive: true }));

function configFile(stateDir: string): string {
  const file = join(folder, `${stateDir}.yaml`);
  const content = {
    cluster: 'lab',
    stateDir,
    temporal: { address: '127.0.0.1:9' },
    intake: { tokens: [{ name: 'falco', token: { env: 'FALCO_TOKEN' } }] },
    roster: { people: [{ id: 'ada', name: 'Ada', slack: ['U01ADA'] }], groups: { oncall: ['ada'], leads: ['ada'] } },
  };
  writeFileSync(file, stringify(content));
  return file;
}

test('evidence of an incident that Temporal no longer knows is found in the store, run by run, and verified', async () => {
  const file = configFile('state');
  mkdirSync(join(folder, 'state'));
  const config = loadConfig({ path: file, env: {} });
  await ensureKeys({ config, roles: ['cell'] });
  const evidence = await openEvidence({
    config,
    secrets: { codecKeys: [], temporalAccess: () => ({}), intakeTokens: [], intakeSignatures: [] },
  });
  const keep = async (incident: string, run: string) => {
    const context = stepContext({ incident: `incident/lab/${incident}`, run });
    const keeping = createEvidenceWriter(evidence, { target: { name: 'pod/shop/cart' }, context });
    await keeping.keep('logs', { name: `${run}.log`, mediaType: 'text/plain', tool: 'test' }, run);
    return keeping.close('firebreak/cell', 'collected 1 log');
  };
  await keep('shop/Deployment/cart', 'run-1');
  const second = await keep('shop/Deployment/cart', 'run-2');
  await keep('shop/Deployment/web', 'run-3');

  const firebreak = async (...args: readonly string[]) =>
    (
      await promisify(execFile)(process.execPath, [commandFile(), 'evidence', ...args], {
        env: { ...process.env, FIREBREAK_CONFIG: file },
      })
    ).stdout;
  // Each waits for a Temporal that is not there.
  const [listed, verified, none] = await Promise.all([
    firebreak('list', 'shop/Deployment/cart'),
    firebreak('verify', 'shop/Deployment/cart', '--run', 'run-2', '--json'),
    firebreak('list', 'shop/Deployment/none').catch((error: Error) => error.message),
  ]);
  expect(listed).toContain('From the store alone');
  expect(listed).toMatch(/run-1\.log[\s\S]*run-2\.log/);
  expect(listed).not.toContain('run-3.log');
  expect(JSON.parse(verified)).toEqual([{ manifest: second.manifestSha256, problems: [] }]);
  expect(none).toContain('FB_ERR_UNAVAILABLE');

  // Anyone who checks evidence years later has the store and its keys, and nothing of Temporal.
  rmSync(join(folder, 'state', 'keys', 'codec.key'));
  const { manifestSha256 } = second;
  const [table, byIncident, byAddress, shortened, elsewhere] = await Promise.all([
    firebreak('list', manifestSha256),
    firebreak('verify', 'shop/Deployment/cart', '--run', 'run-2', '--json'),
    firebreak('verify', manifestSha256, '--json'),
    firebreak('verify', manifestSha256.slice(0, 12)).catch((error: Error) => error.message),
    firebreak('list', '--config', configFile('elsewhere')),
  ]);
  expect(table).toMatch(/CLASS[\s\S]* logs /);
  expect([JSON.parse(byIncident), JSON.parse(byAddress)]).toEqual([JSON.parse(verified), JSON.parse(verified)]);
  expect(shortened).toContain('nor the full SHA-256 of a manifest');
  expect(elsewhere).toContain(`Nothing is kept in the folder ${join(folder, 'elsewhere', 'evidence')}`);
});

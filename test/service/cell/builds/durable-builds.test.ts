import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { openSigner } from '../../../../integrations/keys/ed25519.ts';
import { DurableBuilds } from '../../../../service/cell/builds/durable-builds.ts';
import { loadConfig } from '../../../../service/config/load.ts';
import { createLog } from '../../../../service/process/log.ts';
import { storeBuild, storedBuild, type WorkflowBuild } from '../../../../service/temporal/bundle/bundle.ts';
import { eventually } from '../../../eventually.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-builds-test-'));
const stopping = new AbortController();
afterAll(() => {
  stopping.abort();
  rmSync(folder, { recursive: true, force: true });
});

/** A cell with a separate state directory; keys and store are next to it. */
function cellWith(state: string, key: string): { readonly builds: DurableBuilds; readonly stateDir: string } {
  const path = join(folder, `${state}.yaml`);
  writeFileSync(
    path,
    `cluster: lab
stateDir: ${state}
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01] }], groups: { oncall: [ada], leads: [ada] } }
releases: { folder: shared }
keys: { signing: { cell: ${key} } }
trust: { cells: [{ key: cell.pem.pub }] }
log: { level: fatal }
`,
  );
  const config = loadConfig({ path, env: {} });
  return { builds: new DurableBuilds({ config, secrets: {}, log: createLog(config) }), stateDir: config.stateDir };
}

function madeBuild(text: string, stateDir: string): WorkflowBuild {
  const id = createHash('sha256').update(text).digest('hex').slice(0, 16);
  writeFileSync(join(folder, 'bundle.js'), text);
  return storeBuild({ id, path: join(folder, 'bundle.js') }, stateDir);
}

test('a cell that has lost its disk restores a build from the store, but only one signed by a trusted cell', async () => {
  for (const name of ['cell.pem', 'thief.pem']) await openSigner({ file: join(folder, name), create: true });
  const before = cellWith('before', 'cell.pem');
  const thief = cellWith('thief', 'thief.pem');
  const own = madeBuild('// of the cell\n', before.stateDir);
  const forged = madeBuild('// of somebody who may write into the store\n', thief.stateDir);
  void before.builds.keep(own, stopping.signal);
  void thief.builds.keep(forged, stopping.signal);
  await eventually('both builds in the store', () =>
    [own, forged].every(({ id }) => existsSync(join(folder, 'shared/builds/lab', `${id}.json`))),
  );
  const after = cellWith('after', 'cell.pem');
  expect(storedBuild(own.id, after.stateDir)).toBeUndefined();
  const back = await after.builds.fetch(own.id);
  expect(back && readFileSync(back.path, 'utf8')).toBe('// of the cell\n');
  expect(storedBuild(own.id, after.stateDir)?.id).toBe(own.id);
  expect(await after.builds.fetch(forged.id)).toBeUndefined();
  expect(await after.builds.fetch('0'.repeat(16))).toBeUndefined();
});

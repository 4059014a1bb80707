import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createContext, Script } from 'node:vm';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readPack } from '../../../service/packs/pack-files.ts';
import type { WorkflowBuild } from '../../../service/temporal/bundle/bundle.ts';
import { workflowBuild } from '../../../service/temporal/bundle/pack-build.ts';
import { acmeFiles, writePackFolder } from '../../pack-folder.ts';
import { testPlatform } from '../../platform.ts';
import { bundlePath } from '../../workflows/bundle.ts';
import { alertOf } from '../../workflows/people.ts';
import { type RealLab, startLabOn } from '../../workflows/real-lab.ts';

const platform = await testPlatform();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-workflow-packs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Builds from a folder of its own, with a state directory of its own. */
async function build(name: string, files: Readonly<Record<string, string>> = acmeFiles): Promise<WorkflowBuild> {
  const source = { folder: writePackFolder(join(folder, name, 'pack'), files) };
  const { integrity } = readPack(source);
  const packs = [{ name: 'acme', source, integrity }];
  return workflowBuild({ packs, stateDir: join(folder, name, 'state'), engine: await bundlePath() });
}

let first: WorkflowBuild;
let lab: RealLab;
beforeAll(async () => {
  first = await build('one');
  const { temporalAddress: address, temporalNamespace: namespace, prefix } = platform;
  lab = await startLabOn({ address, namespace, taskQueue: `${prefix}-packs` }, { workflowsPath: first.path });
});
afterAll(() => lab?.stop());

test('the same pack gives the same build in another folder, and a different one with another line', async () => {
  expect(first.id).toMatch(/^[0-9a-f]{16}$/);
  expect((await build(join('deep', 'er', 'two'))).id).toBe(first.id);
  const changed = { ...acmeFiles, 'saying.ts': 'export const saying = (lease: string): string => lease;\n' };
  expect((await build('three', changed)).id).not.toBe(first.id);
});

test('workflows share the shipped playbooks and their patterns, and nothing of the engine or of a pack but what packs import', () => {
  const modules = new Map<string | symbol, unknown>();
  const cache = new Proxy({}, { get: (_, id) => modules.get(id), set: (_, id, value) => modules.set(id, value) !== undefined });
  const { AsyncLocalStorage, URL, TextEncoder, AbortController } = { ...globalThis, AsyncLocalStorage: class {} };
  const context = createContext({ __webpack_module_cache__: cache, AsyncLocalStorage, URL, TextEncoder, AbortController });
  // As the worker does: everything loaded before the first workflow is shared by all workflows.
  new Script(readFileSync(first.path, 'utf8')).runInContext(context);
  new Script('__TEMPORAL__.preloadModules()').runInContext(context);
  const shared = [...modules.keys()].map(String).filter((id) => !id.includes('node_modules'));
  const [playbooks, patterns] = ['playbooks/index', 'core/text/linear-pattern'].map((path) => `./engine/${path}.js`);
  expect(shared).toEqual(expect.arrayContaining([playbooks, patterns]));
  expect(shared.filter((id) => !/^\.\/engine\/(?:core|playbooks|authoring)\//.test(id))).toEqual([]);
});

test('a playbook of a pack answers its alerts, as configured', async () => {
  const incident = await lab.start([alertOf({ rule: 'Detect crypto miners', severity: 'critical' })], {
    playbooks: ['acme/miner', 'firebreak/contain-dropped-binary'],
    params: { 'acme/miner': { lease: '8h' } },
  });
  const { bodies, leases, timeline } = await incident.until(
    ({ bodies: all }) => all.some(({ state }) => state === 'done'),
    'the end of the body',
  );
  expect(bodies).toMatchObject([{ playbook: 'acme/miner', state: 'done' }]);
  expect(leases).toMatchObject([{ action: 'quarantinePod' }]);
  expect(timeline).toContainEqual(
    expect.objectContaining({ kind: 'playbook.note', actor: 'playbook/acme/miner', text: 'for 8h' }),
  );
});

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { borderFaults } from '../../tools/check/borders.mjs';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** The reasons for which a tree with only this file is refused. */
function faultsOf(file: string, line: string): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-borders-'));
  folders.push(folder);
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), `const first = 1;\n${line}\n`);
  return borderFaults(folder).map(({ reason }) => reason);
}

test.each([
  ['core/a.ts', "import { readFileSync } from 'node:fs';", 'core may not import node:fs'],
  ['core/a.ts', "import { z } from 'zod';", 'only *.schema.ts and *.params.ts may import zod'],
  ['core/deep/a.ts', "export { run } from '../../service/run.ts';", 'core may not import service'],
  ['playbooks/a.ts', "import type { Client } from '@temporalio/client';", 'playbooks may not import @temporalio/client'],
  ['playbooks/a.ts', "import { x } from '../workflows/x.ts';", 'playbooks may not import workflows'],
  ['workflows/a.ts', "import { x } from '../activities/x.ts';", 'workflows may not import activities'],
  ['workflows/a.ts', "const { z } = await import('zod');", 'workflows may not import zod'],
  [
    'workflows/a.ts',
    "import { sleep } from '@temporalio/workflow';",
    'the engine must also run without Temporal: use workflows/world.ts, not @temporalio/workflow',
  ],
  ['workflows/a.ts', 'const x = await import(first);', 'workflows may not import <computed>'],
  [
    'integrations/slack/a.ts',
    "import { x } from '../github/x.ts';",
    'integrations/slack may not import another integration, github',
  ],
  [
    'integrations/slack/a.ts',
    "import { Context } from '@temporalio/activity';",
    'integrations may not import @temporalio/activity',
  ],
  [
    'activities/a.ts',
    "import { KubeConfig } from '@kubernetes/client-node';",
    'activities may not import @kubernetes/client-node',
  ],
  ['activities/a.ts', "type X = import('../workflows/x.ts').X;", 'activities may not import workflows'],
  ['service/desk/a.ts', "import { x } from '../commands/x.ts';", 'service/desk may not import service/commands'],
  ['service/desk/slash/a.ts', "import { x } from '../../cell/x.ts';", 'service/desk may not import service/cell'],
  ['service/incidents/a.ts', "import { x } from '../commands/x.ts';", 'service/incidents may not import service/commands'],
  ['console/a.ts', "import { readFileSync } from 'node:fs';", 'console may not import node:fs'],
  [
    'console/a.ts',
    "import type { Vote } from '../core/decide/approval.ts';",
    'the browser may not import core/decide/approval.ts, only core/console',
  ],
  [
    'console/pages/a.ts',
    "import { session } from '../../core/console/console.schema.ts';",
    'browser code may import only types from schemas',
  ],
])('in %s, %s is refused', (file, line, reason) => {
  expect(faultsOf(file, line)).toEqual([reason]);
});

const allRooms = [
  'authoring',
  'core',
  'playbooks',
  'workflows',
  'activities',
  'integrations',
  'testing',
  'service',
  'console',
  'tools',
] as const;
test.each(allRooms)('the stand-ins cannot be reached from %s by any import, path or script', (room) => {
  const named = `${room} may not name the stand-ins’ folder`;
  expect(faultsOf(`${room}/a.ts`, "import { fake } from '../test/fakes/slack/index.ts';")).toEqual([
    named,
    `${room} may not import test`,
  ]);
  expect(faultsOf(`${room}/a.ts`, "export const program = ['test', 'fakes', 'stand-ins.ts'].join('/');")).toEqual([named]);
  expect(faultsOf(`${room}/a.mjs`, "await import(new URL('../test/fakes/slack/index.ts', import.meta.url));")).toEqual([named]);
});

test('only from the demo, as a separate process; the build has none, and Docker’s image is the build', () => {
  expect(faultsOf('tools/demo/processes.ts', "export const folder = ['test', 'fakes'];")).toEqual([]);
  const textOf = (file: string): string => readFileSync(join(projectRoot(), file), 'utf8');
  const copied = textOf('deploy/Dockerfile').matchAll(/^COPY --from=build (\S+)/gm);
  expect([...copied].map(([, from]) => from)).toEqual(['/image']);
  const { include }: { include: string[] } = JSON.parse(textOf('tsconfig.build.json'));
  expect(include).toEqual(allRooms.filter((room) => room !== 'tools' && room !== 'console'));
});

test.each([
  ['core/a.schema.ts', "import { z } from 'zod';"],
  ['core/a.ts', "import { sha256 } from '@noble/hashes/sha2.js';"],
  ['playbooks/a.params.ts', "import { z } from 'zod';"],
  ['workflows/messages.ts', "import { x } from '../playbooks/x.ts'; import { sleep } from '@temporalio/workflow';"],
  [
    'integrations/slack/a.ts',
    "import { x } from '../../core/x.ts'; import { y } from './y.ts'; import { WebClient } from '@slack/web-api';",
  ],
  ['activities/a.ts', "import { x } from '../integrations/slack/x.ts'; import type { V1Pod } from '@kubernetes/client-node';"],
  ['service/a.ts', "import { x } from '../workflows/x.ts';"],
])('in %s, %s is allowed', (file, line) => {
  expect(faultsOf(file, line)).toEqual([]);
});

test.each(['core', 'playbooks', 'workflows', 'activities', 'integrations'])('%s may not read the environment', async (room) => {
  const tree = mkdtempSync(join(tmpdir(), 'firebreak-borders-'));
  folders.push(tree);
  copyFileSync(join(projectRoot(), 'biome.json'), join(tree, 'biome.json'));
  const lint = (folder: string) => {
    mkdirSync(join(tree, folder));
    writeFileSync(join(tree, folder, 'a.ts'), 'export const home = process.env.HOME;\n');
    const biome = join(projectRoot(), 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
    return runCommand({ command: process.execPath, args: [biome, 'lint', '--vcs-enabled=false', folder], cwd: tree });
  };
  const refused = await lint(room);
  expect(refused.code).toBe(1);
  expect(refused.stdout + refused.stderr).toContain('noProcessEnv');
  expect((await lint('service')).code).toBe(0);
});

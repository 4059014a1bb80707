/** `npm run check`: format, lint, borders between rooms, types, generated files. Runs everything, then reports what failed. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureSetUp, root } from '../setup/setup.mjs';

const node = await ensureSetUp();
const module = (...path) => join(root, 'node_modules', ...path);

const steps = [
  {
    name: 'format and lint (biome)',
    args: [
      module('@biomejs', 'biome', 'bin', 'biome'),
      'check',
      '--error-on-warnings',
      `--colors=${process.stdout.isTTY ? 'force' : 'off'}`,
      '.',
    ],
  },
  { name: 'borders between rooms, house rules', args: [join(root, 'tools', 'check', 'house.mjs')] },
  { name: 'packages by integrity, images by digest', args: [join(root, 'tools', 'check', 'pinned.mjs')] },
  {
    name: 'the quick tier of the tests',
    args: ['--disable-warning=ExperimentalWarning', join(root, 'test', 'runner', 'tiers.ts')],
  },
  {
    name: 'generated lists of actions',
    args: ['--disable-warning=ExperimentalWarning', join(root, 'tools', 'actions', 'lists.ts'), '--check'],
  },
  {
    // The compiler caches the result for everything unchanged since the last check: a fifth of the processor's time. Four checkers, each of which repeats
    // the others' work, take a third more of it.
    name: 'types (tsc)',
    args: [
      module('typescript', 'bin', 'tsc'),
      '-p',
      '.',
      '--checkers',
      '1',
      '--incremental',
      '--tsBuildInfoFile',
      module('.cache', 'firebreak', 'types.tsbuildinfo'),
    ],
  },
  { name: 'types of the console (tsc)', args: [module('typescript', 'bin', 'tsc'), '-p', 'console'] },
  {
    name: 'generated manifests and parts of the chart',
    args: ['--disable-warning=ExperimentalWarning', join(root, 'tools', 'deploy', 'generate.ts'), '--check'],
  },
  {
    name: 'generated pages',
    args: ['--disable-warning=ExperimentalWarning', join(root, 'tools', 'docs', 'generate.ts'), '--check'],
  },
  {
    name: 'what the package exports (docs/api), what workflows of the last release need',
    args: ['--disable-warning=ExperimentalWarning', join(root, 'tools', 'docs', 'api-report.ts'), '--check'],
  },
];

const failed = steps.filter(({ name, args }) => {
  const result = spawnSync(node, args, { cwd: root, stdio: 'inherit' });
  process.stdout.write(`check: ${name}: ${result.status === 0 ? 'ok' : 'failed'}\n`);
  return result.status !== 0;
});
process.exitCode = failed.length === 0 ? 0 : 1;

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { cachedPart } from '../service/parts/cache.ts';
import { type CommandResult, runCommand } from '../service/parts/command.ts';
import { projectRoot } from '../service/process/project-root.ts';
import { ensureBuilt } from '../tools/setup/build.mjs';
import { removeUnusedParts } from './runner/unused-parts.ts';

const root = projectRoot();

/** The tarball that `npm pack` makes of this tree, and its files unpacked. Packed only once across all processes and runs, until a source changes. */
export async function packedFirebreak(): Promise<{ readonly tarball: string; readonly folder: string }> {
  await ensureBuilt({ node: process.execPath });
  const folder = await cachedPart({
    name: 'test-package',
    version: contentHash(),
    source: 'npm pack of a checkout, for the tests',
    install: async (draft) => {
      await succeed('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', draft], root);
      const [tarball = ''] = readdirSync(draft).filter((file) => file.endsWith('.tgz'));
      await succeed('tar', ['-xzf', tarball], draft);
      removeUnusedParts();
    },
    onProgress: () => {},
  });
  const [tarball = ''] = readdirSync(folder).filter((file) => file.endsWith('.tgz'));
  return { tarball: join(folder, tarball), folder: join(folder, 'package') };
}

/** Hash of everything that is packed. */
function contentHash(): string {
  const beside = ['deploy', 'docs'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(root, join(parentPath, name))),
  );
  const files = ['dist/.sources', 'package.json', 'README.md', 'CHANGELOG.md', 'SECURITY.md', ...beside.sort()];
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(join(root, file)));
  return hash.digest('hex').slice(0, 16);
}

/**
 * Creates an empty folder outside the tree and installs `firebreak` there from its tarball. Its dependencies, and the packages used to write packs, are linked
 * from this tree as its lock file names them: no registry is contacted.
 */
export async function emptyProject(): Promise<string> {
  const { tarball } = await packedFirebreak();
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-project-'));
  await installFirebreak(folder, tarball);
  return folder;
}

/** Installs the package into `node_modules` of a folder. */
export async function installFirebreak(folder: string, tarball: string): Promise<void> {
  const modules = join(folder, 'node_modules');
  const own = join(modules, 'firebreak');
  mkdirSync(join(modules, '.bin'), { recursive: true });
  mkdirSync(own);
  await succeed('tar', ['-xzf', tarball, '--strip-components=1', '-C', own], folder);
  symlinkSync('../firebreak/bin/firebreak.mjs', join(modules, '.bin', 'firebreak'));
  symlinkSync('../typescript/bin/tsc', join(modules, '.bin', 'tsc'));
  // As npm records an installed package.
  const resolved = `file:${relative(folder, tarball)}`;
  const packages = { 'node_modules/firebreak': { resolved } };
  writeFileSync(join(modules, '.package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }));
  const { dependencies }: Manifest = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8'));
  for (const name of withTheirs([...Object.keys(dependencies), ...ofAuthors])) {
    const link = join(modules, name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), link);
  }
}

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
}

/** Development dependencies of packs. */
const ofAuthors = ['@jest/globals', '@types/node', 'typescript', 'vitest'];

/** These packages and their dependencies. Other packages are missing for a package that does not declare that it needs them. */
function withTheirs(names: readonly string[]): ReadonlySet<string> {
  const all = new Set<string>();
  const add = (name: string): void => {
    const manifest = join(root, 'node_modules', name, 'package.json');
    if (all.has(name) || !existsSync(manifest)) return;
    all.add(name);
    const { dependencies = {} }: Partial<Manifest> = JSON.parse(readFileSync(manifest, 'utf8'));
    for (const needed of Object.keys(dependencies)) add(needed);
  };
  for (const name of names) add(name);
  return all;
}

/** Runs the Node of this tree in a folder. */
export function runNode(folder: string, ...args: readonly string[]): Promise<CommandResult> {
  return runCommand({ command: process.execPath, args: ['--disable-warning=ExperimentalWarning', ...args], cwd: folder });
}

/** Runs `npx firebreak …` in a folder that has it installed. */
export function firebreakIn(folder: string, ...args: readonly string[]): Promise<CommandResult> {
  return runNode(folder, join(folder, 'node_modules/.bin/firebreak'), ...args);
}

async function succeed(command: string, args: readonly string[], cwd: string): Promise<void> {
  const { code, stdout, stderr } = await runCommand({ command, args, cwd });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${stdout}${stderr}`);
}

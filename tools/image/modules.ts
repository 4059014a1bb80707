import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { cachedPart, type OnProgress, withProgress } from '../../service/parts/cache.ts';
import type { RunForPart } from '../../service/parts/part-draft.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { nativePackages } from '../setup/bundle.mjs';
import { keepNativeModules } from '../setup/native-modules.mjs';
import type { Architecture } from './base.ts';
import { pack } from './oci.ts';

const ofNpm = { amd64: 'x64', arm64: 'arm64' } as const;
const ofCore = { amd64: 'x86_64-unknown-linux-gnu', arm64: 'aarch64-unknown-linux-gnu' } as const;

/** The npm packages with Node's own programs, in the version that the lock pins; the lock only knows those of the machine it was written on. */
const nodeIntegrity = {
  amd64: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  arm64: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
} as const;

/** Files that no running program reads: types, maps and documents, and what runtimes other than Node load, for all processors; licences stay. */
const unread = /\.(d\.[cm]?ts|map|md|markdown|flow|bare)$|\.tsbuildinfo$/;
/** The database's builds for other C libraries and for older Nodes, next to the one that every Node loads. */
const otherBuilds = /^node\.(abi\d+\..*|napi\.musl)\.node$/;
/** The sources of the library of Temporal's core. */
const coreSources = ['sdk-core', 'src', 'ts', 'bridge-macros', 'scripts', 'Cargo.lock', 'Cargo.toml'];

/**
 * Returns the layer with those packages of the lock that have a machine-specific part: the others are in the program. For Linux with glibc on that
 * architecture; made once and cached. Throws FB_ERR_PLATFORM_PART_MISSING.
 */
export async function modulesLayer(architecture: Architecture, onProgress: OnProgress): Promise<string> {
  const files = ['package.json', 'package-lock.json', '.npmrc'].map((file) => join(projectRoot(), file));
  const hash = createHash('sha256')
    .update(architecture)
    .update(unread.source + otherBuilds.source)
    .update(JSON.stringify(nativePackages));
  // Excludes package.json: npm refuses one that does not match the lock.
  for (const file of files.slice(1)) hash.update(readFileSync(file));
  const folder = await cachedPart({
    name: `image-modules-${architecture}`,
    version: hash.digest('hex').slice(0, 16),
    source: `npm: what package-lock.json says, for Linux on ${architecture}`,
    onProgress,
    install: (draft, run) =>
      withProgress({
        what: `installing the packages of an image for ${architecture}`,
        onProgress,
        work: async () => {
          for (const file of files) copyFileSync(file, join(draft, file.slice(projectRoot().length + 1)));
          const target = ['--os=linux', '--libc=glibc', `--cpu=${ofNpm[architecture]}`];
          await npm(run, draft, [
            'ci',
            '--omit=dev',
            '--ignore-scripts',
            '--no-audit',
            '--no-fund',
            '--loglevel=error',
            ...target,
          ]);
          const modules = join(draft, 'node_modules');
          keepNativeModules(modules);
          prune(modules, architecture);
          await pack(modules, join(draft, 'layer.tar'), 'app/node_modules/');
          rmSync(modules, { recursive: true });
        },
      }),
  });
  return join(folder, 'layer.tar');
}

/** Returns the layer with Node's program for that architecture, in the version that the lock pins. Throws FB_ERR_PLATFORM_PART_MISSING. */
export async function nodeLayer(architecture: Architecture, onProgress: OnProgress): Promise<string> {
  const lock = JSON.parse(readFileSync(join(projectRoot(), 'package-lock.json'), 'utf8'));
  const version: string = lock.packages['node_modules/node'].version;
  const name = `node-linux-${ofNpm[architecture]}`;
  const folder = await cachedPart({
    name: `image-${name}`,
    version,
    source: `npm: ${name} ${version}`,
    onProgress,
    install: async (draft, run) => {
      await npm(run, draft, ['pack', `${name}@${version}`, '--loglevel=error']);
      const archive = join(draft, `${name}-${version}.tgz`);
      const integrity = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
      if (integrity !== nodeIntegrity[architecture])
        throw new FirebreakError(
          'FB_ERR_PLATFORM_PART_MISSING',
          `${name} ${version} has ${integrity}, which tools/image/modules.ts does not list`,
        );
      const { code, stderr } = await run({ command: 'tar', args: ['-xzf', archive, '-C', draft, '--strip-components=1'] });
      if (code !== 0) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `${archive}: ${stderr.trim().slice(-200)}`);
      rmSync(archive);
      const root = join(draft, 'root', 'usr', 'local', 'bin');
      mkdirSync(root, { recursive: true });
      renameSync(join(draft, 'bin', 'node'), join(root, 'node'));
      await pack(join(draft, 'root'), join(draft, 'layer.tar'));
      rmSync(join(draft, 'root'), { recursive: true });
    },
  });
  return join(folder, 'layer.tar');
}

async function npm(run: RunForPart, cwd: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await run({ command: 'npm', args, cwd });
  if (code !== 0) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `npm ${args[0]}: ${stderr.trim().slice(-500)}`);
}

function prune(modules: string, architecture: Architecture): void {
  const core = join(modules, '@temporalio', 'core-bridge');
  for (const path of coreSources) rmSync(join(core, path), { recursive: true, force: true });
  for (const release of readdirSync(join(core, 'releases')))
    if (release !== ofCore[architecture]) rmSync(join(core, 'releases', release), { recursive: true });
  rmSync(join(modules, '.bin'), { recursive: true, force: true });
  for (const entry of readdirSync(modules, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && (unread.test(entry.name) || otherBuilds.test(entry.name))) rmSync(join(entry.parentPath, entry.name));
}

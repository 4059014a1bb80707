import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join, resolve } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { playbooks as shipped } from '../../playbooks/index.ts';
import { describePack } from '../packs/describe.ts';
import { type PackFiles, readPack } from '../packs/pack-files.ts';
import { cacheFolder } from '../process/cache-folder.ts';
import { bundleWorkflows } from '../temporal/bundle/engine-bundle.ts';
import { workflowBuild } from '../temporal/bundle/pack-build.ts';

/** The workflows of a trial, and the playbooks in them under their full ids. */
export interface TrialBundle {
  readonly bundle: string;
  /** Name of the pack. */
  readonly name: string;
  readonly playbooks: readonly AnyPlaybook[];
}

const rooms = join(import.meta.dirname, '..', '..');

/** Bundle of what is shipped. */
export async function shippedBundle(): Promise<TrialBundle> {
  const built = join(rooms, 'workflows.bundle.js');
  return { bundle: existsSync(built) ? built : await bundledOnce(), name: 'firebreak', playbooks: shipped };
}

let bundled: Promise<string> | undefined;

/** For a checkout that runs from source. */
function bundledOnce(): Promise<string> {
  bundled ??= (async () => {
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-trial-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    const workflowsPath = join(rooms, 'workflows', `index${extname(import.meta.filename)}`);
    return (await bundleWorkflows({ workflowsPath, outFile: join(folder, 'workflows.js') })).path;
  })();
  return bundled;
}

const byIntegrity = new Map<string, Promise<TrialBundle>>();

/**
 * Bundles a pack as an installation would build it; cached until its code changes. Its modules only run where `pack check` runs them, and in the workflow
 * sandbox.
 *
 * @throws FB_ERR_CONFIG_INVALID if it is not a pack, or cannot be built
 */
export function packBundle(folder: string, files: PackFiles = packIn(folder)): Promise<TrialBundle> {
  const known = byIntegrity.get(files.integrity) ?? bundlePack(folder, files);
  byIntegrity.set(files.integrity, known);
  return known;
}

function packIn(folder: string): PackFiles {
  try {
    return readPack({ folder: resolve(folder) });
  } catch (error) {
    throw invalid(error);
  }
}

async function bundlePack(folder: string, files: PackFiles): Promise<TrialBundle> {
  const { name, playbooks } = describe(files);
  const packs = [{ name, source: { folder: resolve(folder) }, integrity: files.integrity }];
  const { path } = await workflowBuild({ packs, stateDir: join(cacheFolder(), 'trials', name) });
  return { bundle: path, name, playbooks };
}

function describe(files: PackFiles): Pick<TrialBundle, 'name' | 'playbooks'> {
  try {
    return describePack(files).pack;
  } catch (error) {
    throw invalid(error);
  }
}

function invalid(error: unknown): FirebreakError {
  return new FirebreakError('FB_ERR_CONFIG_INVALID', error instanceof Error ? error.message : 'the pack cannot be read');
}

/** Returns the folder of the pack that contains this one. @throws FB_ERR_FILE_MISSING */
export function nearestPack(from: string): string {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    if (['ts', 'js'].some((extension) => existsSync(join(folder, `firebreak.pack.${extension}`)))) return folder;
    if (dirname(folder) === folder)
      throw new FirebreakError('FB_ERR_FILE_MISSING', `neither in ${resolve(from)} nor above it there is a firebreak.pack.ts`);
  }
}

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { bundleWorkflows } from '../../service/temporal/bundle.ts';
import { cachedPart, cacheFolder } from '../../tools/platform/cache.ts';

const root = resolve(import.meta.dirname, '../..');
const prefix = 'test-workflows-';
const dayMs = 24 * 3_600_000;

/**
 * The product's workflows in one file, or those of another entry; of all processes and runs one bundles, until a source has changed. An entry of
 * the tests' own may import the product's and what lies in its own folder.
 */
export function bundlePath(workflowsPath = join(root, 'workflows/index.ts')): Promise<string> {
  const found = bundles.get(workflowsPath) ?? bundleOnce(workflowsPath);
  bundles.set(workflowsPath, found);
  return found;
}
const bundles = new Map<string, Promise<string>>();

async function bundleOnce(workflowsPath: string): Promise<string> {
  const name = `${prefix}${hashOf(workflowsPath).slice(0, 16)}`;
  const install = async (folder: string): Promise<void> => {
    await bundleWorkflows({ workflowsPath, outFile: join(folder, 'workflows.js') });
    removeUnused();
  };
  const folder = await cachedPart({ name, install, onProgress: () => {} });
  const now = new Date();
  utimesSync(folder, now, now);
  return join(folder, 'workflows.js');
}

/** Of everything that may get into a bundle or shapes it. */
function hashOf(workflowsPath: string): string {
  const folders = ['core', 'playbooks', 'workflows', 'service/temporal'].map((folder) => join(root, folder));
  const entry = dirname(workflowsPath);
  if (!folders.includes(entry)) folders.push(entry);
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile())
      .map((file) => join(file.parentPath, file.name)),
  );
  const hash = createHash('sha256').update(relative(root, workflowsPath));
  for (const file of [join(root, 'package-lock.json'), ...files.sort()])
    hash.update(`\0${relative(root, file)}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

/** Each change of a source leaves a bundle behind. */
function removeUnused(): void {
  for (const name of readdirSync(cacheFolder()).filter((name) => name.startsWith(prefix) && !/\.(draft|lock)$/.test(name))) {
    const folder = join(cacheFolder(), name);
    const usedAt = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - usedAt > dayMs) rmSync(folder, { recursive: true, force: true });
  }
}

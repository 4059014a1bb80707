import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { cachedPart } from '../../service/parts/cache.ts';
import { bundleWorkflows } from '../../service/temporal/bundle/engine-bundle.ts';
import { ensureBuilt } from '../../tools/setup/build.mjs';
import { removeUnusedParts } from '../runner/unused-parts.ts';

const root = resolve(import.meta.dirname, '../..');
const name = 'test-workflows';
const bundleFile = 'workflows.bundle.js';

/**
 * Returns the path of the product's workflows bundled into one file, as in a build, or of those of another entry; all processes and runs share one bundle until
 * a source changes. A test's own entry may import the product's and files in its own folder. An existing bundle is reused.
 */
export async function bundlePath(workflowsPath?: string): Promise<string> {
  if (workflowsPath === undefined) return join(await builtFolder(), bundleFile);
  if (workflowsPath.endsWith('.js')) return workflowsPath;
  const found = bundles.get(workflowsPath) ?? bundleOnce(workflowsPath);
  bundles.set(workflowsPath, found);
  return found;
}
const bundles = new Map<string, Promise<string>>();

/** A run has built it before its first test. */
async function builtFolder(): Promise<string> {
  return process.env.FIREBREAK_TEST_RUN === undefined ? await ensureBuilt({ node: process.execPath }) : join(root, 'dist');
}

async function bundleOnce(workflowsPath: string): Promise<string> {
  const folder = await cachedPart({
    name,
    version: hashOf(workflowsPath).slice(0, 16),
    source: 'bundled for the tests: the workflows of a checkout',
    install: async (draft) => {
      await bundleWorkflows({ workflowsPath, outFile: join(draft, bundleFile) });
      removeUnusedParts();
    },
    onProgress: () => {},
  });
  return join(folder, bundleFile);
}

/** Hash of everything that can get into a bundle or affects it. */
function hashOf(workflowsPath: string): string {
  const folders = ['core', 'playbooks', 'workflows', 'service/packs', 'service/temporal'].map((folder) => join(root, folder));
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

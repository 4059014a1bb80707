/** `bundle-main FROM OUT [PACKS]`: bundles the workflows, or takes an engine that is bundled (`*.bundle.js`), and puts packs behind it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflows, readBuild } from './bundle.ts';
import type { PackToBundle } from './pack-build.ts';

const [from, outFile, listed = '[]'] = process.argv.slice(2);
if (from === undefined || outFile === undefined) {
  console.error('usage: bundle-main FROM OUT [PACKS]');
  process.exit(2);
}
const packs: readonly PackToBundle[] = JSON.parse(listed);
const engine = from.endsWith('.bundle.js') ? readBuild(from) : await bundleWorkflows({ workflowsPath: from, outFile });
if (packs.length > 0) {
  // The engine alone is bundled without it.
  const { withPacks } = await import('./packs-part.ts');
  writeFileSync(outFile, withPacks(readFileSync(engine.path, 'utf8'), packs.map(codeOf)));
}
console.log(`workflow bundle ${readBuild(outFile).id}`);

function codeOf({ folder, name, main }: PackToBundle) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return { name, main, files: new Map(files.map((file) => [file.slice(folder.length + 1), readFileSync(file, 'utf8')])) };
}

import { cpSync } from 'node:fs';
import { bundleWorkflows } from './bundle.ts';
import type { PackToBundle } from './bundle-stage.ts';

const [workflowsPath, outFile, packs = '[]'] = process.argv.slice(2);
if (workflowsPath === undefined || outFile === undefined) {
  console.error('usage: bundle-main WORKFLOWS OUT [PACKS]');
  process.exit(2);
}
const listed: readonly PackToBundle[] = JSON.parse(packs);
const build = await bundleWorkflows({
  workflowsPath,
  outFile,
  packs: listed.map(({ name, folder, main }) => ({ name, main, write: (to) => cpSync(folder, to, { recursive: true }) })),
});
console.log(`workflow bundle ${build.id}`);

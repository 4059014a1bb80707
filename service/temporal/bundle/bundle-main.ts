/**
 * `bundle-main FROM OUT [PACKS]`: bundles the workflows, or takes an already bundled engine (`*.bundle.js`), and appends packs to it. Without arguments it does
 * so for each line that it reads, a `PacksJob`, and answers each with a line: see `WarmBundler`.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readBuild } from './bundle.ts';
import type { PacksJob, PackToBundle } from './pack-build.ts';

const [from, outFile, listed = '[]'] = process.argv.slice(2);
if (from === undefined) await serve();
else if (outFile === undefined) {
  console.error('usage: bundle-main FROM OUT [PACKS]');
  process.exitCode = 2;
} else {
  await bundled({ from, outFile, packs: JSON.parse(listed) });
  console.log(`workflow bundle ${readBuild(outFile).id}`);
}

async function serve(): Promise<void> {
  // Slow modules are loaded before anybody waits.
  await import('./packs-part.ts');
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = await bundled(JSON.parse(line)).then(
      () => ({}),
      (error: unknown) => ({ problem: error instanceof Error ? error.message : String(error) }),
    );
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

async function bundled({ from: engineFrom, outFile: to, packs }: PacksJob): Promise<void> {
  const engine = engineFrom.endsWith('.bundle.js') ? engineFrom : await engineOf(engineFrom, to);
  if (packs.length === 0) return;
  // Not needed to bundle the engine alone.
  const { withPacks } = await import('./packs-part.ts');
  writeFileSync(to, withPacks(readFileSync(engine, 'utf8'), packs.map(codeOf)));
}

async function engineOf(workflowsPath: string, to: string): Promise<string> {
  // Loading the bundler alone takes longer than appending packs to an engine.
  const { bundleWorkflows } = await import('./engine-bundle.ts');
  return (await bundleWorkflows({ workflowsPath, outFile: to })).path;
}

function codeOf({ folder, name, main }: PackToBundle) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return { name, main, files: new Map(files.map((file) => [file.slice(folder.length + 1), readFileSync(file, 'utf8')])) };
}

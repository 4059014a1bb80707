/** Whether both verifiers say the same of so many mutated bundles: `node test/core/bundle/compare-verifiers.ts [COUNT]`, of 10 000 where nothing is said. */
import { isDeepStrictEqual } from 'node:util';
import { verifyBundle } from '../../../core/bundle/verify-bundle.ts';
import { mutatedFile, pythonVerdicts } from '../../suites/bundle-mutations.ts';
import { sampleBundle } from '../../suites/incident-bundle.ts';

const atOnce = 500;
const count = Number(process.argv[2] ?? 10_000);
const bundle = await sampleBundle();
const found = new Map<string, number>();
const disagreed: unknown[] = [];
for (let from = 0; from < count; from += atOnce) {
  const seeds = Array.from({ length: Math.min(atOnce, count - from) }, (_, index) => from + index);
  const files = seeds.map((seed) => mutatedFile(bundle, seed).file);
  const python = pythonVerdicts(files);
  for (const [index, file] of files.entries()) {
    const ours = await verifyBundle(file);
    const code = ours.ok ? 'intact' : ours.code;
    found.set(code, (found.get(code) ?? 0) + 1);
    if (!isDeepStrictEqual(ours, python[index])) disagreed.push({ seed: seeds[index], ours, python: python[index] });
  }
}
console.log(Object.fromEntries([...found].sort(([, one], [, other]) => other - one)));
console.log(`${count} mutated bundles, ${disagreed.length} on which the verifiers disagree`);
for (const one of disagreed.slice(0, 10)) console.log(JSON.stringify(one));
process.exitCode = disagreed.length === 0 ? 0 : 1;

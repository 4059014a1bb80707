/**
 * Checks whether both verifiers agree on mutated bundles: `node test/core/bundle/compare-verifiers.ts [COUNT] [FIRST-SEED]`, by default 10 000 from seed 0.
 * Every second bundle is checked with a list of trusted keys. A bundle is named by its seed: a run can be split into parts, and a single bundle repeated.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type BundleVerdict, verifyBundle } from '../../../core/bundle/verify-bundle.ts';
import { canonicalJson } from '../../../core/text/digest.ts';
import { sampleBundle } from '../../suites/incident-bundle.ts';
import { PythonVerifier, trustFile } from '../../suites/python-verifier.ts';
import { mutatedFile } from '../../suites/random-bundles.ts';

const [count = 10_000, firstSeed = 0] = process.argv.slice(2).map(Number);
const bundle = await sampleBundle();
const intact = await verifyBundle(Buffer.from(canonicalJson(bundle)));
if (!intact.ok) throw new Error(intact.text);
const folder = mkdtempSync(join(tmpdir(), 'firebreak-verifiers-'));
const trusted = join(folder, 'trusted.txt');
writeFileSync(trusted, trustFile(intact.keys));
const pythons = [new PythonVerifier(), new PythonVerifier(trusted)] as const;

const found = new Map<string, number>();
const families = new Map<string, number>();
const countIn = (counts: Map<string, number>, name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);
const disagreed: { readonly seed: number; readonly ours: BundleVerdict; readonly python: BundleVerdict }[] = [];
/** Our results, until the other verifier has answered. */
const waiting: Promise<void>[] = [];
const startedAt = Date.now();

async function compare(seed: number, ours: BundleVerdict, python: PythonVerifier): Promise<void> {
  const theirs = await python.verdict();
  countIn(found, ours.ok ? 'intact' : ours.code);
  if (!isDeepStrictEqual(ours, theirs)) disagreed.push({ seed, ours, python: theirs });
}

for (let seed = firstSeed; seed < firstSeed + count; seed += 1) {
  const { file, family } = mutatedFile(bundle, seed);
  countIn(families, family);
  const python = pythons[seed % 2 === 0 ? 0 : 1];
  await python.give(file);
  const ours = await verifyBundle(file, seed % 2 === 0 ? undefined : intact.keys);
  waiting.push(compare(seed, ours, python));
  if ((seed - firstSeed + 1) % 1_000 === 0) console.log(`${seed - firstSeed + 1} of ${count}`);
}
for (const python of pythons) python.end();
await Promise.all(waiting);
rmSync(folder, { recursive: true });

const sorted = (counts: Map<string, number>) => Object.fromEntries([...counts].sort(([, one], [, other]) => other - one));
console.log('mutated by', sorted(families));
console.log('found', sorted(found));
const seconds = ((Date.now() - startedAt) / 1_000).toFixed(0);
const seeds = `seeds ${firstSeed} to ${firstSeed + count - 1}, ${seconds} s`;
console.log(`${count} mutated bundles (${seeds}), ${disagreed.length} on which the verifiers disagree`);
for (const one of disagreed.slice(0, 10)) console.log(JSON.stringify(one));
process.exitCode = disagreed.length === 0 ? 0 : 1;

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeOfPacks, type DescribedPack, describePack, packFrom } from '../../packs/describe.ts';
import { type PackFiles, type PackSource, readPack } from '../../packs/pack-files.ts';
import { packFaults } from '../../packs/pack-rules.ts';
import type { PlacedProblem } from '../playbook-problems.ts';
import type { FileConfig } from '../schema.ts';

/** A pack of the configuration: where it is, what it has to be, and what it says of itself. */
export interface ConfiguredPack extends DescribedPack {
  readonly source: PackSource;
  readonly integrity: string;
}

/** What is shipped is called so. */
const ownName = 'firebreak';

/** The configured packs; adds to `problems` those that cannot be used, and why. */
export function completePacks(
  file: FileConfig,
  {
    absolute,
    stateDir,
    problems,
  }: {
    readonly absolute: (path: string) => string;
    readonly stateDir: string;
    readonly problems: PlacedProblem[];
  },
): readonly ConfiguredPack[] {
  const packs: ConfiguredPack[] = [];
  for (const [index, { folder, tarball, npm, integrity }] of file.packs.entries()) {
    const at = ['packs', index];
    const source: PackSource =
      folder !== undefined
        ? { folder: absolute(folder) }
        : tarball !== undefined
          ? { tarball: absolute(tarball) }
          : { npm: npm ?? '', from: absolute('.') };
    try {
      const files = readPack(source);
      const unpinned = pinProblem(files, integrity);
      const faults = packFaults(files).map(({ file: where, line, problem, remedy }) => ({
        at,
        problem: `${where}:${line}: ${problem}`,
        remedy,
      }));
      if (unpinned) problems.push({ at: [...at, 'integrity'], ...unpinned });
      problems.push(...faults);
      if (unpinned || faults.length > 0) continue;
      const described = descriptionOf(files, stateDir);
      const twin = described.name === ownName || packs.some(({ name }) => name === described.name);
      if (twin)
        problems.push({
          at,
          problem: `there is another pack ${described.name}`,
          remedy: 'Give it another name in firebreak.pack.ts.',
        });
      else packs.push({ ...described, source, integrity: files.integrity });
    } catch (error) {
      problems.push({
        at,
        problem: error instanceof Error ? error.message : 'the pack cannot be read',
        remedy: 'Try it where it is written: firebreak pack check FOLDER.',
      });
    }
  }
  return packs;
}

function pinProblem({ integrity: is }: PackFiles, wanted: string | undefined): Omit<PlacedProblem, 'at'> | undefined {
  if (wanted === is) return undefined;
  const remedy = `Look at what has changed; if that is meant, write integrity: ${is}`;
  return wanted === undefined
    ? {
        problem: 'the pack is not pinned: whoever changes it decides what is done to the cluster',
        remedy: `Look at it; then write integrity: ${is}`,
      }
    : { problem: 'the pack is not what is pinned', remedy };
}

/** To run a pack's modules takes half a second: what came of it is kept for as long as neither the pack nor Firebreak changes. */
function descriptionOf(files: PackFiles, stateDir: string): DescribedPack {
  const key = createHash('sha256').update(`${codeOfPacks()}\0${files.integrity}`).digest('hex').slice(0, 32);
  const path = join(stateDir, 'packs', `${key}.json`);
  try {
    return packFrom(JSON.parse(readFileSync(path, 'utf8')), files.main);
  } catch {
    const told = describePack(files);
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, JSON.stringify(told.raw));
    } catch {
      // Who may only read the state directory runs it again.
    }
    return told.pack;
  }
}

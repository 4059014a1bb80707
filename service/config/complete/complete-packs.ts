import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SignatureVerifier } from '../../../core/messages/signing.ts';
import type { ReleaseStatement } from '../../../core/playbook/release.ts';
import { systemErrorCode } from '../../../core/system-error.ts';
import { canonicalJson } from '../../../core/text/digest.ts';
import { ensureFolderSync } from '../../../integrations/ensure-folder.ts';
import { createVerifier } from '../../../integrations/keys/ed25519.ts';
import { acceptedPacks } from '../../packs/accepted-packs.ts';
import { codeOfPacks, type DescribedPack, declarationsIn, describePack, packFrom } from '../../packs/describe.ts';
import { type PackFiles, type PackSource, readPack } from '../../packs/pack-files.ts';
import { packFaults } from '../../packs/pack-rules.ts';
import { provenRelease } from '../../packs/release-store.ts';
import type { SecretRef } from '../fields.ts';
import type { PlacedProblem } from '../playbook-problems.ts';
import type { FileConfig } from '../schema.ts';

/** A pack of the configuration: its source, its pinned integrity, and its own description. */
export interface ConfiguredPack extends DescribedPack {
  readonly source: PackSource;
  readonly integrity: string;
  /** References to the secrets of its own actions. Only the pool `packs` reads them. */
  readonly secrets: Readonly<Record<string, SecretRef>>;
  readonly settings: Readonly<Record<string, string>>;
}

/** Returns the configured packs; adds those that cannot be used to `problems`, with the reason. */
export function completePacks(
  file: FileConfig,
  {
    absolute,
    stateDir,
    promoted,
    watched,
    problems,
  }: {
    readonly absolute: (path: string) => string;
    readonly stateDir: string;
    /** The folder of `promotedFile`. */
    readonly promoted: string;
    /** Folders of packs that nothing pins. Absent: uses the versions that a service watching them has accepted. */
    readonly watched: readonly string[] | undefined;
    readonly problems: PlacedProblem[];
  },
): readonly ConfiguredPack[] {
  const packs: ConfiguredPack[] = [];
  const publishers = publishersOf(file, absolute);
  const folderOf = ({ folder }: FileConfig['packs'][number]) => (folder === undefined ? undefined : absolute(folder));
  const taken = new Map(watched ? [] : acceptedPacks(stateDir).map(({ folder, pack }) => [folder, pack] as const));
  const free = watched ?? [...taken.keys()];
  const more = free.filter((folder) => !file.packs.some((entry) => folderOf(entry) === folder));
  const entries: FileConfig['packs'] = [...file.packs, ...more.map((folder) => ({ folder, secrets: {}, settings: {} }))];
  for (const [index, entry] of entries.entries()) {
    const isWatched = free.includes(folderOf(entry) ?? '');
    const asAccepted = taken.get(folderOf(entry) ?? '');
    const at = index < file.packs.length ? ['packs', index] : ['packs'];
    try {
      const found = asAccepted ? { source: { release: asAccepted } } : sourceOf(entry, { absolute, promoted, publishers });
      if (!found) continue;
      const { source, statement } = found;
      const files = readPack(source);
      const unpinned = statement || isWatched ? undefined : pinProblem(files, entry.integrity);
      const faults = packFaults(files).map(({ file: where, line, problem, remedy }) => ({
        at,
        problem: `${where}:${line}: ${problem}`,
        remedy,
      }));
      if (unpinned) problems.push({ at: [...at, 'integrity'], ...unpinned });
      problems.push(...faults);
      if (unpinned || faults.length > 0) continue;
      const { pack: described, raw } = descriptionOf(files, stateDir);
      // People reviewed what its publisher signed, so the pack must match that.
      if (statement && (statement.pack !== described.name || statement.version !== described.version))
        throw new Error(`${statement.pack}@${statement.version} calls itself ${described.name} ${described.version}`);
      if (statement && !isSaid(raw, statement))
        throw new Error(`the envelopes of ${statement.pack}@${statement.version} are not the ones that its publisher signed`);
      if (packs.some(({ name }) => name === described.name))
        problems.push({
          at,
          problem: `another pack is also named ${described.name}`,
          remedy: 'Give it another name in firebreak.pack.ts.',
        });
      else {
        problems.push(...givenProblems(described, entry, at));
        const { secrets, settings } = entry;
        packs.push({ ...described, source, integrity: files.integrity, secrets, settings });
      }
    } catch (error) {
      problems.push({
        at,
        problem: error instanceof Error ? error.message : 'the pack cannot be read',
        remedy: 'Check it in its source folder: firebreak pack check FOLDER.',
      });
    }
  }
  return packs;
}

function isSaid(raw: unknown, { playbooks, actions }: ReleaseStatement): boolean {
  return canonicalJson(declarationsIn(raw)) === canonicalJson({ playbooks, actions });
}

/** File that names the version that a pack of the store runs with, as the last promotion order set it. */
export function promotedFile(folder: string, pack: string): string {
  return join(folder, `${pack}.json`);
}

/** Names of the store's packs of which no version runs. */
export function unpromoted({ packs: listed }: Pick<FileConfig, 'packs'>, packs: readonly ConfiguredPack[]): readonly string[] {
  return listed.flatMap(({ release }) => (release === undefined || packs.some(({ name }) => name === release) ? [] : [release]));
}

/** Undefined for a pack of the store of which no version has been promoted. */
function sourceOf(
  { folder, tarball, npm, release }: FileConfig['packs'][number],
  known: {
    readonly absolute: (path: string) => string;
    readonly promoted: string;
    readonly publishers: () => SignatureVerifier;
  },
): { readonly source: PackSource; readonly statement?: ReleaseStatement } | undefined {
  const { absolute, promoted, publishers } = known;
  if (folder !== undefined) return { source: { folder: absolute(folder) } };
  if (tarball !== undefined) return { source: { tarball: absolute(tarball) } };
  if (release === undefined) return { source: { npm: npm ?? '', from: absolute('.') } };
  const stored = readIfThere(promotedFile(promoted, release));
  if (!stored) return undefined;
  const { files, statement } = provenRelease(stored, publishers(), { pack: release });
  return { source: { release: files }, statement };
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function publishersOf({ releases }: FileConfig, absolute: (path: string) => string): () => SignatureVerifier {
  return () => createVerifier({ publicKeys: releases.publishers.map(({ key }) => readFileSync(absolute(key), 'utf8')) });
}

/** Secrets and settings that actions of the pack need but nobody provides, and those provided that no action uses. */
function givenProblems(
  { name: pack, actions }: DescribedPack,
  given: { readonly secrets: Readonly<Record<string, unknown>>; readonly settings: Readonly<Record<string, unknown>> },
  at: PlacedProblem['at'],
): readonly PlacedProblem[] {
  return (['secrets', 'settings'] as const).flatMap((kind) => {
    const wanted = new Map(actions.flatMap(({ name, own }) => own[kind].map((one) => [one, name] as const)));
    const missing = [...wanted].filter(([one]) => !Object.hasOwn(given[kind], one));
    const idle = Object.keys(given[kind]).filter((one) => !wanted.has(one));
    return [
      ...missing.map(([one, action]) => ({
        at: [...at, kind],
        problem: `${action} needs ${one}, which is missing`,
        remedy: kind === 'secrets' ? `Add ${one}: { env: NAME } or { file: PATH }.` : `Add ${one} with its value.`,
      })),
      ...idle.map((one) => ({ at: [...at, kind, one], problem: `no action of ${pack} declares ${one}`, remedy: 'Remove it.' })),
    ];
  });
}

function pinProblem({ integrity: is }: PackFiles, wanted: string | undefined): Omit<PlacedProblem, 'at'> | undefined {
  if (wanted === is) return undefined;
  const remedy = `Review what has changed. If it is intended, set integrity: ${is}`;
  return wanted === undefined
    ? {
        problem: 'the pack is not pinned: whoever changes it decides what is done to the cluster',
        remedy: `Review it, then set integrity: ${is}`,
      }
    : { problem: 'the pack differs from the pinned one', remedy };
}

/** Running a pack's modules takes half a second, so the result is cached until the pack or Firebreak changes. */
function descriptionOf(files: PackFiles, stateDir: string): { readonly pack: DescribedPack; readonly raw: unknown } {
  try {
    const raw: unknown = JSON.parse(readFileSync(descriptionPath(files, stateDir), 'utf8'));
    return { pack: packFrom(raw, files), raw };
  } catch {
    const told = describePack(files);
    keepDescription(files, stateDir, told.raw);
    return told;
  }
}

/** Stores what a pack's modules return, for the next reader of the configuration. It is checked again when it is read. */
export function keepDescription(files: PackFiles, stateDir: string, raw: unknown): void {
  const path = descriptionPath(files, stateDir);
  try {
    ensureFolderSync(dirname(path));
    writeFileSync(path, JSON.stringify(raw));
  } catch {
    // A process that may only read the state directory runs the modules again.
  }
}

function descriptionPath({ integrity }: PackFiles, stateDir: string): string {
  const key = createHash('sha256').update(`${codeOfPacks()}\0${integrity}`).digest('hex').slice(0, 32);
  return join(stateDir, 'packs', `${key}.json`);
}

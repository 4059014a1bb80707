import { readdir, readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { systemErrorCode } from '../../core/system-error.ts';
import { controlFolder, promotedFolder, rampedFolder } from '../config/complete.ts';
import type { Config } from '../config/load.ts';
import { notaryKeyFiles } from '../process/keys/key-files.ts';

export const fileBases = ['configuration', 'config', 'state'] as const;

/** Where a file of the installation belongs: it is the configuration, or is below the configuration's folder, or in the state directory. */
export interface FilePlace {
  readonly base: (typeof fileBases)[number];
  /** With `/` as separator; cannot leave the base. */
  readonly path: string;
}

export interface FoundFile extends FilePlace {
  readonly content: Uint8Array;
}

interface Found {
  readonly files: readonly FoundFile[];
  /** Files in neither place: left to whoever put them there. */
  readonly elsewhere: readonly string[];
}

/**
 * The configuration and the non-secret files it names, and the running versions of packs with the orders that approve them. Files missing on this machine are
 * left out.
 */
export async function publicFiles(config: Config, configFile: string): Promise<Found> {
  const { trust, desk, releases, images, audit, evidence } = config;
  // Without these the configuration cannot be loaded.
  const atLoad = [...(await rosterKeyFiles(configFile)), ...releases.publishers.map(({ key }) => key)];
  const named = [
    ...trust.cells.map(({ key }) => key),
    ...[...trust.secrets, ...trust.forensics, ...trust.packs, ...desk.votePublicKeys],
    ...images.trust.flatMap(({ keys, trustedRoot }) => [...keys, ...(trustedRoot === undefined ? [] : [trustedRoot])]),
    ...[...notaryKeyFiles(audit), `${evidence.keyFile}.pub`],
    ...(await jsonFilesIn(promotedFolder(config.stateDir))),
    ...(await jsonFilesIn(rampedFolder(config.stateDir))),
    ...(await jsonFilesIn(controlFolder(config.stateDir))),
  ].filter((path) => !atLoad.includes(path));
  const bases = basesOf(config, configFile);
  const first = await find(atLoad, [bases.config, bases.state]);
  const then = await find(named, [bases.state, bases.config]);
  const own: FoundFile = { base: 'configuration', path: 'firebreak.yaml', content: await readFile(configFile) };
  const files = [own, ...first.files, ...then.files].map((file) => (isDecisions(file) ? promotionsIn(file) : file));
  return { files, elsewhere: [...first.elsewhere, ...then.elsewhere] };
}

async function jsonFilesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => name.endsWith('.json')).map((name) => join(folder, name));
}

function isDecisions({ base, path }: FilePlace): boolean {
  return base === 'state' && /^control\/decisions[\w-]*\.json$/.test(path);
}

const decisions = z.object({
  decided: z.array(z.looseObject({ proposal: z.looseObject({ order: z.looseObject({ kind: z.string() }) }) })),
  ended: z.array(z.looseObject({ end: z.looseObject({ order: z.looseObject({ kind: z.string() }) }) })),
});

/**
 * Without promotions, restored pack versions would run until the cell looks up what was decided. Nothing else is restored: a suppression that was ended since
 * would hide alerts again. Each promotion is verified again when it is read.
 */
function promotionsIn(file: FoundFile): FoundFile {
  const all = decisions.safeParse(readJson(file.content)).data;
  const decided = all?.decided.filter(({ proposal }) => proposal.order.kind === 'promotion.propose') ?? [];
  const ended = all?.ended.filter(({ end }) => end.order.kind === 'promotion.end') ?? [];
  return { ...file, content: new TextEncoder().encode(JSON.stringify({ decided, ended })) };
}

function readJson(content: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(content));
  } catch {
    return undefined;
  }
}

/** Private halves, and the keys for payloads and evidence. */
export function keyFiles(config: Config, configFile: string): Promise<Found> {
  const { keys, desk, audit, evidence, temporal } = config;
  const named = [
    ...[keys.cellKeyFile, ...Object.values(keys.signing), desk.voteKeyFile, audit.notaryKeyFile],
    ...[evidence.keyFile, evidence.wrapKeyFile],
    ...temporal.codecKeys.flatMap(({ key }) => ('file' in key ? [key.file] : [])),
  ];
  const bases = basesOf(config, configFile);
  return find(named, [bases.state, bases.config]);
}

/** Where a file is restored to. */
export function placed(
  { base, path }: FilePlace,
  { config, configFile }: { readonly config: Pick<Config, 'stateDir'> | undefined; readonly configFile: string },
): string | undefined {
  if (base === 'configuration') return configFile;
  if (base === 'config') return join(dirname(resolve(configFile)), path);
  return config && join(config.stateDir, path);
}

interface Base {
  readonly base: FilePlace['base'];
  readonly folder: string;
}

function basesOf({ stateDir }: Config, configFile: string) {
  return {
    state: { base: 'state', folder: stateDir },
    config: { base: 'config', folder: dirname(resolve(configFile)) },
  } as const satisfies Record<string, Base>;
}

/** Assigns each file to the first base that contains it: the state directory is often below the configuration's folder. */
async function find(paths: readonly string[], bases: readonly Base[]): Promise<Found> {
  const files: FoundFile[] = [];
  const elsewhere: string[] = [];
  for (const file of new Set(paths)) {
    const content = await readFile(file).catch((error: unknown) => {
      if (systemErrorCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (!content) continue;
    const [at] = bases.flatMap(({ base, folder }) => {
      const path = below(folder, file);
      return path === undefined ? [] : [{ base, path }];
    });
    if (at) files.push({ ...at, content });
    else elsewhere.push(file);
  }
  return { files, elsewhere };
}

function below(folder: string, path: string): string | undefined {
  const way = relative(folder, path);
  return way.startsWith('..') || isAbsolute(way) ? undefined : way.split(sep).join('/');
}

/** Paths as written in the file: in the effective configuration they are already replaced by their text. */
async function rosterKeyFiles(configFile: string): Promise<readonly string[]> {
  const written: unknown = parse(await readFile(configFile, 'utf8'));
  const people = property(property(written, 'roster'), 'people');
  if (!Array.isArray(people)) return [];
  return people.flatMap((person: unknown) => {
    const keys = property(person, 'keys');
    const texts = Array.isArray(keys) ? keys.filter((key: unknown) => typeof key === 'string') : [];
    return texts.filter((key) => !key.includes('-----BEGIN')).map((key) => resolve(dirname(resolve(configFile)), key));
  });
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined;
}

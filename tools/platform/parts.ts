import { existsSync, lstatSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { isRunning } from '../../integrations/running-process.ts';
import { noteFile, type PartNote } from '../../service/parts/cache.ts';
import { cacheFolder } from '../../service/process/cache-folder.ts';
import { runningPlatforms } from './platform-record.ts';

/** Something stored in the cache. */
export interface CachedPart {
  /** Name of its folder. */
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  readonly source: string;
  readonly bytes: number;
  readonly lastUsed: string;
  /** Why it cannot be removed now. */
  readonly inUse?: string;
  /** Whether another version of it has been used since, nothing has used it for 30 days, or its maker is gone. */
  readonly unused: boolean;
}

const unusedAfterMs = 30 * 86_400_000;

/** What the cache holds besides parts. */
const others: Readonly<Record<string, string>> = {
  dev: 'data of firebreak dev up',
  compiled: 'Node: compiled code of the command line',
  trials: 'workflows of packs, for simulations',
};

/** Everything in the cache, largest first. */
export function listCachedParts(now = Date.now()): readonly CachedPart[] {
  if (!existsSync(cacheFolder())) return [];
  const entries = readdirSync(cacheFolder(), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const found = entries.map(({ name: folder }) => describeEntry(folder));
  return found
    .map(({ abandoned, ...part }) => ({ ...part, unused: abandoned || (part.inUse === undefined && isUnused(part, found, now)) }))
    .sort((a, b) => b.bytes - a.bytes);
}

type Described = Omit<CachedPart, 'unused'> & { readonly abandoned: boolean };

function describeEntry(folder: string): Described {
  const path = join(cacheFolder(), folder);
  const size = { folder, bytes: bytesIn(path) };
  const maker = /^(.*)\.(\d+)\.draft$/.exec(folder);
  if (maker) {
    const [, of = '', pid = ''] = maker;
    const alive = isRunning(Number(pid));
    const lastUsed = changedAt(path);
    const source = alive ? `being made by process ${pid}` : 'left unfinished';
    const { name, version } = noteFromName(of);
    return { ...size, name, version, source, lastUsed, abandoned: !alive, ...(alive && { inUse: source }) };
  }
  const other = others[folder];
  if (other !== undefined) {
    const [running] = folder === 'dev' ? runningPlatforms() : [];
    const inUse = running && `servers are running: run firebreak dev down --state ${running.stateDir} first`;
    return {
      ...size,
      name: folder,
      version: '',
      source: other,
      lastUsed: changedAt(path),
      abandoned: false,
      ...(inUse && { inUse }),
    };
  }
  const note = readNote(path) ?? noteFromName(folder);
  return { ...size, ...note, lastUsed: changedAt(join(path, noteFile), path), abandoned: false };
}

function isUnused(part: Omit<Described, 'abandoned'>, all: readonly Described[], now: number): boolean {
  if (part.name in others) return false;
  const later = all.some(
    (other) =>
      other.name === part.name &&
      other.folder !== part.folder &&
      other.version !== '' &&
      !isDraft(other) &&
      other.lastUsed > part.lastUsed,
  );
  return later || now - Date.parse(part.lastUsed) > unusedAfterMs;
}

function isDraft({ folder }: Pick<CachedPart, 'folder'>): boolean {
  return folder.endsWith('.draft');
}

/** Which parts to remove: the named ones, all, or the unused ones. */
export type Removal = { readonly names: readonly string[] } | 'all' | 'unused';

/**
 * Removes parts that are not in use, and returns them; anything that needs one installs it again.
 * @throws FB_ERR_NOT_FOUND for a name that does not exist. FB_ERR_INCOMPLETE for a part in use; then nothing is removed.
 */
export function removeParts(removal: Removal): readonly CachedPart[] {
  const parts = listCachedParts();
  const chosen =
    removal === 'all'
      ? parts.filter(({ inUse }) => inUse === undefined)
      : removal === 'unused'
        ? parts.filter(({ unused }) => unused)
        : removal.names.flatMap((name) => named(parts, name));
  for (const { name, inUse } of chosen)
    if (inUse !== undefined) throw new FirebreakError('FB_ERR_INCOMPLETE', `${name} cannot be removed now: ${inUse}.`);
  for (const { folder } of chosen) removeFromCache(folder);
  return chosen;
}

/** Nobody sees a half-removed folder. If another process removes it at the same time, it counts as removed. */
export function removeFromCache(folder: string): void {
  const path = join(cacheFolder(), folder);
  const going = `${path.replace(/\.\d+\.draft$/, '')}.${process.pid}.draft`;
  try {
    renameSync(path, going);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
  rmSync(going, { recursive: true, force: true, maxRetries: 3 });
}

function named(parts: readonly CachedPart[], wanted: string): readonly CachedPart[] {
  const found = parts.filter(({ folder, name }) => folder === wanted || name === wanted);
  if (found.length === 0)
    throw new FirebreakError('FB_ERR_NOT_FOUND', `no part named ${wanted} in ${cacheFolder()}`, {
      remedy: `It contains: ${listed(parts)}.`,
    });
  return found;
}

function listed(parts: readonly CachedPart[]): string {
  return parts.length === 0 ? 'nothing' : [...new Set(parts.map(({ name }) => name))].sort().join(', ');
}

function readNote(path: string): PartNote | undefined {
  try {
    return JSON.parse(readFileSync(join(path, noteFile), 'utf8'));
  } catch {
    return undefined;
  }
}

/** The note for a part that an earlier checkout left without one. */
function noteFromName(folder: string): PartNote {
  const [, name = folder, version = ''] = /^(.+?)-([0-9a-f]{16}|\d[\w.]*)$/.exec(folder) ?? [];
  return { name, version, source: 'unknown' };
}

function changedAt(...paths: readonly string[]): string {
  const found = paths.map((path) => statSync(path, { throwIfNoEntry: false })).find((stat) => stat !== undefined);
  return (found?.mtime ?? new Date(0)).toISOString();
}

/** Ignores files that are removed during the count. */
function bytesIn(folder: string): number {
  try {
    return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
      const path = join(folder, entry.name);
      return sum + (entry.isDirectory() ? bytesIn(path) : (lstatSync(path, { throwIfNoEntry: false })?.size ?? 0));
    }, 0);
  } catch {
    return 0;
  }
}

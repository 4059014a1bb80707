import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemErrorCode } from '../../core/system-error.ts';
import { ensureFolderSync } from '../../integrations/ensure-folder.ts';
import { isRunning } from '../../integrations/running-process.ts';
import { cacheFolder } from '../process/cache-folder.ts';
import { PartDraft, type RunForPart } from './part-draft.ts';

/** Messages about work that is still running contain `…`. */
export type OnProgress = (message: string) => void;

/** Written into each part to describe it. The file's modification time is when the part was last used. */
export interface PartNote {
  readonly name: string;
  readonly version: string;
  /** Where it came from, as text. */
  readonly source: string;
}

export const noteFile = '.part.json';

/**
 * Returns the folder of a part in the cache, installed on first use. A new version is a new folder. `install` fills a folder next to it that is renamed when
 * complete: a part exists as a whole or not at all. Programs that `install` starts with `run` end with this process. If several processes need it, one installs
 * and the others wait.
 */
export async function cachedPart(
  options: PartNote & {
    readonly install: (folder: string, run: RunForPart) => Promise<void>;
    readonly onProgress: OnProgress;
  },
): Promise<string> {
  const { name, version, source, install, onProgress } = options;
  const full = `${name}-${version}`;
  const folder = join(cacheFolder(), full);
  if (existsSync(folder)) return used(folder);
  ensureFolderSync(cacheFolder());
  const lockFile = `${folder}.lock`;
  const unlock = await lock(lockFile, () => onProgress(`waiting for another process that is installing ${full} …`));
  try {
    if (existsSync(folder)) return used(folder);
    removeAbandonedDrafts();
    const draft = new PartDraft(`${folder}.${process.pid}.draft`, lockFile);
    try {
      draft.open();
      await install(draft.folder, draft.run);
      draft.removeTemporary();
      const note: PartNote = { name, version, source };
      writeFileSync(join(draft.folder, noteFile), JSON.stringify(note));
      renameSync(draft.folder, folder);
    } finally {
      draft.close();
    }
    return folder;
  } finally {
    unlock();
  }
}

function used(folder: string): string {
  const now = new Date();
  try {
    utimesSync(join(folder, noteFile), now, now);
  } catch {
    // A cache that only others may write to works as well.
  }
  return folder;
}

/** Drafts of processes that are gone and could not clean up: the machine stopped under them. */
function removeAbandonedDrafts(): void {
  for (const entry of readdirSync(cacheFolder())) {
    const pid = /\.(\d+)\.draft$/.exec(entry)?.[1];
    if (pid !== undefined && !isRunning(Number(pid)))
      rmSync(join(cacheFolder(), entry), { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Reports every 15 seconds that a long operation still runs, and for how long; `state` adds its progress. */
export async function withProgress<T>(options: {
  readonly what: string;
  readonly onProgress: OnProgress;
  readonly state?: () => string;
  readonly work: () => Promise<T>;
}): Promise<T> {
  const { what, onProgress, state, work } = options;
  const startedAt = Date.now();
  const elapsed = () => {
    const seconds = Math.round((Date.now() - startedAt) / 1000);
    return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  };
  onProgress(`${what} …`);
  const timer = setInterval(() => onProgress(`${what} … ${elapsed()}${state ? `, ${state()}` : ''}`), 15_000);
  try {
    const result = await work();
    onProgress(`${what}: done in ${elapsed()}`);
    return result;
  } finally {
    clearInterval(timer);
  }
}

/**
 * Retries a registry that does not answer, after these pauses: a fresh machine fetches many parts, and a single refusal would end what needs them. `attempt`
 * returns why it failed, and this returns the last reason.
 */
export async function askAgain(
  attempt: () => Promise<string | undefined>,
  pausesMs: readonly number[] = [10_000, 30_000],
): Promise<string | undefined> {
  let refused = await attempt();
  for (const pauseMs of pausesMs) {
    if (refused === undefined) return undefined;
    await sleep(pauseMs);
    refused = await attempt();
  }
  return refused;
}

async function lock(path: string, onWait: () => void): Promise<() => void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const file = openSync(path, 'wx');
      writeSync(file, String(process.pid));
      closeSync(file);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (systemErrorCode(error) !== 'EEXIST') throw error;
    }
    if (await isAbandoned(path)) {
      rmSync(path, { force: true });
      continue;
    }
    if (attempt % 60 === 0) onWait();
    await sleep(500);
  }
}

/** Returns whether the lock's owner is gone. If two processes both take it over, both install, and the later rename finds the part in place. */
async function isAbandoned(path: string): Promise<boolean> {
  const owner = readOwner(path);
  if (owner === undefined) return false;
  if (owner !== 0) return !isRunning(owner);
  await sleep(1000);
  return readOwner(path) === 0;
}

/** Returns the pid in a lock file, 0 while it is not written yet, undefined if the file is gone. */
function readOwner(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'utf8')) || 0;
  } catch {
    return undefined;
  }
}

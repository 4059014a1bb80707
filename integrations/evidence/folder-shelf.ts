import { randomUUID } from 'node:crypto';
import { link, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceShelf } from '../../core/evidence/evidence-shelf.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { ensureFolder } from '../ensure-folder.ts';
import { syncFolder } from './sync-folder.ts';

/** Files below the folder, readable by its owner only. */
export function createFolderShelf({ dir }: { readonly dir: string }): EvidenceShelf {
  const pathOf = (name: string): string => join(dir, name);
  return {
    async add(name, bytes) {
      const path = pathOf(name);
      const folder = dirname(path);
      const draft = `${path}.${randomUUID()}.draft`;
      try {
        await ensureFolder(folder, 0o700);
        await writeFile(draft, bytes, { mode: 0o600, flag: 'wx', flush: true });
        await link(draft, path);
        await syncFolder(folder);
        // The folder itself may be new.
        await syncFolder(dirname(folder));
      } catch (error) {
        if (systemErrorCode(error) !== 'EEXIST') throw unavailable(dir, error);
      } finally {
        // A draft that stays all the same is removed together with its object.
        await rm(draft, { force: true }).catch(() => undefined);
      }
    },
    get: (name) => orAbsent(dir, () => readFile(pathOf(name))),
    names: async function* (folder) {
      const found = (await orAbsent(dir, () => readdir(pathOf(folder)))) ?? [];
      yield* found.filter((name) => !name.endsWith('.draft')).sort();
    },
    async remove(name) {
      const path = pathOf(name);
      await orAbsent(dir, async () => {
        // Removes drafts left by a killed process first: each is a complete copy under another name.
        for (const entry of await readdir(dirname(path)))
          if (entry.startsWith(`${basename(path)}.`) && entry.endsWith('.draft'))
            await rm(join(dirname(path), entry), { force: true });
        await rm(path);
        await syncFolder(dirname(path));
      });
    },
    locked: async () => undefined,
  };
}

async function orAbsent<T>(dir: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    // A path below an object does not exist, either.
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return undefined;
    throw unavailable(dir, error);
  }
}

function unavailable(dir: string, error: unknown): FirebreakError {
  return new FirebreakError('FB_ERR_UNAVAILABLE', `the files in ${dir}: ${systemErrorCode(error) ?? 'failed'}`);
}

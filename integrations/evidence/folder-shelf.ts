import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceShelf } from '../../core/evidence-shelf.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { syncFolder } from './sync-folder.ts';

/** Files below the folder, readable by its owner only. */
export function createFolderShelf({ dir }: { readonly dir: string }): EvidenceShelf {
  const pathOf = (name: string): string => join(dir, name);
  return {
    async add(name, bytes) {
      const path = pathOf(name);
      const folder = dirname(path);
      const draft = join(folder, `${randomUUID()}.draft`);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = await open(draft, 'wx', 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
        await link(draft, path);
        await syncFolder(folder);
      } catch (error) {
        if (systemErrorCode(error) !== 'EEXIST') throw unavailable(error);
      } finally {
        await file.close();
        await rm(draft, { force: true });
      }
    },
    get: (name) => orAbsent(() => readFile(pathOf(name))),
    names: async function* (folder) {
      const found = (await orAbsent(() => readdir(pathOf(folder)))) ?? [];
      yield* found.filter((name) => !name.endsWith('.draft')).sort();
    },
    async remove(name) {
      await orAbsent(async () => {
        await rm(pathOf(name));
        await syncFolder(dirname(pathOf(name)));
      });
    },
    locked: async () => undefined,
  };
}

async function orAbsent<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw unavailable(error);
  }
}

function unavailable(error: unknown): FirebreakError {
  return new FirebreakError('FB_ERR_UNAVAILABLE', `the keys beside the evidence: ${systemErrorCode(error) ?? 'failed'}`);
}

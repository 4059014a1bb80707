import { mkdirSync, statSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemErrorCode } from '../core/system-error.ts';

const anybody = 0o777;

/**
 * Makes the folder and those above it that are missing, all with that mode; one that is there stays as it is. Node's own `recursive` never ends
 * where a file system says "no such file" though the folder above is there, as below `/proc`.
 */
export async function ensureFolder(path: string, mode = anybody): Promise<void> {
  const makeOne = () =>
    mkdir(path, { mode }).catch(async (error: unknown) => {
      const found = await stat(path).catch(() => undefined);
      if (!found?.isDirectory()) throw error;
    });
  try {
    await makeOne();
  } catch (error) {
    if (!isParentMissing(path, error)) throw error;
    await ensureFolder(dirname(path), mode);
    await makeOne();
  }
}

/** The same, at once. */
export function ensureFolderSync(path: string, mode = anybody): void {
  const makeOne = (): void => {
    try {
      mkdirSync(path, { mode });
    } catch (error) {
      if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
    }
  };
  try {
    makeOne();
  } catch (error) {
    if (!isParentMissing(path, error)) throw error;
    ensureFolderSync(dirname(path), mode);
    makeOne();
  }
}

/** As it seems: it is made next, and who then hears the same is right. */
function isParentMissing(path: string, error: unknown): boolean {
  return systemErrorCode(error) === 'ENOENT' && dirname(path) !== path;
}

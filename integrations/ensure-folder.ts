import { mkdirSync, statSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemErrorCode } from '../core/system-error.ts';

const anybody = 0o777;

/**
 * Creates the folder and its missing parents, all with that mode; an existing folder stays as it is. Node's own `recursive` never ends if a file system says
 * "no such file" although the parent exists, as below `/proc`.
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

/** The same, synchronously. */
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

/** Only assumed: the parent is created next, and if the same error comes again, it is the right one to report. */
function isParentMissing(path: string, error: unknown): boolean {
  return systemErrorCode(error) === 'ENOENT' && dirname(path) !== path;
}

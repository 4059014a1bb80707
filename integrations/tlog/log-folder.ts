import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import type { LogFiles } from '../../core/tlog/log-tree.ts';
import { replaceFile } from '../replace-file.ts';

/** A log's files in a folder that any web server can serve as it is. Files are written atomically, and are on disk when `write` resolves. */
export function createLogFolder({ folder }: { readonly folder: string }): LogFiles {
  return {
    description: `folder ${folder}`,
    read: async (path) => {
      try {
        return await readFile(join(folder, path));
      } catch (error) {
        if (systemErrorCode(error) === 'ENOENT') return undefined;
        throw failed(folder, 'read', error);
      }
    },
    write: async ({ path, bytes }) => {
      try {
        await replaceFile({ path: join(folder, path), content: bytes, mode: 0o644 });
      } catch (error) {
        throw failed(folder, 'written', error);
      }
    },
  };
}

function failed(folder: string, done: string, error: unknown): FirebreakError {
  const reason = systemErrorCode(error) ?? 'unknown reason';
  return new FirebreakError('FB_ERR_UNAVAILABLE', `the log in ${folder} cannot be ${done}: ${reason}`);
}

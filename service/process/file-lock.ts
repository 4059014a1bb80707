import type { DatabaseSync } from 'node:sqlite';

/** https://www.sqlite.org/rescode.html#busy */
const sqliteBusy = 5;

/**
 * A lock that the system releases when its process ends, for whatever reason: nobody has to guess from a leftover file whether its owner is alive, and two
 * processes that guess at once could both take it. It is a SQLite lock, on an empty file that stays.
 *
 * @param path in an existing folder, on a local disk
 * @returns a function that releases it; undefined while anything else holds it, in this process too
 */
export async function takeLock(path: string): Promise<(() => void) | undefined> {
  const { DatabaseSync } = await import('node:sqlite');
  const lock = new DatabaseSync(path, { timeout: 0 });
  try {
    if (isTaken(lock)) return () => lock.close();
  } catch (error) {
    lock.close();
    throw error;
  }
  lock.close();
  return undefined;
}

function isTaken(lock: DatabaseSync): boolean {
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy) return false;
    throw error;
  }
}

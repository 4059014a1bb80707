import type { DatabaseSync } from 'node:sqlite';

/** https://www.sqlite.org/rescode.html#busy */
const sqliteBusy = 5;

/**
 * A lock that the system drops with its process, however that ends: nobody has to judge by a file that is left whether its maker lives, and two that
 * judge so at once both take it. It is SQLite's, on an empty file that stays.
 *
 * @param path in a folder that is there, on a local disk
 * @returns what lets go of it; undefined while anybody else holds it, in this process too
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

import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { ensureFolder } from '../../integrations/ensure-folder.ts';
import type { Config } from '../config/load.ts';

function markOf({ stateDir }: Pick<Config, 'stateDir'>): string {
  return join(stateDir, 'restore-unfinished');
}

/** Digest of the backup whose restore into this state directory was begun and has not finished. */
export function unfinishedRestore(config: Pick<Config, 'stateDir'>): string | undefined {
  try {
    return readFileSync(markOf(config), 'utf8');
  } catch {
    return undefined;
  }
}

/** @throws FB_ERR_RESTORE_UNFINISHED: a half-restored backup must not be used. */
export function refuseUnfinishedRestore(config: Pick<Config, 'stateDir'>): void {
  if (unfinishedRestore(config) !== undefined) throw new FirebreakError('FB_ERR_RESTORE_UNFINISHED', markOf(config));
}

/** From here on nothing starts in this state directory until `endRestore`. */
export async function beginRestore(config: Pick<Config, 'stateDir'>, digest: string): Promise<void> {
  await ensureFolder(config.stateDir, 0o700);
  await writeFile(markOf(config), digest, { mode: 0o600, flush: true });
}

export async function endRestore(config: Pick<Config, 'stateDir'>): Promise<void> {
  await rm(markOf(config), { force: true });
}

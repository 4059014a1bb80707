import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { PackFiles } from '../packs/pack-files.ts';
import type { HistoryFault } from './histories.ts';

/** Only for a folder: a tarball has no histories. Temporal is loaded only if there is something to replay. */
export async function faultsOfHistories(where: string, files: PackFiles): Promise<readonly HistoryFault[]> {
  const folder = resolve(where);
  if (!existsSync(join(folder, 'histories'))) return [];
  const { replayHistories } = await import('./histories.ts');
  const { packBundle } = await import('./trial-bundle.ts');
  return replayHistories(folder, await packBundle(folder, files));
}

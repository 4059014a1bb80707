import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { FirebreakError } from '../../core/errors.ts';
import type { ListedPlaybook, Pack } from '../../core/playbook/pack.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { playbooks as shipped } from '../../playbooks/index.ts';

/** Which playbooks a simulation is about. */
export interface ChosenPlaybooks {
  /** Folder of a pack, or its `firebreak.pack.ts`; absent: what is shipped. */
  readonly pack?: string;
  /** Ids, with or without the pack; absent: all. */
  readonly playbook?: readonly string[];
}

/** @throws FB_ERR_FILE_MISSING, FB_ERR_CONFIG_INVALID for what is no pack, FB_ERR_UNKNOWN_ID */
export async function choosePlaybooks({ pack, playbook: ids }: ChosenPlaybooks): Promise<readonly ListedPlaybook[]> {
  const all = pack === undefined ? shipped : (await loadPack(pack)).playbooks;
  if (ids === undefined || ids.length === 0) return all;
  return ids.map((wanted) => {
    const found = all.find(({ id }) => id === wanted || id.endsWith(`/${wanted}`));
    if (!found)
      throw new FirebreakError(
        'FB_ERR_UNKNOWN_ID',
        `there is no playbook ${wanted}, only: ${all.map(({ id }) => id).join(', ')}`,
      );
    return found;
  });
}

async function loadPack(path: string): Promise<Pack> {
  const file = ['firebreak.pack.ts', 'firebreak.pack.js', 'firebreak.pack.mjs', '']
    .map((name) => (name === '' ? resolve(path) : join(resolve(path), name)))
    .find((one) => existsSync(one));
  if (file === undefined) throw new FirebreakError('FB_ERR_FILE_MISSING', `${path}: there is no firebreak.pack.ts`);
  let loaded: unknown;
  try {
    loaded = await import(pathToFileURL(file).href);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'it throws';
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${path}: the pack cannot be loaded: ${reason}`);
  }
  const made: unknown = isObject(loaded) ? loaded.default : undefined;
  if (!isObject(made) || !Array.isArray(made.playbooks))
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${path}: its default export is not what definePack gives`);
  // What definePack made: its types are the author's compiler's to check.
  return made as unknown as Pack;
}

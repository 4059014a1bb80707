import { join, resolve } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceShelf } from '../../core/evidence/evidence-shelf.ts';
import type { EvidenceStore } from '../../core/evidence/evidence-store.ts';
import { createFolderShelf } from '../../integrations/evidence/folder-shelf.ts';
import { createFolderStore } from '../../integrations/evidence/folder-store.ts';
import type { Config, Environment } from '../config/load.ts';
import { resolveBackupSecrets } from '../config/secrets.ts';

/** Where one backup is: its parts by name, and evidence by hash. */
export interface BackupPlace {
  readonly description: string;
  readonly shelf: EvidenceShelf;
  readonly objects: EvidenceStore;
}

const inBucket = /^s3(?::(?<name>[-\w.]+))?$/;

/** Where a new backup of that name goes: below a folder, or with `s3` in the bucket of the configuration. */
export function newPlace(options: {
  readonly to: string;
  readonly name: string;
  readonly config: Config;
  readonly env: Environment;
}): Promise<BackupPlace> {
  const { to, name, config, env } = options;
  return inBucket.test(to) ? bucketPlace(name, config, env) : folderPlace(join(resolve(to), name));
}

/** A backup's own folder; undefined for one in a bucket, `s3:NAME`. */
export function backupFolder(from: string): string | undefined {
  return inBucket.test(from) ? undefined : resolve(from);
}

/** Where a backup is read from: its own folder, or `s3:NAME` in the bucket of the configuration. */
export function oldPlace(options: {
  readonly from: string;
  readonly config: Config | undefined;
  readonly env: Environment;
}): Promise<BackupPlace> {
  const { from, config, env } = options;
  const found = inBucket.exec(from);
  if (!found) return folderPlace(resolve(from));
  const name = found.groups?.name;
  if (name === undefined)
    throw new FirebreakError('FB_ERR_INCOMPLETE', 'say which one: --from s3:NAME, as `firebreak backup` printed it');
  if (!config)
    throw new FirebreakError(
      'FB_ERR_FILE_MISSING',
      'the configuration has to be there to reach the bucket (`backup.s3`): put it where --config says',
    );
  return bucketPlace(name, config, env);
}

async function folderPlace(dir: string): Promise<BackupPlace> {
  return { description: dir, shelf: createFolderShelf({ dir }), objects: createFolderStore({ dir: join(dir, 'objects') }) };
}

async function bucketPlace(name: string, config: Config, env: Environment): Promise<BackupPlace> {
  const where = config.backup.s3;
  const access = resolveBackupSecrets({ config, env });
  if (!where || !access) throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'there is no `backup.s3` in the configuration');
  const { createBucketShelf } = await import('../../integrations/evidence/bucket-shelf.ts');
  const { createS3Store } = await import('../../integrations/evidence/s3-store.ts');
  const at = { ...where, ...access, prefix: `${where.prefix}${name}/` };
  return {
    description: `s3:${name}`,
    shelf: createBucketShelf(at),
    objects: createS3Store({ ...at, prefix: `${at.prefix}objects/` }),
  };
}

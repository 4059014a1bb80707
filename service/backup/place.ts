import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceShelf } from '../../core/evidence/evidence-shelf.ts';
import type { EvidenceStore } from '../../core/evidence/evidence-store.ts';
import { createFolderShelf } from '../../integrations/evidence/folder-shelf.ts';
import { createFolderStore } from '../../integrations/evidence/folder-store.ts';
import type { Config, Environment } from '../config/load.ts';
import { resolveBackupSecrets } from '../config/secrets.ts';
import { manifestName } from './manifest.ts';

/** The location of one backup: its parts by name, and evidence by hash. */
export interface BackupPlace {
  readonly description: string;
  readonly shelf: EvidenceShelf;
  readonly objects: EvidenceStore;
}

const inBucket = /^s3(?::(?<name>[-\w.]+))?$/;

/** Location of a new backup with that name: below a folder, or with `s3` in the configured bucket. */
export function newPlace(options: {
  readonly to: string;
  readonly name: string;
  readonly config: Config;
  readonly env: Environment;
}): Promise<BackupPlace> {
  const { to, name, config, env } = options;
  return inBucket.test(to) ? bucketPlace(name, config, env) : folderPlace(join(resolve(to), name));
}

/** The backup's own folder; undefined for a backup in a bucket, `s3:NAME`. */
export function backupFolder(from: string): string | undefined {
  return inBucket.test(from) ? undefined : resolve(from);
}

/** Location that a backup is read from: its own folder, or `s3:NAME` in the configured bucket. */
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
    throw new FirebreakError('FB_ERR_INCOMPLETE', 'name one with --from s3:NAME, as `firebreak backup` printed it');
  if (!config)
    throw new FirebreakError(
      'FB_ERR_FILE_MISSING',
      'the configuration is needed to reach the bucket (`backup.s3`): put it where --config says',
    );
  return bucketPlace(name, config, env);
}

/** End of the name from `newPlace`: the cluster, then when the backup was begun. */
const backupTime = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/;
/** An unfinished backup of this age does not belong to one that still runs. */
const abandonedMs = 86_400_000;

/**
 * Removes from a folder all backups of this cluster except the newest, and remains of interrupted ones. A bucket has its own rules for that.
 * @returns the names of the removed backups
 */
export async function removeOlder(options: {
  readonly to: string;
  readonly cluster: string;
  readonly keep: number;
  readonly now?: () => number;
}): Promise<readonly string[]> {
  const { to, cluster, keep, now = Date.now } = options;
  const dir = resolve(to);
  const own = (await readdir(dir))
    .filter((name) => name.startsWith(`${cluster}-`) && backupTime.test(name.slice(cluster.length + 1)))
    .sort()
    .reverse();
  const whole = own.filter((name) => existsSync(join(dir, name, manifestName)));
  const abandoned = `${cluster}-${new Date(now() - abandonedMs).toISOString().replaceAll(':', '-')}`;
  const gone = [...whole.slice(keep), ...own.filter((name) => !whole.includes(name) && name < abandoned)];
  for (const name of gone) {
    // Removes the manifest first, so that no half-deleted backup looks valid.
    await rm(join(dir, name, manifestName), { force: true });
    await rm(join(dir, name), { recursive: true, force: true });
  }
  return gone;
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

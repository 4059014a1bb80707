import { access, readdir, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { z } from 'zod';
import { FirebreakError, hasCode } from '../../core/errors.ts';
import type { SignatureVerifier } from '../../core/messages/signing.ts';
import { logHeadPath } from '../../core/tlog/log-tree.ts';
import { createBox } from '../../integrations/crypto-box/box.ts';
import { openAsIs } from '../../integrations/database/database.ts';
import { migrate, schemaOf } from '../../integrations/database/migrations.ts';
import { isEmptyDatabase, replaceTables, type TableRow } from '../../integrations/database/table-rows.ts';
import { ensureFolder } from '../../integrations/ensure-folder.ts';
import { sha256Of } from '../../integrations/evidence/drafted-file.ts';
import { replaceFile } from '../../integrations/replace-file.ts';
import type { Config, Environment } from '../config/load.ts';
import { resolveReleaseSecrets, resolveStoreSecrets } from '../config/secrets.ts';
import { openEvidenceStore, openShelf } from '../process/evidence.ts';
import { openReleaseShelf } from '../process/releases.ts';
import { keySeal, partFolders } from './backup.ts';
import { type FilePlace, type FoundFile, fileBases, placed } from './files.ts';
import { type BackupManifest, type BackupPart, backupDigest, readManifest } from './manifest.ts';
import type { BackupPlace } from './place.ts';
import { beginRestore, endRestore, unfinishedRestore } from './unfinished.ts';

const unpacked = promisify(gunzip);
/** Far above what a backup writes into one part. */
const largestPart = 256 * 1024 * 1024;

/** A backup that was read once from end to end: complete, and as signed. */
export interface CheckedBackup {
  readonly manifest: BackupManifest;
  readonly place: BackupPlace;
}

/** @throws FB_ERR_BACKUP_INVALID naming the first part that is missing or was changed. */
export async function checkBackup(place: BackupPlace, verifier: SignatureVerifier): Promise<CheckedBackup> {
  const manifest = await readManifest(place.shelf, place.description, verifier);
  const backup = { manifest, place };
  for (const part of manifest.parts) await contentOf(backup, part);
  for (const { sha256 } of manifest.objects)
    try {
      for await (const _ of place.objects.read(sha256));
    } catch (error) {
      if (hasCode(error, 'FB_ERR_NOT_FOUND')) throw invalid(`objects/${sha256} is missing`);
      if (hasCode(error, 'FB_ERR_EVIDENCE_DAMAGED')) throw invalid(`objects/${sha256} was changed`);
      throw error;
    }
  return backup;
}

/**
 * Restores the configuration and the files next to it that it names, so that it can be loaded. Existing files stay, whatever their version.
 * @returns the files that already exist and differ from those of the backup
 */
export async function restoreConfig(backup: CheckedBackup, configFile: string): Promise<readonly string[]> {
  const others: string[] = [];
  for (const { at, part } of filesOf(backup.manifest)) {
    const path = placed(at, { config: undefined, configFile });
    if (path === undefined) continue;
    const content = await contentOf(backup, part);
    const there = await readFile(path).catch(() => undefined);
    if (!there) await replaceFile({ path, content });
    else if (!there.equals(content)) others.push(path);
  }
  return others;
}

export interface RestoreOptions {
  readonly backup: CheckedBackup;
  readonly config: Config;
  readonly configFile: string;
  readonly env: Environment;
  readonly databaseUrl: string;
  /** Key that sealed the private keys; absent: they are not restored. */
  readonly keysKey?: Uint8Array | undefined;
  /** Replaces existing data. Existing files are kept under another name. */
  readonly force: boolean;
}

/** Describes what stands in the way of the restore; empty if this restore was already begun here. */
export async function restoreObstacles({
  backup,
  config,
  configFile,
  databaseUrl,
  keysKey,
}: RestoreOptions): Promise<readonly string[]> {
  const { manifest } = backup;
  if (manifest.cluster !== config.cluster)
    throw new FirebreakError(
      'FB_ERR_CONFIG_INVALID',
      `the backup is from cluster ${manifest.cluster}, but the configuration is for ${config.cluster}`,
    );
  const begun = unfinishedRestore(config);
  if (begun === backupDigest(manifest)) return [];
  const obstacles = begun === undefined ? [] : [`${config.stateDir} has half of another backup`];
  if (await hasRows(databaseUrl)) obstacles.push('the database holds records');
  const { folder } = config.audit.log;
  if (await exists(join(folder, logHeadPath))) obstacles.push(`the transparency log ${folder} exists`);
  for (const file of [...(await stateFiles(backup)), ...(await openedKeys(backup, keysKey))]) {
    const path = placed(file, { config, configFile });
    const there = path === undefined ? undefined : await readFile(path).catch(() => undefined);
    if (there && !there.equals(file.content)) obstacles.push(`${path} exists, and is a different one`);
  }
  return obstacles;
}

/**
 * Restores everything, the database last and in one transaction. If killed midway, it leaves a mark that keeps anything from starting; running it again
 * completes it. Evidence and releases are only added: existing ones stay, and no key that was destroyed since comes back.
 * @throws FB_ERR_RESTORE_TARGET, FB_ERR_BACKUP_INVALID, FB_ERR_SEAL_BROKEN, FB_ERR_UNAVAILABLE
 */
export async function restoreBackup(options: RestoreOptions): Promise<void> {
  const { backup, config, configFile, env, databaseUrl, keysKey, force } = options;
  const { manifest, place } = backup;
  const obstacles = await restoreObstacles(options);
  if (obstacles.length > 0 && !force) throw new FirebreakError('FB_ERR_RESTORE_TARGET', obstacles.join('; '));
  const digest = backupDigest(manifest);
  await beginRestore(config, digest);
  const old = `before-${digest.slice(0, 8)}`;
  for (const file of [...(await stateFiles(backup)), ...(await openedKeys(backup, keysKey))]) {
    const path = placed(file, { config, configFile });
    if (path !== undefined) await restoreFile(path, file.content, old);
  }
  // The log is made again from the records' checkpoints. The one that is here may go further: it stays, as proof, under another name.
  await keepOldLog(config.audit.log.folder, old);

  const releases = await openReleaseShelf({ config, secrets: resolveReleaseSecrets({ config, env }) });
  for (const { part, name } of below(manifest, partFolders.releases)) await releases.add(name, await contentOf(backup, part));

  if (manifest.evidence !== 'none') {
    const secrets = resolveStoreSecrets({ config, env });
    const [store, shelf] = await Promise.all([openEvidenceStore({ config, secrets }), openShelf({ config, secrets })]);
    for (const { sha256 } of manifest.objects)
      if (!(await store.has(sha256))) await store.put(place.objects.read(sha256), 'application/octet-stream');
    for (const { part, name } of below(manifest, partFolders.evidence)) {
      const isDestroyed = name.startsWith('keys/') && (await shelf.get(name.replace('keys/', 'destroyed/'))) !== undefined;
      if (!isDestroyed) await shelf.add(name, await contentOf(backup, part));
    }
  }
  await restoreDatabase(backup, databaseUrl);
  await endRestore(config);
}

async function restoreDatabase(backup: CheckedBackup, url: string): Promise<void> {
  const { tables, schema } = backup.manifest.database;
  if (url.startsWith('sqlite:')) await ensureFolder(dirname(url.slice('sqlite:'.length)), 0o700);
  const database = await openAsIs({ url });
  try {
    await replaceTables(database, {
      schema,
      rows: async function* ({ name }) {
        let count = 0;
        for (const { part } of below(backup.manifest, `${partFolders.database}/${name}`)) {
          const rows = rowsIn(part, await unpackedContent(backup, part));
          count += rows.length;
          yield rows;
        }
        const said = tables.find((table) => table.name === name)?.rows ?? 0;
        if (count !== said) throw invalid(`the table ${name} has ${count} rows, but ${said} were signed`);
      },
    });
    await migrate(database);
  } finally {
    await database.close();
  }
}

const rowsSchema = z.array(z.array(z.union([z.string(), z.number(), z.null()])));

function rowsIn({ name }: BackupPart, content: Uint8Array): readonly TableRow[] {
  const lines = new TextDecoder().decode(content).trimEnd().split('\n');
  const rows = rowsSchema.safeParse(JSON.parse(`[${lines.join(',')}]`));
  if (!rows.success) throw invalid(`${name} does not hold rows`);
  return rows.data;
}

async function hasRows(url: string): Promise<boolean> {
  if (url.startsWith('sqlite:') && !(await exists(url.slice('sqlite:'.length)))) return false;
  const database = await openAsIs({ url });
  try {
    return !(await isEmptyDatabase(database, (await schemaOf(database)).number));
  } finally {
    await database.close();
  }
}

interface NamedPart {
  readonly part: BackupPart;
  /** Without the folder. */
  readonly name: string;
}

function below({ parts }: BackupManifest, folder: string): readonly NamedPart[] {
  return parts.flatMap((part) =>
    part.name.startsWith(`${folder}/`) ? [{ part, name: part.name.slice(folder.length + 1) }] : [],
  );
}

function filesOf(manifest: BackupManifest): readonly { readonly at: FilePlace; readonly part: BackupPart }[] {
  return below(manifest, partFolders.files).flatMap(({ part, name }) => {
    const [base, ...path] = name.split('/');
    const known = fileBases.find((one) => one === base);
    return known ? [{ at: { base: known, path: path.join('/') }, part }] : [];
  });
}

async function stateFiles(backup: CheckedBackup): Promise<readonly FoundFile[]> {
  const inState = filesOf(backup.manifest).filter(({ at }) => at.base === 'state');
  return Promise.all(inState.map(async ({ at, part }) => ({ ...at, content: await contentOf(backup, part) })));
}

const keysSchema = z.array(
  z.strictObject({ base: z.enum(fileBases), path: z.string().regex(/^(?!.*(^|\/)\.\.(\/|$))[^/]/), content: z.base64() }),
);

async function openedKeys(backup: CheckedBackup, key: Uint8Array | undefined): Promise<readonly FoundFile[]> {
  const part = backup.manifest.parts.find(({ name }) => name === partFolders.keys);
  if (!part || !key) return [];
  const opened = createBox({ keys: [{ id: keySeal.id, key }] }).open(await contentOf(backup, part), keySeal.aad);
  const files = keysSchema.safeParse(JSON.parse(new TextDecoder().decode(opened)));
  if (!files.success) throw invalid(`${part.name} does not hold keys`);
  return files.data.map(({ content, ...at }) => ({ ...at, content: Buffer.from(content, 'base64') }));
}

/** Verified on every read: somebody could change it after the first. */
async function contentOf({ place }: CheckedBackup, { name, sha256, bytes }: BackupPart): Promise<Uint8Array> {
  const content = await place.shelf.get(name);
  if (!content) throw invalid(`${name} is missing`);
  if (content.byteLength !== bytes || sha256Of(content) !== sha256) throw invalid(`${name} was changed`);
  return content;
}

async function unpackedContent(backup: CheckedBackup, part: BackupPart): Promise<Uint8Array> {
  return unpacked(await contentOf(backup, part), { maxOutputLength: largestPart });
}

async function restoreFile(path: string, content: Uint8Array, old: string): Promise<void> {
  const there = await readFile(path).catch(() => undefined);
  if (there?.equals(content)) return;
  if (there) await keepOld(path, old);
  await replaceFile({ path, content });
}

/** Renames the file, once: what a second attempt finds there comes from the backup. */
async function keepOld(path: string, old: string): Promise<void> {
  if ((await exists(path)) && !(await exists(`${path}.${old}`))) await rename(path, `${path}.${old}`);
}

/** Moves what is in the folder into one below it: the folder itself may be a volume. */
async function keepOldLog(folder: string, old: string): Promise<void> {
  if (!(await exists(join(folder, logHeadPath)))) return;
  await ensureFolder(join(folder, old));
  // The head last: a second attempt starts from it.
  for (const name of await readdir(folder))
    if (!name.startsWith('before-') && name !== logHeadPath) await rename(join(folder, name), join(folder, old, name));
  await rename(join(folder, logHeadPath), join(folder, old, logHeadPath));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function invalid(what: string): FirebreakError {
  return new FirebreakError('FB_ERR_BACKUP_INVALID', what);
}

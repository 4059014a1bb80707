import { existsSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { describeReport } from '../../../core/audit/audit-report.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { openSigner, openVerifier } from '../../../integrations/keys/ed25519.ts';
import { makeBackup } from '../../backup/backup.ts';
import type { BackupManifest } from '../../backup/manifest.ts';
import { backupFolder, oldPlace, removeOlder } from '../../backup/place.ts';
import { checkBackup, type RestoreOptions, restoreBackup, restoreConfig, restoreObstacles } from '../../backup/restore.ts';
import { type Config, loadConfig } from '../../config/load.ts';
import { resolveAuditUrl } from '../../config/secrets.ts';
import { notaryKeyFiles, readRandomKey } from '../../process/keys/key-files.ts';
import { type ConfirmOptions, confirm, withConfirmation } from '../confirm.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { bytesText, print, printable, printFacts, printJson } from '../output.ts';
import { auditReport, existingAuditUrl } from './audit.ts';
import { type RetiredKeysOption, retiredKeyOption } from './retired-key.ts';

interface BackupCommandOptions extends ConfiguredOptions {
  readonly to: string;
  readonly evidence: BackupManifest['evidence'];
  readonly keys?: string;
  readonly key?: string;
  readonly verify?: true;
  readonly keep?: number;
}

interface RestoreCommandOptions extends ConfiguredOptions, ConfirmOptions, RetiredKeysOption {
  readonly from: string;
  readonly publicKey?: readonly string[];
  readonly keys?: string;
  readonly force?: true;
}

/** Adds `firebreak admin backup`. */
export function registerBackupCommand(program: Command): void {
  const command = program
    .command('backup')
    .description('back up everything that Firebreak cannot recreate, to a folder or a bucket, while it is running')
    .requiredOption('--to <place>', 'a folder, in which the backup gets a folder of its own, or s3: the bucket of backup.s3')
    .addOption(
      new Option(
        '--evidence <how>',
        'how much of the evidence to include: its signed manifests, or also its bytes and the keys of the incidents',
      )
        .choices(['none', 'manifests', 'bytes'])
        .default('manifests'),
    )
    .option(
      '--keys <file>',
      'include the private keys, sealed with the key in this file (openssl rand -base64 32); keep that file elsewhere',
    )
    .option('--key <file>', 'private key (PEM) that signs the backup (default: audit.notaryKeyFile)')
    .option('--verify', 'read the backup back, and check its signature and each part')
    .addOption(
      new Option(
        '--keep <count>',
        'in a folder: remove all but this many backups of this cluster, once the new one is verified',
      ).argParser(atLeastOne),
    );
  withExamples(withConfig(command), [
    'firebreak admin backup --to /mnt/backups',
    'firebreak admin backup --to s3 --evidence bytes --keys /mnt/safe/backup.key',
    'firebreak admin backup --to /mnt/backups --verify --keep 14',
  ]).action(backup);
}

function atLeastOne(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new InvalidArgumentError('Expected a whole number, 1 or more.');
}

async function backup(options: BackupCommandOptions): Promise<void> {
  const { config: configFile, to, evidence, keys, keep, json } = options;
  const config = loadConfig({ path: configFile, env: process.env });
  const key = options.key ?? config.audit.notaryKeyFile;
  if (keep !== undefined && backupFolder(to) === undefined)
    throw new FirebreakError('FB_ERR_INCOMPLETE', '--keep works only with a folder: for a bucket, use its own lifecycle rule');
  const { from, manifest, elsewhere, missing } = await makeBackup({
    config,
    configFile,
    env: process.env,
    to,
    databaseUrl: existingAuditUrl(config),
    signer: await openSigner({ file: key }),
    evidence,
    keysKey: keys === undefined ? undefined : await readRandomKey(keys),
  });
  // Older backups are removed only after the new one has been verified.
  if (options.verify || keep !== undefined)
    await checkBackup(await oldPlace({ from, config, env: process.env }), await openVerifier({ files: [`${key}.pub`] }));
  const removed = keep === undefined ? [] : await removeOlder({ to, cluster: config.cluster, keep });
  const records = rowsOf(manifest, 'audit_records');
  const bytes = [...manifest.parts, ...manifest.objects].reduce((sum, one) => sum + one.bytes, 0);
  if (json)
    return printJson({
      from,
      at: manifest.at,
      schema: manifest.database.schema,
      records,
      bytes,
      elsewhere,
      missing,
      verified: options.verify === true || keep !== undefined,
      removed,
      leftOut: leftOut(manifest),
    });
  print(`backed up to ${printable(from)}`);
  printFacts([
    ['at', manifest.at],
    ['database', `${manifest.database.kind}, schema ${manifest.database.schema}, ${records} records`],
    ['evidence', evidenceText(manifest)],
    ['size', bytesText(bytes)],
  ]);
  for (const line of [...leftOut(manifest), ...elsewhereLines(elsewhere), ...missingLines(missing)]) print(printable(line));
  if (options.verify || keep !== undefined) print('it was read back: everything matches what was signed');
  for (const name of removed) print(`removed: ${printable(name)}`);
  print(`→ firebreak admin restore --from ${printable(from)} --public-key FILE, with the public half of the notary’s key`);
}

function rowsOf({ database }: BackupManifest, table: string): number {
  return database.tables.find(({ name }) => name === table)?.rows ?? 0;
}

function evidenceText({ evidence, objects }: BackupManifest): string {
  if (evidence === 'none') return 'left out';
  return evidence === 'manifests'
    ? `${objects.length} manifests, without their bytes`
    : `${objects.length} objects, with the keys of the incidents`;
}

/** What the backup does not contain, and who has it. */
function leftOut({ keys }: BackupManifest): readonly string[] {
  return [
    ...(keys === 'left out' ? ['not included: the private keys (--keys FILE seals them into it)'] : []),
    'not included: what Temporal holds, which is the progress of open incidents, and the decisions on suppressions, freezes and promotions: back up Temporal’s own database',
    'not included: secrets that the configuration names (tokens, passwords), packs that come from folders, files and npm, and the cell’s spool and memory (an older copy would only mislead)',
  ];
}

function elsewhereLines(elsewhere: readonly string[]): readonly string[] {
  return elsewhere.map((path) => `not included: ${path}, which is neither next to the configuration nor in the state directory`);
}

function missingLines(missing: number): readonly string[] {
  return missing === 0 ? [] : [`${missing} objects that manifests name are no longer in the evidence store`];
}

/** Adds `firebreak admin restore`. */
export function registerRestoreCommand(program: Command): void {
  const command = program
    .command('restore')
    .description('restore a backup to an empty place, and check the records afterwards; Firebreak must be stopped')
    .requiredOption('--from <place>', 'folder of the backup, or s3:NAME')
    .option(
      '--public-key <files...>',
      'public keys (PEM) whose backups are trusted (default: the .pub next to audit.notaryKeyFile)',
    )
    .option('--keys <file>', 'the key that sealed the private keys')
    .option('--force', 'replace what is there; existing files are kept under another name')
    .addOption(retiredKeyOption());
  withExamples(withConfig(withConfirmation(command)), [
    'firebreak admin restore --from /mnt/backups/prod-eu-2026-03-01T10-00-00.000Z --public-key /mnt/safe/notary.pem.pub',
    'firebreak admin restore --from s3:prod-eu-2026-03-01T10-00-00.000Z --public-key /mnt/safe/notary.pem.pub --keys /mnt/safe/backup.key',
  ]).action(restore);
}

async function restore(options: RestoreCommandOptions): Promise<void> {
  const { config: configFile, from, keys, json, force = false, retiredKey } = options;
  // With a backup in a folder, the configuration and the files that it needs may themselves have to be restored.
  const isSelfContained = backupFolder(from) !== undefined && (options.publicKey !== undefined || !existsSync(configFile));
  const before = isSelfContained ? undefined : loadConfig({ path: configFile, env: process.env });
  const verifier = await openVerifier({ files: options.publicKey ?? ownPublicKey(before) });
  const checked = await checkBackup(await oldPlace({ from, config: before, env: process.env }), verifier);
  const kept = await restoreConfig(checked, configFile);
  const config = loadConfig({ path: configFile, env: process.env });
  const work: RestoreOptions = {
    backup: checked,
    config,
    configFile,
    env: process.env,
    databaseUrl: resolveAuditUrl({ config, env: process.env }),
    keysKey: keys === undefined ? undefined : await readRandomKey(keys),
    force,
  };
  if (force) {
    const obstacles = await restoreObstacles(work);
    const lines = [`The backup of ${checked.manifest.at} replaces what is here:`, ...obstacles.map((one) => `  ${one}`)];
    if (obstacles.length > 0) await confirm({ lines, ends: config.cluster }, options);
  }
  await restoreBackup(work);
  const report = await auditReport({
    config: configFile,
    asOf: new Date(checked.manifest.at),
    ...(options.publicKey && { publicKey: options.publicKey }),
    ...(retiredKey && { retiredKey }),
  });
  if (!report.ok) process.exitCode = 1;
  const { manifest } = checked;
  const hints = [
    ...kept.map((path) => `${path} differs from the one in the backup: it is left as it is`),
    ...(manifest.keys === 'sealed' && keys === undefined
      ? ['the private keys of the backup stay sealed: use --keys FILE to restore them']
      : []),
    ...(manifest.evidence === 'bytes' ? [] : ['the bytes of the evidence are not in this backup']),
    'Temporal is unchanged: no backup of Firebreak has what was decided there since, or open incidents that it no longer has (`firebreak docs operations`)',
  ];
  if (json) return printJson({ from, at: manifest.at, records: rowsOf(manifest, 'audit_records'), hints, audit: report });
  print(`everything is restored as of ${manifest.at}: ${rowsOf(manifest, 'audit_records')} records`);
  for (const line of [...hints, ...describeReport(report)]) print(printable(line));
}

function ownPublicKey(config: Config | undefined): readonly string[] {
  const files = config && notaryKeyFiles(config.audit);
  if (files && existsSync(files[0])) return files;
  throw new FirebreakError(
    'FB_ERR_INCOMPLETE',
    'name the trusted key with --public-key FILE: the public half of the notary’s key',
  );
}

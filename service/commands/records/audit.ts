import { existsSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { type AuditReport, describeReport } from '../../../core/audit/audit-report.ts';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { createVerifier } from '../../../integrations/keys/ed25519.ts';
import { configToUse } from '../../config/left-out.ts';
import type { Config } from '../../config/load.ts';
import { resolveAuditUrl } from '../../config/secrets.ts';
import { notaryKeyFiles, readKeyText } from '../../process/keys/key-files.ts';
import { openAuditTrust } from '../../records/audit-trust.ts';
import { type RememberedCheckpoint, verifyAudit } from '../../records/verify-audit.ts';
import { type CheckWorkers, startCheckWorkers } from '../../records/workers/check-workers.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson } from '../output.ts';
import { expectedLog, registerLogCommands } from './audit-log.ts';
import { type RetiredKeysOption, retiredKeyOption } from './retired-key.ts';

interface VerifyOptions extends ConfiguredOptions, RetiredKeysOption {
  readonly publicKey?: readonly string[];
  readonly log?: string;
  readonly witness?: readonly string[];
  readonly asOf?: Date;
  readonly allowStale?: string;
  readonly atLeast?: RememberedCheckpoint;
}

/** Adds `firebreak audit verify|log|witness`. */
export function registerAuditCommand(program: Command): void {
  const audit = program.command('audit').description('verify and inspect the audit records');
  const verify = audit
    .command('verify')
    .description(
      'check every record against its author’s signature, the signed checkpoints, the transparency log and its witnesses, and every decision against its signed votes; exit code 1 if anything is wrong',
    )
    .option(
      '--public-key <files...>',
      'public keys (PEM) of the notary, the current one first (default: the .pub next to audit.notaryKeyFile, and audit.retiredNotaryKeys)',
    )
    .option('--log <folder>', 'a trusted copy of the transparency log (default: audit.log.folder)')
    .option(
      '--witness <keys...>',
      'NAME+ID+KEY of witnesses that must have signed the log (default: those of audit.log.witnesses)',
    )
    .addOption(retiredKeyOption())
    .option(
      '--at-least <number[:digest]>',
      'a checkpoint that was seen before: the records must not have been rolled back past it',
      remembered,
    )
    .option(
      '--as-of <time>',
      'check a copy, or a stopped desk, as of this time (ISO 8601): the newest checkpoint must have been fresh then',
      time,
    )
    .option('--allow-stale <reason>', 'accept a newest checkpoint that is too old; the reason goes into the report');
  withExamples(withConfig(verify), [
    'firebreak audit verify',
    'firebreak audit verify --public-key /mnt/safe/notary.pem.pub --log /mnt/safe/log --json',
    'firebreak audit verify --at-least 4711:5f0c…',
    'firebreak audit verify --as-of 2026-03-01T10:00:00Z',
  ]).action(async (options: VerifyOptions) => {
    const report = await auditReport(options);
    if (options.json) printJson(report);
    else for (const line of describeReport(report)) print(printable(line));
    if (!report.ok) process.exitCode = 1;
  });
  registerLogCommands(audit);
}

/** Message for people if some rows are not counted. */
export function leftOutText(leftOut: number): string | undefined {
  if (leftOut === 0) return undefined;
  const which = leftOut === 1 ? '1 record is' : `${leftOut} records are`;
  return `${which} left out: not signed by any known cell or desk (\`firebreak audit verify\` shows the details; for an earlier key, use --retired-key)`;
}

/** Messages for people about alerts on record that are not counted, or only in part. */
export function lackingTexts({ leftOut, bare }: { readonly leftOut: number; readonly bare: number }): readonly string[] {
  const one = bare === 1;
  const without = `${bare} ${one ? 'alert is' : 'alerts are'} known without ${one ? 'its' : 'their'} command line and labels: older than audit.alertDays, or sealed with a key that is missing here`;
  return [leftOutText(leftOut), bare === 0 ? undefined : without].filter((text) => text !== undefined);
}

function remembered(text: string): RememberedCheckpoint {
  const [, number, digest] = /^(\d{1,9})(?::([0-9a-f]{64}))?$/.exec(text) ?? [];
  if (number === undefined)
    throw new InvalidArgumentError('Expected the number of a checkpoint, or NUMBER:DIGEST as the report shows it.');
  return { number: Number(number), ...(digest !== undefined && { digest }) };
}

function time(text: string): Date {
  const at = new Date(text);
  if (!/^\d{4}-\d{2}-\d{2}T/.test(text) || Number.isNaN(at.getTime()))
    throw new InvalidArgumentError('Expected a time such as 2026-03-01T10:00:00Z.');
  return at;
}

/** A missing database would be created: then nothing would be found and nothing proven. */
export function existingAuditUrl(config: Config): string {
  const url = resolveAuditUrl({ config, env: process.env });
  const file = url.startsWith('sqlite:') ? url.slice('sqlite:'.length) : undefined;
  if (file !== undefined && !existsSync(file))
    throw new FirebreakError('FB_ERR_FILE_MISSING', `there is no audit store at ${file}`, {
      remedy: 'Run this where the desk runs, with its configuration. `firebreak run` creates the store when it first starts.',
    });
  return url;
}

/** Checks the audit store of a configuration. @throws FB_ERR_CONFIG_INVALID, FB_ERR_FILE_MISSING, FB_ERR_UNAVAILABLE. */
export async function auditReport(options: VerifyOptions): Promise<AuditReport> {
  const config = configToUse(options.config);
  const url = existingAuditUrl(config);
  const files = options.publicKey ?? notaryKeyFiles(config.audit);
  const notaryKeys = await Promise.all(files.map(readKeyText));
  const verifier = createVerifier({ publicKeys: notaryKeys });
  const { trust, signers, keys } = await openAuditTrust(config, options.retiredKey ?? []);
  const { asOf, allowStale, atLeast } = options;
  const log = await expectedLog(config, options);
  const database = await openDatabase({ url });
  const store = createAuditStore(database);
  let workers: CheckWorkers | undefined;
  try {
    if (await isLarge(store)) workers = startCheckWorkers({ url, keys });
    return await verifyAudit({
      ...{ store, workers, verifier },
      trust,
      signers,
      log,
      retention: config.audit.retention,
      expected: { asOf, allowStale, remembered: atLeast },
    });
  } finally {
    await workers?.close();
    await database.close();
  }
}

/** Returns whether threads save more time than it takes to start them. */
async function isLarge(store: Pick<AuditStore, 'headsAfter' | 'checkpoints'>): Promise<boolean> {
  if ((await store.checkpoints({ after: manyCheckpoints })).length > 0) return true;
  let rows = 0;
  for (let page = await store.headsAfter(); page.length > 0; page = await store.headsAfter(page.at(-1)?.chain)) {
    rows += page.reduce((sum, { head }) => sum + (head?.number ?? 0), 0);
    if (rows >= manyRows) return true;
  }
  return false;
}

const manyRows = 100_000;
const manyCheckpoints = 10_000;

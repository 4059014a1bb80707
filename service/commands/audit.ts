import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { type AuditReport, describeReport } from '../../core/audit-report.ts';
import { FirebreakError } from '../../core/errors.ts';
import { createFileAnchor } from '../../integrations/anchor/file-anchor.ts';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import { openVerifier } from '../../integrations/keys/ed25519.ts';
import { type Config, loadConfig } from '../config/load.ts';
import { resolveAuditUrl } from '../config/secrets.ts';
import { verifyAudit } from '../records/verify-audit.ts';
import { type ConfiguredOptions, withConfig, withExamples } from './options.ts';
import { print, printable, printJson } from './output.ts';

interface VerifyOptions extends ConfiguredOptions {
  readonly publicKey?: readonly string[];
  readonly anchor?: string;
}

/** Adds `firebreak audit verify`. */
export function registerAuditCommand(program: Command): void {
  const audit = program.command('audit').description('the record, and the proof of it');
  const verify = audit
    .command('verify')
    .description('check every record against the signed checkpoints and the anchor; exit code 1 when something was found')
    .option(
      '--public-key <files...>',
      'public keys (PEM) of notaries that are believed (default: the .pub beside audit.notaryKeyFile)',
    )
    .option('--anchor <file>', 'the anchor, where a copy is to be believed (default: audit.anchorFile)');
  withExamples(withConfig(verify), [
    'firebreak audit verify',
    'firebreak audit verify --public-key /mnt/safe/notary.pem.pub --anchor /mnt/safe/checkpoints.jsonl --json',
  ]).action(async (options: VerifyOptions) => {
    const report = await auditReport(options);
    if (options.json) printJson(report);
    else for (const line of describeReport(report)) print(printable(line));
    if (!report.ok) process.exitCode = 1;
  });
}

/** A database that is not there would be made: then nothing would be found, and nothing would be proven. */
export function existingAuditUrl(config: Config): string {
  const url = resolveAuditUrl({ config, env: process.env });
  const file = url.startsWith('sqlite:') ? url.slice('sqlite:'.length) : undefined;
  if (file !== undefined && !existsSync(file))
    throw new FirebreakError('FB_ERR_FILE_MISSING', `there is no audit store at ${file}`);
  return url;
}

/** Checks the audit store of a configuration. @throws FB_ERR_CONFIG_INVALID, FB_ERR_FILE_MISSING, FB_ERR_UNAVAILABLE. */
export async function auditReport(options: VerifyOptions): Promise<AuditReport> {
  const config = loadConfig({ path: options.config, env: process.env });
  const url = existingAuditUrl(config);
  const verifier = await openVerifier({ files: options.publicKey ?? [`${config.audit.notaryKeyFile}.pub`] });
  const anchor = createFileAnchor({ file: options.anchor ?? config.audit.anchorFile });
  const database = await openDatabase({ url });
  try {
    return await verifyAudit({ store: createAuditStore(database), anchor, verifier });
  } finally {
    await database.close();
  }
}

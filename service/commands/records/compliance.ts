import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { basisTexts, type ComplianceReport, valueText, withoutDesksText } from '../../../core/compliance/compliance-report.ts';
import { clockOf } from '../../../core/compliance/deadlines.ts';
import { frameworks } from '../../../core/compliance/frameworks/index.ts';
import {
  type Entity,
  type NotificationDraft,
  type NotificationStage,
  notificationDraft,
  notificationText,
  type Regime,
  regimes,
  stages,
} from '../../../core/compliance/notification.ts';
import { daysText, periodNamed, type ReportPeriod } from '../../../core/compliance/period.ts';
import { reportFile, reportFormats } from '../../../core/compliance/report-file.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { fullIncidentId } from '../../../core/incident/incident.ts';
import { systemErrorCode, writeProblem } from '../../../core/system-error.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { configToUse } from '../../config/left-out.ts';
import type { Config } from '../../config/load.ts';
import { personNames } from '../../incidents/names.ts';
import { tellProgress } from '../../process/working-line.ts';
import { openAuditTrust } from '../../records/audit-trust.ts';
import { reportOfPeriod } from '../../records/compliance.ts';
import { provenRunOf } from '../../records/incident-run.ts';
import { readDeadlines } from '../../records/read-deadlines.ts';
import type { ThreadParts } from '../../records/workers/records-thread.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson, printTable, styled } from '../output.ts';
import { existingAuditUrl, leftOutText } from './audit.ts';
import { type RetiredKeysOption, retiredKeyOption } from './retired-key.ts';

const formats = ['text', ...reportFormats] as const;

interface ComplianceOptions extends ConfiguredOptions, RetiredKeysOption {
  readonly framework: string;
  readonly period: ReportPeriod;
  readonly cluster?: string;
  readonly format: (typeof formats)[number];
  readonly out?: string;
}

interface NotificationOptions extends ConfiguredOptions, RetiredKeysOption {
  readonly regime: Regime;
  readonly stage: NotificationStage;
  readonly run?: string;
}

/** @throws InvalidArgumentError */
function periodIn(text: string): ReportPeriod {
  const period = periodNamed(text);
  if (!period)
    throw new InvalidArgumentError('Expected 2026, 2026-Q3, 2026-11, or 2026-11-01..2026-11-15 (UTC, both days included).');
  if (period.since > Date.now()) throw new InvalidArgumentError('The period has not begun: nothing can be on record yet.');
  return period;
}

/** Adds `firebreak report compliance` and `firebreak report notification`. */
export function registerComplianceCommands(report: Command): void {
  const compliance = report
    .command('compliance')
    .description(
      'report what the records of a period prove for a framework, what they cannot, and the records behind each number',
    )
    .addOption(
      new Option('--framework <name>', 'the framework to report on')
        .choices(frameworks.map(({ id }) => id))
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--period <period>', '2026, 2026-Q3, 2026-11, or 2026-11-01..2026-11-15 (UTC)')
        .argParser(periodIn)
        .makeOptionMandatory(),
    )
    .option('--cluster <name>', 'only the records of this cluster')
    .addOption(new Option('--format <format>', 'the output format; html prints well').choices(formats).default('text'))
    .option('--out <file>', 'the file to write; it must not exist')
    .addOption(retiredKeyOption());
  withExamples(withConfig(compliance), [
    'firebreak report compliance --framework nist-csf --period 2026-Q3',
    'firebreak report compliance --framework iso-27001 --period 2026 --format html --out iso.html',
  ]).action(async (options: ComplianceOptions) => {
    const found = await readCompliance(options);
    const format = options.json ? 'json' : options.format;
    if (format !== 'text') {
      const { text, mediaType } = reportFile(found, format, randomUUID);
      if (mediaType === 'application/json') write(options, text, () => printJson(JSON.parse(text)));
      else write(options, text);
    } else if (options.out !== undefined)
      throw new FirebreakError('FB_ERR_CONFIG_INVALID', '--out needs --format html, csv, json or oscal');
    else printReport(found);
  });

  const notification = report
    .command('notification')
    .description('draft the report of an incident to an authority from its records; what people have to judge is left open')
    .argument('<incident>', 'id of the incident, with or without incident/CLUSTER/ before it')
    .addOption(new Option('--regime <name>', 'under which law').choices(regimes).makeOptionMandatory())
    .addOption(new Option('--stage <stage>', 'which of the three').choices(stages).makeOptionMandatory())
    .option('--run <run>', 'an earlier run of this incident')
    .addOption(retiredKeyOption());
  withExamples(withConfig(notification), [
    'firebreak report notification shop/Deployment/cart --regime nis2 --stage early-warning > early-warning.md',
  ]).action(async (written: string, options: NotificationOptions) => {
    const draft = await draftOf(written, options);
    if (options.json) printJson(draft);
    else for (const line of notificationText(draft).trimEnd().split('\n')) print(printable(line));
  });
}

/** @throws FB_ERR_CONFIG_INVALID, FB_ERR_FILE_MISSING, FB_ERR_UNAVAILABLE. */
async function readCompliance({
  config: path,
  framework: id,
  period,
  cluster,
  retiredKey,
}: ComplianceOptions): Promise<ComplianceReport> {
  const framework = frameworks.find((one) => one.id === id);
  if (!framework) throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no framework ${id}`);
  return withRecords(path, retiredKey, async ({ store, trust, threads }) => {
    const onPart = (share: number) => tellProgress('reading the records', share);
    return reportOfPeriod({ store, trust, framework, period, cluster, onPart, threads });
  });
}

function draftOf(
  written: string,
  { config: path, regime, stage, run, retiredKey }: NotificationOptions,
): Promise<NotificationDraft> {
  return withRecords(path, retiredKey, async ({ store, trust, signers, entity, config }) => {
    const incident = fullIncidentId(written, config.cluster);
    const { chain, records } = await provenRunOf({ store, trust }, incident, run);
    const running = (await readDeadlines({ store, trust, signers, entity })).findLast(
      (one) => `${one.incident.id}@${one.incident.run}` === chain && one.regime === regime && !one.stopped,
    );
    return notificationDraft({
      incident,
      records,
      regime,
      stage,
      entity,
      clock: running && clockOf(running, personNames(config.roster)),
    });
  });
}

export type OpenRecords = {
  readonly config: Config;
  readonly database: Database;
  readonly store: ReturnType<typeof createAuditStore>;
  /** For large stores. */
  readonly threads: ThreadParts;
  readonly entity: Entity;
} & Pick<Awaited<ReturnType<typeof openAuditTrust>>, 'trust' | 'signers'>;

/** Opens the records of the configuration for the duration of `work`. @throws FB_ERR_CONFIG_INVALID, FB_ERR_FILE_MISSING, FB_ERR_UNAVAILABLE. */
export async function withRecords<T>(
  path: string,
  retiredKey: RetiredKeysOption['retiredKey'],
  work: (records: OpenRecords) => Promise<T>,
): Promise<T> {
  const config = configToUse(path);
  const { trust, signers, keys } = await openAuditTrust(config, retiredKey ?? []);
  const url = existingAuditUrl(config);
  const database = await openDatabase({ url });
  try {
    const { entity } = config.incidents.deadlines;
    return await work({ config, database, store: createAuditStore(database), threads: { url, keys }, entity, trust, signers });
  } finally {
    await database.close();
  }
}

/** @throws FB_ERR_REFUSED if the file exists, FB_ERR_INCOMPLETE if it cannot be written */
function write({ out }: { readonly out?: string }, text: string, onTerminal = (): void => void process.stdout.write(text)): void {
  if (out === undefined) {
    onTerminal();
    return;
  }
  try {
    writeFileSync(out, text, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST')
      throw new FirebreakError('FB_ERR_REFUSED', `${out} already exists: choose another name`);
    throw new FirebreakError('FB_ERR_INCOMPLETE', `${out} cannot be written: ${writeProblem(error)}`);
  }
  print(`Written to ${printable(out)}.`);
}

function printReport(report: ComplianceReport): void {
  const { framework, clusters, since, until, records, requirements, measures } = report;
  print(styled('bold', framework.name));
  print(styled('dim', `${clusters.join(', ') || 'no records'}, ${daysText({ since, until })}; ${records.counted} records`));
  const without = leftOutText(records.leftOut);
  if (without !== undefined) print(styled('yellow', without));
  const desks = withoutDesksText(report).trim();
  if (desks !== '') print(styled('yellow', printable(desks)));
  print();
  printTable(requirements, [
    { title: 'REQUIREMENT', text: ({ id }) => id },
    { title: 'BASIS', text: ({ basis }) => basisTexts[basis] },
    { title: 'ASKS', text: ({ asks }) => asks },
  ]);
  print();
  printTable(measures, [
    { title: 'VALUE', text: valueText },
    { title: 'NUMBER', text: ({ title }) => title },
  ]);
  print();
  print(styled('dim', `Not in this report: ${framework.notListed}`));
  print(styled('dim', 'For what cannot be shown, and the records behind each number, use --format html, csv, json or oscal.'));
}

import type { Command } from 'commander';
import { createReportDeliveries } from '../../../integrations/database/outbound/report-deliveries.ts';
import { tellProgress } from '../../process/working-line.ts';
import { deliverReport, dueReports, type ReportOutcome, reportTargetText } from '../../records/scheduled-reports.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson, printTable } from '../output.ts';
import { withRecords } from './compliance.ts';
import { type RetiredKeysOption, retiredKeyOption } from './retired-key.ts';

interface DeliverOptions extends ConfiguredOptions, RetiredKeysOption {
  readonly dryRun: boolean;
}

/** Adds `firebreak report deliver`, for a schedule to run: it delivers one report per period. */
export function registerDeliverCommand(report: Command): void {
  const deliver = report
    .command('deliver')
    .description('create and send the configured reports that are due; exit code 1 if one fails')
    .option('--dry-run', 'only list what is due', false)
    .addOption(retiredKeyOption());
  withExamples(withConfig(deliver), ['firebreak report deliver --dry-run', 'firebreak report deliver']).action(deliverReports);
}

async function deliverReports({ config: path, retiredKey, dryRun, json }: DeliverOptions): Promise<void> {
  await withRecords(path, retiredKey, async ({ config, database, store, trust, threads }) => {
    if (config.reports.length === 0)
      return json ? printJson([]) : print('No report is configured: see `reports` in the configuration.');
    const deliveries = createReportDeliveries(database);
    const due = await dueReports(config.reports, deliveries);
    if (dryRun) {
      const rows = due.map(({ report, period }) => ({
        name: report.name,
        framework: report.framework,
        period: period.name,
        to: reportTargetText(report),
      }));
      if (json) return printJson(rows);
      if (rows.length === 0) return print('Nothing is due.');
      return printTable(rows, [
        { title: 'REPORT', text: ({ name }) => name },
        { title: 'FRAMEWORK', text: ({ framework }) => framework },
        { title: 'PERIOD', text: ({ period }) => period },
        { title: 'TO', text: ({ to }) => printable(to) },
      ]);
    }
    const outcomes: ReportOutcome[] = [];
    for (const one of due) {
      const onPart = (share: number) => tellProgress('reading the records', share);
      const outcome = await deliverReport(one, { config, env: process.env, store, trust, deliveries, onPart, threads });
      outcomes.push(outcome);
      if (!json) print(printable(lineOf(outcome)));
    }
    if (outcomes.some(({ state }) => state === 'failed')) process.exitCode = 1;
    if (json) printJson(outcomes);
    else if (outcomes.length === 0) print('Nothing is due.');
  });
}

function lineOf({ name, period, to, state, detail }: ReportOutcome): string {
  if (state === 'delivered') return `${name} of ${period} was delivered to ${to}: ${detail}`;
  if (state === 'failed')
    return `${name} of ${period} was not delivered to ${to}: ${detail}. It stays due until it is delivered.`;
  return `${name} of ${period} was skipped: ${detail}. It may be tried again within an hour.`;
}

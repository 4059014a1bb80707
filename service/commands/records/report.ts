import { type Command, InvalidArgumentError, Option } from 'commander';
import { takeProven } from '../../../core/audit/audit-check.ts';
import { decisionKinds, RecordedQuestions } from '../../../core/audit/decision-events.ts';
import { type DecisionReport, type QuestionStats, reportOfQuestions } from '../../../core/audit/decision-report.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { configToUse } from '../../config/left-out.ts';
import { openAuditTrust } from '../../records/audit-trust.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson, printTable, styled } from '../output.ts';
import { existingAuditUrl, leftOutText } from './audit.ts';
import { registerComplianceCommands } from './compliance.ts';
import { registerDeliverCommand } from './report-deliver.ts';
import { registerWouldHaveCommand } from './report-would-have.ts';
import { type RetiredKeysOption, retiredKeyOption } from './retired-key.ts';

interface DecisionsOptions extends ConfiguredOptions, RetiredKeysOption {
  /** Milliseconds. */
  readonly since: number;
}

const units = { h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;

function spanMs(text: string): number {
  const [, amount, unit] = /^([1-9]\d{0,3})([hdw])$/.exec(text) ?? [];
  if (amount === undefined || (unit !== 'h' && unit !== 'd' && unit !== 'w'))
    throw new InvalidArgumentError('Expected hours, days or weeks, such as 12h, 30d or 4w.');
  return Number(amount) * units[unit];
}

/** Adds `firebreak report`, which reads the records and changes nothing. */
export function registerReportCommand(program: Command): void {
  const report = program
    .command('report')
    .description('reports from the records: how people decide, compliance, drafts for authorities');
  registerComplianceCommands(report);
  registerDeliverCommand(report);
  registerWouldHaveCommand(report, spanMs);
  const decisions = report
    .command('decisions')
    .description(
      'show by playbook: time to answer, unanswered questions, approvals in under 10 s, and questions per person and shift',
    )
    .addOption(
      new Option('--since <span>', 'questions of the last hours, days or weeks').argParser(spanMs).default(30 * units.d, '30d'),
    )
    .addOption(retiredKeyOption());
  withExamples(withConfig(decisions), ['firebreak report decisions', 'firebreak report decisions --since 12w --json']).action(
    async (options: DecisionsOptions) => {
      const found = await readReport(options);
      if (options.json) printJson(found);
      else printReport(found);
    },
  );
}

/** Based only on proven records. */
interface ProvenReport extends DecisionReport {
  readonly leftOut: number;
}

/** @throws FB_ERR_CONFIG_INVALID, FB_ERR_FILE_MISSING, FB_ERR_UNAVAILABLE. */
async function readReport({ config: path, since: span, retiredKey }: DecisionsOptions): Promise<ProvenReport> {
  const config = configToUse(path);
  const { trust } = await openAuditTrust(config, retiredKey ?? []);
  const database = await openDatabase({ url: existingAuditUrl(config) });
  try {
    const until = Date.now();
    const since = until - span;
    const told = new RecordedQuestions();
    const pages = createAuditStore(database).eachOfKinds({ kinds: decisionKinds, since: new Date(since).toISOString() });
    const leftOut = await takeProven(pages, trust, (record) => told.add(record));
    return { ...reportOfQuestions({ questions: told.all(), roster: config.roster, since, until }), leftOut };
  } finally {
    await database.close();
  }
}

function secondsText(seconds: number | undefined): string {
  if (seconds === undefined) return '-';
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

const columns: readonly { readonly title: string; readonly text: (stats: QuestionStats) => string }[] = [
  { title: 'ASKED', text: ({ asked }) => String(asked) },
  { title: 'DECIDED', text: ({ decided }) => String(decided) },
  { title: 'SILENCE', text: ({ expired }) => String(expired) },
  { title: 'VOID', text: (stats) => String(stats.void) },
  { title: 'OPEN', text: ({ open }) => String(open) },
  { title: 'ANSWER P50', text: ({ secondsToAnswer }) => secondsText(secondsToAnswer?.p50) },
  { title: 'P90', text: ({ secondsToAnswer }) => secondsText(secondsToAnswer?.p90) },
  { title: 'UNDER 10 S', text: ({ quickApprovals }) => String(quickApprovals) },
];

function printReport({ since, until, all, byPlaybook, people, leftOut }: ProvenReport): void {
  print(styled('dim', `${since} to ${until}`));
  const without = leftOutText(leftOut);
  if (without !== undefined) print(styled('yellow', without));
  if (all.asked === 0) {
    print('Nobody was asked anything.');
    return;
  }
  const rows: readonly DecisionReport['byPlaybook'][number][] = [...byPlaybook, { playbook: 'all', ...all }];
  printTable(rows, [...columns, { title: 'PLAYBOOK', text: ({ playbook }) => playbook }]);
  print();
  printTable(people, [
    { title: 'QUESTIONS', text: ({ questions }) => String(questions) },
    { title: 'ANSWERS', text: ({ answers }) => String(answers) },
    { title: 'UNDER 10 S', text: ({ quickApprovals }) => String(quickApprovals) },
    { title: 'SHIFTS', text: ({ shifts }) => String(shifts) },
    { title: 'PER SHIFT', text: ({ perShift }) => String(perShift) },
    { title: 'MOST', text: ({ mostInAShift }) => String(mostInAShift) },
    { title: 'PERSON', text: ({ person }) => printable(person) },
  ]);
}

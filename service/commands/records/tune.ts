import type { Command } from 'commander';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import { provenRows } from '../../../core/audit/audit-check.ts';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import type { Trust } from '../../../core/messages/sender.ts';
import {
  type Noise,
  type ProposalBacktest,
  ProposalBacktests,
  type TuneProposal,
  type TuneReport,
  tune,
} from '../../../core/playbook/tune.ts';
import { counted } from '../../../core/text/counted.ts';
import { configToUse } from '../../config/left-out.ts';
import { withAlertsOnRecord } from '../../simulation/recorded-alerts.ts';
import { type ConfiguredOptions, positive, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson, printTable, styled } from '../output.ts';
import { existingAuditUrl, leftOutText } from './audit.ts';
import { type RetiredKeysOption, retiredKeyOption } from './retired-key.ts';

interface TuneOptions extends ConfiguredOptions, RetiredKeysOption {
  readonly days: number;
  readonly minBenign: number;
  readonly top: number;
}

const dayMs = 86_400_000;

/** Adds `firebreak tune`, which reads the records and changes nothing. */
export function registerTuneCommand(program: Command): void {
  const command = withConfig(
    program
      .command('tune')
      .description(
        'list the noisiest rules and workloads, how often they were harmless, and what to do about them; changes nothing',
      )
      .option('--days <number>', 'how many days of incidents to read', positive, 30)
      .option('--min-benign <number>', 'how many benign incidents are needed for a proposal', positive, 2)
      .option('--top <number>', 'how many rules and workloads to list', positive, 10)
      .addOption(retiredKeyOption()),
  );
  withExamples(command, ['firebreak tune', 'firebreak tune --days 90 --json']).action(async (options: TuneOptions) => {
    const report = await tuneReport(options);
    if (options.json) printJson(report);
    else printReport(report);
  });
}

/** Based only on proven records. */
interface ProvenTuneReport extends TuneReport {
  readonly proposals: readonly TriedProposal[];
  readonly leftOut: number;
}

type TriedProposal = TuneProposal & { readonly backtest: ProposalBacktest };

/** @throws FB_ERR_CONFIG_INVALID, FB_ERR_FILE_MISSING, FB_ERR_UNAVAILABLE. */
export async function tuneReport({ config: path, days, minBenign, top, retiredKey }: TuneOptions): Promise<ProvenTuneReport> {
  const config = configToUse(path);
  const asked = { config, url: existingAuditUrl(config), retired: retiredKey ?? [], env: process.env };
  return withAlertsOnRecord(asked, async (alerts, { store, trust }) => {
    const since = new Date(Date.now() - days * dayMs).toISOString();
    const { cluster } = config;
    let leftOut = 0;
    const leave = (rows: number): void => {
      leftOut += rows;
    };
    const report = await tune({ chains: incidentChains({ store, cluster, since, trust, leave }), minBenign, top });
    const backtests = new ProposalBacktests(report.proposals);
    if (report.proposals.length > 0)
      for await (const { alert, verdict = 'unknown' } of alerts.read({ since })) backtests.add(alert, verdict);
    const proposals = report.proposals.flatMap((proposal, place) => {
      const backtest = backtests.all[place];
      return backtest ? [{ ...proposal, backtest }] : [];
    });
    return { ...report, proposals, leftOut };
  });
}

const kinds = ['incident.opened', 'alert.joined', 'incident.verdict', 'playbook.started'] as const;
const wanted: ReadonlySet<string> = new Set(kinds);

/**
 * Yields the proven records of each incident that has records of these kinds since then, one incident at a time. Rows that somebody else wrote there are left
 * out.
 */
export async function* incidentChains(asked: {
  readonly store: Pick<AuditStore, 'chainsWith' | 'proofsOf'>;
  readonly cluster: string;
  readonly since: string;
  readonly trust: Trust;
  /** Called with the number of an incident's rows that are not proven. */
  readonly leave: (rows: number) => void;
}): AsyncGenerator<readonly AuditRecord[], undefined> {
  const { store, cluster, since, trust, leave } = asked;
  // Allows for clock differences.
  const until = new Date(Date.now() + dayMs).toISOString();
  const chains = (await store.chainsWith({ kinds, since, until })).filter((chain) => chain.startsWith(`incident/${cluster}/`));
  let current: { readonly chain: string; readonly proven: Map<string, AuditRecord> } | undefined;
  for await (const page of store.proofsOf(chains.sort(), ({ kind }) => wanted.has(kind)))
    for (const [chain, all] of Map.groupBy(page, (row) => row.chain)) {
      if (current && current.chain !== chain) yield [...current.proven.values()];
      if (current?.chain !== chain) current = { chain, proven: new Map() };
      const asked = all.filter(({ signed }) => !signed || wanted.has(signed.record.kind));
      const before = current.proven.size;
      // Passes all rows: one signature covers many, as long as none in between is missing.
      for (const [key, record] of provenRows(all, trust)) if (wanted.has(record.kind)) current.proven.set(key, record);
      leave(asked.length - (current.proven.size - before));
    }
  if (current) yield [...current.proven.values()];
}

function rateText({ falsePositiveRate }: Noise): string {
  return falsePositiveRate === null ? 'not judged' : `${Math.round(falsePositiveRate * 100)} %`;
}

function printNoise(title: string, noises: readonly Noise[]): void {
  printTable(noises, [
    { title: 'ALERTS', text: ({ alerts }) => String(alerts) },
    { title: 'INCIDENTS', text: ({ incidents }) => String(incidents) },
    { title: 'HARMLESS', text: ({ benign }) => String(benign) },
    { title: 'NOT HARMLESS', text: ({ bad }) => String(bad) },
    { title: 'FALSE POSITIVES', text: rateText },
    { title, text: ({ name }) => name },
  ]);
  print();
}

/** Quotes a text as one shell word, whatever it contains: anyone who sends alerts can name rules. */
function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function proposalLines(proposal: TriedProposal): readonly string[] {
  const { rule, why, upTo, wouldHaveHidden } = proposal;
  const { alerts, atLeast, samples } = wouldHaveHidden;
  const count = `would have hidden ${atLeast ? 'at least ' : ''}${counted(alerts, 'alert')} (${upTo} at worst)`;
  const listed = samples.slice(0, 5).map(({ id, time, title }) => `    ${time} ${id} ${title.slice(0, 100)}`);
  const tried = `  ${backtestText(proposal.backtest)}`;
  if (proposal.kind === 'playbook-condition') {
    const condition = `  on.match: ${JSON.stringify({ not: proposal.match })}`;
    return [`Playbook condition: ${proposal.condition}`, `  ${why}; ${count}:`, ...listed, tried, condition];
  }
  const { namespace, ownerKind, name } = proposal.workload;
  return [
    `Suppression: “${rule}” of ${namespace}/${ownerKind}/${name}`,
    `  ${why}; ${count}:`,
    ...listed,
    tried,
    `  firebreak suppress add --rule ${shellWord(rule)} --workload ${shellWord(`${namespace}/${ownerKind}/${name}`)} --digest ${shellWord(proposal.digest)} --up-to ${upTo} --reason … --as … --key …`,
  ];
}

function backtestText({ alerts, benign, true_positive: attacks, suspicious, unknown, undecided }: ProposalBacktest): string {
  const unclear = undecided > 0 ? `; ${undecided} more cannot be classified` : '';
  return `of the alerts on record ${alerts}: ${benign} harmless, ${attacks + suspicious} not, ${unknown} not judged${unclear}`;
}

function printReport(report: ProvenTuneReport): void {
  print(`${counted(report.alerts, 'alert')} in ${counted(report.incidents, 'incident')}.`);
  const without = leftOutText(report.leftOut);
  if (without !== undefined) print(styled('yellow', without));
  if (report.incidents === 0) return;
  print();
  printNoise('RULE', report.rules);
  printNoise('WORKLOAD', report.workloads);
  if (report.unanswered.length > 0) print('No playbook answers these rules; people were asked what they were:');
  for (const { rule, upTo, incidents, benign, bad } of report.unanswered) {
    print(printable(`  “${rule}” (${upTo} at worst): ${counted(incidents, 'incident')}, ${benign} harmless, ${bad} not`));
  }
  if (report.unanswered.length > 0) print();
  if (report.proposals.length === 0) print('Nothing to propose: nothing was harmless often enough.');
  for (const proposal of report.proposals) {
    for (const line of proposalLines(proposal)) print(printable(line));
    print();
  }
}

import { writeFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { withConfiguredSeverity } from '../../../core/alert/sensor.ts';
import { type Profile, profiles } from '../../../core/assessment/response.ts';
import { ownConfidences } from '../../../core/assessment/rule-confidence.ts';
import { PodStories } from '../../../core/assessment/stories.ts';
import { Tally } from '../../../core/assessment/tally.ts';
import { readBaseline, writeBaseline } from '../../../integrations/baseline-file.ts';
import { loadConfig } from '../../config/load.ts';
import { enabledPlaybooks } from '../../config/packs.ts';
import { Lines } from '../lines.ts';
import { withExamples, withJson } from '../options.ts';
import { print, printable, printTable, styled } from '../output.ts';
import { assessPage, spanOf } from './page.ts';
import { ruleProposal, workloadProposal } from './proposals.ts';
import { type LogItem, readLog } from './read-log.ts';
import { chosenProfiles, type ProfileSummary, Summary } from './summary.ts';

interface AssessOptions {
  readonly profile?: Profile;
  readonly json?: true;
  readonly html?: string;
  readonly learn?: string;
  readonly baseline?: string;
  readonly config?: string;
}

/** Adds `firebreak assess`: what would have been done about a sensor's log. It needs no configuration, and changes nothing. */
export function registerAssessCommand(program: Command): void {
  withExamples(
    withJson(
      program
        .command('assess')
        .description("show what would have been done about a sensor's log: no configuration, no cluster")
        .argument('<files...>', 'logs in any format of the intake, plain or gzip, or Falco’s text; - for standard input')
        .addOption(new Option('--profile <name>', 'only this profile').choices(profiles))
        .option('--html <page>', 'also write a page with a chart')
        .option('--learn <file>', 'write what is normal in these logs to a file')
        .option('--config <file>', 'configuration file with severities and how sure rules are (default: what is shipped)')
        .option('--baseline <file>', 'judge by what is normal, from --learn'),
    ),
    [
      'firebreak assess falco.log --html assess.html',
      'kubectl -n falco logs ds/falco --since 24h | firebreak assess -',
      'firebreak assess last-week.ndjson.gz --learn normal.json',
      'firebreak assess today.ndjson.gz --baseline normal.json --profile balanced --json',
    ],
  ).action(run);
}

/** Alerts that are put in order before they are judged: logs of several files, or nodes, are not. */
const sortedTogether = 200_000;
const progressMs = 3_000;
const mostNamed = 20;

async function run(files: readonly string[], options: AssessOptions): Promise<void> {
  const { json, html, learn, baseline } = options;
  const chosen = chosenProfiles(options.profile);
  const config = options.config === undefined ? undefined : loadConfig({ path: options.config, env: process.env });
  const sensors = config?.sensors ?? {};
  const stories = new PodStories({
    own: ownConfidences(sensors, config && enabledPlaybooks(config)),
    ...(baseline !== undefined && { baseline: readBaseline(baseline) }),
  });
  const tally = new Tally(stories, chosen);
  const summary = new Summary();
  const lines = new Lines({ out: process.stdout, error: process.stderr });
  let broken = 0;
  const onBroken = async ({ where, reason }: Extract<LogItem, { readonly kind: 'broken' }>): Promise<void> => {
    broken += 1;
    if (broken <= mostNamed) await lines.add('error', printable(`${where}: not read: ${reason}`));
  };
  for await (const { alert: read, atMs } of inOrder(files, onBroken)) {
    const alert = withConfiguredSeverity(read, sensors);
    const decisions = tally.take(alert, atMs);
    summary.take(alert, atMs, decisions);
    if (json) for (const one of decisions) await lines.add('out', JSON.stringify(one));
  }
  if (broken > 0)
    await lines.add('error', `${broken} lines were not read${broken > mostNamed ? `; the first ${mostNamed} are named` : ''}`);
  await lines.flush();
  const { alerts, fromMs, toMs } = summary;
  if (learn !== undefined) {
    const span = alerts === 0 ? {} : { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
    writeBaseline(learn, stories.baseline({ ...span, alerts }));
  }
  const results = chosen.map((profile) => summary.of(profile));
  if (html !== undefined) writeFileSync(html, assessPage(summary, results, broken));
  if (!json) printSummary(summary, results, options);
}

type LogAlert = Extract<LogItem, { readonly kind: 'alert' }>;

async function* inOrder(
  files: readonly string[],
  onBroken: (item: Extract<LogItem, { readonly kind: 'broken' }>) => Promise<void>,
): AsyncGenerator<LogAlert> {
  let waiting: LogAlert[] = [];
  const byTime = (one: LogAlert, other: LogAlert): number => one.atMs - other.atMs;
  let [read, told] = [0, Date.now()];
  for (const file of files)
    for await (const item of readLog(file)) {
      if (item.kind === 'broken') {
        await onBroken(item);
        continue;
      }
      waiting.push(item);
      read += 1;
      if (Date.now() - told > progressMs) {
        told = Date.now();
        process.stderr.write(`${read} alerts read\n`);
      }
      if (waiting.length < sortedTogether) continue;
      waiting.sort(byTime);
      yield* waiting.slice(0, sortedTogether / 2);
      waiting = waiting.slice(sortedTogether / 2);
    }
  yield* waiting.sort(byTime);
}

function printSummary(summary: Summary, results: readonly ProfileSummary[], { html, learn }: AssessOptions): void {
  print(`${summary.alerts} alerts, ${spanOf(summary)}`);
  print();
  printTable(results, [
    { title: 'profile', text: ({ profile }) => profile },
    { title: 'pods cut off', text: ({ decisions }) => String(decisions.contain) },
    { title: 'questions', text: ({ decisions }) => String(decisions.ask) },
    { title: 'in the worst 8 h', text: ({ questionsInWorst8Hours }) => String(questionsInWorst8Hours) },
    { title: 'pages', text: ({ pages }) => String(pages) },
    { title: 'at night (22–6 UTC)', text: ({ pagesAtNight }) => String(pagesAtNight) },
    { title: 'filed', text: ({ decisions }) => String(decisions.file) },
    { title: 'only recorded', text: ({ decisions }) => String(decisions.watch) },
  ]);
  const main = results.find(({ profile }) => profile === 'balanced') ?? results[0];
  if (main) printDecisions(main, summary);
  printNoisy('Noisiest rules', summary.rules, ruleProposal);
  printNoisy('Noisiest workloads', summary.workloads, workloadProposal);
  print();
  if (html !== undefined) print(`The page with the chart: ${printable(html)}`);
  if (learn !== undefined)
    print(`What is normal: ${printable(learn)}. Read it before you use it: it is what an attacker in these logs did, too.`);
}

function printDecisions(main: ProfileSummary, summary: Summary): void {
  const all = [...main.contained, ...main.asked].toSorted((one, other) => (one.at < other.at ? -1 : 1));
  print();
  print(styled('bold', `${main.profile}: cut off and asked`));
  if (all.length === 0) print('  nothing');
  for (const { at, namespace, pod, response, pages, rule, reasons } of all.slice(0, 40)) {
    const what = response === 'contain' ? 'cut off' : pages ? 'asked, paged' : 'asked';
    print(
      `  ${at.slice(0, 19).replace('T', ' ')}  ${what}  ${printable(pod === null ? 'no pod' : `${namespace}/${pod}`)}  ${printable(rule)}`,
    );
    print(`    ${printable(reasons.join('; '))}`);
  }
  if (all.length > 40) print(`  ${all.length - 40} more: --html or --json`);
  const hours = main.byHour.flatMap(({ pages }, hour) => (pages > 0 ? [`${hour}:00 ${pages}`] : []));
  print(`  pages by hour (UTC): ${hours.length === 0 ? 'none' : hours.join(', ')}`);
  print();
  print(styled('bold', 'Where a live cell would differ'));
  for (const one of summary.liveDifferences(main.profile)) print(`  ${one}`);
}

function printNoisy(title: string, all: Summary['rules'], propose: typeof ruleProposal): void {
  print();
  print(styled('bold', title));
  for (const one of all) {
    const { where, text } = propose(one);
    print(`  ${one.alerts}  ${printable(one.name)}: ${where}`);
    for (const line of text.split('\n')) print(`      ${printable(line)}`);
  }
}

import { existsSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Plan } from '../../../core/action/plan.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import { ownConfidences } from '../../../core/assessment/rule-confidence.ts';
import { type ErrorCode, FirebreakError, isErrorCode } from '../../../core/errors.ts';
import { fullIncidentId } from '../../../core/incident/incident.ts';
import { incidentOfChain } from '../../../core/incident/similar.ts';
import { outcomeOf } from '../../../testing/path-line.ts';
import { type Story, tellStory } from '../../../testing/story.ts';
import { loadConfig } from '../../config/load.ts';
import { rulesOf } from '../../process/rules.ts';
import { tellProgress } from '../../process/working-line.ts';
import { asFound, readAlerts } from '../../simulation/read-alerts.ts';
import { withAlertsOnRecord } from '../../simulation/recorded-alerts.ts';
import { withSimulations } from '../../simulation/sandboxed.ts';
import { type ConfiguredResponse, type EveryAnswerOf, everyInTurns, type Simulations } from '../../simulation/simulations.ts';
import { type WhichCluster, withCluster } from '../cluster.ts';
import { type CommonOptions, type ConfiguredOptions, durationOption, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson, printTable, severityText, styled } from '../output.ts';
import { existingAuditUrl, lackingTexts } from '../records/audit.ts';
import { type RetiredKeysOption, retiredKeyOption } from '../records/retired-key.ts';

interface SimulateCommandOptions extends ConfiguredOptions, RetiredKeysOption, WhichCluster {
  readonly pack?: string;
  readonly playbook?: readonly string[];
  readonly answer?: readonly string[];
  readonly fail?: Readonly<Record<string, ErrorCode>>;
  readonly story?: true;
  readonly every?: true;
  readonly cluster: string;
  readonly records?: true;
  readonly since: number;
  readonly incident?: string;
  readonly live?: true;
  readonly snapshot?: string;
}

/** Adds `firebreak try simulate`: shows what would be done about alerts, without a cluster. */
export function registerSimulateCommand(program: Command): void {
  withExamples(
    withConfig(
      program
        .command('simulate')
        .description(
          'show what playbooks would do about alerts; nothing is changed, and without a cluster plans are only sketches',
        )
        .argument('[paths...]', 'files and folders with alerts, - for standard input (default: a sample alert for each playbook)')
        .option('--pack <path>', 'folder of a pack with its firebreak.pack.ts (default: what is shipped)')
        .option('--playbook <id...>', 'only these playbooks')
        .option('--answer <choice...>', 'the answers, one for each question (default: silence)')
        .option('--fail <action...>', 'actions that fail: deletePod, deletePod#2, deletePod.plan=FB_ERR_NOT_FOUND', readFailures)
        .option('--story', 'print everything that happens, in order')
        .addOption(
          new Option(
            '--every',
            'try every answer, silence, and each step failing, and print what a person should know',
          ).conflicts(['answer', 'fail', 'incident', 'records', 'story']),
        )
        .option('--cluster <name>', 'the cluster that the alerts are about', 'local')
        .option('--records', 'use the recorded alerts of incidents, as they were')
        .addOption(durationOption('--since <duration>', 'how far back to read the records', '30d'))
        .option('--incident <incident>', 'only the records of this incident')
        .addOption(retiredKeyOption())
        .addOption(
          new Option(
            '--live',
            'make the plans of the real actions in the cluster, as if the alerts came now; the cluster is only read',
          ).conflicts(['every', 'snapshot']),
        )
        .option('--kubeconfig <file>', 'with --live: this cluster, with the shipped settings (default: the configuration’s)')
        .option('--context <name>', 'the context to use, instead of the current one')
        .addOption(
          new Option('--snapshot <file>', 'make the plans in a cluster that `firebreak try snapshot` has recorded').conflicts(
            'every',
          ),
        ),
    ),
    [
      'firebreak try simulate alerts/miner.json',
      'firebreak try simulate --playbook contain-dropped-binary --answer remove rotate --story',
      'firebreak try simulate --pack . --every',
      'firebreak try simulate --pack . --records --since 7d',
      'kubectl logs ds/falco | firebreak try simulate - --json',
      'firebreak try simulate alerts/miner.json --live --kubeconfig ~/.kube/config --story',
      'firebreak try simulate alerts/miner.json --pack . --snapshot shop.snapshot --story',
    ],
  )
    .addHelpText(
      'after',
      '\nExit code 1 if an alert could not be read, a playbook stops or never ends, or --every finds a problem.',
    )
    .action(run);
}

function readFailures(text: string, before: Readonly<Record<string, ErrorCode>> = {}): Readonly<Record<string, ErrorCode>> {
  const [action = '', code = 'FB_ERR_REFUSED'] = text.split('=');
  if (!isErrorCode(code)) throw new InvalidArgumentError(`${code} is not a code that firebreak docs errors lists.`);
  return { ...before, [action]: code };
}

interface Simulated {
  readonly alert: Alert;
  readonly story: Story;
  /** Whether its plans are worth showing. */
  readonly isPlanned: boolean;
}

/** The only part of a simulation that stays in memory. */
interface TableRow extends Pick<Alert, 'severity' | 'rule'> {
  readonly where: string;
  readonly playbooks: string;
  readonly outcome: string;
}

const rowsAtOnce = 500;

function rowOf(alert: Alert, story: Story, wouldAnswer: Awaited<ReturnType<Simulations['wouldAnswer']>>): TableRow {
  const { severity, rule } = alert;
  const would = wouldAnswer.map((one) => `; ${one.playbook} would: ${one.if}`).join('');
  const outcome = story.end === 'unmatched' ? `nothing answers it${would}` : outcomeOf(story);
  return { severity, rule, where: whereOf(alert), playbooks: story.playbooks.join(', ') || '-', outcome };
}

async function run(paths: readonly string[], options: SimulateCommandOptions): Promise<void> {
  if (options.live || options.snapshot !== undefined) return runInCluster(paths, options);
  await withSimulations(options.pack, (simulations) => runOn({ simulations, paths, options, find: asFound }));
}

async function runInCluster(paths: readonly string[], options: SimulateCommandOptions): Promise<void> {
  if (paths.length === 0 && !options.records && options.incident === undefined)
    throw new FirebreakError('FB_ERR_INCOMPLETE', 'name files with alerts: sample alerts are not about a pod of a cluster');
  // Imports the Kubernetes clients and what acts on Kubernetes: nothing else needs them.
  const { openLivePlans, openRecordedPlans, readSnapshot, shippedRules } = await import('../../simulation/cluster-plans.ts');
  const plans =
    options.snapshot === undefined
      ? await withCluster(options, ({ access, config }) => openLivePlans(access, config ?? shippedRules(options.cluster)))
      : await openRecordedPlans(readSnapshot(options.snapshot), shippedRules(options.cluster));
  const { find, plan } = plans;
  try {
    await withSimulations(options.pack, (simulations) => runOn({ simulations, paths, options, find }), plan);
  } finally {
    await plans.close();
  }
}

interface Run {
  readonly simulations: Simulations;
  readonly paths: readonly string[];
  readonly options: SimulateCommandOptions;
  /** Completes an alert as a cell would. */
  readonly find: (alert: Alert) => Alert;
}

async function runOn({ simulations, paths, options, find }: Run): Promise<void> {
  if (options.every) {
    const alerts = (await alertsFor({ simulations, paths, options, find })).map(({ alert }) => alert);
    const share = (done: number): void => tellProgress('trying every answer', done);
    for await (const one of everyInTurns(simulations, { alerts, only: options.playbook }, share)) printEvery(one, options);
    return;
  }
  const configured = configuredIn(options.config);
  const table: TableRow[] = [];
  const offered = new Set<string>();
  const tell = async ({ alert, only }: Asked): Promise<void> => {
    const story = await simulations.story({ alert, only, answers: options.answer ?? [], failures: options.fail, configured });
    if (story.end === 'failed' || story.end === 'endless') process.exitCode = 1;
    for (const { choices } of story.questions) for (const { id } of choices) offered.add(id);
    if (options.json) printJson({ alert, playbooks: story.playbooks, story });
    else if (options.story) printStory({ alert, story, isPlanned: options.live === true || options.snapshot !== undefined });
    else table.push(rowOf(alert, story, story.end === 'unmatched' ? await simulations.wouldAnswer({ alert, only }) : []));
    if (table.length >= rowsAtOnce) printSimulated(table.splice(0));
  };
  if (options.records || options.incident !== undefined)
    await eachOnRecord(options, (alert) => tell({ alert: find(alert), only: options.playbook }));
  else {
    const asked = await alertsFor({ simulations, paths, options, find });
    for (const one of asked) await tell(one);
    // For example the ordinary requests of an audit log. Anything that could not be read has already been reported.
    if (asked.length === 0 && process.exitCode === undefined && options.json !== true) print('None of it is an alert.');
  }
  if (table.length > 0) printSimulated(table);
  for (const answer of options.answer ?? [])
    if (!offered.has(answer))
      complain(
        `no question was asked that has the answer “${answer}”${offered.size === 0 ? '' : `: use one of ${[...offered].join(', ')}`}`,
      );
}

/** Files need no configuration: if there is one, it decides what is done and asked. */
function configuredIn(path: string): ConfiguredResponse | undefined {
  if (!existsSync(path)) return undefined;
  const config = loadConfig({ path, env: process.env });
  return { guardrails: rulesOf(config), response: config.response, own: ownConfidences(config.sensors) };
}

/** One at a time: there may be more than fit into memory. */
async function eachOnRecord(
  { config: path, since: sinceMs, incident, retiredKey: retired = [] }: SimulateCommandOptions,
  tell: (alert: Alert) => Promise<void>,
): Promise<void> {
  const config = loadConfig({ path, env: process.env });
  const since = new Date(Date.now() - sinceMs).toISOString();
  const id = incident === undefined ? undefined : fullIncidentId(incident, config.cluster);
  await withAlertsOnRecord({ config, url: existingAuditUrl(config), retired, env: process.env }, async (alerts) => {
    for await (const { alert, chain } of alerts.read({ since }))
      if (id === undefined || incidentOfChain(chain)?.id === id) await tell(alert);
    for (const text of lackingTexts(alerts)) process.stderr.write(`${printable(text)}\n`);
  });
}

interface Asked {
  readonly alert: Alert;
  /** Ids of the playbooks to try; absent: all. */
  readonly only: readonly string[] | undefined;
}

async function alertsFor({ simulations, paths, options, find }: Run): Promise<readonly Asked[]> {
  const { cluster, playbook: only } = options;
  if (paths.length === 0)
    return (await simulations.examples({ only })).flatMap(({ playbook, alert }): readonly Asked[] => {
      if (alert) return [{ alert, only: [playbook] }];
      complain(`${playbook}: no alert could be made up for it: name a file`);
      return [];
    });
  return readAlerts(paths, cluster, find).flatMap((read): readonly Asked[] => {
    if (read.ok) return [{ alert: read.alert, only }];
    complain(`${read.from}: ${read.reason}`);
    return [];
  });
}

function complain(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
  process.exitCode = 1;
}

function printSimulated(rows: readonly TableRow[]): void {
  printTable(rows, [
    { title: 'SEVERITY', text: ({ severity }) => severity, style: ({ severity }, text) => severityText(severity, text.length) },
    { title: 'ALERT', text: ({ rule }) => rule },
    { title: 'WHERE', text: ({ where }) => where },
    { title: 'PLAYBOOKS', text: ({ playbooks }) => playbooks },
    { title: 'RESULT', text: ({ outcome }) => outcome },
  ]);
}

function whereOf({ pod, node, cluster }: Alert): string {
  return pod ? `${pod.namespace}/${pod.name}` : (node ?? cluster);
}

function printStory({ alert, story, isPlanned }: Simulated): void {
  print(styled('bold', printable(`${alert.rule} (${alert.severity}) in ${whereOf(alert)}`)));
  for (const line of tellStory(story)) print(printable(line));
  for (const plan of isPlanned ? story.plans : []) printPlan(plan);
  print();
}

function printPlan({ action, weakens, changes, blastRadius, notes }: Plan): void {
  print(styled('bold', printable(`Plan of ${action}${weakens ? ', undone' : ''}`)));
  for (const { target, what } of changes) print(printable(`  ${target} ${what}`));
  print(printable(`  touches ${blastRadius.join(', ')}`));
  for (const note of notes) print(printable(`  ${note}`));
}

function printEvery(every: EveryAnswerOf, { json }: CommonOptions): void {
  const { playbook, rule, problems, notices, answers, runs, isCut, assumed } = every;
  if (problems.length > 0) process.exitCode = 1;
  if (json) {
    printJson({ playbook, alert: rule, problems, notices, answers, runs, isCut, ...(assumed !== undefined && { assumed }) });
    return;
  }
  print(styled('bold', printable(playbook)));
  if (assumed !== undefined) print(`  ${styled('dim', `as if it had happened: ${printable(assumed)}`)}`);
  for (const line of answers) print(`  ${printable(line)}`);
  for (const line of problems) print(`  ${styled('red', 'problem')}  ${printable(line)}`);
  for (const line of notices) print(`  ${styled('dim', 'notice')}   ${printable(line)}`);
  if (isCut) print(`  ${styled('dim', `only ${runs} of its paths were tried`)}`);
  print();
}

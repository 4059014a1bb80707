import { type Command, InvalidArgumentError } from 'commander';
import type { Alert } from '../../../core/alert/alert.ts';
import { type ErrorCode, isErrorCode } from '../../../core/errors.ts';
import { answering } from '../../../core/playbook/answering.ts';
import type { ListedPlaybook } from '../../../core/playbook/pack.ts';
import { everyAnswer } from '../../../testing/every-answer.ts';
import { exampleAlert } from '../../../testing/example-alert.ts';
import { outcomeOf } from '../../../testing/path-line.ts';
import type { Said, SimulatedQuestion } from '../../../testing/people.ts';
import { simulate } from '../../../testing/simulate.ts';
import { type Story, tellStory } from '../../../testing/story.ts';
import { choosePlaybooks } from '../../simulation/chosen-playbooks.ts';
import { readAlerts } from '../../simulation/read-alerts.ts';
import { type CommonOptions, withExamples, withJson } from '../options.ts';
import { print, printable, printJson, printTable, severityText, styled } from '../output.ts';

interface SimulateCommandOptions extends CommonOptions {
  readonly pack?: string;
  readonly playbook?: readonly string[];
  readonly answer?: readonly string[];
  readonly fail?: Readonly<Record<string, ErrorCode>>;
  readonly story?: true;
  readonly every?: true;
  readonly cluster: string;
}

/** Adds `firebreak simulate`: what would be done about alerts, without a cluster. */
export function registerSimulateCommand(program: Command): void {
  withExamples(
    withJson(
      program
        .command('simulate')
        .description('say what playbooks would do about alerts; nothing is done anywhere, plans are sketches')
        .argument('[paths...]', 'files and folders with alerts, - for standard input; absent: an alert made up for each playbook')
        .option('--pack <path>', 'folder of a pack with its firebreak.pack.ts (default: what is shipped)')
        .option('--playbook <id...>', 'only these playbooks')
        .option('--answer <choice...>', 'what people answer, one question after another (default: silence)')
        .option('--fail <action...>', 'actions that fail: deletePod, deletePod#2, deletePod.plan=FB_ERR_NOT_FOUND', readFailures)
        .option('--story', 'tell everything that happens, in its order')
        .option('--every', 'every answer, silence, and each step failing: what a person should know')
        .option('--cluster <name>', 'the cluster that the alerts are about', 'local'),
    ),
    [
      'firebreak simulate alerts/miner.json',
      'firebreak simulate --playbook contain-dropped-binary --answer remove rotate --story',
      'firebreak simulate --pack . --every',
      'kubectl logs ds/falco | firebreak simulate - --json',
    ],
  )
    .addHelpText(
      'after',
      '\nExit code 1 where an alert could not be read, a playbook stops or never ends, or --every finds a problem.',
    )
    .action(run);
}

function readFailures(text: string, before: Readonly<Record<string, ErrorCode>> = {}): Readonly<Record<string, ErrorCode>> {
  const [action = '', code = 'FB_ERR_REFUSED'] = text.split('=');
  if (!isErrorCode(code)) throw new InvalidArgumentError(`${code} is no code of docs/errors.md.`);
  return { ...before, [action]: code };
}

interface Simulated {
  readonly alert: Alert;
  readonly playbooks: readonly string[];
  readonly story: Story;
}

async function run(paths: readonly string[], options: SimulateCommandOptions): Promise<void> {
  const playbooks = await choosePlaybooks(options);
  if (options.every) return printEvery(playbooks, await alertsFor(playbooks, paths, options), options);
  const { answer = [], fail } = options;
  const simulated: Simulated[] = [];
  for (const { alert, about } of await alertsFor(playbooks, paths, options)) {
    const story = await simulate(about, { alert, answer: inTurn(answer), ...(fail && { failures: fail }) });
    if (story.end === 'failed' || story.end === 'endless') process.exitCode = 1;
    simulated.push({ alert, playbooks: story.playbooks, story });
  }
  if (options.json) for (const one of simulated) printJson(one);
  else if (options.story) simulated.forEach(printStory);
  else printSimulated(simulated);
}

/** Each answer once, to the first question that has it. */
function inTurn(answers: readonly string[]): (question: SimulatedQuestion) => Said {
  const left = [...answers];
  return ({ choices }) => (choices.some(({ id }) => id === left[0]) ? left.shift() : undefined);
}

interface Asked {
  readonly alert: Alert;
  /** What it is tried on. */
  readonly about: readonly ListedPlaybook[];
}

async function alertsFor(
  playbooks: readonly ListedPlaybook[],
  paths: readonly string[],
  { cluster }: SimulateCommandOptions,
): Promise<readonly Asked[]> {
  if (paths.length === 0)
    return playbooks.flatMap((playbook): readonly Asked[] => {
      const alert = exampleAlert(playbook);
      if (alert) return [{ alert, about: [playbook] }];
      complain(`${playbook.id}: no alert could be made up for it: name a file`);
      return [];
    });
  return readAlerts(paths, cluster).flatMap((read): readonly Asked[] => {
    if (read.ok) return [{ alert: read.alert, about: playbooks }];
    complain(`${read.from}: ${read.reason}`);
    return [];
  });
}

function complain(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
  process.exitCode = 1;
}

function printSimulated(simulated: readonly Simulated[]): void {
  printTable(simulated, [
    {
      title: 'SEVERITY',
      text: ({ alert }) => alert.severity,
      style: ({ alert }, text) => severityText(alert.severity, text.length),
    },
    { title: 'ALERT', text: ({ alert }) => alert.rule },
    { title: 'WHERE', text: ({ alert }) => whereOf(alert) },
    { title: 'PLAYBOOKS', text: ({ playbooks }) => playbooks.join(', ') || '-' },
    { title: 'WHAT COMES OF IT', text: ({ story }) => (story.end === 'unmatched' ? 'nothing answers it' : outcomeOf(story)) },
  ]);
}

function whereOf({ pod, node, cluster }: Alert): string {
  return pod ? `${pod.namespace}/${pod.name}` : (node ?? cluster);
}

function printStory({ alert, story }: Simulated): void {
  print(styled('bold', printable(`${alert.rule} (${alert.severity}) in ${whereOf(alert)}`)));
  for (const line of tellStory(story)) print(printable(line));
  print();
}

async function printEvery(playbooks: readonly ListedPlaybook[], asked: readonly Asked[], { json }: CommonOptions): Promise<void> {
  for (const playbook of playbooks) {
    const alert = asked.map((one) => one.alert).find((one) => answering([playbook], one).length > 0);
    if (!alert) continue;
    const { problems, notices, answers, paths, isCut } = await everyAnswer(playbook, alert);
    if (problems.length > 0) process.exitCode = 1;
    if (json) {
      printJson({ playbook: playbook.id, alert: alert.rule, problems, notices, answers, runs: paths.length, isCut });
      continue;
    }
    print(styled('bold', playbook.id));
    for (const line of answers) print(`  ${printable(line)}`);
    for (const line of problems) print(`  ${styled('red', 'problem')}  ${printable(line)}`);
    for (const line of notices) print(`  ${styled('dim', 'notice')}   ${printable(line)}`);
    if (isCut) print(`  ${styled('dim', `only ${paths.length} of its ways were gone`)}`);
    print();
  }
}

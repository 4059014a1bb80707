import { existsSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { ownConfidences } from '../../../core/assessment/rule-confidence.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { noveltyHours } from '../../../core/novelty/novelty.ts';
import {
  type BacktestCondition,
  type BacktestOptions as Backtested,
  type BacktestReport,
  backtestCondition,
  backtestMeasures,
  type RecordedAlert,
} from '../../../testing/backtest/backtest.ts';
import { type Config, loadConfig } from '../../config/load.ts';
import { rulesOf } from '../../process/rules.ts';
import { alertsOfFiles, withAlertsOnRecord } from '../../simulation/recorded-alerts.ts';
import { withSimulations } from '../../simulation/sandboxed.ts';
import type { Simulations } from '../../simulation/simulations.ts';
import { type ConfiguredOptions, durationOption, positive, withConfig, withExamples } from '../options.ts';
import { print, printable, printFacts, printJson, printTable, severityText, styled } from '../output.ts';
import { existingAuditUrl, lackingTexts } from '../records/audit.ts';
import { type RetiredKeysOption, retiredKeyOption } from '../records/retired-key.ts';

interface BacktestOptions extends ConfiguredOptions, RetiredKeysOption {
  readonly since: number;
  readonly quiet: number;
  readonly pack?: string;
  readonly against?: string;
  readonly playbook?: readonly string[];
  readonly replicas?: number;
  readonly failOn: readonly BacktestCondition[];
}

/** Adds `firebreak try backtest`, which only reads and changes nothing. */
export function registerBacktestCommand(program: Command): void {
  withExamples(
    withConfig(
      program
        .command('backtest')
        .description('show what playbooks would have done about recorded alerts; nothing is changed')
        .argument('[paths...]', 'files with alerts, - for standard input (default: the recorded alerts)')
        .addOption(durationOption('--since <duration>', 'how far back to read the records', '30d'))
        .option('--pack <path>', 'folder of a pack with its firebreak.pack.ts (default: what is shipped)')
        .option('--against <path>', 'another version of the pack, to compare with')
        .option('--playbook <id...>', 'only these playbooks')
        .option('--replicas <count>', 'pods of each workload, for the owner’s cap (default: those that alerts name)', positive)
        .addOption(durationOption('--quiet <duration>', 'an incident counts as over after this long without alerts', '1h'))
        .option(
          '--fail-on <condition>',
          'exit code 1 if this is true, such as "touched benign > 0"; may be repeated',
          condition,
          [],
        )
        .addOption(retiredKeyOption()),
    ),
    [
      'firebreak try backtest --since 30d',
      "firebreak try backtest --pack . --fail-on 'touched benign > 0' --fail-on 'questions a shift > 20'",
      'firebreak alerts parse falco.log | firebreak try backtest - --pack . --against ../published',
    ],
  ).action(run);
}

function condition(text: string, before: readonly BacktestCondition[]): readonly BacktestCondition[] {
  try {
    return [...before, backtestCondition(text)];
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : 'Expected a condition.');
  }
}

const hourMs = 3_600_000;

async function run(paths: readonly string[], options: BacktestOptions): Promise<void> {
  await withSimulations(options.pack, (chosen) =>
    options.against === undefined
      ? runOn(chosen, undefined, paths, options)
      : withSimulations(options.against, (against) => runOn(chosen, against, paths, options)),
  );
}

async function runOn(
  chosen: Simulations,
  against: Simulations | undefined,
  paths: readonly string[],
  options: BacktestOptions,
): Promise<void> {
  const { playbook: only, quiet: quietMs, failOn, json, replicas } = options;
  // Files need no configuration: if there is one, it determines who would have been asked and what would have been refused.
  const config = existsSync(options.config) ? loadConfig({ path: options.config, env: process.env }) : undefined;
  if (!config && paths.length === 0)
    throw new FirebreakError(
      'FB_ERR_INCOMPLETE',
      `there are no alerts: no file was named, and there is no configuration ${options.config} with records`,
      {
        remedy: 'Name files or folders with alerts, - for standard input, or the configuration with --config FILE.',
      },
    );
  const judgesNovelty =
    paths.length > 0 ? { learningMs: noveltyHours.learning * hourMs, rolloutMs: noveltyHours.rollout * hourMs } : undefined;
  for (const one of [chosen, against])
    await one?.beginBacktest({
      only,
      options: {
        quietMs,
        ...(replicas !== undefined && { replicas }),
        ...(judgesNovelty && { judgesNovelty }),
        ...(config && configuredBy(config)),
      },
    });
  const lacking = await eachAlert(paths, config, options, async (alert) => {
    await chosen.backtestOn({ alerts: [alert] });
    await against?.backtestOn({ alerts: [alert] });
  });
  const now = await chosen.backtestReport();
  const then = await against?.backtestReport();
  const failed = failOn.filter(({ holds }) => holds(now)).map(({ text }) => text);
  if (failed.length > 0) process.exitCode = 1;
  if (json) printJson({ ...now, ...(then && { against: then }), failed });
  else {
    for (const text of lacking) print(styled('yellow', printable(text)));
    printReport(now, then, failed);
  }
}

/** Returns messages for people about what could not be read completely. */
async function eachAlert(
  paths: readonly string[],
  config: Config | undefined,
  { since: sinceMs, retiredKey: retired = [] }: BacktestOptions,
  take: (alert: RecordedAlert) => Promise<void>,
): Promise<readonly string[]> {
  if (!config || paths.length > 0) {
    for await (const alert of alertsOfFiles(paths, 'local')) await take(alert);
    return [];
  }
  const since = new Date(Date.now() - sinceMs).toISOString();
  return withAlertsOnRecord({ config, url: existingAuditUrl(config), retired, env: process.env }, async (alerts) => {
    for await (const alert of alerts.read({ since })) await take(alert);
    return lackingTexts(alerts);
  });
}

/** The relevant parts of the configuration. The sandbox gets no names, keys or accounts of people. */
function configuredBy(
  config: Config,
): Pick<Backtested, 'roster' | 'levels' | 'guardrails' | 'capWindowMinutes' | 'response' | 'own' | 'params'> {
  const { roster, incidents, playbooks } = config;
  const { people, groups, schedules, delegations } = roster;
  return {
    roster: {
      people: people.map(({ id, timeZone }) => ({ id, ...(timeZone !== undefined && { timeZone }) })),
      groups,
      ...(schedules && { schedules }),
      ...(delegations && { delegations }),
    },
    levels: incidents.levels.map(({ group }) => group),
    guardrails: rulesOf(config),
    capWindowMinutes: config.guardrails.capWindowMinutes,
    response: config.response,
    own: ownConfidences(config.sensors),
    params: playbooks.params,
  };
}

const mostShown = 15;

function printReport(now: BacktestReport, then: BacktestReport | undefined, failed: readonly string[]): void {
  const compared = (measure: (report: BacktestReport) => number): string => {
    const value = measure(now);
    const before = then && measure(then);
    return before === undefined || before === value ? String(value) : `${value} (${before} before)`;
  };
  printFacts([
    ['alerts', `${now.alerts}${now.from === undefined ? '' : `, from ${now.from} to ${now.to}`}`],
    ['answered', compared(({ answered }) => answered)],
    ...podFacts(now),
    ['pods touched without asking', compared(({ touched }) => touched.all)],
    ['  of harmless incidents', compared(({ touched }) => touched.benign)],
    ['  of attacks', compared(({ touched }) => touched.true_positive + touched.suspicious)],
    ['  not judged', compared(({ touched }) => touched.unknown)],
    ['questions', compared(backtestMeasures.questions)],
    ['  in one shift of 8 h, at most', compared(backtestMeasures['questions a shift'])],
    ...(now.askedNobody ? [['questions with nobody on call', String(now.askedNobody)] as const] : []),
  ]);
  printLoads(now);
  print();
  printTable(
    now.playbooks.filter(({ alerts }) => alerts > 0),
    [
      { title: 'ALERTS', text: ({ alerts }) => String(alerts) },
      { title: 'RUNS', text: ({ runs }) => String(runs) },
      { title: 'QUESTIONS', text: ({ questions }) => String(questions) },
      { title: 'STOPPED', text: ({ stopped }) => String(stopped) },
      { title: 'PLAYBOOK', text: ({ id }) => id },
      { title: 'DONE WITHOUT ASKING', text: ({ automatic }) => timesText(automatic) },
      { title: 'REFUSED', text: ({ refused }) => timesText(refused) },
    ],
  );
  if (now.unanswered.length > 0) {
    print();
    printTable(now.unanswered.slice(0, mostShown), [
      { title: 'ALERTS', text: ({ alerts }) => String(alerts) },
      { title: 'SEVERITY', text: ({ severity }) => severity, style: ({ severity }, text) => severityText(severity, text.length) },
      { title: 'NOT ANSWERED', text: ({ rule }) => rule },
    ]);
  }
  for (const text of failed) print(styled('red', `fails: ${printable(text)}`));
}

/** What would have been done about the pod of each answered alert. */
function podFacts({ pods }: BacktestReport): readonly (readonly [string, string])[] {
  const { contained, held, asked, paged, filed, watched, refused } = pods;
  const refusals = Object.entries(refused);
  return [
    ['  pod cut off', `${contained}; ${held} about a pod that was cut off already`],
    ...(refusals.length === 0 ? [] : [['  not cut off', refusals.map(([by, times]) => `${by}: ${times}`).join(', ')] as const]),
    ['  people asked', `${asked + paged}, of which ${paged} wake somebody`],
    ['  filed, only recorded', `${filed}, ${watched}`],
  ];
}

/** By person, if the roster says who is asked. */
function printLoads({ questions, people }: BacktestReport): void {
  const loads = Object.entries(people ?? questions);
  if (loads.length === 0) return;
  print();
  printTable(loads.slice(0, mostShown), [
    { title: 'QUESTIONS', text: ([, { all }]) => String(all) },
    { title: 'SHIFTS WITH ANY', text: ([, { shifts }]) => String(shifts) },
    { title: 'USUALLY', text: ([, { usualShift }]) => String(usualShift) },
    { title: 'AT MOST', text: ([, { worstShift }]) => String(worstShift) },
    { title: people ? 'IN 8 HOURS, TO' : 'IN 8 HOURS, TO THE GROUP', text: ([name]) => name },
  ]);
  if (loads.length > mostShown) print(`and ${loads.length - mostShown} more`);
}

function timesText(times: Readonly<Record<string, number>>): string {
  return (
    Object.entries(times)
      .map(([what, number]) => `${what} ${number}`)
      .join(', ') || '-'
  );
}

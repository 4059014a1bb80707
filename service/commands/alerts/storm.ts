import type { Command } from 'commander';
import { FirebreakError } from '../../../core/errors.ts';
import { configToUse } from '../../config/left-out.ts';
import { askRunningStorm } from '../../intake/control.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printFacts, printJson, printTable } from '../output.ts';

/** `firebreak alerts storm`: shows how many alerts arrive, about whom, and whether it is a storm; runs on the cell's machine. */
export function registerStormCommand(alerts: Command): void {
  withExamples(
    withConfig(
      alerts.command('storm').description('show the rate of alerts, the most frequent ones, and whether there is a storm'),
    ),
    ['firebreak alerts storm', 'firebreak alerts storm --json'],
  ).action(show);
}

async function show(options: ConfiguredOptions): Promise<void> {
  const { dir } = configToUse(options.config).intake.spool;
  const view = await askRunningStorm(dir);
  if (view === undefined) throw new FirebreakError('FB_ERR_UNAVAILABLE', 'no intake of this configuration runs on this machine');
  if (options.json) return printJson(view);
  const { on, perSecond, since, alerts, critical, workloads, top } = view;
  printFacts([
    ['storm', on ? 'yes' : 'no'],
    ['alerts a second', `${perSecond} (over the last ten seconds)`],
    [
      on ? 'since it began' : 'lately',
      alerts === 0
        ? 'no alerts'
        : `${alerts} alerts, ${critical} of them critical, on about ${workloads} workloads, since ${since}`,
    ],
  ]);
  if (top.length === 0) return;
  print();
  printTable(top, [
    { title: 'AT LEAST', text: ({ count }) => String(count) },
    { title: 'RULE', text: ({ rule }) => rule },
    { title: 'SENSOR', text: ({ sensor }) => sensor },
    { title: 'WORKLOAD', text: ({ workload }) => workload },
  ]);
}

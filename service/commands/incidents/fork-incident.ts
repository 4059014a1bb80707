import { type Command, InvalidArgumentError } from 'commander';
import { type ErrorCode, isErrorCode } from '../../../core/errors.ts';
import { fullIncidentId } from '../../../core/incident/incident.ts';
import { timeText } from '../../../testing/story.ts';
import type { Fork, ForkOptions } from '../../simulation/fork.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printFacts, printJson, printTable, styled } from '../output.ts';
import { type RetiredKeysOption, retiredKeyOption } from '../records/retired-key.ts';

interface ForkCommandOptions extends ConfiguredOptions, RetiredKeysOption {
  readonly run?: string;
  readonly at?: string;
  readonly pack?: string;
  readonly playbook?: readonly string[];
  readonly answer: NonNullable<ForkOptions['answers']>;
  readonly fail: Readonly<Record<string, ErrorCode>>;
}

/** Adds `firebreak try fork`, which reads the records and changes nothing. */
export function registerForkCommand(incidents: Command): void {
  withExamples(
    withConfig(
      incidents
        .command('fork')
        .description('replay a past incident from its records with another playbook, answer or failure; nothing is changed')
        .argument('<incident>', 'id of the incident, with or without incident/CLUSTER/ before it')
        .option('--run <run>', 'an earlier run of this incident')
        .option('--at <step>', 'as it was up to this step: deletePod, deletePod#2 (default: to its end)')
        .option('--pack <path>', 'folder of a pack with its firebreak.pack.ts (default: what is shipped)')
        .option('--playbook <id...>', 'these playbooks instead of those that ran')
        .option(
          '--answer <choice>',
          'STEP=CHOICE answers the question about this step, CHOICE the next question that has it; may be repeated',
          answer,
          [],
        )
        .option(
          '--fail <step>',
          'make a step fail: deletePod, deletePod#2, quarantinePod.plan, each with =CODE; may be repeated',
          failure,
          {},
        )
        .addOption(retiredKeyOption()),
    ),
    [
      'firebreak try fork shop/Deployment/cart --at deletePod --answer deletePod=release',
      'firebreak try fork shop/Deployment/cart --playbook our-playbooks/miner --pack .',
      'firebreak try fork shop/Deployment/cart --fail quarantinePod --json',
    ],
  ).action(run);
}

function answer(text: string, before: ForkCommandOptions['answer']): ForkCommandOptions['answer'] {
  const [first = '', choice] = text.split('=');
  return [...before, choice === undefined ? { choice: first } : { step: first, choice }];
}

function failure(text: string, before: ForkCommandOptions['fail']): ForkCommandOptions['fail'] {
  const [step = '', code = 'FB_ERR_REFUSED'] = text.split('=');
  if (!isErrorCode(code)) throw new InvalidArgumentError(`${code} is not a code that firebreak docs errors lists.`);
  return { ...before, [step]: code };
}

async function run(written: string, options: ForkCommandOptions): Promise<void> {
  const fork = await forkFor(written, options);
  if (options.json) printJson(fork);
  else printFork(fork);
}

async function forkFor(written: string, options: ForkCommandOptions): Promise<Fork> {
  // The other incident commands need neither the engine nor a database, and with `--desk` no configuration.
  const { configToUse } = await import('../../config/left-out.ts');
  const { withSimulations } = await import('../../simulation/sandboxed.ts');
  const { readPastIncident } = await import('../../simulation/past-incident.ts');
  const { withAlertsOnRecord } = await import('../../simulation/recorded-alerts.ts');
  const { existingAuditUrl } = await import('../records/audit.ts');
  const { config: path, run: wanted, at, pack, playbook: only, answer: answers, fail: failures, retiredKey = [] } = options;
  const config = configToUse(path);
  const asked = { config, url: existingAuditUrl(config), retired: retiredKey, env: process.env };
  const past = await withAlertsOnRecord(asked, (alerts, records) =>
    readPastIncident({ ...records, alerts }, fullIncidentId(written, config.cluster), wanted),
  );
  const forkOptions = { answers, failures, ...(at !== undefined && { at }) };
  return withSimulations(pack, (simulations) => simulations.fork({ past, only, options: forkOptions }));
}

function printFork({ chain, rows, past, story, missing }: Fork): void {
  print(styled('bold', printable(chain)));
  for (const text of missing) print(styled('yellow', printable(text)));
  print();
  printTable(rows, [
    { title: '', text: ({ past: was, fork }) => (was && fork ? ' ' : was ? '-' : '+') },
    { title: 'AT', text: (row) => [...new Set(bothOf(row).map(({ at }) => timeText(at)))].join(' → ') },
    {
      title: 'WHAT',
      text: (row) =>
        bothOf(row)
          .slice(0, 1)
          .map(({ kind, text }) => printable(`${kind} ${text}`))
          .join(''),
    },
  ]);
  print();
  print('- as it was, + as it would have been; the rest is the same.');
  print();
  printFacts([
    ['playbooks', printable(`${past.playbooks.join(', ') || 'none'} → ${story.playbooks.join(', ') || 'none'}`)],
    ['verdict', printable(`${past.verdict} → ${story.verdict}`)],
    ['left in force', printable(story.left.map(({ action, target }) => `${action} on ${target}`).join(', ') || 'nothing')],
    ['it ended', printable(story.end)],
  ]);
}

/** Rows that both have are printed once, in the words of the past one. */
function bothOf({ past, fork }: Fork['rows'][number]) {
  return [past, fork].filter((event) => event !== undefined);
}

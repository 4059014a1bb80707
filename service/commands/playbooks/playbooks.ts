import type { Command } from 'commander';
import type { DescribedPlaybook } from '../../../core/console/console.schema.ts';
import type { ConfiguredPack } from '../../config/complete/complete-packs.ts';
import { describedPlaybooks } from '../../config/described-playbooks.ts';
import { type DeskOptions, deskOf, withDesk } from '../desk/desk-options.ts';
import { type CommonOptions, withExamples, withJson } from '../options.ts';
import { print, printable, printFacts, printJson, printTable, styled } from '../output.ts';
import { registerCheckCommand } from './check.ts';
import { registerCoverageCommand } from './coverage.ts';
import { registerGraphCommand } from './graph.ts';

interface ListOptions extends CommonOptions, DeskOptions {
  readonly config?: string;
}

/** What a configuration adds about the playbooks of its packs. */
interface FromConfig {
  readonly stateDir: string;
  readonly packs: readonly Pick<ConfiguredPack, 'name' | 'version' | 'source'>[];
}

/** The playbooks that a desk runs; otherwise the shipped ones and, with a configuration, those of its packs. The configuration reader is loaded only then. */
async function playbooksIn(
  options: ListOptions,
  command: Command,
): Promise<{ readonly all: readonly DescribedPlaybook[]; readonly config?: FromConfig }> {
  const at = deskOf(options, command);
  if (at) {
    const desk = await (await import('../desk/desk-client.ts')).openDesk(at);
    return { all: (await desk.ask('playbooks')).items };
  }
  const { config: path } = options;
  const config = path === undefined ? undefined : (await import('../../config/load.ts')).loadConfig({ path, env: process.env });
  return { all: describedPlaybooks(config, Date.now()), ...(config && { config }) };
}

function withPacks(command: Command): Command {
  return withDesk(
    withJson(
      command.option('--config <file>', 'configuration file, for the playbooks of its packs', process.env.FIREBREAK_CONFIG),
    ),
  );
}

/** The JSON form for programs, the same from a desk as from here. */
function shownJson({ answers: _, enabled: __, scheduled, ...playbook }: DescribedPlaybook) {
  return { ...playbook, next: scheduled?.next ?? null };
}

/** Adds `firebreak playbooks list|show|check|coverage|graph`: the envelopes, which say what runs for which alert. */
export function registerPlaybooksCommand(program: Command): void {
  const playbooks = program.command('playbooks').description('the playbooks, and the alerts that they answer');
  withExamples(withPacks(playbooks.command('list').description('list all playbooks')), [
    'firebreak playbooks list --json',
  ]).action((options: ListOptions, command: Command) => list(options, command));
  withExamples(
    withPacks(
      playbooks
        .command('show')
        .description('show one playbook: its rules and its actions')
        .argument('<id>', 'id of the playbook'),
    ),
    ['firebreak playbooks show firebreak/contain-dropped-binary'],
  ).action((id: string, options: ListOptions, command: Command) => show(id, options, command));
  registerCheckCommand(playbooks);
  registerCoverageCommand(playbooks);
  registerGraphCommand(playbooks);
}

async function list(options: ListOptions, command: Command): Promise<void> {
  const { all } = await playbooksIn(options, command);
  if (options.json) {
    printJson(all.map(shownJson));
    return;
  }
  printTable(all, [
    { title: 'PLAYBOOK', text: (row) => row.id },
    { title: 'FROM', text: (row) => row.on.minSeverity },
    { title: 'TITLE', text: (row) => row.title },
  ]);
  const scheduled = all.flatMap(({ id, scheduled: run }) => (run ? [{ id, ...run }] : []));
  if (scheduled.length === 0) return;
  print();
  printTable(scheduled, [
    { title: 'SCHEDULED', text: ({ id }) => id },
    { title: 'RUNS', text: ({ times }) => times },
    { title: 'NEXT', text: nextText },
  ]);
}

function nextText({ next }: { readonly next: string | null }): string {
  return next === null ? 'never: not enabled, or playbooks.params names no target' : `${next.slice(0, 16).replace('T', ' ')} UTC`;
}

async function show(id: string, options: ListOptions, command: Command): Promise<void> {
  const { all, config } = await playbooksIn(options, command);
  const shown = all.find((one) => one.id === id);
  const pack = config?.packs.find(({ name }) => id.startsWith(`${name}/`));
  const observed = config ? (await import('../../packs/observed.ts')).observedWith(config.stateDir, id) : [];
  if (!shown && observed.length === 0) {
    // Not needed to list playbooks.
    const { unknownName } = await import('../../config/nearest.ts');
    throw unknownName({ what: 'playbook', written: id, known: all.map((one) => one.id), listedBy: 'firebreak playbooks list' });
  }
  if (options.json) {
    printJson({
      ...(shown && shownJson(shown)),
      ...(shown && pack && { version: pack.version }),
      ...(observed.length > 0 && { observed }),
    });
    return;
  }
  if (shown) printEnvelope(shown, pack);
  else print(`${printable(id)} does not run: it is in a version of its pack that was observed.`);
  if (observed.length === 0) return;
  print();
  printTable(observed.slice(-mostObserved), [
    { title: 'OBSERVED', text: ({ version }) => version },
    { title: 'AT', text: ({ at }) => at },
    { title: 'ALERT', text: ({ rule }) => rule },
    { title: 'IT WOULD LEAD TO', text: ({ outcome }) => outcome },
  ]);
}

/** Maximum number shown here; `firebreak pack observed` lists more. */
const mostObserved = 10;

function printEnvelope(shown: DescribedPlaybook, pack: FromConfig['packs'][number] | undefined): void {
  const { scheduled: run } = shown;
  const facts: readonly (readonly [string, string])[] = [
    ['playbook', shown.id],
    ...(pack ? [['version', versionText(pack)] as const] : []),
    ...(run
      ? ([
          ['runs', run.times],
          ['next', nextText(run)],
        ] as const)
      : []),
    ['answers', shown.answers],
    ['from severity', shown.on.minSeverity],
    ['needs', shown.on.requires.join(', ') || 'nothing'],
    ['runs once per', shown.per],
    ['priority', `${shown.priority}${shown.exclusive ? ', and no playbook of lower priority answers the same alerts' : ''}`],
    ['asks', asksText(shown)],
    ['parameters', paramsText(shown)],
    ['may contain at once', shown.contains === null ? 'nothing' : `the alert’s ${shown.contains}`],
    ['evidence first', shown.evidenceFirst === null ? 'no, alongside containment' : `yes, at most ${shown.evidenceFirst}`],
  ];
  print(styled('bold', printable(shown.title)));
  printFacts(facts.map(([name, value]) => [name, printable(value)]));
  print();
  printTable(shown.uses, [
    { title: 'ACTION', text: (row) => row.name },
    { title: 'EFFECT', text: (row) => row.effect },
    { title: 'REACH', text: (row) => row.reach },
    { title: 'WHAT IT DOES', text: (row) => row.title },
    { title: 'UNDO', text: (row) => row.undo },
  ]);
}

/** Only the cluster's cell and Temporal know whether some incidents start with another version. */
function versionText({ name, version, source }: FromConfig['packs'][number]): string {
  const others = 'release' in source ? '; firebreak pack promotions shows whether some incidents start with another one' : '';
  return `${name}@${version}${others}`;
}

function asksText({ levels }: DescribedPlaybook): string {
  if (!levels) return 'incidents.levels of the configuration';
  const called = (page: true | 'critical' | undefined): string =>
    page === undefined ? '' : page === true ? ', called' : ', called on critical';
  return levels.map(({ group, within, page }) => `${group} (${within}${called(page)})`).join(', then ');
}

function paramsText({ params }: DescribedPlaybook): string {
  const texts = Object.entries(params).map(([name, of]) => {
    const about = of.about === undefined ? '' : `: ${of.about}`;
    return `${name} (${of.kind}, ${JSON.stringify(of.default)} if nothing is set)${about}`;
  });
  return texts.join('; ') || 'none';
}

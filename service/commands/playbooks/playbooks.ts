import type { Command } from 'commander';
import { matchText } from '../../../core/playbook/match-text.ts';
import { enabledAmong } from '../../../core/playbook/pack.ts';
import type { AnyPlaybook } from '../../../core/playbook/playbook.ts';
import { isScheduled, type NextRun, nextRunOf } from '../../../core/playbook/scheduled-runs.ts';
import { unknownName } from '../../config/nearest.ts';
import { playbooksOf } from '../../config/packs.ts';
import { type CommonOptions, withExamples, withJson } from '../options.ts';
import { print, printFacts, printJson, printTable, styled } from '../output.ts';
import { registerCheckCommand } from './check.ts';
import { registerCoverageCommand } from './coverage.ts';
import { registerGraphCommand } from './graph.ts';

interface ListOptions extends CommonOptions {
  readonly config?: string;
}

interface ListedPlaybooks {
  readonly all: readonly AnyPlaybook[];
  readonly nextOf: (playbook: AnyPlaybook) => NextRun | undefined;
}

/** With a configuration those of its packs, too: only then is loaded what reads one. */
async function playbooksIn({ config: path }: ListOptions): Promise<ListedPlaybooks> {
  const config = path === undefined ? undefined : (await import('../../config/load.ts')).loadConfig({ path, env: process.env });
  const { enabled, params = {} } = config?.playbooks ?? { enabled: 'all' as const };
  const all = playbooksOf(config);
  const on = enabledAmong(all, enabled);
  const now = Date.now();
  const nextOf: ListedPlaybooks['nextOf'] = (playbook) => {
    if (!isScheduled(playbook)) return undefined;
    const next = nextRunOf(playbook, params[playbook.id], now);
    return on.includes(playbook) ? next : { ...next, next: null };
  };
  return { all, nextOf };
}

function withPacks(command: Command): Command {
  return withJson(
    command.option('--config <file>', 'configuration file, for the playbooks of its packs', process.env.FIREBREAK_CONFIG),
  );
}

function described({ id, title, on, per, priority, exclusive, uses, params, levels, headStart, evidenceFirst }: AnyPlaybook) {
  return {
    id,
    title,
    on,
    per: per ?? 'pod',
    priority: priority ?? 0,
    exclusive: exclusive ?? false,
    levels: levels ?? null,
    params: params ?? {},
    headStart: headStart ?? null,
    evidenceFirst: evidenceFirst ?? null,
    uses: Object.values(uses).map(({ name, title: does, effect, reach, undo }) => ({ name, title: does, effect, reach, undo })),
  };
}

/** Adds `firebreak playbooks list|show|check|coverage|graph`: the envelopes, which say what runs on which alert. */
export function registerPlaybooksCommand(program: Command): void {
  const playbooks = program.command('playbooks').description('the procedures, and the alerts that they answer');
  withExamples(withPacks(playbooks.command('list').description('list all playbooks')), [
    'firebreak playbooks list --json',
  ]).action(list);
  withExamples(
    withPacks(
      playbooks
        .command('show')
        .description('show one playbook: its rules and its actions')
        .argument('<id>', 'id of the playbook'),
    ),
    ['firebreak playbooks show firebreak/contain-dropped-binary'],
  ).action(show);
  registerCheckCommand(playbooks);
  registerCoverageCommand(playbooks);
  registerGraphCommand(playbooks);
}

async function list(options: ListOptions): Promise<void> {
  const { all, nextOf } = await playbooksIn(options);
  if (options.json) {
    printJson(all.map((playbook) => ({ ...described(playbook), next: nextOf(playbook)?.next ?? null })));
    return;
  }
  printTable(all, [
    { title: 'PLAYBOOK', text: (row) => row.id },
    { title: 'FROM', text: (row) => row.on.minSeverity },
    { title: 'ACTIONS', text: (row) => Object.keys(row.uses).join(', ') },
    { title: 'TITLE', text: (row) => row.title },
  ]);
  const scheduled = all.flatMap((playbook) => nextOf(playbook) ?? []);
  if (scheduled.length === 0) return;
  print();
  printTable(scheduled, [
    { title: 'SCHEDULED', text: ({ playbook }) => playbook },
    { title: 'RUNS', text: ({ times }) => times },
    { title: 'NEXT', text: nextText },
  ]);
}

function nextText({ next }: NextRun): string {
  return next === null ? 'never: not enabled, or playbooks.params names no target' : `${next.slice(0, 16).replace('T', ' ')} UTC`;
}

async function show(id: string, options: ListOptions): Promise<void> {
  const { all, nextOf } = await playbooksIn(options);
  const playbook = all.find((one) => one.id === id);
  if (!playbook)
    throw unknownName({ what: 'playbook', written: id, known: all.map((one) => one.id), listedBy: 'firebreak playbooks list' });
  const shown = described(playbook);
  if (options.json) {
    printJson(shown);
    return;
  }
  const run = nextOf(playbook);
  print(styled('bold', shown.title));
  printFacts([
    ['playbook', shown.id],
    ...(run
      ? ([
          ['runs', run.times],
          ['next', nextText(run)],
        ] as const)
      : []),
    ['answers', shown.on.match === 'unanswered' ? 'all that no other playbook answers' : matchText(shown.on.match)],
    ['from severity', shown.on.minSeverity],
    ['needs', shown.on.requires.join(', ') || 'nothing'],
    ['runs once per', shown.per],
    ['priority', `${shown.priority}${shown.exclusive ? ', and none of less priority answers what it answers' : ''}`],
    ['asks', asksText(playbook)],
    ['parameters', paramsText(playbook)],
    ['head start', shown.headStart ?? 'none'],
    ['evidence first', shown.evidenceFirst === null ? 'no, next to containment' : `yes, at most ${shown.evidenceFirst}`],
  ]);
  print();
  printTable(shown.uses, [
    { title: 'ACTION', text: (row) => row.name },
    { title: 'EFFECT', text: (row) => row.effect },
    { title: 'REACH', text: (row) => row.reach },
    { title: 'WHAT IT DOES', text: (row) => row.title },
    { title: 'UNDO', text: (row) => row.undo },
  ]);
}

function asksText({ levels }: AnyPlaybook): string {
  if (!levels) return 'incidents.levels of the configuration';
  const called = (page: true | 'critical' | undefined): string =>
    page === undefined ? '' : page === true ? ', called' : ', called on critical';
  return levels.map(({ group, within, page }) => `${group} (${within}${called(page)})`).join(', then ');
}

function paramsText({ params = {} }: AnyPlaybook): string {
  const texts = Object.entries(params).map(([name, of]) => {
    const about = of.about === undefined ? '' : `: ${of.about}`;
    return `${name} (${of.kind}, ${JSON.stringify(of.default)} where nothing is set)${about}`;
  });
  return texts.join('; ') || 'none';
}

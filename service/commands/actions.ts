import type { Command } from 'commander';
import type { ActionDeclaration } from '../../core/action/action.ts';
import { deciderOf } from '../../core/action/guardrail.ts';
import { loadConfig } from '../config/load.ts';
import { unknownName } from '../config/nearest.ts';
import { actionsOf } from '../config/packs.ts';
import { fieldsOf } from './action-fields.ts';
import { type CommonOptions, withExamples, withJson } from './options.ts';
import { print, printable, printFacts, printJson, printTable, styled } from './output.ts';

/** The complete declaration as JSON, with absent values stated. */
function described(action: ActionDeclaration) {
  const { name, title, effect, reach, pool, contains, endsTarget, optIn, requires } = action;
  const { timeouts, rights, verifiedBy, undo, example, own } = action;
  return {
    name,
    title,
    effect,
    reach,
    pool,
    contains: contains === true,
    endsTarget: endsTarget === true,
    offByDefault: optIn === true,
    requires,
    fields: fieldsOf(action),
    timeouts,
    rights,
    verifiedBy,
    undo,
    example,
    ...(own && {
      output: own.output,
      secrets: own.secrets,
      settings: own.settings,
      egress: own.egress,
      weakens: own.weakens === true,
    }),
  };
}

interface ActionsOptions extends CommonOptions {
  readonly config?: string;
}

/** All shipped actions, and those of a configuration's packs. */
function known({ config }: ActionsOptions): readonly ActionDeclaration[] {
  return actionsOf(config === undefined ? {} : loadConfig({ path: config, env: process.env }));
}

const withPacks = (command: Command): Command =>
  withJson(command.option('--config <file>', 'include the actions of the packs in this configuration'));

/** Adds `firebreak actions list|show`: what a playbook can do, according to the declarations. */
export function registerActionsCommand(program: Command): void {
  const actions = program.command('actions').description('the actions of playbooks, and the rights that they need');
  withExamples(withPacks(actions.command('list').description('list all actions')), ['firebreak actions list --json']).action(
    list,
  );
  withExamples(
    withPacks(
      actions
        .command('show')
        .description('show one action: its fields, rights, an example, its undo, and how it is verified')
        .argument('<name>', 'name of the action'),
    ),
    ['firebreak actions show quarantinePod'],
  ).action(show);
}

function list(options: ActionsOptions): void {
  const all = known(options);
  if (options.json) {
    printJson(all.map(described));
    return;
  }
  printTable(all, [
    { title: 'ACTION', text: (row) => row.name },
    { title: 'EFFECT', text: (row) => row.effect },
    { title: 'REACH', text: (row) => row.reach },
    { title: 'POOL', text: (row) => row.pool },
    { title: 'BY DEFAULT', text: (row) => (row.optIn ? 'off' : 'on') },
    { title: 'TITLE', text: (row) => row.title },
  ]);
}

function show(name: string, options: ActionsOptions): void {
  const all = known(options);
  const action = all.find((one) => one.name === name);
  const names = all.map((one) => one.name);
  if (!action) throw unknownName({ what: 'action', written: name, known: names, listedBy: 'firebreak actions list' });
  if (options.json) {
    printJson(described(action));
    return;
  }
  const { planMs, applyMs, verifyMs } = action.timeouts;
  print(styled('bold', printable(action.title)));
  const facts: readonly (readonly [string, string])[] = [
    ['action', action.name],
    ['effect', action.effect],
    ['reach', action.reach],
    ['decided by', deciderOf(action)],
    ['pool', action.pool],
    ...(action.optIn ? [['off by default', 'until actions.optIn of the configuration names it'] as const] : []),
    ...(action.own ? ([['receives', gets(action.own)]] as const) : []),
    ['needs of the alert', action.requires.join(', ') || 'nothing'],
    ['verified by', action.verifiedBy],
    ['undo', action.undo],
    ['time for one attempt', `plan ${planMs / 1_000} s, apply ${applyMs / 1_000} s, verify ${verifyMs / 1_000} s`],
  ];
  // For a pack, these are its author's words.
  printFacts(facts.map(([name, value]) => [name, printable(value)]));
  print();
  printTable(fieldsOf(action), [
    { title: 'FIELD', text: (row) => row.field },
    { title: 'WHAT IT IS', text: (row) => `${row.kind}${row.required ? '' : ', optional'}` },
    { title: 'MEANING', text: (row) => row.description },
  ]);
  print();
  if (action.rights.length === 0) print('No rights in the cluster.');
  else
    printTable(action.rights, [
      { title: 'API GROUP', text: (row) => row.apiGroup || 'core' },
      { title: 'RESOURCE', text: (row) => row.resource },
      { title: 'VERBS', text: (row) => row.verbs.join(', ') },
      { title: 'WHERE', text: (row) => (row.in ? `in Firebreak’s ${row.in} only` : 'in the cluster') },
    ]);
  print();
  const call = `steps.${action.name.split('/').at(-1)}(${JSON.stringify(action.example, null, 2)})`;
  for (const line of call.split('\n')) print(printable(line));
}

/** What the action gets of what its pack is given. */
function gets({ secrets, settings }: NonNullable<ActionDeclaration['own']>): string {
  const named = [...secrets.map((name) => `the secret ${name}`), ...settings.map((name) => `the setting ${name}`)];
  return named.join(', ') || 'only its input';
}

import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { deciderOf } from '../../../core/action/guardrail.ts';
import type { OwnAction } from '../../../core/action/own-action.ts';
import { describePack } from '../../packs/describe.ts';
import { packSourceAt, readPackAt } from '../../packs/pack-files.ts';
import { packFaults } from '../../packs/pack-rules.ts';
import { checkTypes } from '../../packs/pack-types.ts';
import { faultsOfHistories } from '../../trial/recorded.ts';
import { type CommonOptions, withExamples, withJson } from '../options.ts';
import { print, printable, printJson, printTable } from '../output.ts';
import { printChanged, registerHistories } from './histories.ts';
import { newPack, type Runner, runners } from './new-pack.ts';
import { registerPromoting } from './promote.ts';
import { registerPublishing } from './publish.ts';

/** Adds `firebreak pack new|check|histories|integrity`, and the commands that publish and promote a pack. */
export function registerPackCommand(program: Command): void {
  const pack = program.command('pack').description('your own playbooks: create, check, publish and promote them');
  withExamples(
    pack
      .command('new')
      .description('create the folder of a pack: a playbook, its test, and an alert to try it with')
      .argument('<name>', 'name of the pack and of its folder', packName)
      .addOption(new Option('--runner <name>', 'what runs its tests').choices(runners).default('node')),
    ['firebreak pack new our-playbooks', 'firebreak pack new our-playbooks --runner vitest'],
  ).action(create);
  withExamples(
    withJson(
      pack
        .command('check')
        .description('report every problem of a pack, with file and line, and replay its histories; exit code 1 if there is one')
        .argument('[where]', 'folder, or tarball from `npm pack`', '.'),
    ),
    ['firebreak pack check', 'firebreak pack check our-playbooks-1.0.0.tgz'],
  ).action(check);
  registerHistories(pack);
  withExamples(
    withJson(
      pack
        .command('integrity')
        .description('print the integrity hash that pins a pack in the configuration')
        .argument('[where]', 'folder, or tarball from `npm pack`', '.'),
    ),
    ['firebreak pack integrity our-playbooks'],
  ).action((where: string, { json }: CommonOptions) => {
    const { integrity } = readPackAt(where);
    if (json) printJson({ integrity });
    else print(integrity);
  });
  registerPublishing(pack);
  registerPromoting(pack);
}

function packName(text: string): string {
  if (!/^[a-z][a-z0-9-]{0,39}$/.test(text) || text === 'firebreak')
    throw new InvalidArgumentError(
      'Use at most 40 lowercase letters, digits and hyphens, starting with a letter; firebreak is reserved.',
    );
  return text;
}

function create(name: string, { runner }: { readonly runner: Runner }): void {
  const files = newPack({ name, folder: resolve(name), runner });
  print(`Created ${name} with ${files.length} files. Next:`);
  print(`  cd ${name} && npm install && npm test && npm run check`);
}

async function check(where: string, { json }: CommonOptions): Promise<void> {
  const files = readPackAt(where);
  const broken = packFaults(files);
  const types = broken.length > 0 ? undefined : checkTypes(files, 'folder' in packSourceAt(where) ? resolve(where) : undefined);
  const faults = [...broken, ...(types && 'faults' in types ? types.faults : [])];
  if (faults.length > 0) {
    process.exitCode = 1;
    if (json) printJson({ ok: false, faults });
    else for (const { file, line, problem, remedy } of faults) print(printable(`${file}:${line}: ${problem}. ${remedy}`));
    return;
  }
  let pack: ReturnType<typeof describePack>['pack'];
  try {
    ({ pack } = describePack(files));
  } catch (error) {
    process.exitCode = 1;
    const problem = error instanceof Error ? error.message : 'it cannot be read';
    if (json) printJson({ ok: false, faults: [{ file: files.main, problem }] });
    else for (const line of problem.split('\n')) print(printable(line));
    return;
  }
  const { name, version, playbooks, actions } = pack;
  const notChecked = types && 'notChecked' in types ? types.notChecked : undefined;
  const changed = await faultsOfHistories(where, files);
  if (changed.length > 0) {
    process.exitCode = 1;
    if (json) printJson({ ok: false, faults: changed });
    else printChanged(changed);
    return;
  }
  if (json) {
    printJson({
      ok: true,
      name,
      version,
      integrity: files.integrity,
      playbooks,
      actions,
      ...(notChecked !== undefined && { notChecked }),
    });
    return;
  }
  print(`${name} ${version}, integrity ${files.integrity}`);
  if (notChecked !== undefined) print(`its types, and whether each step is awaited, were not checked: ${notChecked}`);
  printTable(playbooks, [
    { title: 'PLAYBOOK', text: ({ id }) => id },
    { title: 'FROM', text: ({ on }) => on.minSeverity },
    { title: 'ACTIONS', text: ({ uses }) => Object.keys(uses).join(', ') },
    { title: 'PARAMETERS', text: ({ params = {} }) => Object.keys(params).join(', ') },
    { title: 'TITLE', text: ({ title }) => title },
  ]);
  if (actions.length > 0) printActions(actions);
  print();
  print(`To check every answer, its rules and its groups: firebreak check ${where}`);
}

function printActions(actions: readonly OwnAction[]): void {
  print();
  printTable(actions, [
    { title: 'OWN ACTION', text: (action) => action.name },
    { title: 'EFFECT', text: ({ effect, own }) => (own.weakens ? `${effect}, weakens` : effect) },
    { title: 'REACH', text: ({ reach }) => reach },
    { title: 'DECIDED BY', text: deciderOf },
    { title: 'RIGHTS', text: rightsOf },
    { title: 'SECRETS', text: ({ own }) => own.secrets.join(', ') || 'none' },
    { title: 'SENDS TO', text: ({ own }) => own.egress.join(', ') || 'nobody' },
    { title: 'TITLE', text: ({ title }) => title },
  ]);
}

/** `patch deployments.apps` */
function rightsOf({ rights }: OwnAction): string {
  const each = rights.flatMap(({ verbs, resource, apiGroup }) =>
    verbs.map((verb) => `${verb} ${resource}${apiGroup === '' ? '' : `.${apiGroup}`}`),
  );
  return each.join(', ') || 'none';
}

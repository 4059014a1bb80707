import { type Command, InvalidArgumentError } from 'commander';
import type { ActionDeclaration, Pool } from '../../core/action.ts';
import { actions as all } from '../../core/actions/index.ts';
import { FirebreakError } from '../../core/errors.ts';
import { loadConfig } from '../config/load.ts';
import { actionsOfPlaybooks, enabledActions } from '../rbac/enabled.ts';
import { rbacManifests } from '../rbac/manifests.ts';
import { missingRights } from '../rbac/missing.ts';
import { openClusterApi } from '../run/cluster-api.ts';
import { type CommonOptions, type ConfiguredOptions, withConfig, withExamples } from './options.ts';
import { print, printable, printJson, printTable } from './output.ts';

interface ManifestOptions {
  readonly playbooks?: readonly string[];
  readonly actions?: readonly string[];
  readonly pool?: Pool;
  readonly namespace: string;
}

const pools: readonly Pool[] = ['cell', 'secrets', 'forensics', 'desk'];

function list(text: string): readonly string[] {
  return text.split(',').map((part) => part.trim());
}

function pool(text: string): Pool {
  const found = pools.find((one) => one === text);
  if (!found) throw new InvalidArgumentError(`One of ${pools.join(', ')}.`);
  return found;
}

/** Adds `firebreak rbac manifests|check`. */
export function registerRbacCommand(program: Command): void {
  const rbac = program.command('rbac').description('the rights in the cluster: the least that is needed, and what is missing');
  withExamples(
    rbac
      .command('manifests')
      .description('print the least rights for playbooks, one account a pool, with the admission policies that narrow them')
      .option('--playbooks <ids>', 'only what these need, with commas between (default: all that are shipped)', list)
      .option('--actions <names>', 'these actions too, with commas between', list)
      .option('--pool <pool>', 'only this pool', pool)
      .option('--namespace <name>', 'where Firebreak runs', 'firebreak'),
    [
      'firebreak rbac manifests > rbac.yaml',
      'firebreak rbac manifests --playbooks contain-dropped-binary --actions evictPod --pool cell',
    ],
  ).action(manifests);
  withExamples(
    withConfig(
      rbac
        .command('check')
        .description(
          'ask the API server, as this configuration reaches it, which rights are missing for which action; exit code 1 when one is',
        )
        .option('--pool <pool>', 'the pool whose account this is', pool, 'cell'),
    ),
    ['firebreak rbac check', 'firebreak rbac check --pool secrets --json'],
  ).action(check);
}

function chosen({ playbooks, actions = [] }: Pick<ManifestOptions, 'playbooks' | 'actions'>): readonly ActionDeclaration[] {
  const unknown = actions.find((name) => !all.some((action) => action.name === name));
  if (unknown !== undefined) throw new FirebreakError('FB_ERR_NOT_FOUND', `there is no action ${unknown}`);
  const used = new Set(actionsOfPlaybooks(playbooks).map(({ name }) => name));
  return all.filter(({ name }) => used.has(name) || actions.includes(name));
}

function manifests(options: ManifestOptions): void {
  const made = rbacManifests({ actions: chosen(options), namespace: options.namespace });
  const wanted = [...made].filter(([file]) => options.pool === undefined || file === `${options.pool}.yaml`);
  process.stdout.write(wanted.map(([, manifest]) => manifest).join('---\n'));
}

async function check(options: ConfiguredOptions & CommonOptions & { readonly pool: Pool }): Promise<void> {
  const config = loadConfig({ path: options.config, env: process.env });
  const api = await openClusterApi({ config, env: process.env });
  try {
    const actions = enabledActions(config);
    const missing = await missingRights({ api, pool: options.pool, actions });
    if (missing.length > 0) process.exitCode = 1;
    if (options.json) return printJson(missing);
    const count = actions.filter((action) => action.pool === options.pool).length;
    if (missing.length === 0) return print(`Nothing is missing for the ${count} actions of the pool ${options.pool}.`);
    printTable(missing, [
      { title: 'MISSING RIGHT', text: ({ right }) => right },
      { title: 'NEEDED BY', text: ({ neededBy }) => neededBy.join(', ') },
    ]);
    print(printable(`\nfirebreak rbac manifests --pool ${options.pool} prints what gives them.`));
  } finally {
    api.close();
  }
}

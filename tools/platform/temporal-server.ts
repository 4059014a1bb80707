import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { searchAttributes } from '../../core/incident/search-attributes.ts';
import type { OnProgress } from '../../service/parts/cache.ts';
import { flags, runCommand } from '../../service/parts/command.ts';
import { freePorts } from './ports.ts';
import { type RunningServer, ServerGroup, waitUntilReady } from './server-group.ts';
import { temporalBinary } from './temporal-binary.ts';

export interface TemporalOptions {
  /** The namespace to use; created if it does not exist. Default `default`. */
  readonly namespace?: string;
  /** Also created. */
  readonly extraNamespaces?: readonly string[];
  /** The first of its four ports. Default: free ports, the same as last time. */
  readonly port?: number | undefined;
}

/** Its ports, in their order from `port` on. */
export const temporalPorts = ['grpc', 'http', 'metrics', 'ui'] as const;

/** A Temporal server, ours or the one that TEMPORAL_ADDRESS names. */
export interface TemporalServer {
  readonly address: string;
  readonly namespace: string;
  /** Empty if the server is not ours. */
  readonly uiUrl: string;
  /** The `temporal` program, for its commands; undefined if the server is not ours. */
  readonly program: string | undefined;
  /** The current process; undefined if the server is not ours. */
  readonly pid: number | undefined;
  /** Kills the server as a crash would, if it still runs, and restarts it on the same ports and database file. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts Temporal's dev server with its database file in the state folder, and waits until it serves. Without a group it
 * ends when this process ends. With TEMPORAL_ADDRESS set, nothing is started.
 */
export async function startTemporal(options: {
  readonly stateDir: string;
  readonly temporal?: TemporalOptions;
  readonly group?: ServerGroup;
  readonly onProgress?: OnProgress;
}): Promise<TemporalServer> {
  const { stateDir, temporal = {}, onProgress = () => {} } = options;
  const namespace = temporal.namespace ?? 'default';
  const given = process.env.TEMPORAL_ADDRESS;
  if (given) return existingServer({ address: given, namespace });
  const program = await temporalBinary(onProgress);
  const folder = join(stateDir, 'temporal');
  mkdirSync(folder, { recursive: true });
  const ports = await freePorts({ names: temporalPorts, from: temporal.port, file: join(folder, 'ports.json') });
  const address = `127.0.0.1:${ports.grpc}`;
  const group = options.group ?? new ServerGroup();
  const namespaces = [...new Set([namespace, ...(temporal.extraNamespaces ?? [])])];
  const args = [
    'server',
    'start-dev',
    ...flags({
      ip: '127.0.0.1',
      port: ports.grpc,
      'http-port': ports.http,
      'metrics-port': ports.metrics,
      'ui-port': ports.ui,
      'ui-disable-news-fetch': true,
      'db-filename': join(folder, 'temporal.db'),
      'log-level': 'warn',
      // The last four together: a start took p50 5.5 ms instead of 7.6 (one run of 60 each, on a busy machine).
      'sqlite-pragma': [
        'journal_mode=WAL',
        'synchronous=NORMAL',
        'cache_size=-65536',
        'temp_store=MEMORY',
        'mmap_size=268435456',
        'locking_mode=EXCLUSIVE',
      ],
      // The defaults poll 20 times a second on the one shard: every dispatch would wait up to 50 ms.
      'dynamic-config-value': [
        'history.transferProcessorMaxPollRPS=1000',
        'history.timerProcessorMaxPollRPS=1000',
        // Partitions are for a cluster of servers. Here one is enough.
        'matching.numTaskqueueReadPartitions=1',
        'matching.numTaskqueueWritePartitions=1',
        // Off by default. If enabled, anyone who can reach Temporal can pause a run, and make its time pass in a moment.
        'frontend.WorkflowPauseEnabled=true',
        'frontend.WorkflowTimeSkippingEnabled=true',
      ],
      namespace: namespaces,
      'search-attribute': searchAttributes.map(({ name, type }) => `${name}=${type}`),
    }),
  ];
  const start = async (): Promise<RunningServer> => {
    const server = group.start({ name: 'temporal', command: program, args, logFile: join(folder, 'temporal.log') });
    await waitUntilReady({ server, timeoutMs: 60_000, ready: () => isServing({ program, address, namespaces }) });
    return server;
  };
  let server = await start();
  onProgress(`Temporal is serving at ${address}`);
  return {
    address,
    namespace,
    uiUrl: `http://127.0.0.1:${ports.ui}`,
    program,
    get pid() {
      return server.pid;
    },
    async restart() {
      await group.end(server, 'SIGKILL');
      server = await start();
    },
    async stop() {
      await group.end(server);
      if (!options.group) await group.stop();
    },
  };
}

function existingServer(options: { readonly address: string; readonly namespace: string }): TemporalServer {
  return {
    ...options,
    uiUrl: '',
    program: undefined,
    pid: undefined,
    restart: () => Promise.reject(new Error('This Temporal server is not ours to restart.')),
    stop: () => Promise.resolve(),
  };
}

/** The port opens before the namespaces exist: ask for each of them. */
async function isServing(options: {
  readonly program: string;
  readonly address: string;
  readonly namespaces: readonly string[];
}): Promise<boolean> {
  const { program, address, namespaces } = options;
  if (!(await accepts(address))) return false;
  for (const namespace of namespaces) {
    const args = ['operator', 'namespace', 'describe', '-n', namespace, '--address', address, '--command-timeout', '2s'];
    if ((await runCommand({ command: program, args })).code !== 0) return false;
  }
  return true;
}

/** Whether something listens at this address. */
export function accepts(address: string): Promise<boolean> {
  const port = Number(address.split(':').at(-1));
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => socket.destroy(undefined)).once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
}

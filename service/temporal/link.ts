import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { NativeConnection, type Worker } from '@temporalio/worker';
import type { TemporalAccess } from '../config/temporal-access.ts';
import { connectionOptions } from './access.ts';
import { RepeatedTrouble, type TroubleSoFar } from './repeated-trouble.ts';
import type { Speaker } from './speaker.ts';
import type { WorkerBase } from './workers.ts';

/** The connection for one role: it signs with that role's key. */
export interface TemporalConnected {
  readonly base: WorkerBase;
  readonly client: Client;
  /**
   * The same over a separate connection. An eager start goes to any worker of its queue on the client's own connection, whatever its build: a worker of an
   * older build must not be found there.
   */
  apart(): Promise<WorkerBase>;
}

/** The link to Temporal, which may not be available yet: whatever works without it is done meanwhile. */
export interface TemporalLink {
  /** Undefined until Temporal has answered for the first time. */
  as(speaker: Speaker): TemporalConnected | undefined;
  /** Moves the worker to a new connection when certificates or the API key are renewed. */
  adopt(worker: Worker): void;
  /** Whether Temporal has answered since the link was opened. */
  isThere(): boolean;
  /** False when the link was closed before Temporal answered. Never rejects. */
  readonly connected: Promise<boolean>;
  /** Whether it answers right now. Never rejects. */
  answers(): Promise<boolean>;
  close(): Promise<void>;
}

interface TemporalLinkOptions {
  readonly address: string;
  readonly namespace: string;
  readonly identity: string;
  /** Current credentials: called repeatedly, so that renewed files are picked up. */
  readonly access: () => TemporalAccess;
  readonly renewEveryMs?: number;
  /** Called when new certificates or a new key are in use, or cannot be used: then the old ones stay. */
  readonly onRenewed?: (outcome: 'renewed' | 'failed') => void;
  /** Called for the first failure, and then at growing intervals. */
  readonly onWaiting: (reason: string, soFar: TroubleSoFar) => void;
}

const answerWithinMs = 5_000;
const retryMs = 500;
const renewEveryMs = 5_000;
/** Calls in flight on a replaced connection have ended by then. */
const lettingGoMs = 60_000;

/** Connects as soon as Temporal serves the namespace, however long that takes. Client and workers share one connection: a start is eager only then. */
export function openTemporalLink(options: TemporalLinkOptions): TemporalLink {
  const { namespace, identity } = options;
  const closing = new AbortController();
  const lines: Line[] = [];
  const clients = new Map<Speaker, Client>();
  const connected = waitForTemporal(options, closing.signal).then((connection) => {
    if (!connection) return false;
    lines.push(new Line(connection));
    void renewed(options, lines, closing.signal);
    return true;
  });
  const clientOf = ({ dataConverter, client }: Speaker, connection: NativeConnection): Client =>
    new Client({ connection, namespace, dataConverter, identity, interceptors: { workflow: [client] } });
  return {
    as: (speaker) => {
      const [line] = lines;
      if (!line) return undefined;
      const client = clients.get(speaker) ?? clientOf(speaker, line.lasting);
      clients.set(speaker, client);
      const base = { namespace, speaker, identity };
      return {
        base: { ...base, connection: line.current },
        client,
        apart: async () => {
          const another = await connectTo(options);
          lines.push(new Line(another));
          return { ...base, connection: another };
        },
      };
    },
    adopt: (worker) => lines.find(({ current }) => current === worker.connection)?.workers.add(worker),
    isThere: () => lines.length > 0,
    connected,
    answers: async () => lines[0] !== undefined && (await serves(lines[0].current, namespace)),
    close: async () => {
      closing.abort();
      await connected;
      for (const line of lines) await line.close();
    },
  };
}

/** One connection, and its replacement after a renewal. */
class Line {
  readonly workers = new Set<Worker>();
  /** For clients, which keep it: it always delegates to the current connection. */
  readonly lasting: NativeConnection;
  current: NativeConnection;
  readonly #old: { readonly connection: NativeConnection; readonly timer: NodeJS.Timeout }[] = [];

  constructor(connection: NativeConnection) {
    this.current = connection;
    this.lasting = new Proxy(connection, {
      get: (_, name) => {
        const value: unknown = Reflect.get(this.current, name);
        return typeof value === 'function' ? value.bind(this.current) : value;
      },
    });
  }

  replaceBy(connection: NativeConnection): void {
    const old = this.current;
    this.current = connection;
    for (const worker of this.workers) {
      if (worker.getState() === 'STOPPED' || worker.getState() === 'FAILED') this.workers.delete(worker);
      else worker.connection = connection;
    }
    const timer = setTimeout(() => void old.close().catch(() => undefined), lettingGoMs);
    timer.unref();
    this.#old.push({ connection: old, timer });
  }

  async close(): Promise<void> {
    await this.current.close();
    for (const { connection, timer } of this.#old) {
      clearTimeout(timer);
      await connection.close().catch(() => undefined);
    }
  }
}

/** Checks the credentials and switches to new connections when they have changed. Ends with `signal`. Never rejects. */
async function renewed(options: TemporalLinkOptions, lines: readonly Line[], signal: AbortSignal): Promise<void> {
  const { access, onRenewed, renewEveryMs: everyMs = renewEveryMs } = options;
  let used = JSON.stringify(access());
  let refused = '';
  while (!signal.aborted) {
    await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
    const now = JSON.stringify(access());
    if (signal.aborted || now === used) continue;
    try {
      for (const line of lines) line.replaceBy(await connectTo(options));
      used = now;
      refused = '';
      onRenewed?.('renewed');
    } catch {
      // Only some of the files may have been written: check again, but report it once.
      if (refused !== now) onRenewed?.('failed');
      refused = now;
    }
  }
}

function connectTo({ address, access }: TemporalLinkOptions): Promise<NativeConnection> {
  return NativeConnection.connect(connectionOptions(address, access()));
}

async function waitForTemporal(options: TemporalLinkOptions, closing: AbortSignal): Promise<NativeConnection | undefined> {
  const trouble = new RepeatedTrouble();
  while (!closing.aborted) {
    const answer = await tryOnce(options);
    if (typeof answer !== 'string') return answer;
    const soFar = trouble.met(answer);
    if (soFar) options.onWaiting(answer, soFar);
    await sleep(retryMs, undefined, { signal: closing }).catch(() => undefined);
  }
  return undefined;
}

/** The port opens before the namespace exists, and a worker for a missing namespace ends for good: so check for it first. */
async function tryOnce(options: TemporalLinkOptions): Promise<NativeConnection | string> {
  const { address, namespace } = options;
  let connection: NativeConnection;
  try {
    connection = await connectTo(options);
  } catch {
    return `Temporal does not answer at ${address}`;
  }
  if (!(await serves(connection, namespace))) {
    await connection.close();
    return `Temporal at ${address} does not serve the namespace ${namespace}`;
  }
  return connection;
}

async function serves(connection: NativeConnection, namespace: string): Promise<boolean> {
  try {
    const { namespaceInfo } = await connection.withDeadline(Date.now() + answerWithinMs, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
    // Temporal still describes a namespace that was marked as deleted, but refuses every poll there.
    return namespaceInfo?.state !== proto.temporal.api.enums.v1.NamespaceState.NAMESPACE_STATE_DELETED;
  } catch {
    return false;
  }
}

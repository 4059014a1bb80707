import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { RepeatedTrouble, type TroubleSoFar } from './repeated-trouble.ts';
import type { Speaker } from './speaker.ts';
import type { WorkerBase } from './workers.ts';

/** The connection as one role has it: it speaks with that role's key. */
export interface TemporalConnected {
  readonly base: WorkerBase;
  readonly client: Client;
  /**
   * The same on one connection more. An eager start is given to any worker of its queue on the client's own connection, whatever its
   * build: a worker of an older build must not be found there.
   */
  apart(): Promise<WorkerBase>;
}

/** The way to Temporal, which may not be there yet: what can be done without it is done meanwhile. */
export interface TemporalLink {
  /** Undefined until Temporal has answered for the first time. */
  as(speaker: Speaker): TemporalConnected | undefined;
  /** Whether Temporal has answered since the link was opened. */
  isThere(): boolean;
  /** False when the link was closed before Temporal answered. Never rejects. */
  readonly connected: Promise<boolean>;
  /** Whether it answers right now. Never rejects. */
  answers(): Promise<boolean>;
  close(): Promise<void>;
}

export interface TemporalLinkOptions {
  readonly address: string;
  readonly namespace: string;
  readonly identity: string;
  /** Called for the first failure, and then at growing distances. */
  readonly onWaiting: (reason: string, soFar: TroubleSoFar) => void;
}

const answerWithinMs = 5_000;
const retryMs = 500;

/** Connects as soon as Temporal serves the namespace, however long that takes. One connection for client and workers: only so is a start eager. */
export function openTemporalLink(options: TemporalLinkOptions): TemporalLink {
  const { address, namespace, identity } = options;
  const closing = new AbortController();
  let found: NativeConnection | undefined;
  const others: NativeConnection[] = [];
  const known = new Map<Speaker, TemporalConnected>();
  const connected = waitForTemporal(options, closing.signal).then((connection) => {
    found = connection;
    return found !== undefined;
  });
  const spokenBy = (connection: NativeConnection, speaker: Speaker): TemporalConnected => {
    const base = { connection, namespace, speaker, identity };
    const { dataConverter } = speaker;
    return {
      base,
      client: new Client({ connection, namespace, dataConverter, identity, interceptors: { workflow: [speaker.client] } }),
      apart: async () => {
        const another = await NativeConnection.connect({ address });
        others.push(another);
        return { ...base, connection: another };
      },
    };
  };
  return {
    as: (speaker) => {
      if (!found) return undefined;
      const as = known.get(speaker) ?? spokenBy(found, speaker);
      known.set(speaker, as);
      return as;
    },
    isThere: () => found !== undefined,
    connected,
    answers: async () => found !== undefined && (await serves(found, namespace)),
    close: async () => {
      closing.abort();
      await connected;
      await found?.close();
      for (const connection of others) await connection.close();
    },
  };
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

/** The port opens before the namespace is there, and a worker of a namespace that is not there ends for good: so it is asked for. */
async function tryOnce({ address, namespace }: TemporalLinkOptions): Promise<NativeConnection | string> {
  let connection: NativeConnection;
  try {
    connection = await NativeConnection.connect({ address });
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
    await connection.withDeadline(Date.now() + answerWithinMs, () => connection.workflowService.describeNamespace({ namespace }));
    return true;
  } catch {
    return false;
  }
}

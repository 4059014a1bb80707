import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll } from '@jest/globals';
import { callKubernetes, type KubernetesAccess, readAccess } from '../tools/platform/kubernetes/kubernetes-api.ts';
import { startPlatform } from '../tools/platform/platform.ts';

/** What `npm test` writes for each Jest worker, as an array, into the file named by FIREBREAK_TEST_PLATFORM. */
interface PlatformAddresses {
  readonly temporalAddress: string;
  readonly temporalNamespace: string;
  readonly kubeconfig: string;
  readonly auditLog: string;
}

interface TestPlatform extends PlatformAddresses {
  /** Not used by any other test file. Use it as prefix of task queues and workflow ids. */
  readonly prefix: string;
  /** Creates a Kubernetes namespace that no other test uses, in which pods can be created at once. */
  freshNamespace(): Promise<string>;
  /** Registers cleanup on the servers for when the file's tests are over. A plain `afterAll` would run after the file's own servers have ended. */
  cleanUp(work: () => Promise<unknown>): void;
  /** The events in the API server's audit log so far, in order. */
  auditEvents(): readonly AuditEvent[];
}

/** The part of a Kubernetes audit event (audit.k8s.io/v1) that tests use. */
export interface AuditEvent {
  readonly auditID: string;
  readonly stage: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username: string };
  readonly userAgent?: string;
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly requestObject?: unknown;
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
}

/**
 * The real Temporal and Kubernetes API of this run, for the top of a test file: `const platform = await testPlatform()`. Under `npm test`, files that run at
 * the same time get different ones, and files that run one after the other share one; a file that runs alone gets its own, which end with it.
 */
export async function testPlatform(): Promise<TestPlatform> {
  const shared = process.env.FIREBREAK_TEST_PLATFORM;
  const own = shared ? undefined : await startOwn();
  const addresses = own?.addresses ?? ofThisWorker(shared ?? '');
  const access = readAccess(addresses.kubeconfig);
  const read: { position: number; readonly events: AuditEvent[] } = { position: 0, events: [] };
  const cleanUps: (() => Promise<unknown>)[] = [];
  // Jest calls these hooks in the order in which they are defined: this is the first one of the file.
  afterAll(async () => {
    try {
      for (const work of cleanUps) await work();
    } finally {
      await own?.stop();
    }
  });
  return {
    ...addresses,
    prefix: `t-${randomBytes(4).toString('hex')}`,
    freshNamespace: () => freshNamespace(access),
    cleanUp: (work) => {
      cleanUps.push(work);
    },
    auditEvents: () => {
      const { text, position } = completeLines(addresses.auditLog, read.position);
      read.position = position;
      read.events.push(...eventsIn(text));
      return [...read.events];
    },
  };
}

function ofThisWorker(file: string): PlatformAddresses {
  const all: readonly PlatformAddresses[] = JSON.parse(readFileSync(file, 'utf8'));
  const worker = Number(process.env.JEST_WORKER_ID);
  const found = all[worker - 1];
  if (!found) throw new Error(`there is no platform for the worker ${worker} of Jest`);
  return found;
}

/** Creates a namespace with a unique name, and waits until pods can be created in it. */
export async function freshNamespace(access: KubernetesAccess): Promise<string> {
  const name = `t-${randomBytes(4).toString('hex')}`;
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
  const { status } = await callKubernetes({ access, path: '/api/v1/namespaces', method: 'POST', body });
  if (status !== 201) throw new Error(`namespace ${name}: status ${status}`);
  const account = `/api/v1/namespaces/${name}/serviceaccounts/default`;
  const deadline = Date.now() + 120_000;
  while ((await callKubernetes({ access, path: account })).status !== 200) {
    if (Date.now() > deadline) throw new Error(`namespace ${name} has no service account after 120 s`);
    await sleep(50);
  }
  return name;
}

/** Reads an API server's audit log; leaves out a last line that is still being written. */
export function readAuditLog(file: string): readonly AuditEvent[] {
  return eventsIn(completeLines(file, 0).text);
}

function eventsIn(text: string): readonly AuditEvent[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line): AuditEvent => JSON.parse(line));
}

/** Reads what was written from that byte on: the log of a whole run is long, and is read many times. */
function completeLines(file: string, from: number): { readonly text: string; readonly position: number } {
  const log = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(log).size - from));
    const count = readSync(log, bytes, 0, bytes.length, from);
    const end = bytes.subarray(0, count).lastIndexOf(0x0a) + 1;
    return { text: bytes.toString('utf8', 0, end), position: from + end };
  } finally {
    closeSync(log);
  }
}

async function startOwn(): Promise<{ readonly addresses: PlatformAddresses; stop(): Promise<void> }> {
  const stateDir = mkdtempSync(join(tmpdir(), 'firebreak-test-'));
  const { temporal, kubernetes, stop } = await startPlatform({ stateDir, kubernetes: { auditLevel: 'RequestResponse' } });
  return {
    addresses: {
      temporalAddress: temporal.address,
      temporalNamespace: temporal.namespace,
      kubeconfig: kubernetes.kubeconfig,
      auditLog: kubernetes.auditLog,
    },
    stop: async () => {
      await stop();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

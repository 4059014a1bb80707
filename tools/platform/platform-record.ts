import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { replaceFileSync } from '../../integrations/replace-file.ts';
import { processExists } from '../../integrations/running-process.ts';
import { cacheFolder } from '../../service/process/cache-folder.ts';
import { deleteKindCluster } from './kubernetes/kind-cluster.ts';
import { removeDeadCgroups } from './nodes/cgroups.ts';
import type { Platform } from './platform.ts';
import { kill } from './server-group.ts';

/** What is known of a platform that was left running: written next to its data, and the only information that `dev down` has. */
export interface PlatformRecord {
  readonly stateDir: string;
  readonly startedAt: string;
  readonly temporal: { readonly address: string; readonly namespace: string; readonly uiUrl: string };
  readonly kubernetes: { readonly kubeconfig: string; readonly server: string; readonly auditLog: string };
  readonly pids: Readonly<Record<string, number>>;
  readonly kindCluster?: string;
  readonly realNodes?: RecordedNodes;
}

/** Nodes on which containers run. */
export interface RecordedNodes {
  readonly names: readonly string[];
  /** Address of this machine, as their pods reach it. */
  readonly hostAddress: string;
  /** The images on each node, since nodes pull from no registry: a busybox, and the forensics pool's tools. */
  readonly image: string;
  readonly toolsImage: string;
  /** What they have on disk: they never start from it again. */
  readonly folder: string;
}

export interface ServerState {
  readonly name: string;
  readonly pid: number;
  readonly running: boolean;
}

export function writeRecord(stateDir: string, platform: Platform, realNodes?: RecordedNodes): PlatformRecord {
  const { temporal, kubernetes } = platform;
  const record: PlatformRecord = {
    stateDir,
    startedAt: new Date().toISOString(),
    temporal: { address: temporal.address, namespace: temporal.namespace, uiUrl: temporal.uiUrl },
    kubernetes: { kubeconfig: kubernetes.kubeconfig, server: kubernetes.server, auditLog: kubernetes.auditLog },
    ...(kubernetes.kindCluster && { kindCluster: kubernetes.kindCluster }),
    ...(realNodes && { realNodes }),
    pids: { ...(temporal.pid !== undefined && { temporal: temporal.pid }), ...kubernetes.pids() },
  };
  replaceFileSync({ path: recordFile(stateDir), content: `${JSON.stringify(record, null, 2)}\n` });
  return record;
}

export function readRecord(stateDir: string): PlatformRecord | undefined {
  return existsSync(recordFile(stateDir)) ? JSON.parse(readFileSync(recordFile(stateDir), 'utf8')) : undefined;
}

export function serverStates(record: PlatformRecord): readonly ServerState[] {
  return Object.entries(record.pids).map(([name, pid]) => ({ name, pid, running: isOurs(pid, record.stateDir) }));
}

/** Ends the servers of a record that still run, and removes the record. Returns how many servers it ended. */
export async function endRecorded(record: PlatformRecord): Promise<number> {
  const left = () => serverStates(record).filter(({ running }) => running);
  const ended = left();
  for (const { pid } of ended) kill(pid, 'SIGTERM');
  for (let turn = 0; turn < 20 && left().length > 0; turn += 1) await sleep(100);
  for (const { pid } of left()) kill(pid, 'SIGKILL');
  while (left().length > 0) await sleep(50);
  // A process that is just ending has no command line any more, but still has its files and ports.
  for (let turn = 0; turn < 40 && ended.some(({ pid }) => processExists(pid)); turn += 1) await sleep(50);
  if (record.kindCluster) await deleteKindCluster(record.kindCluster);
  if (record.realNodes) {
    await removeDeadCgroups();
    rmSync(record.realNodes.folder, { recursive: true, force: true, maxRetries: 10 });
  }
  rmSync(recordFile(record.stateDir), { force: true });
  return ended.length + (record.kindCluster ? 1 : 0);
}

/** Removes everything that ended servers kept in the folder, and nothing else. Returns what was removed. */
export function removeData(stateDir: string): readonly string[] {
  const folders = ['kubernetes', 'temporal'].map((name) => join(stateDir, name));
  const ours = folders.filter((folder) => existsSync(join(folder, 'ports.json')));
  for (const folder of ours) rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  return ours;
}

/** Where the platforms of all folders keep their data. */
function statesFolder(): string {
  return join(cacheFolder(), 'dev');
}

/** The state folder of the platform that belongs to a folder. Short: the paths of sockets are limited. */
export function stateOf(folder: string): string {
  return join(statesFolder(), createHash('sha256').update(resolve(folder)).digest('hex').slice(0, 8));
}

/** The state folder of the platform that was started in a folder or, if none was, in the nearest folder around it. */
export function nearestState(folder: string): string {
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (readRecord(stateOf(at))) return stateOf(at);
    if (at === dirname(at)) return stateOf(folder);
  }
}

/** The platforms of all folders of which some server runs. */
export function runningPlatforms(): readonly PlatformRecord[] {
  if (!existsSync(statesFolder())) return [];
  return readdirSync(statesFolder()).flatMap((name) => {
    const record = readRecord(join(statesFolder(), name));
    return record && serverStates(record).some(({ running }) => running) ? [record] : [];
  });
}

function recordFile(stateDir: string): string {
  return join(stateDir, 'platform.json');
}

/** A pid may belong to another program by now: our processes have the state folder in their command line. */
function isOurs(pid: number, stateDir: string): boolean {
  try {
    return commandLine(pid).includes(stateDir);
  } catch {
    return false;
  }
}

function commandLine(pid: number): string {
  const linux = `/proc/${pid}/cmdline`;
  if (existsSync('/proc/self/cmdline')) return readFileSync(linux, 'utf8');
  return execFileSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

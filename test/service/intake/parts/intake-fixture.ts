import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach } from '@jest/globals';
import { resolverFromNames } from '../../../../core/alert/subject.ts';
import type { SubjectResolver } from '../../../../core/alert/subject-resolver.ts';
import type { AnyPlaybook } from '../../../../core/playbook/playbook.ts';
import { createBox } from '../../../../integrations/crypto-box/box.ts';
import { askRunningService } from '../../../../service/intake/control.ts';
import type { IntakeLog } from '../../../../service/intake/log.ts';
import type { HeadStart } from '../../../../service/intake/send/head-start.ts';
import type { IncidentGateway } from '../../../../service/intake/send/incident-gateway.ts';
import type { RejectedAlert } from '../../../../service/intake/spool/rejected-alerts.ts';
import { type Intake, type IntakeOptions, startIntake } from '../../../../service/intake/start.ts';
import { eventually } from '../../../eventually.ts';

export const silent: IntakeLog = { info: () => {}, warn: () => {}, error: () => {} };
export const token = 'a-token-of-the-tests';
export const box = createBox({ keys: [{ id: 'test', key: new Uint8Array(32).fill(7) }] });

export interface Door {
  readonly intake: Intake;
  readonly directory: string;
  post(body: string | Uint8Array, options?: PostOptions): Promise<Answered>;
  /** The rejected alerts, read from the running intake. */
  rejected(): Promise<readonly RejectedAlert[]>;
}

interface PostOptions {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly json: { readonly [key: string]: unknown };
}

export function freshDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'firebreak-intake-'));
}

/** Makes directories that are removed after each test of the file that calls this. */
export function directoriesOfTests(): () => string {
  const made: string[] = [];
  afterEach(() => {
    for (const directory of made.splice(0)) removeDirectory(directory);
  });
  return () => {
    const directory = freshDirectory();
    made.push(directory);
    return directory;
  };
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

/** An intake in a process of its own. Its spool and everything Temporal accepted are in that directory: see `intake-process.ts`. */
export async function startIntakeProcess(
  directory: string,
  { temporal = 'up', playbooks = [], contained = '', flags = [] }: IntakeProcessOptions = {},
): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const program = fileURLToPath(new URL('./intake-process.ts', import.meta.url));
  const args = [
    ...flags,
    program,
    join(directory, 'spool'),
    join(directory, 'taken'),
    temporal,
    JSON.stringify(playbooks),
    contained,
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise<string>((done, fail) => {
    child.stdout.once('data', (data) => done(String(data).trim()));
    child.once('exit', (code) => fail(new Error(`the intake ended with ${code}`)));
  });
  return { url, child };
}

interface IntakeProcessOptions {
  readonly temporal?: 'up' | 'down';
  readonly playbooks?: readonly AnyPlaybook[];
  /** Where it writes down the first alert that it would contain, and is gone. */
  readonly contained?: string;
  /** Flags for Node. */
  readonly flags?: readonly string[];
}

export interface DoorOptions {
  readonly directory?: string;
  readonly maxBytes?: number;
  readonly resolver?: SubjectResolver;
  readonly headStart?: HeadStart;
  readonly stamps?: IntakeOptions['stamps'];
  readonly access?: Partial<Pick<IntakeOptions, 'tokens' | 'signatures' | 'senders' | 'tls'>>;
  readonly storm?: IntakeOptions['storm'];
  readonly reports?: IntakeOptions['reports'];
  readonly tracing?: IntakeOptions['tracing'];
  readonly patience?: IntakeOptions['patience'];
  readonly log?: IntakeLog;
  readonly missingRights?: IntakeOptions['missingRights'];
}

export async function openDoor(gateway: IncidentGateway, options: DoorOptions = {}): Promise<Door> {
  const directory = options.directory ?? freshDirectory();
  const intake = await startIntake({
    listen: { host: '127.0.0.1', port: 0 },
    tokens: [{ name: 'falco', token }],
    spoolDir: directory,
    maxBytes: options.maxBytes ?? 100_000_000,
    cluster: 'lab',
    resolver: options.resolver ?? resolverFromNames,
    gateway,
    headStart: options.headStart,
    stamps: options.stamps,
    seal: (bytes, aad) => box.seal(bytes, aad),
    storm: options.storm,
    reports: options.reports,
    tracing: options.tracing,
    missingRights: options.missingRights,
    patience: options.patience,
    log: options.log ?? silent,
    ...options.access,
  });
  return {
    intake,
    directory,
    rejected: async () => (await askRunningService(directory))?.list() ?? [],
    post: async (body, { path = '/v1/alerts/falco', method = 'POST', headers = {} } = {}) => {
      const response = await fetch(`${intake.url}${path}`, {
        method,
        ...(method !== 'GET' && { body }),
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, json: text === '' ? {} : JSON.parse(text) };
    },
  };
}

let serial = 0;

/** A Falco event, different from all others, about one pod of one Deployment unless the arguments say otherwise. */
export function falcoEvent(change: Record<string, unknown> = {}, fields: Record<string, unknown> = {}): Record<string, unknown> {
  serial += 1;
  return {
    hostname: 'node-7',
    rule: 'Terminal shell in container',
    priority: 'Notice',
    time: `2026-06-01T10:00:00.${String(serial).padStart(9, '0')}Z`,
    source: 'syscall',
    output: '10:00:00.0: Notice A shell was spawned (user=root)',
    output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-6d4cf56db6-xbcdf', ...fields },
    tags: ['T1059'],
    ...change,
  };
}

export async function until(condition: () => boolean, withinMs = 45_000): Promise<void> {
  await eventually('what is waited for', condition, { withinMs, everyMs: 10 });
}

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { serviceEnvironment, serviceNodeFlags } from '../../service/launcher/node-flags.mjs';
import { projectRoot } from '../../service/process/project-root.ts';
import { type RunningServer, type ServerGroup, waitUntilReady } from '../platform/server-group.ts';
import type { DemoSettings, StandIns } from './settings.ts';

const readyWithinMs = 120_000;

/** Starts the stand-ins for Slack and GitHub. Throws FB_ERR_PLATFORM_PART_MISSING if Firebreak was installed without them. */
export async function startStandIns({
  group,
  folder,
  standIns,
}: {
  readonly group: ServerGroup;
  readonly folder: string;
  readonly standIns: StandIns;
}): Promise<RunningServer> {
  const program = join(projectRoot(), 'test', 'fakes', 'stand-ins.ts');
  if (!existsSync(program))
    throw new FirebreakError(
      'FB_ERR_PLATFORM_PART_MISSING',
      'the stand-ins for Slack and GitHub are not part of the package. Run the demo from a checkout: npm run demo.',
    );
  const { slack, github, identity } = standIns.settings;
  const server = group.start({
    name: 'stand-ins for Slack and GitHub',
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', program, standIns.file],
    logFile: join(folder, 'stand-ins.log'),
  });
  const ready = async (): Promise<boolean> =>
    (await answers(`http://127.0.0.1:${slack.port}/`)) &&
    (await answers(`http://127.0.0.1:${github.port}/`)) &&
    (!identity || (await answers(`http://127.0.0.1:${identity.port}/.well-known/openid-configuration`)));
  await waitUntilReady({ server, ready, timeoutMs: readyWithinMs });
  return server;
}

/** Starts the real service, all roles in one process, as `firebreak run` does. Throws FB_ERR_PLATFORM_PART_MISSING, FB_ERR_PLATFORM_START. */
export async function startService({
  group,
  settings,
  program = projectRoot(),
  roles = 'cell,desk,forensics,secrets',
  watch,
  env = {},
}: {
  readonly group: ServerGroup;
  readonly settings: DemoSettings;
  /** Folder of the package to run. */
  readonly program?: string;
  readonly roles?: string;
  /** Folder of a pack under development. */
  readonly watch?: string;
  /** In addition to the environment that every service has. */
  readonly env?: Readonly<Record<string, string>>;
}): Promise<RunningServer> {
  const cli = join(program, 'dist', 'service', 'cli.js');
  if (!existsSync(cli))
    throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', 'Firebreak is not built. Build it: npm run build.');
  const server = group.start({
    name: 'firebreak',
    command: process.execPath,
    args: [
      ...serviceNodeFlags,
      cli,
      'run',
      '--role',
      roles,
      '--config',
      settings.configFile,
      ...(watch === undefined ? [] : ['--watch', watch]),
    ],
    env: { ...serviceEnvironment, ...env },
    logFile: join(settings.folder, 'firebreak.log'),
  });
  const ready = async (): Promise<boolean> =>
    (await answers(`${settings.intakeUrl}/readyz`)) && (await answers(settings.deskUrl, 'any'));
  await waitUntilReady({ server, ready, timeoutMs: readyWithinMs });
  return server;
}

/** `any`: a desk serves a page at its root only if it has a console. */
async function answers(url: string, status: number | 'any' = 200): Promise<boolean> {
  const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
  await response?.body?.cancel();
  return status === 'any' ? response !== undefined : response?.status === status;
}

/** Resident memory of a process in bytes; undefined if it is gone. */
export function residentBytes(pid: number): number | undefined {
  try {
    const status = `/proc/${pid}/status`;
    const kib = existsSync('/proc/self/status')
      ? /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(status, 'utf8'))?.[1]
      : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return kib ? Number(kib) * 1_024 : undefined;
  } catch {
    return undefined;
  }
}

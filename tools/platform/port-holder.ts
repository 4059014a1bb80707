import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';

const listening = '0A';

/** Says who listens on a port of this machine: a local platform, with its folder and logs, or another program. Only Linux tells. */
export function holderOf(port: number): string {
  const sockets = socketsOn(port);
  const pid = sockets.size === 0 ? undefined : pids().find((one) => hasSocket(one, sockets));
  const args = pid === undefined ? [] : argumentsOf(pid);
  const [program] = args;
  if (pid === undefined || program === undefined) return `another program listens on port ${port}`;
  const folder = args.flatMap((arg) => platformAround(arg) ?? [])[0];
  const server = `${basename(program)}, process ${pid}`;
  if (folder === undefined) return `another program (${server}) listens on port ${port}`;
  return `the local platform in ${folder} (${server}) listens on port ${port}; its logs are in ${join(folder, 'temporal')} and ${join(folder, 'kubernetes')}`;
}

/** Inodes of the sockets that listen on the port. */
function socketsOn(port: number): ReadonlySet<string> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
    existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(1) : [],
  );
  const found = lines.flatMap((line) => {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
    return state === listening && local.endsWith(`:${hex}`) && inode !== undefined ? [`socket:[${inode}]`] : [];
  });
  return new Set(found);
}

function pids(): readonly number[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

/** False for a process of somebody else, whose files cannot be read, and for one that has just ended. */
function hasSocket(pid: number, sockets: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => sockets.has(linkOf(`/proc/${pid}/fd/${fd}`)));
  } catch {
    return false;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function argumentsOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
  } catch {
    return [];
  }
}

/** The folder of the platform whose file an argument names: `--db-filename=/home/ada/.cache/firebreak/dev/temporal/temporal.db`. */
function platformAround(arg: string): string | undefined {
  const path = arg.slice(arg.indexOf('=') + 1);
  if (!isAbsolute(path)) return undefined;
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder))
    if (existsSync(join(folder, 'platform.json'))) return folder;
  return undefined;
}

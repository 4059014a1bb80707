import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FirebreakError } from '../core/errors.ts';
import { freePorts } from '../tools/platform/ports.ts';
import { ServerGroup, waitUntilReady } from '../tools/platform/server-group.ts';
import { eventually } from './eventually.ts';
import { findPostgres } from './suites.mjs';

export interface PostgresServer {
  /** Connection URL of its administrator, including the password. */
  readonly url: string;
  /** The server's log. */
  readonly logFile: string;
  /** Kills the server, as a crash would. */
  kill(): Promise<void>;
  /** Kills it if it still runs, and starts it again on the same port and data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a separate real PostgreSQL server on 127.0.0.1, with durability settings as shipped. Its data is in a temporary folder, or in a kept one with what is
 * there from before. It ends with `stop()`, and when this process ends in any way. Throws if the machine has no PostgreSQL server programs.
 */
export async function startPostgres(kept?: string): Promise<PostgresServer> {
  const programs = findPostgres();
  if (!programs) throw new Error('There are no PostgreSQL server programs (initdb, postgres) on this machine.');
  const owner = serverOwner();
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'firebreak-postgres-'));
  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  if (!existsSync(join(data, 'PG_VERSION'))) {
    mkdirSync(data, { mode: 0o700, recursive: true });
    writeFileSync(passwordFile, randomBytes(12).toString('hex'), { mode: 0o600 });
    if (owner) for (const path of [folder, data, passwordFile]) chownSync(path, owner.uid, owner.gid);
    const initialise = [
      '-D',
      data,
      '-U',
      'firebreak',
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      '--locale=C',
    ];
    execFileSync(join(programs, 'initdb'), initialise, { ...owner, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  }
  const password = readFileSync(passwordFile, 'utf8');

  const { postgres: port } = await freePorts({ names: ['postgres'] });
  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: folder, max_connections: '200' };
  const args = [
    '-D',
    data,
    '-p',
    String(port),
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  const group = new ServerGroup();
  const logFile = join(folder, 'postgres.log');
  const start = async () => {
    const spec = { name: 'postgres', command: join(programs, 'postgres'), args, logFile };
    const server = group.start({ ...spec, ...(owner && { owner }) });
    await waitUntilReady({ server, timeoutMs: 120_000, ready: () => isReady(port) });
    return server;
  };
  let server = await start();
  return {
    url: `postgres://firebreak:${password}@127.0.0.1:${port}/postgres`,
    logFile,
    kill: () => group.end(server, 'SIGKILL'),
    async restart() {
      await group.end(server, 'SIGKILL');
      server = await eventually('PostgreSQL after the last process of the killed one', () => start().catch(whileOldOnesEnd));
    },
    async stop() {
      // At once, even if somebody is connected; a gentler signal would get it killed after two seconds.
      if (kept) await group.end(server, 'SIGINT');
      await group.stop();
      if (!kept) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The processes of a killed server notice by themselves that it is gone; until they have ended, the data is not available to another server. */
function whileOldOnesEnd(error: unknown): undefined {
  if (error instanceof FirebreakError && error.detail.includes('pre-existing shared memory block')) return undefined;
  throw error;
}

/** PostgreSQL refuses to run as root: then it runs as the user that Debian created for it, or as nobody. */
export function serverOwner(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  if (!user) throw new Error('PostgreSQL cannot run as root, and there is no user postgres or nobody.');
  return { uid: Number(user[2]), gid: Number(user[3]) };
}

/** Opens a session up to the password prompt: an open port may belong to a server that is still recovering. */
function isReady(port: number): Promise<boolean> {
  const startup = Buffer.from('user\0firebreak\0database\0postgres\0\0');
  const packet = Buffer.alloc(8);
  packet.writeInt32BE(8 + startup.length, 0);
  packet.writeInt32BE(196_608, 4);
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.concat([packet, startup])));
    socket.setTimeout(1000, () => socket.destroy());
    // `R`: it asks for the password, so it is ready. `E`: it is starting up or recovering.
    socket.once('data', (answer) => {
      resolve(answer[0] === 'R'.charCodeAt(0));
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}

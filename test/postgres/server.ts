import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { freePorts } from '../../service/dev/ports.ts';

export interface PostgresServer {
  /** A new, empty database on the server. */
  emptyDatabase(): Promise<string>;
  stop(): Promise<void>;
}

/** Where `initdb` and `postgres` are; undefined when the machine has none: Debian's packages keep them off PATH. */
export function postgresFolder(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(debian, version, 'bin')), ...(process.env.PATH ?? '').split(':')];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
}

/** PostgreSQL refuses to run as root: then it runs as its own user. */
function owner(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const idOf = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: idOf('-u'), gid: idOf('-g') };
}

export async function startPostgres(folder: string): Promise<PostgresServer> {
  const home = mkdtempSync(join(tmpdir(), 'firebreak-postgres-'));
  const user = owner();
  if (user.uid !== undefined && user.gid !== undefined) chownSync(home, user.uid, user.gid);
  const data = join(home, 'data');
  const { port } = await freePorts({ names: ['port'] });
  execFileSync(join(folder, 'initdb'), ['-D', data, '-U', 'firebreak', '-A', 'trust', '-E', 'UTF8', '--no-sync'], {
    ...user,
    cwd: home,
    stdio: 'ignore',
  });
  writeFileSync(
    join(data, 'postgresql.auto.conf'),
    `fsync = off\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n`,
  );
  const server = spawn(join(folder, 'postgres'), ['-D', data, '-p', String(port)], { ...user, cwd: home, stdio: 'ignore' });
  const exited = once(server, 'exit');
  const address = `postgres://firebreak@127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    server.kill('SIGINT');
    await exited;
    rmSync(home, { recursive: true, force: true });
  };
  const command = async (sql: string): Promise<void> => {
    const client = new Client({ connectionString: `${address}/postgres` });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  for (let attempt = 0; ; attempt += 1) {
    const error = await command('SELECT 1').then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error === undefined) break;
    if (attempt < 100 && server.exitCode === null) {
      await sleep(100);
      continue;
    }
    await stop();
    throw error;
  }
  let databases = 0;
  return {
    emptyDatabase: async () => {
      databases += 1;
      await command(`CREATE DATABASE firebreak_${databases}`);
      return `${address}/firebreak_${databases}`;
    },
    stop,
  };
}

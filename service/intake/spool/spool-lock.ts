import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { FirebreakError } from '../../../core/errors.ts';
import { systemErrorCode } from '../../../core/system-error.ts';

/** A socket's path may have 107 bytes (unix(7)). */
const longestSocketPath = 100;

/**
 * Keeps a directory for one process. The lock is a listening socket in the directory: the kernel drops it with the process,
 * however that ends, so a kill -9 leaves nothing that has to be cleared by hand, also across containers.
 *
 * @returns what lets go of it
 * @throws FB_ERR_CONFLICT while another process holds it
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const path = socketPath(directory, 'lock');
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const server = await listen(path);
    if (server !== undefined) return () => new Promise((done) => server.close(() => done()));
    if (await answers(path)) break;
    rmSync(path, { force: true });
  }
  throw new FirebreakError('FB_ERR_CONFLICT', `another process uses the spool directory ${directory}`);
}

/** Where a socket of a directory is: in it, or in the system's temporary folder when that path would be too long. */
export function socketPath(directory: string, name: string): string {
  const inside = join(resolve(directory), `${name}.sock`);
  if (Buffer.byteLength(inside) <= longestSocketPath) return inside;
  const hash = createHash('sha256').update(resolve(directory)).digest('hex').slice(0, 24);
  return join(tmpdir(), `firebreak-${name}-${hash}.sock`);
}

function listen(path: string): Promise<Server | undefined> {
  return new Promise((done, fail) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => (systemErrorCode(error) === 'EADDRINUSE' ? done(undefined) : fail(error)));
    server.listen(path, () => done(server.unref()));
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
    socket.once('close', () => socket.destroy());
  });
}

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { FirebreakError } from '../../core/errors.ts';
import { holderOf } from './port-holder.ts';

/** Ports reserved for servers that do not listen yet, or may be restarted: nothing else in this process gets them. */
const given = new Set<number>();

/**
 * Returns free ports on 127.0.0.1 by name. They are below the range for outgoing connections, so that a killed server can be restarted on its port. With
 * `file`, the previous ports are used again if all are still free. With `from`, they are consecutive from this one on, in the order of the names. Throws
 * FB_ERR_PLATFORM_BUSY if one of these is taken.
 */
export async function freePorts<Name extends string>(options: {
  readonly names: readonly Name[];
  readonly file?: string;
  readonly from?: number | undefined;
}): Promise<Record<Name, number>> {
  const { names, file, from } = options;
  const held: Server[] = [];
  try {
    const before: Partial<Record<string, number>> =
      from !== undefined
        ? Object.fromEntries(names.map((name, index) => [name, from + index]))
        : file && existsSync(file)
          ? JSON.parse(readFileSync(file, 'utf8'))
          : {};
    const found = new Map<Name, number>();
    for (const name of names) {
      const port = before[name];
      const server = port === undefined ? undefined : await listen(port);
      if (from !== undefined && !server) throw new FirebreakError('FB_ERR_PLATFORM_BUSY', holderOf(port ?? from));
      if (port === undefined || !server) break;
      held.push(server);
      found.set(name, port);
    }
    if (found.size < names.length) found.clear();
    while (found.size < names.length) {
      const port = 20_000 + Math.floor(Math.random() * 12_000);
      const server = given.has(port) ? undefined : await listen(port);
      const name = names[found.size];
      if (!server || name === undefined) continue;
      held.push(server);
      found.set(name, port);
    }
    const ports = Object.fromEntries(found) as Record<Name, number>;
    for (const port of found.values()) given.add(port);
    if (file) writeFileSync(file, JSON.stringify(ports));
    return ports;
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';

/**
 * Free ports on 127.0.0.1 by name. They are taken below the range that outgoing connections get theirs from, so that a
 * server which is killed can be started again on its port. With `file`, the ports of the last time are used again where
 * they are all still free.
 */
export async function freePorts<Name extends string>(options: {
  readonly names: readonly Name[];
  readonly file?: string;
}): Promise<Record<Name, number>> {
  const { names, file } = options;
  const held: Server[] = [];
  try {
    const before: Partial<Record<string, number>> = file && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
    const found = new Map<Name, number>();
    for (const name of names) {
      const port = before[name];
      const server = port === undefined ? undefined : await listen(port);
      if (port === undefined || !server) break;
      held.push(server);
      found.set(name, port);
    }
    if (found.size < names.length) found.clear();
    while (found.size < names.length) {
      const port = 20_000 + Math.floor(Math.random() * 12_000);
      const server = await listen(port);
      const name = names[found.size];
      if (!server || name === undefined) continue;
      held.push(server);
      found.set(name, port);
    }
    const ports = Object.fromEntries(found) as Record<Name, number>;
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

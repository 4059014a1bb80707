import { createServer, connect as dial, type Server } from 'node:net';

/** Makes a service on a port of 127.0.0.1 reachable at the same port of another address of this machine, for pods. */
export async function forwardFrom(address: string, port: number): Promise<Server> {
  const server = createServer((from) => {
    const to = dial(port, '127.0.0.1');
    for (const end of [from, to]) end.on('error', () => [from, to].forEach((one) => void one.destroy()));
    from.pipe(to).pipe(from);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, address, resolve));
  return server;
}

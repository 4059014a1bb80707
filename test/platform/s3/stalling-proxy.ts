import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Forwards everything to a local port until this many bytes have passed; then forwards nothing more, without notifying anyone. */
export async function stallingProxy(port: string, mostBytes: number) {
  const sockets = new Set<Socket>();
  let bytes = 0;
  const proxy = createServer((client) => {
    const server = connect({ host: '127.0.0.1', port: Number(port) });
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
    server.pipe(client);
    client.on('data', (part) => {
      bytes += part.length;
      if (bytes > mostBytes) client.pause();
      else server.write(part);
    });
    client.on('close', () => server.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port: own } = proxy.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${own}`,
    isStalled: () => bytes > mostBytes,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    },
  };
}

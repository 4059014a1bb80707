import { connect, createServer, type Socket } from 'node:net';

/** Sits between the service and one of its dependencies: passes everything through, or accepts every connection and never answers. */
interface StallingProxy {
  readonly port: number;
  /** Applies from now on, also to open connections. */
  stuck: boolean;
  stop(): void;
}

/** `target` is known only when the first connection arrives. */
export async function openDoor(target: () => number): Promise<StallingProxy> {
  const open = new Set<Socket>();
  const door = { stuck: false };
  const server = createServer((near) => {
    open.add(near);
    near.on('error', () => near.destroy()).on('close', () => open.delete(near));
    if (door.stuck) return void near.resume();
    const far = connect(target(), '127.0.0.1');
    open.add(far);
    far.on('error', () => near.destroy()).on('close', () => open.delete(far));
    near.on('close', () => far.destroy());
    near.on('data', (chunk) => void (door.stuck || far.write(chunk)));
    far.on('data', (chunk) => void (door.stuck || near.write(chunk)));
    far.on('end', () => near.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return Object.assign(door, {
    port: typeof address === 'object' && address ? address.port : 0,
    stop: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  });
}

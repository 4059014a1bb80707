import { once } from 'node:events';
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { expect, test } from '@jest/globals';
import { openConnection } from '../../../service/temporal/access.ts';
import { grpc, grpcCode } from '../../../service/temporal/grpc-status.ts';
import { eventually } from '../../eventually.ts';

/** A Temporal that accepts a connection, and answers nothing else. */
async function silentTemporal() {
  const held: string[] = [];
  const sessions: ServerHttp2Session[] = [];
  const server = createServer();
  server.on('session', (session) => sessions.push(session));
  server.on('stream', (stream: ServerHttp2Stream, { ':path': path = '' }) => {
    stream.on('error', () => {});
    if (!path.endsWith('/GetSystemInfo')) {
      held.push(path);
      return;
    }
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    // Not compressed, zero bytes: an answer without any field.
    stream.end(Buffer.alloc(5));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const at = server.address();
  return {
    address: `127.0.0.1:${typeof at === 'object' ? at?.port : 0}`,
    held,
    end: () => {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

// The client retries a call that failed for lack of a server from a timer, where nobody can catch what it throws.
test('a call that is under way when the connection closes fails at the caller, and not as an uncaught error', async () => {
  const temporal = await silentTemporal();
  const connection = await openConnection({
    config: { temporal: { address: temporal.address, namespace: 'default', codecKeys: [] } },
    env: {},
  });
  const call = connection.workflowService.describeNamespace({ namespace: 'default' }).then(() => 'answered', grpcCode);
  await eventually('the call', () => temporal.held.length > 0);
  await connection.close();
  temporal.end();
  expect(await call).toBe(grpc.cancelled);
});

test('a call on a closed connection fails as cancelled', async () => {
  const temporal = await silentTemporal();
  const connection = await openConnection({
    config: { temporal: { address: temporal.address, namespace: 'default', codecKeys: [] } },
    env: {},
  });
  await connection.close();
  const call = connection.workflowService.describeNamespace({ namespace: 'default' }).then(() => 'answered', grpcCode);
  expect(await call).toBe(grpc.cancelled);
  temporal.end();
  expect(temporal.held).toEqual([]);
});

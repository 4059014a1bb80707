import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { SocketCall } from './call.ts';
import { errorOfConnection, errorOfStatus } from './client-error.ts';
import type { ClusterAccess } from './kubeconfig.ts';

export type Socket = WebSocket;

/** The API server copies in chunks of 32 KiB. */
const largestMessage = 4 * 1024 * 1024;
const longestRefusal = 64 * 1024;

/** Opens a WebSocket and pauses it: nothing is lost before the caller starts to read. */
export function openSocket(options: {
  readonly server: URL;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: ClusterAccess['tls'];
  readonly call: SocketCall;
}): Promise<Socket> {
  const { server, path, headers, tls, call } = options;
  const { what, signal } = call;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(errorOfConnection({ error: signal.reason, what }));
    const socket = new WebSocket(`${server.protocol === 'http:' ? 'ws' : 'wss'}://${server.host}${path}`, [...call.protocols], {
      ...tls,
      headers,
      handshakeTimeout: call.timeoutMs ?? 5_000,
      maxPayload: largestMessage,
      perMessageDeflate: false,
    });
    const end = (): void => socket.terminate();
    signal?.addEventListener('abort', end, { once: true });
    socket.once('close', () => signal?.removeEventListener('abort', end));
    socket.once('open', () => {
      socket.pause();
      resolve(socket);
    });
    // This listener stays: an error after the opening belongs to the reader, and must not end the process.
    socket.on('error', (error) => reject(errorOfConnection({ error: signal?.aborted ? signal.reason : error, what })));
    socket.once('unexpected-response', (request, response) => {
      const status = response.statusCode ?? 0;
      refusalOf(response)
        .then((text) => reject(errorOfStatus({ status, text, what })))
        .catch((error: unknown) => reject(errorOfConnection({ error, what })))
        .finally(() => request.destroy());
    });
  });
}

async function refusalOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of response) {
    text += String(part);
    if (text.length > longestRefusal) break;
  }
  return text;
}

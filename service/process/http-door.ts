import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { GuardedConnections, serverLimits } from '../../integrations/guarded-connections.ts';

/** A process's numbers, as Prometheus reads them. */
export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
}

export type HttpResponder = (status: number, text: string, type?: string) => void;

export function answerOf(response: ServerResponse): HttpResponder {
  return (status, text, type = 'text/plain; charset=utf-8') => {
    response.writeHead(status, { 'content-type': type });
    response.end(text);
  };
}

/** @param otherwise is answered with 503 where the numbers cannot be had now */
export async function answerMetrics(answer: HttpResponder, metrics: Metrics, otherwise: string): Promise<void> {
  await metrics.text().then(
    (text) => answer(200, text, metrics.contentType),
    () => answer(503, otherwise),
  );
}

/** @param proven is called when the request has shown whose it is: its connection is kept then */
export type DoorListener = (request: IncomingMessage, response: ServerResponse, proven: () => void) => void;

/** Resolves when it listens, with bounds on what strangers may hold of it; rejects where it cannot. */
export function listenAt(at: { readonly host: string; readonly port: number }, listener: DoorListener): Promise<Server> {
  const server = createServer(serverLimits);
  const connections = new GuardedConnections(server);
  server.on('request', (request, response) => listener(request, response, () => connections.prove(request)));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, () => resolve(server));
  });
}

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Server as AnyServer } from 'node:net';
import type { Registry } from 'prom-client';
import { GuardedConnections, serverLimits } from './guarded-connections.ts';

/** All metric values at one moment. */
export type MetricsRead = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** The metrics of a process: in Prometheus format, and for other consumers. */
export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  read(): Promise<MetricsRead>;
}

export interface HttpAnswer {
  readonly status: number;
  /** A text as it is, or an object that becomes JSON. */
  readonly body: string | object;
  /** Content type of a text that is not plain. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Handles one path; a trailing slash and a query are ignored. */
export type Route = (request: IncomingMessage) => HttpAnswer | Promise<HttpAnswer>;

export function answer(response: ServerResponse, { status, body, type, headers = {} }: HttpAnswer): void {
  const isText = typeof body === 'string';
  const contentType = type ?? (isText ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8');
  response.writeHead(status, { 'content-type': contentType, ...headers }).end(isText ? body : `${JSON.stringify(body)}\n`);
}

/**
 * Answers requests, which have no body. A body that is sent is not waited for: its connection ends.
 * @param failed receives errors that a route threw
 */
export function answerByPath(routes: Readonly<Record<string, Route>>, failed: (error: unknown) => void = () => {}) {
  const named = Object.keys(routes).join(', ');
  const answerTo = async (request: IncomingMessage): Promise<HttpAnswer> => {
    const path = (request.url ?? '').split('?')[0]?.replace(/(?<=.)\/$/, '') ?? '';
    const isQuestion = request.method === 'GET' || request.method === 'HEAD';
    const route = isQuestion && Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (route) return route(request);
    return {
      status: 404,
      body: { reason: `nothing found at this address: use one of ${named}` },
      headers: isQuestion ? {} : { connection: 'close' },
    };
  };
  return (request: IncomingMessage, response: ServerResponse): void => {
    answerTo(request)
      .catch((error: unknown): HttpAnswer => {
        failed(error);
        return { status: 503, body: { reason: 'not available now' } };
      })
      .then((said) => answer(response, said));
  };
}

/** What every process reports to anyone: that it is alive, whether it is ready, and its metrics. */
export function statusRoutes(options: {
  /** Why it is not ready; undefined if it is. */
  readonly notReady: () => string | undefined;
  /** Additional facts in the readiness answer. */
  readonly facts?: () => object | undefined;
  readonly metrics: Pick<Metrics, 'contentType' | 'text'>;
}): Readonly<Record<string, Route>> {
  const { notReady, facts, metrics } = options;
  return {
    '/healthz': () => ({ status: 200, body: { status: 'ok' } }),
    '/readyz': () => {
      const reason = notReady();
      const said = reason === undefined ? { status: 'ready' } : { status: 'not ready', reason };
      return { status: reason === undefined ? 200 : 503, body: { ...said, ...facts?.() } };
    },
    '/metrics': async () => ({ status: 200, body: await metrics.text(), type: metrics.contentType }),
  };
}

/** @param proven is called once the request has authenticated: its connection is then kept */
type DoorListener = (request: IncomingMessage, response: ServerResponse, proven: () => void) => void;

/** Resolves once it listens, with limits on what strangers may occupy; rejects if it cannot. */
export async function listenAt(at: { readonly host: string; readonly port: number }, listener: DoorListener): Promise<Server> {
  const server = createServer(serverLimits);
  const connections = new GuardedConnections(server);
  connections.serve((request, response) => listener(request, response, () => connections.prove(request)));
  await bind(server, at);
  return server;
}

/** Resolves with the port once it listens; rejects if it cannot. */
export async function bind(server: AnyServer, { host, port }: { readonly host: string; readonly port: number }): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return portOf(server);
}

export function portOf(server: AnyServer): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new TypeError('the server does not listen at a port');
  return address.port;
}

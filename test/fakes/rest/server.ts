import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What happens to the next matching calls. `then-hang` and `then-reset` do the work first, and send no answer. */
export interface Injection {
  readonly method: string;
  readonly path: RegExp;
  readonly what: 'fail' | 'hang' | 'then-hang' | 'then-reset';
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of this service's usual failure body: an object as JSON, a text as it is (a proxy's page, half an answer). */
  readonly body?: unknown;
  readonly times?: number;
  /** Only the call with this number, counted from 0. */
  readonly at?: number;
}

export interface RestRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

export interface RestAnswer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RestFake {
  readonly url: string;
  /** `POST /path` of every call that arrived, in order. */
  readonly calls: readonly string[];
  inject(injection: Injection): void;
  stop(): Promise<void>;
}

const deeds: readonly Injection['what'][] = ['fail', 'hang', 'then-hang', 'then-reset'];

/** An order from another process: `path` is the text of a pattern. Undefined if it is not an order. */
function injectionOf(text: string): Injection | undefined {
  const { method, path, what: asked, status, headers, body, times, at } = fieldsOf(text) ?? {};
  const what = deeds.find((deed) => deed === asked);
  if (what === undefined || typeof method !== 'string' || typeof path !== 'string') return undefined;
  const texts = isFields(headers) ? Object.entries(headers).map(([name, value]) => [name, String(value)] as const) : [];
  return {
    method,
    path: new RegExp(path),
    what,
    headers: Object.fromEntries(texts),
    ...(body !== undefined && { body }),
    ...(typeof status === 'number' && { status }),
    ...(typeof times === 'number' && { times }),
    ...(typeof at === 'number' && { at }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString('utf8');
}

/** A JSON API on this machine with a page for people at `/`, whose calls can be made to fail. */
export async function startRestFake(options: {
  readonly answer: (request: RestRequest) => RestAnswer;
  /** What an injected failure looks like for this service. */
  readonly failure: (status: number) => unknown;
  readonly page: () => string;
  /** Headers of every answer. */
  readonly headers?: () => Readonly<Record<string, string>>;
  readonly port?: number;
}): Promise<RestFake> {
  const calls: string[] = [];
  const injections: { injection: Injection; left: number }[] = [];

  const takeInjection = (method: string, path: string): Injection | undefined => {
    const found = injections.find(
      ({ injection, left }) =>
        left > 0 &&
        injection.method === method &&
        injection.path.test(path) &&
        (injection.at === undefined || injection.at === calls.length - 1),
    );
    if (found) found.left -= 1;
    return found?.injection;
  };

  const send = (response: ServerResponse, { status, body, headers }: RestAnswer): void => {
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
    response.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body));
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://fake');
    const method = request.method ?? 'GET';
    if (url.pathname === '/' && method === 'GET') {
      response.writeHead(200, {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
      });
      response.end(options.page());
      return;
    }
    const text = await bodyOf(request);
    if (url.pathname === '/control/inject' && method === 'POST') {
      const order = injectionOf(text);
      if (order) injections.push({ injection: order, left: order.times ?? 1 });
      send(response, order ? { status: 200, body: { ok: true } } : { status: 400, body: { ok: false } });
      return;
    }
    calls.push(`${method} ${url.pathname}`);
    const injection = takeInjection(method, url.pathname);
    if (injection?.what === 'hang') return;
    if (injection?.what === 'fail') {
      const { status = 500, body = options.failure(status), headers = {} } = injection;
      send(response, { status, body, headers: { ...options.headers?.(), ...headers } });
      return;
    }
    const answer = options.answer({ method, url, headers: request.headers, text });
    if (injection?.what === 'then-hang') return;
    if (injection?.what === 'then-reset') request.socket.destroy();
    else send(response, { ...answer, headers: { ...options.headers?.(), ...answer.headers } });
  };

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    inject: (injection) => injections.push({ injection, left: injection.times ?? 1 }),
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The body as an object; undefined if it is not one. */
export function fieldsOf(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function basicAuth(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

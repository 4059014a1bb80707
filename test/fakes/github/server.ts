import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Answer, FakeApi, type GithubFakeOptions, problem } from './api.ts';
import { issuesPage } from './page.ts';
import type { IssueStore } from './store.ts';

/** What happens to the next matching calls. `then-hang` does the work first, and answers nobody. */
export interface Injection {
  readonly method: string;
  readonly path: RegExp;
  readonly what: 'fail' | 'hang' | 'then-hang' | 'then-reset';
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly times?: number;
}

export interface GithubFake {
  readonly url: string;
  /** The page for people. */
  readonly page: string;
  readonly store: IssueStore;
  /** `POST /repos/…` of every call that arrived. */
  readonly calls: readonly string[];
  inject(injection: Injection): void;
  stop(): Promise<void>;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString('utf8');
}

/** A strict stand-in for the REST API of GitHub, of one repository, with a page at `/` for people. */
export async function startGithubFake(options: GithubFakeOptions): Promise<GithubFake> {
  const api = new FakeApi(options);
  const calls: string[] = [];
  const injections: { injection: Injection; left: number }[] = [];

  function takeInjection(request: IncomingMessage, url: URL): Injection | undefined {
    const found = injections.find(
      ({ injection, left }) => left > 0 && injection.method === request.method && injection.path.test(url.pathname),
    );
    if (found) found.left -= 1;
    return found?.injection;
  }

  function send(response: ServerResponse, answer: Answer): void {
    response.writeHead(answer.status, {
      'content-type': 'application/json; charset=utf-8',
      ...api.limitHeaders(),
      ...answer.headers,
    });
    response.end(JSON.stringify(answer.body));
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', api.baseUrl);
    if (url.pathname === '/' && request.method === 'GET') {
      response.writeHead(200, {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
      });
      response.end(issuesPage(options.repository, api.store.all()));
      return;
    }
    calls.push(`${request.method} ${url.pathname}`);
    const text = await bodyOf(request);
    const injection = takeInjection(request, url);
    if (injection?.what === 'hang') return;
    if (injection?.what === 'fail') {
      send(response, {
        ...problem(injection.status ?? 500, 'Injected'),
        ...(injection.headers && { headers: injection.headers }),
      });
      return;
    }
    const answer = api.answer(request, url, text);
    if (injection?.what === 'then-hang') return;
    if (injection?.what === 'then-reset') request.socket.destroy();
    else send(response, answer);
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  api.baseUrl = `http://127.0.0.1:${port}`;
  api.pageUrl = `${api.baseUrl}/`;
  return {
    url: api.baseUrl,
    page: api.pageUrl,
    store: api.store,
    calls,
    inject: (injection) => injections.push({ injection, left: injection.times ?? 1 }),
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

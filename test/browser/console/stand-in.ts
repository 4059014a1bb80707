import { createServer, type ServerResponse } from 'node:http';
import type { z } from 'zod';
import { consoleEvents } from '../../../core/console/console.schema.ts';
import { type ConsoleApi, routeShapes } from '../../../core/console/routes.schema.ts';
import { type ConsoleRouteName, consoleRoutes } from '../../../core/console/routes.ts';
import { createStaticFiles } from '../../../service/desk/console/static-files.ts';

/** What a route returns; an API error if something is not found or refused. */
export type Answers = { [Name in ConsoleRouteName]?: ConsoleApi[Name]['response'] | Fault };

/** An answer that is an error. */
export class Fault {
  readonly status: number;
  readonly error: { code: string; message: string; help: string; fields?: Record<string, string> };
  constructor(status: number, error: Fault['error']) {
    this.status = status;
    this.error = error;
  }
}

export interface ConsoleStandIn {
  readonly url: string;
  /** The answers from now on. */
  readonly answers: Answers;
  /** The requests so far, newest last. */
  readonly asked: { readonly name: ConsoleRouteName; readonly url: string; readonly body: unknown }[];
  /** Sends an event to all listeners. */
  readonly tell: <Kind extends keyof typeof consoleEvents>(kind: Kind, data: z.input<(typeof consoleEvents)[Kind]>) => void;
  /** Ends all streams, as a lost network does. */
  readonly cut: () => void;
  readonly stop: () => Promise<void>;
}

/** The console's files as the desk sends them, with an API that returns what a test says. Every answer is checked against the same shapes as the desk's. */
export async function startConsoleStandIn({
  folder,
  answers,
}: {
  /** The folder of the built console. */
  readonly folder: string;
  readonly answers: Answers;
}): Promise<ConsoleStandIn> {
  const asked: ConsoleStandIn['asked'] = [];
  const files = createStaticFiles({ folder, publicUrl: 'http://127.0.0.1' });
  const streams = new Set<ServerResponse>();
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://desk');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    if (pathname === consoleRoutes.events.path) {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write('retry: 100\n\n');
      streams.add(response);
      response.on('close', () => streams.delete(response));
      return;
    }
    const name = routeOf(request.method, pathname);
    if (name !== undefined) {
      asked.push({ name, url: request.url ?? '', body: text === '' ? undefined : JSON.parse(text) });
      const answer = answers[name] ?? new Fault(404, { code: 'FB_ERR_NOT_FOUND', message: 'There is nothing here.', help: '' });
      const isFault = answer instanceof Fault;
      response.writeHead(isFault ? answer.status : 200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
      response.end(JSON.stringify(isFault ? { error: answer.error } : routeShapes[name].response.parse(answer)));
      return;
    }
    await files.handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the stand-in has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    answers,
    asked,
    tell: (kind, data) => {
      for (const stream of streams) stream.write(`event: ${kind}\ndata: ${JSON.stringify(consoleEvents[kind].parse(data))}\n\n`);
    },
    cut: () => {
      for (const stream of streams) stream.destroy();
    },
    stop: async () => {
      for (const stream of streams) stream.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function routeOf(method: string | undefined, pathname: string): ConsoleRouteName | undefined {
  const names = Object.keys(consoleRoutes) as ConsoleRouteName[];
  return names.find((name) => {
    const { method: of, path } = consoleRoutes[name];
    return of === method && new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(pathname);
  });
}

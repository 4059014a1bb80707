import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { consolePath } from '../../../core/console/routes.ts';
import { projectRoot } from '../../process/project-root.ts';
import { sendNotice } from '../pages/page-html.ts';

/** Scripts and styles are our own files and nothing else, nothing is loaded from elsewhere, and no other page frames it. */
const pageHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

const types: Readonly<Record<string, string>> = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' };
/** As the build names them: by what is in them. */
const assetName = /^assets\/[a-z]+-[0-9a-f]{12}\.(js|css)$/;

export interface ConsoleFiles {
  /** Answers a request below `/console/`. */
  handle(request: IncomingMessage, response: ServerResponse): void;
}

/** The console's page, whatever it is to show, with its script and its style. They say nothing of anybody, so whoever reaches the desk may have them. */
export function createConsoleFiles({
  folder = join(projectRoot(), 'dist', 'console'),
  headers = {},
  log,
}: {
  /** What the build has made. */
  readonly folder?: string;
  /** What every answer has besides. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly log: (message: string, error: unknown) => void;
}): ConsoleFiles {
  const read = new Map<string, Promise<Buffer>>();
  const bytesOf = (file: string): Promise<Buffer> => {
    const known = read.get(file);
    if (known) return known;
    const bytes = readFile(join(folder, file));
    read.set(file, bytes);
    bytes.catch(() => read.delete(file));
    return bytes;
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return void response.writeHead(405, { ...headers, allow: 'GET, HEAD' }).end();
    const name = (request.url?.split('?')[0] ?? '').slice(consolePath.length);
    const extension = assetName.exec(name)?.[1];
    if (name.startsWith('assets/') && extension === undefined) return void response.writeHead(404, headers).end();
    const file = extension === undefined ? 'index.html' : name;
    const isPacked = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
    const bytes = await bytesOf(isPacked ? `${file}.gz` : file);
    response.writeHead(200, {
      ...headers,
      ...pageHeaders,
      'content-type': types[extension ?? ''] ?? 'text/html; charset=utf-8',
      'cache-control': extension === undefined ? 'no-cache' : 'public, max-age=31536000, immutable',
      'content-length': bytes.length,
      vary: 'accept-encoding',
      ...(isPacked && { 'content-encoding': 'gzip' }),
    });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  }

  return {
    handle: (request, response) => {
      request.resume();
      answer(request, response).catch((error: unknown) => {
        if (isMissing(error) && request.url?.startsWith(`${consolePath}assets/`))
          return void response.writeHead(404, headers).end();
        log('the console’s files could not be read', error);
        sendNotice(response, 503, 'The console is not there', 'It was not built with this desk: npm run build makes it.');
      });
    },
  };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { consolePath } from '../../../core/console/routes.ts';
import { transportHeaders } from './router.ts';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** Scripts and styles only from our own files, none inline; no frames; nothing from other sites. */
const pageHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

interface StaticFile {
  readonly bytes: Uint8Array;
  readonly gzip: Uint8Array | undefined;
  readonly type: string;
}

/**
 * The console's own files. All are read once: a request can only name one of these and reaches no other file. They contain nothing private, so they need no
 * sign-in.
 */
export function createStaticFiles({ folder, publicUrl }: { readonly folder: string; readonly publicUrl: string }) {
  let read: Promise<ReadonlyMap<string, StaticFile>> | undefined;
  const files = (): Promise<ReadonlyMap<string, StaticFile>> => {
    read ??= readAll(folder).catch(() => new Map());
    return read;
  };
  return {
    handle: async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      request.resume();
      const headers = { ...pageHeaders, ...transportHeaders(publicUrl) };
      const path = (request.url ?? '').split('?')[0] ?? '';
      const all = await files();
      const name = path.slice(consolePath.length);
      const isAsset = name.startsWith('assets/');
      // Every other address is a page of the app, which resolves the path itself.
      const file = all.get(isAsset ? name : 'index.html');
      if (!file || (request.method !== 'GET' && request.method !== 'HEAD')) {
        const why = isAsset || file ? 'There is no such file.' : 'The console is not part of this build.';
        return void response.writeHead(404, { ...headers, 'content-type': 'text/plain; charset=utf-8' }).end(`${why}\n`);
      }
      const zipped = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? '')) ? file.gzip : undefined;
      const body = zipped ?? file.bytes;
      response.writeHead(200, {
        ...headers,
        'content-type': file.type,
        'content-length': String(body.byteLength),
        // The name of an asset contains a hash of its content.
        'cache-control': isAsset ? 'public, max-age=31536000, immutable' : 'no-cache',
        vary: 'accept-encoding',
        ...(zipped && { 'content-encoding': 'gzip' }),
      });
      response.end(request.method === 'HEAD' ? undefined : body);
    },
  };
}

async function readAll(folder: string): Promise<ReadonlyMap<string, StaticFile>> {
  const names = await readdir(folder, { recursive: true });
  const files = new Map<string, StaticFile>();
  for (const name of names.map((one) => one.replaceAll('\\', '/'))) {
    const type = types[extname(name)];
    if (type === undefined) continue;
    const bytes = await readFile(join(folder, name));
    const gzip = names.includes(`${name}.gz`) ? await readFile(join(folder, `${name}.gz`)) : undefined;
    files.set(name, { bytes, gzip, type });
  }
  return files;
}

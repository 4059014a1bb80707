import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createStaticFiles } from '../../../../service/desk/console/static-files.ts';

let folder: string;
let server: Server;
const script = 'assets/console-0123456789ab.js';

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-console-files-'));
  mkdirSync(join(folder, 'assets'));
  for (const [file, text] of Object.entries({ 'index.html': '<!doctype html>', [script]: 'render();', secret: 'secret' })) {
    writeFileSync(join(folder, file), text);
    writeFileSync(join(folder, `${file}.gz`), gzipSync(text));
  }
  const files = createStaticFiles({ folder, publicUrl: 'https://desk.example' });
  server = createServer((asked, response) => void files.handle(asked, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

/** Sends the path unchanged: `fetch` would remove `..` from it. */
function answerTo(path: string, { method = 'GET', headers = {} } = {}) {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return new Promise<{ status: number; headers: Record<string, unknown>; bytes: Buffer }>((resolve, reject) => {
    request({ port: address.port, host: '127.0.0.1', path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes: Buffer.concat(chunks) }),
      );
    })
      .on('error', reject)
      .end();
  });
}

test('every address of the console is its one page, which loads nothing from elsewhere and is always revalidated', async () => {
  for (const path of ['/console/', '/console/incidents?state=all', '/console/questions/b_x']) {
    const { status, headers, bytes } = await answerTo(path);
    expect([status, String(bytes)]).toEqual([200, '<!doctype html>']);
    expect(headers).toMatchObject({ 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff' });
    expect(headers['strict-transport-security']).toBeDefined();
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
  }
});

test('a script is cached for good under its name, and sent as the build compressed it', async () => {
  const plain = await answerTo(`/console/${script}`);
  expect(plain.headers).toMatchObject({ 'cache-control': 'public, max-age=31536000, immutable' });
  expect(String(plain.headers['content-type'])).toContain('text/javascript');
  const packed = await answerTo(`/console/${script}`, { headers: { 'accept-encoding': 'br, gzip' } });
  expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'accept-encoding' });
  expect(String(gunzipSync(packed.bytes))).toBe(String(plain.bytes));
});

test.each([
  '/console/assets/../secret',
  '/console/assets/%2e%2e/secret',
  '/console/assets/console-ffffffffffff.js',
  '/console/assets/',
])('%s is not there', async (path) => {
  expect((await answerTo(path)).status).toBe(404);
});

test('nothing can be posted to it', async () => {
  expect((await answerTo('/console/', { method: 'POST' })).status).toBe(404);
  const head = await answerTo('/console/', { method: 'HEAD' });
  expect([head.status, head.bytes.length]).toEqual([200, 0]);
});

test('a desk that was built without it says so', async () => {
  rmSync(folder, { recursive: true });
  const { status, bytes } = await answerTo('/console/');
  expect([status, String(bytes)]).toEqual([404, 'The console is not part of this build.\n']);
});

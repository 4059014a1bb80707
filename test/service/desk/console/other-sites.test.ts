import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ConsoleRoute, type ConsoleRouteName, consoleRoutes } from '../../../../core/console/routes.ts';
import { type ConsoleDesk, keyOf, type Person, startConsoleDesk } from './console-desk.ts';

let desk: ConsoleDesk;
let ana: Person;

beforeAll(async () => {
  desk = await startConsoleDesk();
  ana = await desk.signIn('ana');
});
afterAll(() => desk.stop());

const routes = Object.entries(consoleRoutes) as [ConsoleRouteName, ConsoleRoute][];
const privateRoutes = routes.filter(([, { roles }]) => roles !== 'anybody');

function addressIn(path: string): string {
  return path.replace('{key}', keyOf('shop')).replace('{question}', `b_${'q'.repeat(24)}`);
}

interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Sends a raw request by socket, because `fetch` sets the headers that matter here itself. Returns once it has the head of the answer. */
function raw(method: string, path: string, headers: Readonly<Record<string, string>>, body = ''): Promise<Answered> {
  const { port, host } = new URL(desk.url);
  const lines = { host, connection: 'close', 'content-length': String(body.length), ...headers };
  return new Promise((done, fail) => {
    let text = '';
    const socket = connect({ port: Number(port), host: '127.0.0.1' }, () => {
      const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`${method} ${path} HTTP/1.1\r\n${head.join('')}\r\n${body}`);
    });
    socket.on('error', fail);
    const end = (): void => {
      const [first = '', ...rest] = (text.split('\r\n\r\n')[0] ?? '').split('\r\n');
      const named = rest.map(
        (line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)] as const,
      );
      done({ status: Number(first.split(' ')[1]), headers: Object.fromEntries(named) });
      socket.destroy();
    };
    socket.on('data', (data) => {
      text += data.toString('latin1');
      if (text.includes('\r\n\r\n')) end();
    });
    socket.once('close', end);
  });
}

/** What a browser sends for a page of another site, including everything it could be made to send; with the cookie, as if no SameSite withheld it. */
const foreign: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ['a form of another site', { origin: 'https://evil.example', 'content-type': 'application/x-www-form-urlencoded' }],
  ['a form whose text reads as JSON', { origin: 'https://evil.example', 'content-type': 'text/plain' }],
  ['a form with files', { origin: 'https://evil.example', 'content-type': 'multipart/form-data; boundary=x' }],
  ['a page in a sandbox', { origin: 'null', 'content-type': 'application/json' }],
  ['a page that hides its origin', { 'sec-fetch-site': 'cross-site', 'content-type': 'application/json' }],
  ['another subdomain', { 'sec-fetch-site': 'same-site', 'content-type': 'application/json' }],
  ['another port', { origin: 'http://127.0.0.1:1', 'content-type': 'application/json' }],
  [
    'a foreign name that resolves to our address',
    { host: 'evil.example', origin: 'http://evil.example', 'content-type': 'application/json' },
  ],
  ['a beacon without a type', { origin: 'https://evil.example' }],
];

describe.each(foreign)('%s', (_what, headers) => {
  test.each(privateRoutes.filter(([, { method }]) => method === 'POST'))(
    'changes nothing through %s',
    async (_name, { path }) => {
      const body = JSON.stringify({ choice: 'remove', digest: '0'.repeat(64), reason: 'x' });
      const csrf = ana.session.csrf ?? '';
      // Not even if the other site has somehow learned the token.
      for (const token of [{}, { 'x-firebreak-csrf': csrf }]) {
        const { status } = await raw('POST', addressIn(path), { cookie: ana.cookie, ...headers, ...token }, body);
        expect(status).toBe(403);
      }
      expect((await ana.get('/api/v1/session')).status).toBe(200);
    },
  );
});

describe('what a browser sends on its own', () => {
  test.each(privateRoutes.filter(([, { method }]) => method === 'POST'))(
    'changes nothing through %s without the token',
    async (_name, { path }) => {
      const own = { origin: desk.url, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' };
      expect((await raw('POST', addressIn(path), { cookie: ana.cookie, ...own }, '{}')).status).toBe(403);
    },
  );

  test('changes nothing with another method, whatever a header calls it', async () => {
    for (const [, { method, path }] of privateRoutes)
      for (const other of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'POST'].filter((one) => one !== method)) {
        const { status, headers } = await raw(other, addressIn(path), {
          cookie: ana.cookie,
          origin: 'https://evil.example',
          'x-http-method-override': method,
          'access-control-request-method': method,
          'access-control-request-headers': 'x-firebreak-csrf',
        });
        expect([other, path, status]).toEqual([other, path, 404]);
        expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
      }
    expect((await ana.get('/api/v1/session')).status).toBe(200);
  });
});

describe('a foreign name that resolves to our address', () => {
  const host = 'evil.example:8080';

  test.each(privateRoutes.filter(([, { method }]) => method === 'GET'))(
    'reads nothing through %s: it has none of our cookies',
    async (_name, { path }) => {
      const { status } = await raw('GET', addressIn(path), { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' });
      expect(status).toBe(401);
    },
  );

  test('is redirected to our own address, not to itself', async () => {
    for (const path of ['/', '/console']) {
      const { headers } = await raw('GET', path, { host });
      expect(headers.location).toBe(`${desk.url}/console/`);
    }
    const { headers } = await raw('GET', '/console/sign-in', { host });
    expect(new URL(headers.location ?? '').searchParams.get('redirect_uri')).toBe(`${desk.url}/sign-in/callback`);
  });
});

describe('the events', () => {
  test('cannot be read by another site, nor over a WebSocket', async () => {
    const { headers } = await raw('GET', '/api/v1/events', { cookie: ana.cookie, origin: 'https://evil.example' });
    expect(headers).not.toHaveProperty('access-control-allow-origin');
    expect(headers['cross-origin-resource-policy']).toBe('same-origin');
    const { status } = await raw('GET', '/api/v1/events', {
      origin: 'https://evil.example',
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': Buffer.alloc(16).toString('base64'),
    });
    expect(status).toBe(401);
  });
});

describe('a response', () => {
  test.each(privateRoutes)('from %s is never cached, framed or read by another site', async (_name, { method, path }) => {
    const { headers } = await raw(method, addressIn(path), { cookie: ana.cookie });
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers['cross-origin-resource-policy']).toBe('same-origin');
    expect(headers).not.toHaveProperty('access-control-allow-origin');
  });

  test.each(['/console/', '/console/incidents', '/console/sign-in', '/sign-in/callback', '/', '/console'])(
    'at %s cannot be framed',
    async (path) => {
      const { headers } = await raw('GET', path, {});
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(headers['x-content-type-options']).toBe('nosniff');
    },
  );

  test('keeps each cookie out of reach of scripts and of other sites', async () => {
    desk.provider.person = 'sub-ana';
    const kept: string[] = [];
    let [next, cookie] = [`${desk.url}/console/sign-in`, ''];
    for (let hop = 0; hop < 12 && next.startsWith('http'); hop += 1) {
      const response = await fetch(next, { redirect: 'manual', headers: { cookie } });
      const isOurs = next.startsWith(desk.url);
      const lines = response.headers.getSetCookie();
      if (isOurs) kept.push(...lines);
      cookie = [cookie, ...lines.map((line) => line.split(';')[0] ?? '')].filter((one) => one !== '').join('; ');
      next = new URL(response.headers.get('location') ?? 'end:', next).href;
    }
    const attributes = kept.map((line) => line.split('; ').filter((part) => /^(HttpOnly|SameSite=|Path=)/.test(part)));
    const names = kept.map((line) => line.slice(0, line.indexOf('=')));
    expect(names).toEqual(expect.arrayContaining(['firebreak', 'firebreak_sign_in']));
    for (const [index, name] of names.entries())
      expect([name, ...(attributes[index] ?? [])].sort()).toEqual(
        name === 'firebreak'
          ? ['HttpOnly', 'Path=/', 'SameSite=Strict', name]
          : ['HttpOnly', 'Path=/sign-in', 'SameSite=Lax', name],
      );
  });
});

import { createHmac } from 'node:crypto';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { githubInbound } from '../../../integrations/github/inbound.ts';
import { portOf } from '../../../integrations/http-door.ts';
import { HttpReceiver } from '../../../integrations/slack/door/receiver.ts';
import { RequestVerifier } from '../../../integrations/slack/door/signature.ts';
import { RequestBudget } from '../../../service/desk/console/request-budget.ts';
import { listenAtDesk } from '../../../service/desk/desk.ts';
import { createInboundTickets } from '../../../service/desk/inbound-tickets.ts';
import { createLog } from '../../../service/process/log.ts';
import { RefusedCalls } from '../../../service/process/speakers.ts';
import { createProcessMetrics, listenForStatus } from '../../../service/process/status-server.ts';
import { eventually } from '../../eventually.ts';
import { type ConsoleDesk, startConsoleDesk } from './console/console-desk.ts';

const secret = 'a-signing-secret';
const budget = new RequestBudget({ perSecond: 0.000_1, burst: 1_000 });
let desk: Server;
let status: Server;
let overSlack: ConsoleDesk;
/** Problems found in requests that got as far as being read. */
let found: string[] = [];
let faults: unknown[] = [];

beforeAll(async () => {
  const slack = new HttpReceiver({
    verifier: new RequestVerifier({ secrets: [secret], now: Date.now }),
    onUnproven: ({ reason }) => found.push(reason),
    onRefused: ({ reason }) => found.push(`of Slack: ${reason}`),
    onFault: (error) => faults.push(error),
  });
  const inbound = createInboundTickets({
    systems: [githubInbound({ secrets: [secret], repository: 'a/b' })],
    mailbox: { put: async () => undefined },
    nudge: async () => undefined,
    refused: ({ reason }) => found.push(reason),
  });
  desk = await listenAtDesk({ host: '127.0.0.1', port: 0, slack, inbound, signIn: undefined, console: undefined });
  const refused = new RefusedCalls(createLog({ log: { level: 'error', format: 'json' } }));
  const metrics = createProcessMetrics({ refused, isAtWork: () => true });
  status = await listenForStatus({ host: '127.0.0.1', port: 0, rights: undefined, isAtWork: () => true, metrics });
  overSlack = await startConsoleDesk({ budget });
});
afterAll(async () => {
  for (const server of [desk, status]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await overSlack.stop();
});
beforeEach(() => {
  [found, faults] = [[], []];
});

type Place = readonly [what: string, port: () => number, path: string];
const atDesk = (): number => portOf(desk);
const atConsole = (): number => Number(new URL(overSlack.url).port);
const places: readonly Place[] = [
  ['Slack’s address', atDesk, '/slack/events'],
  ['a ticket system’s', atDesk, '/inbound/github'],
  ['nobody’s', atDesk, '/nothing'],
  ['the console’s API', atConsole, '/api/v1/session'],
  ['the sign-in', atConsole, '/sign-in'],
  ['the console', atConsole, '/console/'],
  ['the status', () => portOf(status), '/metrics'],
];

/** Sends these bytes, and returns the statuses of all answers until the other side closed. */
function statusesOf(port: number, parts: readonly (string | Buffer)[], from = '127.0.0.1'): Promise<readonly number[]> {
  return new Promise((done) => {
    let text = '';
    const socket = connect({ port, host: '127.0.0.1', localAddress: from }, () => {
      for (const part of parts) socket.write(part);
    });
    socket.on('data', (data) => {
      text += data.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.once('close', () => done([...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status))));
  });
}

function signed(body: string | Buffer, at = String(Math.floor(Date.now() / 1_000))): string {
  const hex = createHmac('sha256', secret)
    .update(`v0:${Number(at)}:`)
    .update(body)
    .digest('hex');
  return `X-Slack-Request-Timestamp: ${at}\r\nX-Slack-Signature: v0=${hex}\r\n`;
}

const body = '{"type":"x"}';
const json = 'Content-Type: application/json\r\n';
const inner = 'POST /slack/events HTTP/1.1\r\nHost: inner\r\n\r\n';

/** Requests that two servers could interpret differently, by how they begin and what they contain. */
const doubtful: readonly (readonly [string, (path: string, head: string) => string])[] = [
  [
    'length and chunks',
    (path, head) => `POST ${path} HTTP/1.1\r\n${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
  ],
  ['two lengths', (path, head) => `POST ${path} HTTP/1.1\r\n${head}Content-Length: 5\r\nContent-Length: 12\r\n\r\n${body}`],
  [
    'two codings',
    (path, head) =>
      `POST ${path} HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${inner}`,
  ],
  [
    'a space before the colon',
    (path, head) => `POST ${path} HTTP/1.1\r\n${head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${inner}`,
  ],
  [
    'lines that end in LF alone',
    (path, head) => `POST ${path} HTTP/1.1\n${head.replaceAll('\r', '')}Content-Length: 12\n\n${body}`,
  ],
  ['a folded header', (path, head) => `POST ${path} HTTP/1.1\r\n${head}X: a\r\n b\r\nContent-Length: 12\r\n\r\n${body}`],
  ['a length below nothing', (path, head) => `POST ${path} HTTP/1.1\r\n${head}Content-Length: -1\r\n\r\n${body}`],
  ['a length with a sign', (path, head) => `POST ${path} HTTP/1.1\r\n${head}Content-Length: +12\r\n\r\n${body}`],
  [
    'a length beyond all numbers',
    (path, head) => `POST ${path} HTTP/1.1\r\n${head}Content-Length: 99999999999999999999\r\n\r\n${body}`,
  ],
  ['no host', (path) => `GET ${path} HTTP/1.1\r\n\r\n`],
  ['the preface of HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['no HTTP', () => '\0\0\0\r\n\r\n'],
];

describe.each(places)('%s', (_what, port, path) => {
  const head = `Host: x\r\n${json}${path.startsWith('/slack') ? signed(body) : ''}`;

  test.each(doubtful)('refuses a request with %s, signed or not', async (_which, made) => {
    expect(await statusesOf(port(), [made(path, head)])).toEqual([400]);
    expect(found).toEqual([]);
  });

  test('answers only once if a body contains another request', async () => {
    const sent = `POST ${path}x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`;
    const answered = await statusesOf(port(), [sent]);
    expect(answered).toHaveLength(1);
    expect(answered[0]).toBeGreaterThanOrEqual(400);
  });

  test('does not read an endless head', async () => {
    expect(await statusesOf(port(), [`GET ${path} HTTP/1.1\r\n${head}X: ${'x'.repeat(9_000)}\r\n\r\n`])).toEqual([431]);
    const many = Array.from({ length: 3_000 }, (_, n) => `a${n}:b\r\n`).join('');
    expect(await statusesOf(port(), [`GET ${path} HTTP/1.1\r\n${head}${many}\r\n`])).toEqual([431]);
  });

  test('does not read an endless body', async () => {
    const endless = Array.from({ length: 60 }, () => `10000\r\n${'x'.repeat(65_536)}\r\n`);
    const [status] = await statusesOf(port(), [
      `POST ${path} HTTP/1.1\r\n${head}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n`,
      ...endless,
    ]);
    expect([undefined, 401, 404, 413]).toContain(status);
  });

  test('does not answer to a disguised method or address', async () => {
    const close = 'Connection: close\r\n';
    for (const [asked, more] of [
      [`POST http://other${path}`, ''],
      [`GET /${path}`, ''],
      [`GET /x/..${path}`, ''],
      [`GET ${path.toUpperCase()}`, ''],
      ['OPTIONS *', ''],
      [`TRACE ${path}`, ''],
      [`PUT ${path}`, 'X-HTTP-Method-Override: POST\r\n'],
    ] as const) {
      const [status] = await statusesOf(port(), [`${asked} HTTP/1.1\r\n${head}${close}${more}\r\n`]);
      expect([404, 405]).toContain(status);
    }
    expect(await statusesOf(port(), [`CONNECT x:80 HTTP/1.1\r\n${head}\r\n`])).toEqual([]);
  });

  test('is not exhausted by one connection that pipelines without end, nor by many silent ones', async () => {
    const flood = `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(3_000);
    const answered = await statusesOf(port(), [flood]);
    expect(answered.length).toBeLessThanOrEqual(33);
    const idle: Socket[] = [];
    for (let n = 0; n < 200; n += 1)
      idle.push(
        connect(port(), '127.0.0.1')
          .on('error', () => undefined)
          .resume(),
      );
    await eventually('the oldest are closed', () => idle.filter(({ destroyed }) => !destroyed).length <= 100);
    expect(await statusesOf(port(), [`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`])).toHaveLength(1);
    for (const socket of idle) socket.destroy();
  });
});

describe('what Slack has signed', () => {
  const form = 'application/x-www-form-urlencoded';
  const post = (content: string | Buffer, type: string, more = ''): Promise<readonly number[]> => {
    const length = Buffer.byteLength(content);
    const lines = `POST /slack/events HTTP/1.1\r\nHost: x\r\n${signed(content)}Content-Type: ${type}\r\n${more}Connection: close\r\n`;
    return statusesOf(atDesk(), [`${lines}Content-Length: ${length}\r\n\r\n`, content]);
  };

  test.each<[string, string | Buffer, string, string?]>([
    ['deep JSON', `${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}`, 'application/json'],
    ['deep lists', `{"a":${'['.repeat(400_000)}${']'.repeat(400_000)}}`, 'application/json'],
    ['a deep payload', `payload=${encodeURIComponent(`${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}`)}`, form],
    ['a quarter of a million fields', 'a=1&'.repeat(250_000), form],
    ['a payload of a megabyte', `payload=${'x'.repeat(1_040_000)}`, form],
    ['two payloads', 'payload={}&payload={}', form],
    [
      'names of prototype fields',
      `__proto__=1&payload=${encodeURIComponent('{"__proto__":{"type":"x"},"constructor":1}')}`,
      form,
    ],
    [
      'a multipart form',
      '--x\r\nContent-Disposition: form-data; name="payload"\r\n\r\n{}\r\n--x--',
      'multipart/form-data; boundary=x',
    ],
    ['something other than an object', '[]', 'application/json'],
    ['half a character', '{"type":"\\ud800"}', 'application/json'],
    ['nothing', '', form],
  ])('with %s is refused, and causes no internal error', async (_what, content, type) => {
    const [status] = await post(content, type);
    expect([200, 400]).toContain(status);
    expect(found).toEqual(['of Slack: malformed']);
    expect(faults).toEqual([]);
  });

  test('is not decompressed: what is signed is what is read', async () => {
    await post(gzipSync('{"type":"x"}'.repeat(1_000)), 'application/json', 'Content-Encoding: gzip\r\n');
    expect(found).toEqual(['bad_signature']);
  });

  test('is accepted once, however its timestamp is written', async () => {
    const at = String(Math.floor(Date.now() / 1_000));
    const once = '{"type":"once"}';
    const send = (written: string): Promise<readonly number[]> =>
      statusesOf(atDesk(), [
        `POST /slack/events HTTP/1.1\r\nHost: x\r\n${signed(once, written)}${json}Connection: close\r\nContent-Length: ${once.length}\r\n\r\n${once}`,
      ]);
    expect(await send(at)).toEqual([200]);
    for (const written of [at, `0${at}`, `00${at}`, `${at}.0`, `+${at}`]) expect(await send(written)).toEqual([401]);
  });

  test('is not waited for if it arrives too slowly', async () => {
    expect(
      await statusesOf(atDesk(), [`POST /slack/events HTTP/1.1\r\nHost: x\r\n${signed('{')}Content-Length: 9\r\n\r\n{`]),
    ).toEqual([]);
    expect(found).toEqual(['malformed']);
  });
});

test('flooding the console without a sign-in costs other addresses nothing', async () => {
  const ask = (from: string): Promise<readonly number[]> =>
    statusesOf(atConsole(), ['GET /api/v1/session HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'], from);
  expect(await ask('127.0.0.3')).toEqual([401]);
  expect(() => {
    for (;;) budget.spend('nobody at 127.0.0.2');
  }).toThrow('FB_ERR_TOO_MANY');
  expect(await ask('127.0.0.2')).toEqual([429]);
  expect(await ask('127.0.0.3')).toEqual([401]);
});

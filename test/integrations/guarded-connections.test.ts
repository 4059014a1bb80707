import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test } from '@jest/globals';
import { BoundedBodies } from '../../integrations/bounded-bodies.ts';
import { type ConnectionLimits, GuardedConnections } from '../../integrations/guarded-connections.ts';
import { eventually } from '../eventually.ts';

let server: Server;
let guarded: GuardedConnections;
let begun = 0;
const sockets: Socket[] = [];

/** A server that treats a caller as known if its header says so. */
async function open(limits: Partial<ConnectionLimits>): Promise<number> {
  server = createServer({ keepAliveTimeout: 60_000 });
  guarded = new GuardedConnections(server, limits);
  guarded.serve((request, response) => {
    begun += 1;
    if (request.headers.authorization === 'known') guarded.prove(request);
    if (request.url !== '/waits') response.end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function stranger(port: number, from = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from });
  sockets.push(socket);
  socket.on('error', () => undefined).resume();
  await once(socket, 'connect');
  return socket;
}

function ask(socket: Socket, path = '/', authorization = ''): void {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${authorization && `Authorization: ${authorization}\r\n`}\r\n`);
}

const openOf = (some: readonly Socket[]): number =>
  some.filter(({ destroyed, readableEnded }) => !destroyed && !readableEnded).length;

describe('a door that strangers can reach', () => {
  test('is never blocked by connections that are only held open', async () => {
    const port = await open({ strangers: 20, strangersOfOne: 8, known: 4, strangerIdleMs: 60_000 });
    const held: Socket[] = [];
    for (let n = 0; n < 60; n += 1) held.push(await stranger(port, `127.0.0.${2 + (n % 6)}`));
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    expect(await answer.text()).toBe('ok');
    await eventually('the rest is closed', () => openOf(held) <= 20);
    expect(guarded.counts.strangers).toBeLessThanOrEqual(20);
  });

  test('sends 100 Continue to clients that wait for it, as curl does, and counts that request once', async () => {
    const port = await open({ strangers: 20, strangersOfOne: 8, known: 4, strangerIdleMs: 60_000 });
    const asked = httpRequest({
      port,
      host: '127.0.0.1',
      method: 'POST',
      headers: { expect: '100-continue', authorization: 'known' },
    });
    const answered = once(asked, 'response');
    const continued = once(asked, 'continue');
    asked.flushHeaders();
    await continued;
    asked.end('body');
    const [response] = await answered;
    expect(response.statusCode).toBe(200);
    expect(guarded.counts).toEqual({ strangers: 0, known: 1 });
    response.resume();
  });

  test('closes a connection with too many pending requests, known or not', async () => {
    const port = await open({ strangers: 20, strangersOfOne: 8, known: 4, strangerIdleMs: 60_000 });
    for (const authorization of ['', 'known']) {
      begun = 0;
      const socket = await stranger(port);
      const head = `Host: x\r\n${authorization && `Authorization: ${authorization}\r\n`}\r\n`;
      socket.write(`GET /waits HTTP/1.1\r\n${head}`.repeat(2_000));
      await new Promise((closed) => socket.once('close', closed));
      expect(begun).toBe(32);
    }
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
  });

  test('closes connections of an address that has too many, and nobody else’s', async () => {
    const port = await open({ strangers: 100, strangersOfOne: 5, known: 4, strangerIdleMs: 60_000 });
    const other = await stranger(port, '127.0.0.9');
    const held: Socket[] = [];
    for (let n = 0; n < 12; n += 1) held.push(await stranger(port));
    await eventually('seven of twelve are closed', () => openOf(held) === 5);
    expect(held.slice(-5).every(({ destroyed }) => !destroyed)).toBe(true);
    expect(openOf([other])).toBe(1);
  });

  test('keeps known clients, whatever strangers do, and prefers strangers who are waiting for an answer', async () => {
    const port = await open({ strangers: 100, strangersOfOne: 4, known: 4, strangerIdleMs: 60_000 });
    const known = await stranger(port);
    ask(known, '/', 'known');
    await eventually('it is known', () => guarded.counts.known === 1);
    const waiting = await stranger(port);
    ask(waiting, '/waits');
    const held: Socket[] = [];
    for (let n = 0; n < 10; n += 1) held.push(await stranger(port));
    await eventually('most are closed', () => openOf(held) === 3);
    expect(openOf([known, waiting])).toBe(2);
  });

  test('soon closes a stranger’s idle connection, even after a request, and keeps a known client’s', async () => {
    const port = await open({ strangerIdleMs: 300 });
    const [known, silent, asked] = [await stranger(port), await stranger(port), await stranger(port)];
    ask(known, '/', 'known');
    ask(asked);
    await eventually('the strangers’ are closed', () => openOf([silent, asked]) === 0);
    expect(openOf([known])).toBe(1);
    ask(known);
    expect(guarded.counts).toEqual({ strangers: 0, known: 1 });
  });

  test('tells strangers and known clients how long their connections stay open', async () => {
    const port = await open({ strangerIdleMs: 8_000 });
    const asked = async (authorization: string): Promise<string | null> =>
      (await fetch(`http://127.0.0.1:${port}/`, { headers: { authorization } })).headers.get('keep-alive');
    expect(await asked('')).toBe('timeout=7');
    expect(await asked('known')).toBe('timeout=60');
  });

  test('limits the known connections, too, and drops the one that was idle longest', async () => {
    const port = await open({ known: 3, strangerIdleMs: 60_000 });
    const all: Socket[] = [];
    for (let n = 1; n <= 5; n += 1) {
      const socket = await stranger(port);
      ask(socket, '/', 'known');
      await eventually('it is known', () => guarded.counts.known >= Math.min(n, 3) && guarded.counts.strangers === 0);
      all.push(socket);
    }
    await eventually('two are closed', () => openOf(all) === 3);
    expect(openOf(all.slice(-1))).toBe(1);
  });
});

describe('request bodies of strangers', () => {
  test('take the memory that they declare, even in one-byte chunks', async () => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const heap = (): number => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    const bytes = 200_000;
    const bodies = new BoundedBodies({ atMost: bytes, inAll: bytes, withinMs: 600_000 });
    const port = await open({ strangerIdleMs: 600_000 });
    let [came, before, whole] = [0, 0, ''];
    server.removeAllListeners('request');
    server.on('request', async (request, response) => {
      before = heap();
      request.on('data', (part: Buffer) => {
        came += part.length;
      });
      const body = await bodies.read(request);
      whole = body.ok ? body.bytes.toString() : 'cut';
      response.end();
    });
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    socket.write('POST / HTTP/1.1\r\nhost: door\r\ntransfer-encoding: chunked\r\n\r\n');
    for (let part = 0; part < bytes; part += 1_000) socket.write('1\r\na\r\n1\r\nb\r\n'.repeat(500));
    await eventually('all of it is there, but for its end', () => came === bytes);
    // If each part were kept as it came, it would take two hundred bytes: 40 MB for these.
    expect(heap() - before).toBeLessThan(10_000_000);
    socket.write('0\r\n\r\n');
    await eventually('it is whole', () => whole !== '');
    expect(whole === 'ab'.repeat(bytes / 2)).toBe(true);
    socket.destroy();
  });

  test('are bounded together: the one that has been arriving longest is dropped', async () => {
    const bodies = new BoundedBodies({ atMost: 1_000, inAll: 1_500, withinMs: 60_000 });
    const port = await open({ strangerIdleMs: 600_000 });
    const became: string[] = [];
    server.removeAllListeners('request');
    let begun = 0;
    server.on('request', async (request, response) => {
      request.once('data', () => {
        begun += 1;
      });
      const body = await bodies.read(request);
      became.push(`${request.url} ${body.ok ? body.bytes.length : body.status}`);
      response.end();
    });
    const send = (path: string) => {
      const sent = httpRequest({ port, path, method: 'POST' }).on('error', () => undefined);
      sent.on('response', (response) => response.resume());
      return sent;
    };
    const slow = send('/slow');
    slow.write('x'.repeat(900));
    await eventually('its first bytes are there', () => begun === 1);
    send('/quick').end('x'.repeat(800));
    await eventually('both are told', () => became.length === 2);
    expect(became).toEqual(['/slow 400', '/quick 800']);
    send('/large').end('x'.repeat(1_001));
    await eventually('it is told', () => became.length === 3);
    expect(became[2]).toBe('/large 413');
  });

  test('count while they are processed as well as while they arrive', () => {
    const bodies = new BoundedBodies({ atMost: 1_000, inAll: 1_500 });
    expect(bodies.hold(1_000)).toBe(true);
    expect(bodies.hold(501)).toBe(false);
    expect(bodies.hold(500)).toBe(true);
    bodies.release(1_000);
    expect(bodies.hold(1_000)).toBe(true);
  });
});

import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { StreamEvent } from '../../../core/streams/stream.ts';
import { createHttpReceiver, type HttpReceiverOptions } from '../../../integrations/streams/http-receiver.ts';
import { createSyslogReceiver } from '../../../integrations/streams/syslog-receiver.ts';
import { ReceivingServer } from '../../service/streams/receiving-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-receivers-'));
const pem = (name: string): string => readFileSync(join(folder, name), 'utf8');
const running = new AbortController().signal;

const event = (number: number, text = 'a line\nand another ü'): StreamEvent => ({
  id: `id-${number}`,
  chain: 'incident/c/shop/Deployment/cart@r1',
  at: '2026-11-27T10:00:00.000Z',
  kind: 'step.applied',
  json: JSON.stringify({ number, text }),
});

beforeAll(() => {
  for (const name of ['server', 'client']) {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const about = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
    const out = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.pem`)];
    execFileSync('openssl', ['req', '-x509', ...curve, ...out, ...about], { stdio: 'ignore' });
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a receiver over HTTP', () => {
  let server: ReceivingServer;
  beforeEach(async () => {
    server = await ReceivingServer.open();
  });
  afterEach(() => server.close());
  const receiverAt = (over: Partial<HttpReceiverOptions> = {}) =>
    createHttpReceiver({
      url: server.url,
      format: 'ocsf',
      body: 'lines',
      gzip: true,
      timeoutMs: 60_000,
      access: () => ({ tls: {} }),
      ...over,
    });

  test('gets compressed lines, with the token and a signature over the uncompressed text', async () => {
    const receiver = receiverAt({ access: () => ({ bearer: 'token-1', hmac: 'shared', tls: {} }) });
    expect(await receiver.deliver([event(1), event(2)], running)).toEqual({ state: 'delivered', answer: 'HTTP status 200' });
    await receiver.close();
    const [arrived] = server.taken;
    expect(arrived?.events.map(({ number }) => number)).toEqual([1, 2]);
    expect(arrived?.headers).toMatchObject({ 'content-type': 'application/x-ndjson', authorization: 'Bearer token-1' });
    const signed = `${arrived?.headers['x-firebreak-timestamp']}.${arrived?.text}`;
    expect(arrived?.headers['x-firebreak-signature']).toBe(`v1=${createHmac('sha256', 'shared').update(signed).digest('hex')}`);
  });

  test('gets CloudEvents as their batch format has it, where it asks for lists', async () => {
    const receiver = receiverAt({ format: 'cloudevents', body: 'list', gzip: false });
    await receiver.deliver([event(1), event(2)], running);
    await receiver.close();
    expect(server.taken[0]?.headers['content-type']).toBe('application/cloudevents-batch+json');
    expect(server.taken[0]?.events).toHaveLength(2);
  });

  test.each([
    [400, { state: 'refused', reason: 'HTTP status 400' }],
    [413, { state: 'refused', reason: 'HTTP status 413' }],
    [401, { state: 'later', reason: 'HTTP status 401' }],
    [302, { state: 'later', reason: 'HTTP status 302' }],
    [500, { state: 'later', reason: 'HTTP status 500' }],
    [429, { state: 'later', reason: 'HTTP status 429', waitMs: 1_000 }],
    ['cut' as const, { state: 'later', reason: 'ECONNRESET' }],
  ])('%s means %j', async (behaviour, outcome) => {
    server.script = [behaviour];
    const receiver = receiverAt();
    expect(await receiver.deliver([event(1)], running)).toEqual(outcome);
    await receiver.close();
  });

  test('that does not answer is given up on after a timeout, or when the desk stops', async () => {
    server.decide = () => 'hang';
    const slow = receiverAt({ timeoutMs: 50 });
    expect(await slow.deliver([event(1)], running)).toEqual({ state: 'later', reason: 'no answer in time' });
    const stopping = new AbortController();
    const receiver = receiverAt();
    const sent = receiver.deliver([event(1)], stopping.signal);
    stopping.abort();
    expect(await sent).toMatchObject({ state: 'later' });
    await slow.close();
    await receiver.close();
  });

  test('with TLS is trusted by its certificate alone, and knows us by ours', async () => {
    const seen: string[] = [];
    const files = { key: pem('server.key'), cert: pem('server.pem'), ca: pem('client.pem'), requestCert: true };
    const secure = createHttpsServer(files, (request, response) => {
      seen.push((request.socket as TLSSocket).getPeerCertificate().subject.CN as string);
      request.resume();
      response.end();
    });
    await once(secure.listen(0, '127.0.0.1'), 'listening');
    const url = `https://127.0.0.1:${(secure.address() as AddressInfo).port}`;
    const tls = { ca: pem('server.pem'), cert: pem('client.pem'), key: pem('client.key') };
    const known = receiverAt({ url, access: () => ({ tls }) });
    const unknown = receiverAt({ url });
    expect(await known.deliver([event(1)], running)).toMatchObject({ state: 'delivered' });
    expect(await unknown.deliver([event(1)], running)).toEqual({ state: 'later', reason: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    expect(await receiverAt({ url, access: () => ({ tls: { ca: 'none' } }) }).deliver([event(1)], running)).toMatchObject({
      state: 'later',
    });
    expect(seen).toEqual(['client']);
    await known.close();
    await unknown.close();
    secure.closeAllConnections();
    secure.close();
  });
});

describe('a receiver of syslog over TLS', () => {
  /** Parses messages as in RFC 5425; anything not in this form is an error. */
  function messagesIn(bytes: Buffer): readonly string[] {
    const messages: string[] = [];
    let rest = bytes;
    while (rest.length > 0) {
      const [, digits = ''] = /^([1-9]\d*) /.exec(rest.subarray(0, 12).toString()) ?? [];
      if (digits === '') throw new Error(`no length: ${rest.subarray(0, 20)}`);
      const start = digits.length + 1;
      const end = start + Number(digits);
      if (end > rest.length) throw new Error('a message is cut off');
      messages.push(rest.subarray(start, end).toString());
      rest = rest.subarray(end);
    }
    return messages;
  }

  const sockets = new Set<Socket>();
  const close = async (server: Server): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };

  async function syslogServer(answer: (socket: TLSSocket) => void) {
    const server = createServer(
      { key: pem('server.key'), cert: pem('server.pem'), ca: pem('client.pem'), requestCert: true, allowHalfOpen: true },
      answer,
    );
    server.on('tlsClientError', () => undefined);
    server.on('connection', (socket) => sockets.add(socket));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const receiver = createSyslogReceiver({
      host: '127.0.0.1',
      port,
      serverName: 'localhost',
      hostname: 'desk 1',
      timeoutMs: 60_000,
      access: () => ({ ca: pem('server.pem'), cert: pem('client.pem'), key: pem('client.key') }),
    });
    return { receiver, server };
  }

  test('gets each event with its length in front and an RFC 5424 header, delivered once all was read', async () => {
    const read: Buffer[] = [];
    const { receiver, server } = await syslogServer((socket) => {
      socket.on('data', (chunk) => read.push(chunk));
      socket.on('end', () => socket.end());
    });
    const events = [event(1), event(2, 'x'.repeat(200_000)), event(3)];
    expect(await receiver.deliver(events, running)).toEqual({ state: 'delivered', answer: 'read to the end' });
    await close(server);
    const messages = messagesIn(Buffer.concat(read));
    expect(messages).toHaveLength(3);
    for (const [index, message] of messages.entries()) {
      const parts = /^<110>1 2026-11-27T10:00:00\.000Z desk_1 firebreak - step\.applied - ([ -~]*)$/.exec(message);
      expect(JSON.parse(parts?.[1] ?? '')).toEqual(JSON.parse(events[index]?.json ?? ''));
    }
  });

  test('that closes the connection in the middle has not received it', async () => {
    const { receiver, server } = await syslogServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.destroy());
    });
    expect(await receiver.deliver([event(1, 'x'.repeat(2_000_000))], running)).toMatchObject({ state: 'later' });
    await close(server);
  });

  test('that is the wrong one, or is not there, gets nothing', async () => {
    const read: Buffer[] = [];
    const { server } = await syslogServer((socket) => socket.on('data', (chunk) => read.push(chunk)));
    const { port } = server.address() as AddressInfo;
    const common = { host: '127.0.0.1', port, hostname: 'desk', timeoutMs: 60_000 };
    const wrong = createSyslogReceiver({ ...common, access: () => ({ ca: pem('client.pem') }) });
    expect(await wrong.deliver([event(1)], running)).toMatchObject({ state: 'later' });
    // The receiver does not know our certificate.
    const unknown = createSyslogReceiver({ ...common, access: () => ({ ca: pem('server.pem') }) });
    expect(await unknown.deliver([event(1)], running)).toMatchObject({ state: 'later' });
    await close(server);
    const gone = createSyslogReceiver({ ...common, access: () => ({ ca: pem('server.pem') }) });
    expect(await gone.deliver([event(1)], running)).toEqual({ state: 'later', reason: 'ECONNREFUSED' });
    expect(read).toEqual([]);
  });
});

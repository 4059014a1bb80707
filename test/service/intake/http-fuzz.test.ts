import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { sensors } from '../../../integrations/sensors/index.ts';
import { killed } from '../../processes.ts';
import { falcoEvent, freshDirectory, removeDirectory, startIntakeProcess, token } from './parts/intake-fixture.ts';

const directory = freshDirectory();
let child: ChildProcess;
let url: URL;

/** A separate process, so that the test can measure its memory and see that it has not ended. */
beforeAll(async () => {
  const started = await startIntakeProcess(directory, { flags: ['--max-semi-space-size=4'] });
  child = started.child;
  url = new URL(started.url);
});

afterAll(async () => {
  await killed(child);
  removeDirectory(directory);
});

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly chunked: boolean;
}

/** Does not use `fetch`, which repairs deliberately broken requests. */
function send({ method, path, headers, body, chunked }: Sent): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((done, fail) => {
    const length = chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(body.length) };
    const options = { host: url.hostname, port: url.port, method, path, headers: { ...headers, ...length }, timeout: 120_000 };
    const call = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => {
        text += part;
      });
      response.once('end', () => done({ status: response.statusCode ?? 0, text }));
    });
    call.once('timeout', () => call.destroy(new Error('no answer within 20 s')));
    call.once('error', fail);
    call.end(body);
  });
}

const authorization = { authorization: `Bearer ${token}` };

type Packing = readonly [encoding: string, pack: (bytes: Uint8Array) => Uint8Array];
const packings: readonly Packing[] = [
  ['', (bytes) => bytes],
  ['identity', (bytes) => bytes],
  ['gzip', gzipSync],
  ['GZip ', gzipSync],
  ['x-gzip', gzipSync],
  ['deflate', deflateSync],
  ['deflate', deflateRawSync],
];

const types = [
  'application/json',
  'application/json; charset=utf-8',
  'application/json;charset=',
  'text/plain; charset=latin1',
  'application/x-ndjson',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'no type',
];

/** What people mean when they send one or more alerts, in each way of writing several. */
const shapes: readonly ((texts: readonly string[]) => string)[] = [
  (texts) => `[${texts.join(',')}]`,
  (texts) => `[\n${texts.join(',\n')}\n]\n`,
  (texts) => `${texts.join('\n')}\n`,
  (texts) => texts.join('\r\n\r\n'),
  (texts) => texts.join(''),
  (texts) => `\uFEFF${texts.map((text) => JSON.stringify(JSON.parse(text), null, 2)).join('\n')}`,
];

/** An alert that contains text that is hard to parse, but harmless. */
const hard = fc
  .record({
    number: fc.bigInt({ min: 2n ** 53n, max: 2n ** 80n }),
    depth: fc.nat({ max: 40 }),
    text: fc.string({ unit: 'binary' }),
  })
  .map(({ number, depth, text }) => {
    const event = JSON.stringify(falcoEvent({}, { odd: text }));
    const nested = `${'{"a":['.repeat(depth / 2)}1${']}'.repeat(depth / 2)}`;
    const extra = `"output_fields_2":${nested},"evt.time":${number},"__proto__":{"polluted":1},"rule":"first, and not the last"`;
    return `{${extra},${event.slice(1)}`;
  });

describe('every way of sending alerts', () => {
  test('is understood: each shape, compression, method, type, and content that is hard to read', async () => {
    const call = fc.record({
      texts: fc.array(hard, { minLength: 1, maxLength: 4 }),
      shape: fc.constantFrom(...shapes),
      packing: fc.constantFrom(...packings),
      method: fc.constantFrom('POST', 'PUT'),
      type: fc.constantFrom(...types),
      path: fc.constantFrom('/v1/alerts', '/v1/alerts/falco', '/v1/alerts/falco/', `/v1/alerts/falco/${token}`),
      chunked: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(call, async ({ texts, shape, packing: [encoding, pack], method, type, path, chunked }) => {
        const headers = { ...authorization, 'content-type': type, ...(encoding !== '' && { 'content-encoding': encoding }) };
        const { status, text } = await send({ method, path, headers, body: pack(Buffer.from(shape(texts))), chunked });
        expect({ status, json: JSON.parse(text) }).toMatchObject({ status: 200, json: { rejected: 0 } });
        const { accepted, duplicate } = JSON.parse(text);
        expect(accepted + duplicate).toBe(texts.length);
      }),
      { numRuns: 150 },
    );
  });
});

/** Bytes with some of them changed, or truncated. */
const damaged = fc
  .record({
    texts: fc.array(hard, { minLength: 1, maxLength: 3 }),
    shape: fc.constantFrom(...shapes),
    packing: fc.constantFrom(...packings),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 6 }),
    place: fc.nat({ max: 3_000 }),
    cut: fc.nat({ max: 3_000 }),
  })
  .map(({ texts, shape, packing: [encoding, pack], bytes, place, cut }) => {
    const body = Buffer.from(pack(Buffer.from(shape(texts))));
    body.set(bytes.subarray(0, body.length), place % Math.max(1, body.length - bytes.length));
    return { encoding, body: body.subarray(0, Math.max(1, body.length - (cut % body.length))) };
  });

const noise = fc.oneof(
  fc.uint8Array({ maxLength: 2_000 }).map((body) => ({ encoding: '', body })),
  fc.json().map((text) => ({ encoding: '', body: Buffer.from(text) })),
  fc
    .record({ open: fc.constantFrom('[', '{"a":', '[[{"log":"'), times: fc.constantFrom(1, 65, 5_000, 200_000) })
    .map(({ open, times }) => ({ encoding: 'gzip', body: gzipSync(open.repeat(times)) })),
  fc.constantFrom(' ', 'a', '{}', '[]', '0').map((text) => ({ encoding: 'gzip', body: gzipSync(text.repeat(3_000_000)) })),
);

const headerText = fc.string({ maxLength: 60 }).map((text) => text.replaceAll(/[^\x20-\x7e]/g, '?'));
const oddHeaders = fc.record(
  {
    'content-type': fc.oneof(headerText, fc.constantFrom('application/cloudevents+json', 'application/cloudevents-batch+json')),
    'content-encoding': fc.oneof(headerText, fc.constantFrom('br', 'gzip, gzip', 'zstd')),
    'ce-specversion': fc.constantFrom('1.0', '0', ''),
    'ce-type': headerText,
    'ce-time': headerText,
    'x-firebreak-signature': fc.oneof(headerText, fc.constant(`v1=${'0'.repeat(64)}`)),
    'x-firebreak-timestamp': headerText,
    expect: fc.constantFrom('100-continue'),
  },
  { requiredKeys: [] },
);

const paths = fc.oneof(
  fc.constantFrom('/v1/alerts', ...sensors.map(({ name }) => `/v1/alerts/${name}`)),
  fc.constantFrom(
    '/',
    '/v1/alerts/../../etc/passwd',
    '/v1/alerts/%00',
    '/v1/alerts/%',
    '/v1/alerts/falco/%E0%A4%A',
    '//',
    '/v1/sensors',
  ),
  fc.webPath(),
);

/** Memory that the process cannot give back. 0 if the system does not report it. */
function memoryMb(): number {
  if (!existsSync('/proc/self/status')) return 0;
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024;
}

describe('whatever is sent', () => {
  const call = fc.record({
    what: fc.oneof({ arbitrary: damaged, weight: 2 }, noise),
    headers: oddHeaders,
    path: paths,
    method: fc.constantFrom('POST', 'PUT', 'GET', 'DELETE', 'PATCH', 'OPTIONS'),
    chunked: fc.boolean(),
    known: fc.boolean(),
  });
  const answered = fc.asyncProperty(call, async ({ what: { encoding, body }, headers, path, method, chunked, known }) => {
    const all = {
      ...(encoding !== '' && { 'content-encoding': encoding }),
      ...headers,
      ...(known && authorization),
    };
    // A GET with a body is legal, and may be cut off because the server has already answered.
    const answer = await send({ method, path, headers: all, body, chunked }).catch((error: NodeJS.ErrnoException) => error.code);
    if (typeof answer === 'string') expect(['ECONNRESET', 'EPIPE']).toContain(answer);
    else expect(answer).toMatchObject({ status: expect.any(Number) });
    if (typeof answer === 'object') expect(answer.status).toBeLessThan(500);
  });

  test('is answered, never with an internal error, and leaks no memory', async () => {
    await fc.assert(answered, { numRuns: 300 });
    const before = memoryMb();
    await fc.assert(answered, { numRuns: 700 });
    expect(child.exitCode).toBeNull();
    expect(memoryMb() - before).toBeLessThan(100);
    const good = { method: 'POST', path: '/v1/alerts/falco', headers: authorization, chunked: false };
    expect((await send({ ...good, body: Buffer.from(JSON.stringify(falcoEvent())) })).status).toBe(200);
  });
});

import { connect } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FakeIncidentGateway } from '../../fakes/incident-gateway.ts';
import { box, type Door, falcoEvent, openDoor, removeDirectory, token, until } from './parts/intake-fixture.ts';

let door: Door;
const post: Door['post'] = (...call) => door.post(...call);
const event = (): string => JSON.stringify(falcoEvent());

beforeAll(async () => {
  door = await openDoor(new FakeIncidentGateway());
});

afterAll(async () => {
  await door.intake.stop(500);
  removeDirectory(door.directory);
});

describe('who may send', () => {
  test.each([
    ['a Bearer token', { headers: { authorization: `Bearer ${token}` } }],
    ['the Basic password, whatever the user name', { headers: { authorization: `Basic ${btoa(`anyone:${token}`)}` } }],
    ['the token at the end of the path', { path: `/v1/alerts/falco/${token}`, headers: { authorization: '' } }],
  ])('%s is accepted', async (_what, options) => expect((await post(event(), options)).status).toBe(200));

  test.each([
    ['nothing', { headers: { authorization: '' } }],
    ['another token', { headers: { authorization: 'Bearer x' } }],
    ['an empty one', { headers: { authorization: 'Bearer ' } }],
    ['the token as the Basic user name', { headers: { authorization: `Basic ${btoa(`${token}:`)}` } }],
    ['another end of the path', { path: '/v1/alerts/falco/nonsense', headers: { authorization: `Bearer ${token}` } }],
  ])('%s is refused', async (_what, options) => expect((await post(event(), options)).status).toBe(401));
});

describe('the addresses', () => {
  const none = { authorization: '' };

  test.each([
    ['/v1/alerts', 200],
    ['/v1/alerts/', 200],
    ['/v1/alerts?from=test', 200],
    ['/v1/alerts/falco', 200],
    ['/v1/alerts/falco/', 200],
    ['/v1/alerts/falco?x=/y', 200],
    ['/v1/alerts/nobody', 404],
    ['/v1/alertsfalco', 404],
    ['/v1/alerts//', 404],
    ['/v1/alerts/falco/a/b', 404],
    [`/v1/alerts/falco/${'x'.repeat(600)}`, 404],
    ['/v1/alerts/falco/%', 404],
  ])('%s is answered %i', async (path, status) => expect((await post(event(), { path })).status).toBe(status));

  test.each([
    [`/v1/alerts/falco/${token}/`, 200],
    [`/v1/alerts/falco/${token}?x`, 200],
    [`/v1/alerts/falco/${token.replace('-', '%2d')}`, 200],
    [`/v1/alerts/${token}`, 404],
  ])('with a token at the end: %s', async (path, status) =>
    expect((await post(event(), { path, headers: none })).status).toBe(status),
  );
});

describe('what may be sent', () => {
  test.each([
    ['an object', () => event(), 1],
    ['a list', () => `[${event()}, ${event()}]`, 2],
    ['a list of one line each', () => `[\n${event()},\n${event()}\n]`, 2],
    ['lines', () => `${event()}\n${event()}\n\n${event()}\n`, 3],
    ['one after another', () => event() + event(), 2],
    ['pretty-printed ones after each other', () => [1, 2].map(() => JSON.stringify(falcoEvent(), null, 2)).join('\n'), 2],
    ['after a byte order mark', () => `\uFEFF${event()}`, 1],
  ])('%s', async (_what, body, accepted) => {
    expect(await post(body())).toMatchObject({ status: 200, json: { accepted, rejected: 0 } });
  });

  test.each([
    'text/plain',
    'application/json; charset=',
    'application/json;charset=latin1',
    'nonsense',
    '',
    'application/x-ndjson',
    ';;;',
  ])('with content type %p', async (type) =>
    expect((await post(event(), { headers: { 'content-type': type } })).status).toBe(200),
  );

  test('by PUT, compressed, and when the sensor has to be detected', async () => {
    expect((await post(event(), { method: 'PUT' })).status).toBe(200);
    expect((await post(gzipSync(event()), { headers: { 'content-encoding': 'gzip' } })).json).toMatchObject({ accepted: 1 });
    expect((await post(deflateSync(event()), { headers: { 'content-encoding': 'deflate' } })).json).toMatchObject({
      accepted: 1,
    });
    expect((await post(event(), { path: '/v1/alerts' })).json).toMatchObject({ accepted: 1 });
  });

  test('one bad item fails alone', async () => {
    const list = await post(`[${event()}, {"rule": 7}, {broken}, ${event()}]`);
    expect(list).toMatchObject({ status: 200, json: { accepted: 2, rejected: 2 } });
    const lines = await post(`${event()}\n{"rule": \n${event()}`);
    expect(lines).toMatchObject({ status: 200, json: { accepted: 2, rejected: 1 } });
  });

  test('a repeat is a duplicate, even within one body or with its keys in another order', async () => {
    const one = falcoEvent();
    const other = Object.fromEntries(Object.entries(one).reverse());
    expect((await post(JSON.stringify([one, one]))).json).toMatchObject({ accepted: 1, duplicate: 1 });
    expect((await post(JSON.stringify(other))).json).toMatchObject({ accepted: 0, duplicate: 1 });
  });

  test('a sensor that reports on itself starts nothing', async () => {
    const own = JSON.stringify(falcoEvent({ rule: 'Falco internal: syscall event drop' }));
    expect(await post(own)).toMatchObject({ status: 200, json: { accepted: 0, health: 1 } });
  });
});

describe('a raw log', () => {
  test('has lines of text, each a rejected item, and prefixes before its lines, which are skipped', async () => {
    const [first, second, third] = [1, 2, 3].map(() => JSON.stringify(falcoEvent()));
    const text = 'Wed Nov 25 22:57:42 2026: Falco version: 0.41.3 (x86_64), loaded rules: 93';
    const lines = [text, first, `2026-11-25T22:57:42.123456789Z stdout F ${second}`, `[pod/falco-x7k2p/falco] ${third}`, text];
    const answer = await post(`${lines.join('\n')}\n`);
    expect(answer).toMatchObject({ status: 200, json: { accepted: 3, rejected: 2 } });
    expect(answer.json.items).toMatchObject(
      ['rejected', 'accepted', 'accepted', 'accepted', 'rejected'].map((status) => ({ status })),
    );
  });

  test('has duplicate keys, as attackers write them: the last one counts everywhere, even for the list of a batch', async () => {
    const { rule: _rule, ...rest } = falcoEvent();
    const twice = JSON.stringify(rest).replace(
      '{',
      '{"rule":"Falco internal: metrics snapshot","rule":"Terminal shell in container",',
    );
    expect((await post(twice)).json).toMatchObject({ accepted: 1, health: 0 });
    const alert = (name: string) => ({
      status: 'firing',
      labels: { alertname: name },
      startsAt: '2026-06-01T10:00:00Z',
      fingerprint: name,
    });
    const batch = `{"receiver":"x","alerts":${JSON.stringify([alert('hidden')])},"\\u0061lerts":${JSON.stringify([alert('a'), alert('b')])}}`;
    expect((await post(batch, { path: '/v1/alerts/alertmanager' })).json).toMatchObject({ accepted: 2, rejected: 0 });
  });

  // Searching to the end of the line from each item would take minutes.
  test('is split into items in a single pass', async () => {
    expect((await post('a{}'.repeat(9_000) + 'b '.repeat(1_000_000))).status).toBe(422);
  });
});

describe('what cannot be accepted', () => {
  test.each([
    ['unknown JSON', '{"hello":"world"}', 422, '`rule`'],
    ['text that is not JSON', 'hello', 422, 'not JSON'],
    ['nothing', '', 400, 'no JSON'],
    ['incomplete JSON', '{"rule":"r"', 400, 'closed'],
    ['deeply nested JSON', `${'['.repeat(100)}${']'.repeat(100)}`, 413, 'deeper'],
    ['very deeply nested JSON', '['.repeat(1_000_000), 413, 'deeper'],
    ['an alert of more than 1 MiB', JSON.stringify(falcoEvent({ output: 'x'.repeat(1_100_000) })), 422, '1048576'],
  ])('%s is refused with the reason, and kept for inspection', async (_what, body, status, reason) => {
    const answer = await post(body);
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.json)).toContain(reason);
  });

  test('a body of more than 16 MiB, even if it is small when compressed', async () => {
    expect((await post(' '.repeat(17_000_000))).status).toBe(413);
    const bomb = gzipSync(Buffer.alloc(200_000_000, 0x20));
    expect((await post(bomb, { headers: { 'content-encoding': 'gzip' } })).status).toBe(413);
  });

  test('a body of more than 16 MiB without a declared length', async () => {
    const part = Buffer.alloc(1_000_000, 0x20);
    const body = new ReadableStream({
      start(controller) {
        for (let n = 0; n < 17; n += 1) controller.enqueue(part);
        controller.close();
      },
    });
    const headers = { authorization: `Bearer ${token}` };
    const sent = fetch(`${door.intake.url}/v1/alerts`, { method: 'POST', body, headers, duplex: 'half' } as RequestInit);
    // The answer may arrive while the sender is still writing, and then its connection is gone.
    expect(await sent.then(({ status }) => status).catch(() => 413)).toBe(413);
  });

  test('a body that is not compressed as declared', async () => {
    expect((await post(event(), { headers: { 'content-encoding': 'gzip' } })).status).toBe(400);
    expect((await post(event(), { headers: { 'content-encoding': 'br' } })).status).toBe(415);
  });

  test('prototype names and duplicate keys do no harm', async () => {
    const nasty = `{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},${event().slice(1, -1)},"rule":"last wins"}`;
    expect((await post(nasty)).json).toMatchObject({ accepted: 1 });
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test('another address or method', async () => {
    expect((await post(event(), { path: '/v1/nothing' })).status).toBe(404);
    expect((await post(event(), { method: 'DELETE' })).status).toBe(404);
  });

  test('never makes the server fail or hang, whatever is sent', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.json().map((json) => json.slice(0, -1)),
      fc.string().map((s) => `{${s}}`),
    );
    const body = fc.oneof(
      text,
      fc.uint8Array({ maxLength: 2_000 }),
      fc.array(text).map((parts) => parts.join('\n')),
    );
    const encoding = fc.constantFrom('', 'gzip', 'identity');
    await fc.assert(
      fc.asyncProperty(body, encoding, fc.constantFrom('/v1/alerts', '/v1/alerts/falco'), async (sent, packed, path) => {
        const { status } = await post(sent, { path, headers: { 'content-encoding': packed } });
        expect([400, 413, 415, 422]).toContain(status);
      }),
      { numRuns: 300 },
    );
    expect((await post(event())).status).toBe(200);
  });

  test('raw nonsense on the socket', async () => {
    for (const bytes of [
      '\0\0\0\r\n\r\n',
      'POST /v1/alerts HTTP/1.1\r\nContent-Length: x\r\n\r\n',
      `GET / HTTP/1.1\r\nA: ${'x'.repeat(100_000)}\r\n\r\n`,
    ]) {
      await new Promise<void>((done) => {
        const socket = connect(Number(new URL(door.intake.url).port), '127.0.0.1', () => socket.write(bytes));
        socket.once('data', (data) => expect(String(data)).toMatch(/^HTTP\/1\.1 4/));
        socket.once('error', () => done());
        socket.once('close', () => done());
      });
    }
    expect((await post(event())).status).toBe(200);
  });
});

test('tells anyone that it is alive and ready', async () => {
  expect((await fetch(`${door.intake.url}/healthz`)).status).toBe(200);
  expect((await fetch(`${door.intake.url}/readyz`)).status).toBe(200);
});

test('counts the rights that its account lacks, still accepts alerts, and names those rights to nobody', async () => {
  const missing = new Map([['cell', [{ right: 'patch pods', neededBy: ['quarantinePod'] }]]] as const);
  const own = await openDoor(new FakeIncidentGateway(), { missingRights: () => missing });
  try {
    expect((await own.post(event())).status).toBe(200);
    const said = await Promise.all(['metrics', 'readyz'].map(async (path) => (await fetch(`${own.intake.url}/${path}`)).text()));
    expect(said[0]).toMatch(/^firebreak_missing_rights\{pool="cell"\} 1$/m);
    expect(said.join()).not.toContain('patch pods');
  } finally {
    await own.intake.stop();
  }
});

test('keeps rejected items and raw alerts sealed, and no secret in plain text on the disk', async () => {
  const { readFileSync } = await import('node:fs');
  const { Spool } = await import('../../../service/intake/spool/spool.ts');
  const gateway = new FakeIncidentGateway();
  gateway.failing = 'down';
  const own = await openDoor(gateway);
  try {
    await own.post('{"canary-rejected":1}');
    await own.post(JSON.stringify(falcoEvent({}, { 'proc.cmdline': 'mysql -pcanary-secret' })));
    await own.intake.stop(50);
    const disk = readFileSync(`${own.directory}/data.mdb`).toString('latin1');
    expect(disk).toContain('Terminal shell in container');
    expect(disk).not.toContain('canary');
    const spool = await Spool.open({ directory: own.directory, maxBytes: 1e9 });
    const [kept] = spool.rejectedItems.rejected();
    const rejected = kept?.item;
    const [waiting] = spool.entriesOf('incident/lab/shop/Deployment/web', { limit: 1 });
    expect(rejected?.reason).toContain('`rule`');
    expect(Buffer.from(box.open(rejected?.raw ?? new Uint8Array(), 'firebreak.spool.rejectedItems')).toString()).toBe(
      '{"canary-rejected":1}',
    );
    expect(Buffer.from(box.open(waiting?.entry.raw ?? new Uint8Array(), 'firebreak.spool.alert')).toString()).toContain(
      'canary-secret',
    );
    await spool.close();
  } finally {
    removeDirectory(own.directory);
  }
});

describe('when it stops', () => {
  const request = (body: string, more = ''): string =>
    `POST /v1/alerts/falco HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;

  /** Stops an intake that has read all of a request but its last bytes, then sends these, followed by `after`. */
  async function stopMeanwhile(after: string): Promise<readonly string[] | null> {
    const own = await openDoor(new FakeIncidentGateway());
    const socket = connect(Number(new URL(own.intake.url).port), '127.0.0.1');
    let text = '';
    const answers = new Promise<string>((done) => {
      socket.on('data', (data) => {
        text += data;
      });
      // The connection is kept open: the intake ends it.
      socket.once('close', () => done(text));
    });
    // The intake answers the expectation once it has read the head, so the request has begun.
    const begun = request(event(), 'Expect: 100-continue\r\n');
    socket.write(begun.slice(0, -5));
    await until(() => text.startsWith('HTTP/1.1 100'));
    const stopped = own.intake.stop();
    socket.write(begun.slice(-5) + after);
    await stopped;
    removeDirectory(own.directory);
    return (await answers).match(/HTTP\/1\.1 [2-5]\d+/g);
  }

  test('it answers what it has begun, and does not wait for senders to disconnect', async () => {
    expect(await stopMeanwhile('')).toEqual(['HTTP/1.1 200']);
  });

  test('it accepts nothing more on open connections', async () => {
    expect(await stopMeanwhile(request(event()))).toEqual(['HTTP/1.1 200', 'HTTP/1.1 503']);
  });
});

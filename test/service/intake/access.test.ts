import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import { ownRules } from '../../../core/alert/own-alerts.ts';
import { subjectOf } from '../../../core/alert/subject.ts';
import type { SubjectResolver } from '../../../core/alert/subject-resolver.ts';
import { headStartOf } from '../../../core/incident/head-start.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { AlertBucket } from '../../../service/intake/read/alert-bucket.ts';
import type { HeadStart } from '../../../service/intake/send/head-start.ts';
import { FakeIncidentGateway } from '../../fakes/incident-gateway.ts';
import { assessedAs } from '../../fixtures/assessed.ts';
import { type Door, falcoEvent, openDoor, removeDirectory, token, until } from './parts/intake-fixture.ts';

const incident = 'incident/lab/shop/Deployment/web';
const doors: Door[] = [];

async function door(...call: Parameters<typeof openDoor>): Promise<Door> {
  const opened = await openDoor(...call);
  doors.push(opened);
  return opened;
}

afterEach(async () => {
  for (const { intake, directory } of doors.splice(0)) {
    await intake.stop(200);
    removeDirectory(directory);
  }
});

const event = (...call: Parameters<typeof falcoEvent>): string => JSON.stringify(falcoEvent(...call));
const nowSeconds = (): number => Math.floor(Date.now() / 1_000);
/** Alerts a second: so few that what a sender has used up is not refilled during a test, however slow the machine is. */
const hardlyAny = 0.001;

function signed(body: string | Uint8Array, { secret = 'siem-secret', at = nowSeconds() } = {}): Record<string, string> {
  const hex = createHmac('sha256', secret).update(`v1:${at}:`).update(body).digest('hex');
  return { authorization: '', 'x-firebreak-signature': `v1=${hex}`, 'x-firebreak-timestamp': String(at) };
}

const signatures = [
  { name: 'siem', secret: 'siem-secret' },
  { name: 'siem', secret: 'the-next-one' },
];

describe('tokens', () => {
  test('of one sender both work while they are rotated', async () => {
    const { post } = await door(new FakeIncidentGateway(), {
      access: {
        tokens: [
          { name: 'falco', token: 'old' },
          { name: 'falco', token: 'new' },
        ],
      },
    });
    for (const secret of ['old', 'new']) {
      expect((await post(event(), { headers: { authorization: `Bearer ${secret}` } })).status).toBe(200);
    }
    expect((await post(event(), { headers: { authorization: 'Bearer older' } })).status).toBe(401);
  });
});

describe('signatures', () => {
  test('of the body, with either secret, work without a token, even over compressed bytes', async () => {
    const { post } = await door(new FakeIncidentGateway(), { access: { signatures } });
    const body = event();
    expect((await post(body, { headers: signed(body) })).json).toMatchObject({ accepted: 1 });
    const other = event();
    expect((await post(other, { headers: signed(other, { secret: 'the-next-one' }) })).status).toBe(200);
    const packed = gzipSync(event());
    expect((await post(packed, { headers: { ...signed(packed), 'content-encoding': 'gzip' } })).json).toMatchObject({
      accepted: 1,
    });
  });

  test.each([
    ['of another body', () => signed('something else')],
    ['with another secret', (body: string) => signed(body, { secret: 'guess' })],
    ['six minutes old', (body: string) => signed(body, { at: nowSeconds() - 360 })],
    ['six minutes ahead', (body: string) => signed(body, { at: nowSeconds() + 360 })],
    ['with another timestamp', (body: string) => ({ ...signed(body), 'x-firebreak-timestamp': String(nowSeconds() - 1) })],
    ['without a timestamp', (body: string) => ({ ...signed(body), 'x-firebreak-timestamp': '' })],
    ['in another form', (body: string) => ({ ...signed(body), 'x-firebreak-signature': 'v2=00' })],
    ['that are wrong, with a correct token', (body: string) => ({ ...signed(`${body} `), authorization: `Bearer ${token}` })],
  ])('%s do not', async (_what, headersOf) => {
    const gateway = new FakeIncidentGateway();
    const { post } = await door(gateway, { access: { signatures } });
    const body = event();
    expect((await post(body, { headers: headersOf(body) })).status).toBe(401);
    expect(gateway.calls).toBe(0);
  });

  test('not yet checked share a limited memory for bodies: the oldest is dropped, and a valid one gets through', async () => {
    const { post, intake } = await door(new FakeIncidentGateway(), { access: { signatures } });
    const { hostname, port } = new URL(intake.url);
    const part = Buffer.alloc(15 * 1_048_576, 0x20);
    const held = Array.from({ length: 5 }, () => {
      const socket = connect(Number(port), hostname).on('error', () => undefined);
      const claimed = { ...signed('nothing'), authorization: 'none', host: 'intake', 'content-length': `${part.length + 1}` };
      const lines = Object.entries(claimed).map(([name, value]) => `${name}: ${value}`);
      socket.resume().write(`POST /v1/alerts HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      socket.write(part);
      return socket;
    });
    await until(() => held.some(({ closed }) => closed));
    expect(held.filter(({ closed }) => !closed)).toHaveLength(4);
    const body = event();
    expect((await post(body, { headers: signed(body) })).json).toMatchObject({ accepted: 1 });
    for (const socket of held) socket.destroy();
  });

  test('work once, and again only if nothing was accepted', async () => {
    const { post } = await door(new FakeIncidentGateway(), {
      access: { signatures, senders: [{ name: 'siem', alertsPerSecond: hardlyAny, burst: 1 }] },
    });
    const body = event();
    const headers = signed(body);
    expect((await post(body, { headers })).status).toBe(200);
    const again = await post(body, { headers });
    expect(again).toMatchObject({ status: 401, json: { reason: expect.stringContaining('used before') } });
    const limited = event();
    const others = signed(limited);
    expect((await post(limited, { headers: others })).status).toBe(429);
    expect((await post(limited, { headers: others })).status).toBe(429);
  });
});

describe('a sender', () => {
  test('may report only on its own namespaces, item by item, and the rest is kept for inspection', async () => {
    const gateway = new FakeIncidentGateway();
    const { post, rejected } = await door(gateway, { access: { senders: [{ name: 'falco', namespaces: ['shop'] }] } });
    const other = event({}, { 'k8s.ns.name': 'payments' });
    const host = event({}, { 'k8s.ns.name': null, 'k8s.pod.name': null });
    const answer = await post(`[${event()}, ${other}, ${host}]`);
    expect(answer).toMatchObject({ status: 200, json: { accepted: 1, forbidden: 2 } });
    expect(answer.json.items).toMatchObject([
      { status: 'accepted', incident },
      { status: 'forbidden', code: 403, reason: expect.stringContaining('namespace') },
      { status: 'forbidden', code: 403 },
    ]);
    expect((await post(other)).status).toBe(403);
    expect((await rejected()).map(({ from }) => from)).toEqual(['falco', 'falco', 'falco']);
    expect([...gateway.runs.keys()]).toEqual([incident]);
  });

  test('may report only for its own clusters', async () => {
    const { post } = await door(new FakeIncidentGateway(), { access: { senders: [{ name: 'falco', clusters: ['lab'] }] } });
    expect((await post(event())).json).toMatchObject({ accepted: 1 });
    expect((await post(event({ cluster: 'lab' }))).json).toMatchObject({ accepted: 1 });
    expect((await post(event({ cluster: 'prod' }))).status).toBe(403);
    expect((await post(event({}, { 'k8s.cluster.name': 'prod' }))).status).toBe(403);
    const foreign = await door(new FakeIncidentGateway(), { access: { senders: [{ name: 'falco', clusters: ['prod'] }] } });
    expect((await foreign.post(event())).status).toBe(403);
  });

  test('that is bound to a node triggers nothing automatic for pods of other nodes, whatever it claims', async () => {
    const gateway = new FakeIncidentGateway();
    const { post } = await door(gateway, { resolver: placing, access: { senders: [{ name: 'falco', node: 'node-7' }] } });
    const sent = async (pod: string, hostname: string): Promise<Alert | undefined> => {
      const id = `incident/lab/shop/StatefulSet/${pod}`;
      expect((await post(event({ hostname }, { 'k8s.pod.name': `${pod}-0` }))).json).toMatchObject({ accepted: 1 });
      await until(() => gateway.counted(id) > 0);
      return gateway.batches(id)[0]?.alerts[0];
    };
    expect(await sent('here', 'node-7')).toMatchObject({ node: 'node-7', pod: { uid: 'uid-of-here-0' } });
    const away = await sent('away', 'node-7');
    expect(away).toMatchObject({ doubt: expect.stringContaining('node-8'), pod: { namespace: 'shop', name: 'away-0' } });
    expect(away?.pod?.uid).toBeUndefined();
    const unknown = await sent('unknown', 'node-7');
    expect(unknown?.doubt).toBeDefined();
    expect(unknown?.pod?.uid).toBeUndefined();
    await post(event({ hostname: 'node-9' }, { 'k8s.ns.name': null, 'k8s.pod.name': null }));
    await until(() => gateway.counted('incident/lab/node/node-7') > 0);
    expect(gateway.batches('incident/lab/node/node-7')[0]?.alerts[0]?.doubt).toContain('node-9');
  });

  test.each(Object.values(ownRules))(
    'may not claim “%s”: it is accepted in doubt, and nothing automatic follows',
    async (rule) => {
      const gateway = new FakeIncidentGateway();
      const begun: string[] = [];
      const headStart: HeadStart = {
        wants: (asked) => {
          const alert = { ...asked.alert, assessment: assessedAs('contain') };
          return headStartOf({ ...asked, alert }, { playbooks, now: Date.now() }) !== undefined;
        },
        begin: async ({ alert }) => {
          begun.push(alert.rule);
          return 'contained';
        },
        orphans: () => 0,
      };
      const { post } = await door(gateway, { resolver: placing, headStart });
      const sent = event({ rule, priority: 'Critical', time: new Date().toISOString() }, { 'k8s.pod.name': 'here-0' });
      expect((await post(sent)).json).toMatchObject({ accepted: 1 });
      const id = 'incident/lab/shop/StatefulSet/here';
      await until(() => gateway.counted(id) > 0);
      expect(gateway.batches(id)[0]?.alerts[0]).toMatchObject({
        sensor: 'falco',
        rule,
        doubt: expect.stringContaining('only Firebreak'),
      });
      expect(begun).toEqual([]);
    },
  );

  test('never sends in Firebreak’s own name, whatever the payload says', async () => {
    const gateway = new FakeIncidentGateway();
    const { post } = await door(gateway);
    const claims = {
      schema: 'firebreak.alert.v1',
      rule: ownRules.quarantine,
      severity: 'critical',
      time: '2026-06-01T10:00:00Z',
    };
    const pod = { namespace: 'shop', name: 'web-6d4cf56db6-xbcdf' };
    for (const sensor of ['firebreak', ' firebreak', 'firebreak ', 'Firebreak', '​firebreak', ['firebreak']]) {
      const one = { ...claims, id: JSON.stringify(sensor), sensor, requester: 'ana', actors: ['ana'], pod };
      for (const path of ['/v1/alerts', '/v1/alerts/generic']) await post(JSON.stringify(one), { path });
    }
    await post(event({ sensor: 'firebreak', requester: 'ana', actors: ['ana'] }, { sensor: 'firebreak', requester: 'ana' }));
    await until(() => gateway.counted(incident) >= 7);
    const taken = gateway.batches(incident).flatMap(({ alerts }) => alerts);
    expect(new Set(taken.map(({ sensor }) => sensor))).toEqual(new Set(['generic', 'falco']));
    expect(taken.filter((alert) => alert.requester !== undefined || alert.actors !== undefined)).toEqual([]);
  });

  test('that is bound to a node is no sign of life from another node', async () => {
    const { post, intake } = await door(new FakeIncidentGateway(), {
      resolver: placing,
      access: {
        tokens: [
          { name: 'falco', token },
          { name: 'who-looks', token: 'who-looks' },
        ],
        senders: [{ name: 'falco', node: 'node-7' }],
      },
    });
    const about8 = { hostname: 'node-8' };
    await post(event(about8, { 'k8s.pod.name': 'away-0' }));
    await post(event({ ...about8, rule: 'Falco internal: syscall event drop', source: 'internal' }, { 'k8s.pod.name': null }));
    const answer = await fetch(`${intake.url}/v1/sensors`, { headers: { authorization: 'Bearer who-looks' } });
    expect(await answer.json()).toMatchObject({ sensors: [{ sensor: 'falco', host: 'node-7', alerts: 1, messages: 1 }] });
  });

  test('that sends too much is told when to retry, and its critical alerts still pass', async () => {
    const { post } = await door(new FakeIncidentGateway(), {
      access: { senders: [{ name: 'falco', alertsPerSecond: hardlyAny, burst: 20 }] },
    });
    const storm = await post(`[${Array.from({ length: 60 }, () => event()).join(',')}]`);
    expect(storm.status).toBe(429);
    expect(Number(storm.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(storm.json).toMatchObject({ accepted: 20, limited: 40 });
    expect((await post(event({ priority: 'Critical' }))).json).toMatchObject({ accepted: 1 });
    expect((await post(event())).status).toBe(429);
  });
});

test('a bucket refills, reserves room for critical alerts, and inspects four times as many to find them', () => {
  let now = 0;
  const bucket = new AlertBucket({ perSecond: 10, burst: 8, now: () => now });
  const allowed = (count: number): readonly string[] => Array.from({ length: count }, () => bucket.take());
  const critical = (count: number): number => Array.from({ length: count }, () => bucket.takeCritical()).filter(Boolean).length;
  const times = (word: string, count: number): readonly string[] => Array.from({ length: count }, () => word);
  expect(allowed(50)).toEqual([...times('read', 8), ...times('looked-at', 32), ...times('nothing', 10)]);
  expect(bucket.isEmpty).toBe(true);
  expect(critical(20)).toBe(2);
  now = 500;
  expect(bucket.isEmpty).toBe(false);
  expect(allowed(40)).toEqual([...times('read', 5), ...times('looked-at', 20), ...times('nothing', 15)]);
  expect(critical(20)).toBe(1);
  bucket.giveBack();
  expect(allowed(1)).toEqual(['read']);
});

describe('the limit of a sender', () => {
  const slowly = { senders: [{ name: 'falco', alertsPerSecond: hardlyAny, burst: 10 }] };
  const bodyOf = (items: readonly string[]): string => `[${items.join(',')}]`;
  const many = (count: number, one: () => string): readonly string[] => Array.from({ length: count }, one);

  test('counts what is rejected, and anything beyond it is neither read nor kept', async () => {
    const { post, rejected } = await door(new FakeIncidentGateway(), { access: slowly });
    const answer = await post(bodyOf(many(60, () => '{"no":"alert"}')));
    expect(answer).toMatchObject({ status: 429, json: { rejected: 10, limited: 50 } });
    expect(await rejected()).toHaveLength(10);
    expect((await post('no JSON at all {')).status).toBe(429);
    expect(await rejected()).toHaveLength(10);
  });

  test('lets a batch that is sent again get further each time', async () => {
    const { post } = await door(new FakeIncidentGateway(), {
      access: { senders: [{ name: 'falco', alertsPerSecond: 20, burst: 20 }] },
    });
    const batch = bodyOf(many(60, () => event()));
    let sent = 0;
    for (let answer = await post(batch); answer.status === 429; answer = await post(batch)) {
      sent += 1;
      expect(sent).toBeLessThan(20);
      await new Promise((resolve) => setTimeout(resolve, Number(answer.headers.get('retry-after')) * 1_000));
    }
    expect((await post(batch)).json).toMatchObject({ duplicate: 60 });
  });

  test('counts each alert of a batch of the API audit, and not the batch', async () => {
    const { post } = await door(new FakeIncidentGateway(), { access: slowly });
    const one = { kind: 'Event', level: 'Metadata', stage: 'ResponseComplete', verb: 'get', requestURI: '/healthz' };
    const items = many(30, () => JSON.stringify(one));
    const answer = await post(`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":${bodyOf(items)}}`, {
      path: '/v1/alerts/kubernetes-audit',
    });
    const { ignored, rejected, limited } = answer.json;
    expect(Number(ignored) + Number(rejected) + Number(limited)).toBe(30);
  });
});

describe('what costs a stranger nothing', () => {
  const soonCut = { patience: { headMs: 1_000 } };

  test('hundreds of silent connections keep no sender out, and are closed', async () => {
    const { intake, post } = await door(new FakeIncidentGateway(), soonCut);
    const port = Number(new URL(intake.url).port);
    const sockets = Array.from({ length: 400 }, () =>
      connect(port, '127.0.0.1')
        .on('error', () => undefined)
        .resume(),
    );
    const openOnes = (): number => sockets.filter(({ destroyed }) => !destroyed).length;
    await until(() => openOnes() <= 100);
    expect((await post(event())).json).toMatchObject({ accepted: 1 });
    await until(() => openOnes() === 0);
    expect((await post(event())).json).toMatchObject({ accepted: 1 });
  });

  test('a slow head is cut off, and a head that is too long is refused', async () => {
    const { intake } = await door(new FakeIncidentGateway(), soonCut);
    const port = Number(new URL(intake.url).port);
    const slow = await talk(port, 'POST /v1/alerts/falco HTTP/1.1\r\nHost: x\r\nX-A: ');
    expect(slow).toMatchObject({ answer: expect.stringMatching(/^HTTP\/1\.1 408/) });
    const long = await talk(port, `POST /v1/alerts/falco HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`);
    expect(long.answer).toMatch(/^HTTP\/1\.1 431/);
  });

  test('a body without a token is not read', async () => {
    const { intake } = await door(new FakeIncidentGateway());
    const head = 'POST /v1/alerts/falco HTTP/1.1\r\nHost: x\r\nContent-Length: 16000000\r\n\r\n';
    // The body never comes.
    const { answer } = await talk(Number(new URL(intake.url).port), head);
    expect(answer).toMatch(/^HTTP\/1\.1 401/);
  });

  test('a body that decompresses to a thousand times its size is refused, but not one of identical alerts', async () => {
    const { post } = await door(new FakeIncidentGateway(), { maxBytes: 1e9 });
    const headers = { 'content-encoding': 'gzip' };
    expect((await post(gzipSync(Buffer.alloc(8_000_000, 0x20)), { headers })).status).toBe(413);
    const alike = Array.from({ length: 4_000 }, () => event()).join('\n');
    expect(gzipSync(alike).length).toBeLessThan(alike.length / 10);
    expect((await post(gzipSync(alike), { headers })).json).toMatchObject({ accepted: 4_000 });
  });
});

function talk(port: number, text: string): Promise<{ answer: string }> {
  return new Promise((done) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (data) => {
      answer += String(data);
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => done({ answer }));
  });
}

/** The cluster as the watch cache would report it: `here-0` runs on node-7, `away-0` on node-8. */
const placing: SubjectResolver = {
  resolve(alert) {
    const nodes: Readonly<Record<string, string>> = { 'here-0': 'node-7', 'away-0': 'node-8' };
    const { pod } = alert;
    const node = pod && nodes[pod.name];
    const placed = pod && node ? { ...alert, node, pod: { ...pod, uid: `uid-of-${pod.name}` } } : alert;
    // The uid that a sensor claims, if nobody knows better.
    const told = pod && !node ? { ...placed, pod: { ...pod, uid: 'claimed' } } : placed;
    return { alert: told, subject: subjectOf(told) };
  },
};

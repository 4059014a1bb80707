import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { FairScheduler } from '../../../service/intake/read/fair-scheduler.ts';
import { eventually } from '../../eventually.ts';
import { FakeIncidentGateway } from '../../fakes/incident-gateway.ts';
import { type Door, falcoEvent, openDoor, removeDirectory, token } from './parts/intake-fixture.ts';

describe('turns', () => {
  /** Work of a given duration, measured by a clock that the test controls. */
  function clocked() {
    let now = 0;
    const done: string[] = [];
    const turns = new FairScheduler(() => now);
    const piece = (name: string, takesMs: number) => (): string => {
      now += takesMs;
      done.push(name);
      return name;
    };
    return { turns, done, piece, pass: (ms: number) => (now += ms) };
  }

  test('whoever needs little is served at once, whoever else waits', async () => {
    const { turns, done, piece } = clocked();
    const [greedy, modest] = [{}, {}];
    expect(turns.run(greedy, piece('large', 1_000))).toBe('large');
    const waits = turns.run(greedy, piece('larger', 10));
    expect(waits).toBeInstanceOf(Promise);
    expect(turns.run(modest, piece('small', 1))).toBe('small');
    await waits;
    expect(done).toEqual(['large', 'small', 'larger']);
  });

  test('whoever exceeds its share does not wait while nobody else does, until this turn of the event loop is used up', async () => {
    const { turns, done, piece } = clocked();
    const greedy = {};
    turns.run(greedy, piece('first', 1_000));
    await new Promise<void>((next) => setImmediate(next));
    done.length = 0;
    const all = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => turns.run(greedy, piece(name, 2)));
    expect(done).toEqual(['a', 'b']);
    await Promise.all(all);
    expect(done).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  test('a burst of a sender that needed little so far is read at once only at its beginning, so that containments begin in between', async () => {
    const { turns, done, piece } = clocked();
    const sender = {};
    const all = Array.from({ length: 12 }, (_, n) => turns.run(sender, piece(`${n}`, 2)));
    // 10 ms, and a quarter of the time that passes meanwhile.
    expect(done).toHaveLength(7);
    await new Promise<void>((next) => setImmediate(next));
    expect(done.length).toBeLessThan(12);
    await Promise.all(all);
    expect(done).toHaveLength(12);
  });

  test('those who need much take turns, a piece each', async () => {
    const { turns, done, piece } = clocked();
    const senders = { a: {}, b: {}, c: {} };
    for (const sender of Object.values(senders)) turns.run(sender, piece('first', 1_000));
    done.length = 0;
    const all = [];
    for (let n = 0; n < 50; n += 1) all.push(turns.run(senders.a, piece('a', 3)));
    all.push(turns.run(senders.b, piece('b', 3)), turns.run(senders.c, piece('c', 3)));
    await Promise.all(all);
    expect(done.slice(0, 4)).toEqual(['a', 'b', 'c', 'a']);
  });

  test('what others send is handled in between', async () => {
    const { turns, done, piece } = clocked();
    const greedy = {};
    turns.run(greedy, piece('first', 1_000));
    const all = Array.from({ length: 40 }, (_, n) => turns.run(greedy, piece(`piece ${n}`, 3)));
    let passes = 0;
    const pass = (): void => {
      passes += 1;
      if (done.length < 41) setImmediate(pass);
    };
    setImmediate(pass);
    await Promise.all(all);
    expect(passes).toBeGreaterThan(15);
  });

  test('whoever was greedy counts as modest again after a while, and a piece that fails affects no other', async () => {
    const { turns, piece, pass } = clocked();
    const sender = {};
    turns.run(sender, piece('large', 1_000));
    const fails = turns.run(sender, () => {
      throw new Error('no');
    });
    const goes = turns.run(sender, piece('on', 1));
    await expect(fails).rejects.toThrow('no');
    await expect(goes).resolves.toBe('on');
    // A quarter of a core is its own.
    pass(3_000);
    turns.run({}, piece('of another', 10));
    const waits = turns.run(sender, piece('not yet', 1));
    expect(waits).toBeInstanceOf(Promise);
    await waits;
    pass(1_100);
    turns.run({}, piece('of another', 10));
    expect(turns.run(sender, piece('small', 1))).toBe('small');
  });
});

describe('a large body', () => {
  let opened: Door | undefined;
  afterEach(async () => {
    await opened?.intake.stop(200);
    if (opened) removeDirectory(opened.directory);
  });
  const slow = 'password=x -u a:b eyJa.'.repeat(700);
  const alerts = (count: number): readonly string[] =>
    Array.from({ length: count }, () => JSON.stringify(falcoEvent({}, { 'proc.cmdline': slow })));
  /** Each is read as an alert: entries that are not alerts cost too little to be read in pieces. */
  const audit = (count: number): string => {
    const one = {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: 'Request',
      auditID: 'x',
      stage: 'ResponseComplete',
      verb: 'create',
      user: { username: slow },
      objectRef: { resource: 'pods', subresource: 'exec', namespace: 'shop', name: 'cart-1', apiVersion: 'v1' },
      requestURI: `/api/v1/namespaces/shop/pods/cart-1/exec?command=${encodeURIComponent(slow)}`,
      userAgent: slow,
      responseStatus: { code: 101 },
      requestReceivedTimestamp: '2026-06-01T10:00:00.000001Z',
      stageTimestamp: '2026-06-01T10:00:00.000002Z',
    };
    return `{"kind":"EventList","items":[${Array.from({ length: count }, () => JSON.stringify(one)).join(',')}]}`;
  };

  test.each([
    ['of many alerts', '/v1/alerts/falco', () => `[${alerts(500).join(',')}]`],
    ['that is one batch of the API audit', '/v1/alerts/kubernetes-audit', () => audit(300)],
  ])('%s is read in pieces, and another sender’s critical alert is answered in between', async (_what, path, bodyOf) => {
    opened = await openDoor(new FakeIncidentGateway(), {
      access: {
        tokens: [
          { name: 'greedy', token },
          { name: 'falco', token: 'another' },
        ],
      },
    });
    const { post } = opened;
    let isAnswered = false;
    const body = bodyOf();
    const large = post(body, { path }).finally(() => {
      isAnswered = true;
    });
    let between = 0;
    while (!isAnswered) {
      const critical = JSON.stringify(falcoEvent({ priority: 'Critical' }));
      expect((await post(critical, { headers: { authorization: 'Bearer another' } })).status).toBe(200);
      if (!isAnswered) between += 1;
    }
    expect((await large).status).toBe(200);
    // If a body were read in one go, there would be only two to four, which arrive while it is sent.
    expect(between).toBeGreaterThan(4);
  });

  test('that arrives slowly takes limited memory: its sender’s oldest is dropped, and what the sender sends whole is accepted', async () => {
    opened = await openDoor(new FakeIncidentGateway());
    const { intake, post } = opened;
    const part = Buffer.alloc(15_000_000, 0x20);
    const head = `POST /v1/alerts/falco HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 16000000\r\n\r\n`;
    const closed: number[] = [];
    const sockets: Socket[] = [];
    for (let n = 0; n < 5; n += 1) {
      const socket = connect(Number(new URL(intake.url).port), '127.0.0.1');
      sockets.push(socket);
      socket.on('error', () => undefined).on('close', () => closed.push(n));
      socket.write(head);
      await new Promise((written) => socket.write(part, written));
    }
    await eventually('the oldest is cut', () => closed.length > 0);
    expect(closed).toEqual([0]);
    expect((await post(JSON.stringify(falcoEvent()))).json).toMatchObject({ accepted: 1 });
    for (const socket of sockets) socket.destroy();
  });
});

import { afterEach, describe, expect, test } from '@jest/globals';
import type { IncidentStart } from '../../../core/incident/incident.ts';
import { askRunningService, askRunningUnauthorized } from '../../../service/intake/control.ts';
import type { StartOptions, StartResult } from '../../../service/intake/send/incident-gateway.ts';
import { RejectedAlerts } from '../../../service/intake/spool/rejected-alerts.ts';
import { Spool } from '../../../service/intake/spool/spool.ts';
import { eventually } from '../../eventually.ts';
import { FakeIncidentGateway } from '../../fakes/incident-gateway.ts';
import { box, type Door, type DoorOptions, falcoEvent, openDoor, removeDirectory, until } from './parts/intake-fixture.ts';

const incident = 'incident/lab/shop/Deployment/web';
const doors: Door[] = [];
const event = (...call: Parameters<typeof falcoEvent>): string => JSON.stringify(falcoEvent(...call));

/** A Temporal that permanently refuses every start while `refusing` is set. */
class Picky extends FakeIncidentGateway {
  refusing = true;

  override async start(id: string, start: IncidentStart, options: StartOptions): Promise<StartResult> {
    return this.refusing ? { kind: 'refused', detail: 'invalid' } : super.start(id, start, options);
  }
}

async function door(gateway = new FakeIncidentGateway(), options: DoorOptions = {}): Promise<Door> {
  const opened = await openDoor(gateway, options);
  doors.push(opened);
  return opened;
}

async function running({ directory }: Door) {
  const access = await askRunningService(directory);
  if (access === undefined) throw new Error('the intake does not answer on its control socket');
  return access;
}

afterEach(async () => {
  for (const { intake, directory } of doors.splice(0)) {
    await intake.stop(100);
    removeDirectory(directory);
  }
});

describe('what Temporal refuses for good', () => {
  test('is set aside, holds up nothing, and goes to its incident when it is replayed', async () => {
    const gateway = new Picky();
    const opened = await door(gateway);
    expect((await opened.post(event())).status).toBe(200);
    await until(() => opened.intake.waitingBytes() > 0);
    const access = await running(opened);
    const rejected = await eventually('an alert set aside', async () => {
      const list = await access.list();
      return list.length > 0 && list;
    });
    expect(rejected).toMatchObject([{ incident, rule: 'Terminal shell in container', reason: 'invalid' }]);
    const shown = await access.show(rejected[0]?.id ?? '');
    const raw = box.open(Buffer.from(shown?.sealed ?? '', 'base64'), 'firebreak.spool.alert');
    expect(Buffer.from(raw).toString()).toContain('Terminal shell in container');
    gateway.refusing = false;
    expect((await opened.post(event())).status).toBe(200);
    await until(() => gateway.counted(incident) === 1);
    expect(await access.replay(rejected[0]?.id ?? '', new Uint8Array())).toMatchObject({ outcome: 'returned' });
    await until(() => gateway.counted(incident) === 2);
    expect(await access.list()).toEqual([]);
  });

  test('can be returned without the service, and is sent at its next start', async () => {
    const picky = new Picky();
    const first = await openDoor(picky);
    await first.post(event());
    const rejected = await eventually('an alert set aside', async () => {
      const list = await first.rejected();
      return list.length > 0 && list;
    });
    await first.intake.stop(100);
    expect(await askRunningService(first.directory)).toBeUndefined();
    const spool = await Spool.open({ directory: first.directory, maxBytes: 1e9 });
    const offline = new RejectedAlerts({ spool });
    expect(offline.list()).toHaveLength(1);
    expect(await offline.replay(rejected[0]?.id ?? '', new Uint8Array())).toMatchObject({ outcome: 'returned' });
    await spool.close();
    const gateway = new FakeIncidentGateway();
    await door(gateway, { directory: first.directory });
    await until(() => gateway.counted(incident) === 1);
  });
});

describe('what was rejected on arrival', () => {
  test('can be accepted after a fix, under the same sender’s limits, and leaves the list only then', async () => {
    const opened = await door(new FakeIncidentGateway(), { access: { senders: [{ name: 'falco', namespaces: ['payments'] }] } });
    const sent = event();
    expect((await opened.post(sent)).status).toBe(403);
    expect((await opened.post('{"no":"alert"}')).status).toBe(422);
    const access = await running(opened);
    const [unreadable, forbidden] = await access.list();
    expect(unreadable).toMatchObject({ sensor: 'falco', from: 'falco', reason: expect.stringContaining('`rule`') });
    expect(await access.replay(forbidden?.id ?? '', Buffer.from(sent))).toMatchObject({ outcome: 'refused' });
    expect(await access.list()).toHaveLength(2);
    expect(await access.replay('r99', Buffer.from(sent))).toMatchObject({ outcome: 'unknown' });
    await opened.intake.stop(100);
    const gateway = new FakeIncidentGateway();
    const again = await door(gateway, { directory: opened.directory });
    const later = await running(again);
    expect(await later.replay(forbidden?.id ?? '', Buffer.from(sent))).toMatchObject({ outcome: 'accepted' });
    expect(await later.replay(unreadable?.id ?? '', Buffer.from('{"no":"alert"}'))).toMatchObject({ outcome: 'refused' });
    expect((await later.list()).map(({ id }) => id)).toEqual([unreadable?.id]);
    await until(() => gateway.counted(incident) === 1);
  });
});

describe('clocks', () => {
  test('both times are kept, and an alert that is a minute off is accepted and marked', async () => {
    const gateway = new FakeIncidentGateway();
    const opened = await door(gateway);
    const timed = async (pod: string, time: string): Promise<unknown> => {
      await opened.post(event({ time }, { 'k8s.pod.name': `${pod}-0` }));
      const id = `incident/lab/shop/StatefulSet/${pod}`;
      await until(() => gateway.counted(id) === 1);
      return gateway.batches(id)[0]?.alerts[0];
    };
    const now = new Date().toISOString();
    const close = await timed('close', now);
    expect(close).toMatchObject({ time: now, receivedAt: expect.stringMatching(/Z$/) });
    expect(close).not.toHaveProperty('clockSuspect');
    const ahead = new Date(Date.now() + 120_000).toISOString();
    expect(await timed('ahead', ahead)).toMatchObject({ time: ahead, clockSuspect: true });
    expect(await timed('late', '2026-01-01T00:00:00Z')).toMatchObject({ clockSuspect: true });
  });
});

describe('what the intake reports about itself', () => {
  test('its metrics to Prometheus, and the sensors to a sender', async () => {
    const gateway = new FakeIncidentGateway();
    const opened = await door(gateway);
    await opened.post(event());
    await opened.post(
      event({
        rule: 'Falco internal: syscall event drop',
        output: 'Falco internal: syscall event drop. 12 system calls dropped',
      }),
    );
    await opened.post(event({ rule: 'Falco internal: metrics snapshot', output: 'Falco metrics snapshot' }));
    await opened.post('{"no":"alert"}');
    await opened.post(event(), { headers: { authorization: 'Bearer wrong' } });
    await until(() => gateway.counted(incident) === 1);
    const text = await (await fetch(`${opened.intake.url}/metrics`)).text();
    for (const line of [
      'firebreak_intake_alerts_accepted_total{severity="low"} 1',
      'firebreak_intake_sensor_messages_total{sensor="falco"} 2',
      'firebreak_intake_sensor_drops_total{sensor="falco"} 1',
      'firebreak_intake_refused_total{reason="unreadable"} 1',
      'firebreak_intake_refused_total{reason="unauthorized"} 1',
      'firebreak_intake_temporal_calls_total{kind="start",result="started"} 1',
      'firebreak_intake_durable_seconds_count',
      'firebreak_intake_spool_used_ratio',
    ])
      expect(text).toContain(line);
    expect(await askRunningUnauthorized(opened.directory)).toEqual([
      expect.objectContaining({ from: '127.0.0.1', count: 1, reason: expect.stringContaining('a token is needed') }),
    ]);
    expect((await fetch(`${opened.intake.url}/v1/sensors`)).status).toBe(401);
    const asked = await opened.post('', { path: '/v1/sensors', method: 'GET' });
    expect(asked.json).toMatchObject({
      sensors: expect.arrayContaining([
        expect.objectContaining({ sensor: 'falco', host: 'node-7', alerts: 1, drops: 1, messages: 2 }),
      ]),
    });
  });
});

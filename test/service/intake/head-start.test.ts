import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { resolverFromNames } from '../../../core/alert/subject.ts';
import type { SubjectResolver } from '../../../core/alert/subject-resolver.ts';
import type { HeadStartRequest } from '../../../core/incident/head-start.ts';
import type { HeadStart, HeadStartResult } from '../../../service/intake/send/head-start.ts';
import { type TraceSpan, Tracing } from '../../../service/process/telemetry/tracing.ts';
import { FakeIncidentGateway } from '../../fakes/incident-gateway.ts';
import { type Door, falcoEvent, freshDirectory, openDoor, removeDirectory, until } from './parts/intake-fixture.ts';

const incident = 'incident/lab/shop/Deployment/web';
const critical = () => falcoEvent({ priority: 'Critical', rule: 'Drop and execute new binary in container' });

/** Records what it is asked to begin, and what Temporal had by then. */
class NotedHeadStart implements HeadStart {
  readonly begun: { readonly request: HeadStartRequest; readonly startsBefore: number }[] = [];
  readonly gateway: FakeIncidentGateway;
  takesMs = 0;
  result: HeadStartResult = 'contained';
  /** The most that were under way at the same time. */
  most = 0;
  #underway = 0;

  constructor(gateway: FakeIncidentGateway) {
    this.gateway = gateway;
  }

  wants({ alert }: HeadStartRequest): boolean {
    return alert.severity === 'critical';
  }

  async begin(request: HeadStartRequest, durable: Promise<unknown>): Promise<HeadStartResult> {
    await durable;
    this.begun.push({ request, startsBefore: this.gateway.starts.length });
    this.#underway += 1;
    this.most = Math.max(this.most, this.#underway);
    await sleep(this.takesMs, undefined, { ref: false });
    this.#underway -= 1;
    return this.result;
  }

  orphans(): number {
    return 0;
  }
}

/** Critical alerts about that many different workloads. */
function burstOf(size: number) {
  return Array.from({ length: size }, (_, n) =>
    falcoEvent({ priority: 'Critical' }, { 'k8s.pod.name': `web${n}-6d4cf56db6-xbcdf` }),
  );
}

function podOf(alert: Record<string, unknown>): unknown {
  const { output_fields: fields } = alert;
  return typeof fields === 'object' && fields !== null && 'k8s.pod.name' in fields ? fields['k8s.pod.name'] : undefined;
}

const opened: Door[] = [];
async function door(headStart: HeadStart, gateway: FakeIncidentGateway, more: object = {}): Promise<Door> {
  const one = await openDoor(gateway, { headStart, ...more });
  opened.push(one);
  return one;
}

afterEach(async () => {
  for (const { intake, directory } of opened.splice(0)) {
    await intake.stop(200);
    removeDirectory(directory);
  }
});

describe('the head start', () => {
  test('comes before the start of the incident, which follows', async () => {
    const gateway = new FakeIncidentGateway();
    const headStart = new NotedHeadStart(gateway);
    const { post, intake } = await door(headStart, gateway);
    expect((await post(JSON.stringify(critical()))).status).toBe(200);
    await until(() => gateway.counted(incident) === 1);
    expect(headStart.begun).toMatchObject([{ request: { alert: { severity: 'critical' } }, startsBefore: 0 }]);
    const metrics = await (await fetch(`${intake.url}/metrics`)).text();
    expect(metrics).toContain('firebreak_head_starts_total{result="contained"} 1');
    expect(metrics).toContain('firebreak_contain_seconds_count 1');
  });

  test('that hangs delays neither the answer nor the start', async () => {
    const gateway = new FakeIncidentGateway();
    const headStart = new NotedHeadStart(gateway);
    headStart.takesMs = 3_600_000;
    const { post } = await door(headStart, gateway, { patience: { stuckMs: 300 } });
    expect((await post(JSON.stringify(critical()))).status).toBe(200);
    await until(() => gateway.counted(incident) === 1);
  });

  test('that fails again and again, as while the API server is down, delays no start either', async () => {
    const gateway = new FakeIncidentGateway();
    const headStart = new NotedHeadStart(gateway);
    headStart.takesMs = 400;
    headStart.result = 'failed';
    const { post } = await door(headStart, gateway, { patience: { stuckMs: 1_000 } });
    // So many that they would take half a minute, sixteen at a time.
    await post(JSON.stringify(burstOf(1_000)));
    await until(() => gateway.starts.length > 0);
    expect(headStart.begun.length).toBeLessThan(500);
  });

  test('in a burst: all of it before the first start', async () => {
    const gateway = new FakeIncidentGateway();
    const headStart = new NotedHeadStart(gateway);
    // Longer than a second for all of them, as on a shared machine.
    headStart.takesMs = 400;
    const { post } = await door(headStart, gateway);
    await post(JSON.stringify(burstOf(60)));
    await until(() => gateway.starts.length === 60);
    expect(headStart.begun.map(({ startsBefore }) => startsBefore)).toEqual(Array.from({ length: 60 }, () => 0));
  });

  test('in a burst: no more at once than is useful, in order of arrival', async () => {
    const gateway = new FakeIncidentGateway();
    const headStart = new NotedHeadStart(gateway);
    headStart.takesMs = 20;
    const { post } = await door(headStart, gateway);
    await post(JSON.stringify(burstOf(60)));
    await until(() => headStart.begun.length === 60);
    expect(headStart.most).toBeLessThanOrEqual(16);
    expect(headStart.begun.map(({ request }) => request.alert.pod?.name)).toEqual(burstOf(60).map(podOf));
  });

  test('does not wait for Temporal, and is repeated from the spool after a restart', async () => {
    const gateway = new FakeIncidentGateway();
    gateway.failing = 'down';
    const headStart = new NotedHeadStart(gateway);
    const directory = freshDirectory();
    const first = await openDoor(gateway, { headStart, directory });
    await first.post(JSON.stringify(critical()));
    await until(() => headStart.begun.length > 0);
    await first.intake.stop(50);
    const after = new NotedHeadStart(gateway);
    await door(after, gateway, { directory });
    await until(() => after.begun.length > 0);
    expect(after.begun[0]?.request.alert.id).toBe(headStart.begun[0]?.request.alert.id);
    gateway.failing = 'no';
    await until(() => gateway.counted(incident) === 1);
  });

  test.each(['before the turn of its alert', 'in a failed attempt to send it'])(
    'is in the trace of its incident, even if it came %s',
    async (when) => {
      const gateway = new FakeIncidentGateway();
      gateway.failing = 'down';
      const directory = freshDirectory();
      const spans: TraceSpan[] = [];
      const after = new NotedHeadStart(gateway);
      const traced = { directory, tracing: new Tracing((span) => spans.push(span)) };
      if (when.startsWith('before')) {
        const first = await openDoor(gateway, { directory });
        await first.post(JSON.stringify(critical()));
        await first.intake.stop(50);
        await door(after, gateway, traced);
      } else await (await door(after, gateway, traced)).post(JSON.stringify(critical()));
      await until(() => after.begun.length > 0 && gateway.calls > 0);
      gateway.failing = 'no';
      const named = (name: string): readonly TraceSpan[] => spans.filter((span) => span.name === name);
      await until(() => named('head start').length === after.begun.length);
      const alerts = named('alert').map(({ traceId, spanId: parentId }) => ({ traceId, parentId }));
      for (const { traceId, parentId } of named('head start')) expect(alerts).toContainEqual({ traceId, parentId });
    },
  );

  test('for another pod of an open incident does not wait for the window', async () => {
    const gateway = new FakeIncidentGateway();
    const headStart = new NotedHeadStart(gateway);
    const { post } = await door(headStart, gateway);
    await post(JSON.stringify(critical()));
    await until(() => gateway.counted(incident) === 1);
    await post(JSON.stringify(falcoEvent({ priority: 'Critical' }, { 'k8s.pod.name': 'web-6d4cf56db6-other' })));
    await until(() => headStart.begun.length === 2);
  });
});

describe('an alert that waited for more than 15 minutes', () => {
  const late: SubjectResolver = {
    resolve: (alert) =>
      resolverFromNames.resolve({ ...alert, ...(alert.doubt === undefined && { receivedAt: '2026-06-01T10:00:00Z' }) }),
  };

  test('is resolved again, and is in doubt', async () => {
    const gateway = new FakeIncidentGateway();
    gateway.failing = 'down';
    const directory = freshDirectory();
    const first = await openDoor(gateway, { directory, resolver: late });
    await first.post(JSON.stringify(critical()));
    await first.intake.stop(50);
    gateway.failing = 'no';
    const headStart = new NotedHeadStart(gateway);
    const resolver: SubjectResolver = {
      resolve: (alert) => {
        const resolved = resolverFromNames.resolve(alert);
        return { ...resolved, alert: { ...resolved.alert, node: 'node-of-today' } };
      },
    };
    await door(headStart, gateway, { directory, resolver });
    await until(() => gateway.counted(incident) === 1);
    expect(gateway.batches(incident)[0]?.alerts).toMatchObject([
      { node: 'node-of-today', doubt: expect.stringMatching(/waited for \d+ minutes/) },
    ]);
  });

  test('stays with its incident if it would belong to another today, and says so', async () => {
    const gateway = new FakeIncidentGateway();
    gateway.failing = 'down';
    const directory = freshDirectory();
    const first = await openDoor(gateway, { directory, resolver: late });
    await first.post(JSON.stringify(critical()));
    await first.intake.stop(50);
    gateway.failing = 'no';
    const resolver: SubjectResolver = {
      resolve: (alert) => ({
        alert: { ...alert, node: 'node-of-today' },
        subject: { kind: 'workload', cluster: 'lab', namespace: 'shop', ownerKind: 'StatefulSet', name: 'web' },
      }),
    };
    await door(new NotedHeadStart(gateway), gateway, { directory, resolver });
    await until(() => gateway.counted(incident) === 1);
    expect(gateway.batches(incident)[0]?.alerts).toMatchObject([
      { node: 'node-7', doubt: expect.stringContaining('incident/lab/shop/StatefulSet/web') },
    ]);
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import type { Alert } from '../../../core/alert/alert.ts';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import { ocsfEventsOf } from '../../../core/streams/ocsf.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { everyAnswer } from '../../../testing/every-answer.ts';
import { Outbox } from '../../../workflows/outbox.ts';
import { itemsOf } from '../../integrations/sensors/read.ts';
import { waysInto } from '../../playbooks/shipped-alerts.ts';
import { eventMaker, ocsfProblems, streamed } from './events.ts';

const chain = 'incident/c/shop/Deployment/cart@r1';
const at = '2026-11-27T10:00:00.000Z';

function recordOf(kind: string, body: AuditRecord['body'] = {}, over: Partial<AuditRecord> = {}): AuditRecord {
  return { chain, number: 1, at, kind, actor: 'engine', body, ...over };
}

function eventsOf(record: AuditRecord) {
  const events = ocsfEventsOf({ record: streamed(record) }, eventMaker);
  expect(events.flatMap((event) => ocsfProblems(event).map((problem) => `${record.kind}: ${problem}`))).toEqual([]);
  return events.map(({ json }) => JSON.parse(json));
}

/** As in the record of a batch. */
function joined({ id, rule, severity, time, title, sensor, pod, node, tags, mitre, container }: Alert): object {
  return { id, rule, severity, time, title, sensor, pod, node, tags, mitre, image: container?.image, digest: container?.digest };
}

/** The alerts of every payload of the test corpus. */
function corpus(): readonly Alert[] {
  const folder = new URL('../../fixtures/alerts/', import.meta.url).pathname;
  return readdirSync(folder).flatMap((sensor) =>
    readdirSync(join(folder, sensor)).flatMap((file) => {
      const text = readFileSync(join(folder, sensor, file), 'utf8');
      return itemsOf(text).flatMap((item) => (item.kind === 'alert' ? [item.alert] : []));
    }),
  );
}

afterEach(() => {
  jest.restoreAllMocks();
});

/** Its fields and their types. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 3).map(shapeOf);
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.entries(value).map(([name, one]) => [name, shapeOf(one)]);
}

describe('events of OCSF 1.8.0', () => {
  test('an alert is a detection, with its rule, its pod and its techniques', () => {
    const alert = {
      id: 'a1',
      rule: 'Drop and execute new binary in container',
      severity: 'critical',
      time: '2026-11-27T09:59:58.123456789Z',
      title: 'a new binary ran',
      sensor: 'falco',
      pod: { namespace: 'shop', name: 'cart-1', uid: 'u1' },
      mitre: ['TA0003', 'T1059.004'],
    };
    const [incident, detection] = eventsOf(recordOf('incident.opened', { text: '1 × Drop', alerts: [alert], counts: [] }));
    expect(incident).toMatchObject({ class_uid: 2005, activity_id: 1, severity_id: 5, finding_info_list: [{ uid: 'a1' }] });
    expect(detection).toMatchObject({
      class_uid: 2004,
      time: Date.parse('2026-11-27T09:59:58.123Z'),
      severity_id: 5,
      finding_info: {
        uid: 'a1',
        analytic: { name: alert.rule },
        product: { name: 'falco' },
        attacks: [{ tactic: { uid: 'TA0003' } }, { technique: { uid: 'T1059' }, sub_technique: { uid: 'T1059.004' } }],
      },
      resources: [{ type: 'Pod', namespace: 'shop', name: 'cart-1', uid: 'u1' }],
      metadata: { version: '1.8.0', correlation_uid: chain, product: { version: '1.2.3' } },
    });
  });

  test('alerts that the record only counts are reported as a number, and never twice', () => {
    const alert = { id: 'a1', rule: 'Shell', severity: 'high', time: at, pod: { namespace: 'shop', name: 'cart-1' } };
    const counts = [
      { rule: 'Shell', severity: 'high', pod: 'shop/cart-1', count: 40 },
      { rule: 'Port scan', severity: 'low', count: 2 },
    ];
    const events = eventsOf(recordOf('alert.joined', { alerts: [alert], counts }));
    expect(events.map(({ count, finding_info: { title } }) => [title, count])).toEqual([
      ['Shell', undefined],
      ['Shell', 39],
      ['Port scan', 2],
    ]);
  });

  test.each([
    ['step.applied', { action: 'quarantinePod', step: 's', plan: { target: { name: 'pod/shop/cart-1' } } }, 1, 1],
    ['step.applied', { action: 'deletePod', step: 's' }, 2, 1],
    ['step.checked', { step: 'w/r/p/u/quarantinePod/1', verification: { state: 'verified', detail: 'refused' } }, 1, 1],
    ['step.checked', { step: 'w/r/p/u/quarantinePod/1', verification: { state: 'unverified', detail: '' } }, 1, 0],
    ['step.checked', { step: 'w/r/p/u/quarantinePod/1', verification: { state: 'partial', detail: 'x' } }, 1, 4],
    ['step.failed', { action: 'hardenWorkload', step: 's', code: 'FB_ERR_REFUSED', target: 'pod/shop/cart-1' }, 4, 2],
    ['lease.released', { lease: 'l' }, 3, 1],
    ['lease.release-refused', { lease: 'l', code: 'FB_ERR_REFUSED' }, 3, 2],
    ['step.planned', { action: 'quarantinePod', plan: {} }, 1, 99],
  ])('%s %j is a remediation', (kind, body, activity_id, status_id) => {
    expect(eventsOf(recordOf(kind, body))).toMatchObject([{ class_uid: 7001, activity_id, status_id }]);
  });

  test('a request to Firebreak is API activity, attributed to its proven sender', () => {
    const said = (actor: string, kind = 'vote.refused') => eventsOf(recordOf(kind, { reason: 'no approver' }, { actor }))[0];
    expect(said('person/ada')).toMatchObject({ class_uid: 6003, status_id: 2, actor: { user: { uid: 'ada', type_id: 1 } } });
    // Claiming to be a person does not make it that person.
    expect(said('claimed/ada')).toMatchObject({ actor: { user: { uid: 'claimed/ada', type_id: 0 } } });
    expect(said('slack/U1')).toMatchObject({
      actor: { user: { uid: 'slack/U1', type_id: 0 } },
      src_endpoint: { svc_name: 'Slack' },
    });
    expect(said('playbook/firebreak/x', 'playbook.done')).toMatchObject({
      actor: { app_name: 'playbook/firebreak/x' },
      status_id: 1,
    });
  });

  test('an incident is assigned to the group that is asked, and has its verdict', () => {
    const question = { id: 'q1', severity: 'high', levels: [{ group: 'oncall' }, { group: 'leads' }] };
    expect(eventsOf(recordOf('question.asked', { question }))).toMatchObject([
      { class_uid: 2005, assignee_group: { name: 'oncall' }, severity_id: 4, unmapped: { question: 'q1' } },
    ]);
    expect(eventsOf(recordOf('incident.closed', { verdict: 'benign', reached: 'contained', total: 3 }))).toMatchObject([
      { class_uid: 2005, activity_id: 3, status_id: 5, verdict_id: 5, assignee: { uid: 'engine' } },
    ]);
  });

  test('an unproven row becomes one with only its place, not its content', () => {
    const row = { chain, place: 7, problem: 'is not signed', foundAt: at };
    const events = ocsfEventsOf({ unproven: row }, eventMaker);
    expect(events.flatMap(ocsfProblems)).toEqual([]);
    expect(JSON.parse(events[0]?.json ?? '')).toMatchObject({
      class_uid: 2004,
      severity_id: 4,
      unmapped: { record: { chain, place: 7 } },
    });
  });

  test('each alert in the test corpus makes a valid one', () => {
    const alerts = corpus();
    expect(alerts.length).toBeGreaterThan(50);
    for (const alert of alerts) eventsOf(recordOf('incident.opened', { alerts: [joined(alert)], counts: [] }));
  });

  test('each record of each shipped playbook with each answer makes valid ones', async () => {
    const records: AuditRecord[] = [];
    jest.spyOn(Outbox.prototype, 'add').mockImplementation((kind, actor, body) => {
      records.push(recordOf(kind, body, { actor }));
    });
    for (const playbook of playbooks) {
      const [alert] = waysInto[playbook.id.split('/').at(-1) ?? ''] ?? [];
      if (alert) await everyAnswer(playbook, alert, { mostRuns: 12, mostWithPairs: 0 });
    }
    const kinds = new Set(records.map(({ kind }) => kind));
    expect([...kinds]).toEqual(expect.arrayContaining(['incident.opened', 'step.applied', 'question.decided', 'lease.released']));
    // Keeps one of those that differ only in their words.
    const different = new Map(records.map((record) => [JSON.stringify([record.kind, shapeOf(record.body)]), record]));
    for (const record of different.values()) eventsOf(record);
  });

  test('any record makes valid ones, each with its own id', () => {
    const kinds = [
      'incident.opened',
      'alert.joined',
      'step.checked',
      'step.applied',
      'question.asked',
      'incident.closed',
      'vote.refused',
    ];
    const alert = fc.record(
      {
        id: fc.anything(),
        rule: fc.anything(),
        severity: fc.anything(),
        time: fc.anything(),
        pod: fc.object(),
        mitre: fc.anything(),
      },
      { requiredKeys: [] },
    );
    const body = fc.record(
      {
        text: fc.anything(),
        alerts: fc.oneof(fc.array(alert), fc.anything()),
        counts: fc.oneof(fc.array(fc.object()), fc.anything()),
        plan: fc.object(),
        question: fc.object(),
        verification: fc.object(),
        step: fc.anything(),
        verdict: fc.anything(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom(...kinds), fc.string()), fc.string(), body, (kind, actor, given) => {
        const record = streamed(recordOf(kind, given, { actor }));
        const events = ocsfEventsOf({ record }, eventMaker);
        expect(events.flatMap(ocsfProblems)).toEqual([]);
        expect(new Set(events.map(({ id }) => id)).size).toBe(Math.max(1, events.length));
        // Made again, it is the same: receivers drop repeats by the id.
        expect(ocsfEventsOf({ record }, eventMaker)).toEqual(events);
      }),
      { numRuns: 100 },
    );
  });
});

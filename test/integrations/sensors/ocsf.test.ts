import { describe, expect, test } from '@jest/globals';
import { alertOf, fixture, itemsOf } from './read.ts';

const finding = {
  class_uid: 2004,
  category_uid: 2,
  activity_id: 1,
  severity_id: 5,
  time: 1780308000123,
  message: 'A shell in cart-1',
  metadata: { version: '1.3.0', product: { name: 'Runtime Guard' }, event_code: 'rt.shell' },
  finding_info: {
    uid: 'f-1',
    title: 'Shell spawned',
    analytic: { name: 'shell-in-container', type_id: 1 },
    attacks: [{ technique: { uid: 'T1059.004' }, tactic: { uid: 'TA0002' } }],
  },
  resources: [{ type: 'Pod', namespace: 'shop', name: 'cart-1', uid: 'u-1' }],
  evidences: [
    {
      process: {
        name: 'sh',
        pid: 41,
        cmd_line: 'sh -c id',
        file: { path: '/bin/sh', hashes: [{ value: 'a'.repeat(64) }] },
        user: { name: 'root' },
        parent_process: { name: 'node' },
        container: { uid: '84c0b936c919', name: 'app', image: { name: 'shop/cart', tag: '1.2', uid: 'sha256:00' } },
      },
      dst_endpoint: { ip: '203.0.113.9' },
    },
  ],
  device: { hostname: 'worker-1' },
};

describe('a detection finding', () => {
  test('names rule, severity, pod, container, process, observables and techniques', () => {
    expect(alertOf(finding)).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      sensor: 'ocsf',
      rule: 'shell-in-container',
      severity: 'critical',
      time: '2026-06-01T10:00:00.123Z',
      title: 'A shell in cart-1',
      cluster: 'lab',
      node: 'worker-1',
      pod: { namespace: 'shop', name: 'cart-1', uid: 'u-1' },
      container: { id: '84c0b936c919', name: 'app', image: 'shop/cart:1.2', digest: 'sha256:00' },
      process: { name: 'sh', exe: '/bin/sh', commandLine: 'sh -c id', parent: 'node', user: 'root', pid: 41 },
      observables: [
        { type: 'ip', value: '203.0.113.9' },
        { type: 'path', value: '/bin/sh' },
        { type: 'user', value: 'root' },
      ],
      tags: ['Runtime Guard', 'rt.shell'],
      mitre: ['T1059.004', 'TA0002'],
    });
  });

  test('whose empty texts and objects hide nothing', () => {
    const alert = alertOf({ ...finding, container: {}, finding: {}, device: { hostname: '', name: 'worker-1' } });
    expect(alert).toMatchObject({ node: 'worker-1', container: { id: '84c0b936c919' }, rule: 'shell-in-container' });
  });

  test.each([
    ['seconds', { time: 1723564700 }, '2024-08-13T15:58:20Z'],
    ['milliseconds', { time: 1723564700123 }, '2024-08-13T15:58:20.123Z'],
    ['microseconds', { time: 1631047050642854 }, '2021-09-07T20:37:30.642854Z'],
    ['nanoseconds, exactly', '{"time":1676925283242804701}', '2023-02-20T20:34:43.242804701Z'],
    ['a text with its offset', { time_dt: '2023-09-19T11:05:22.487-04:00' }, '2023-09-19T11:05:22.487-04:00'],
    [
      'the epoch field when the text has no offset',
      { time: 1728049742, time_dt: '2024-10-04T09:49:02.698985' },
      '2024-10-04T13:49:02Z',
    ],
  ])('has its time in %s', (_unit, change, time) => {
    const { time: _own, ...rest } = finding;
    const body = typeof change === 'string' ? JSON.stringify(rest).replace(/\}$/, `,${change.slice(1)}`) : { ...rest, ...change };
    expect(alertOf(body).time).toBe(time);
  });

  test.each([
    [{ severity_id: 6 }, 'critical'],
    [{ severity_id: 4 }, 'high'],
    [{ severity_id: 3 }, 'medium'],
    [{ severity_id: 2 }, 'low'],
    [{ severity_id: 1 }, 'info'],
    [{ severity_id: 0, severity: 'Unknown' }, 'unknown'],
    [{ severity_id: 99, severity: 'High' }, 'high'],
    [{ severity_id: undefined, risk_level_id: 3 }, 'high'],
    [{ severity_id: 4, status_code: 'PASS' }, 'info'],
  ])('%j is %s', (change, severity) => expect(alertOf({ ...finding, ...change }).severity).toBe(severity));

  test.each([
    ['an update', { activity_id: 2 }],
    ['its end', { activity_id: 3 }],
    ['an update that only its type tells', { activity_id: undefined, type_uid: 200402 }],
    ['a resolved one', { status_id: 4, status: 'Resolved' }],
    ['a suppressed one', { status_id: 3 }],
    ['a vulnerability', { class_uid: 2002 }],
    ['process activity', { class_uid: 1007 }],
  ])('%s is not an alert', (_what, change) => {
    expect(itemsOf({ ...finding, ...change })).toMatchObject([{ kind: 'ignored', sensor: 'ocsf' }]);
  });

  test('has the same id when redelivered, and another id for another finding', () => {
    const { id } = alertOf(finding);
    expect(alertOf({ ...finding, metadata: { ...finding.metadata, logged_time: 1 } }).id).toBe(id);
    expect(alertOf({ ...finding, finding_info: { ...finding.finding_info, uid: 'f-2' } }).id).not.toBe(id);
  });
});

describe('other classes', () => {
  test('a vendor’s own class that says what was found is a detection', () => {
    const alert = alertOf(fixture('ocsf/rw-extension-class-finding.json'));
    expect(alert).toMatchObject({
      rule: 'Reverse shell',
      severity: 'high',
      pod: { namespace: 'shop', name: 'cart-1', uid: 'u-1' },
      process: { name: 'bash', user: 'root' },
      observables: [
        { type: 'ip', value: '203.0.113.9' },
        { type: 'user', value: 'root' },
      ],
    });
    expect(alert).not.toHaveProperty('node');
    const { finding_info: _info, ...rest } = JSON.parse(fixture('ocsf/rw-extension-class-finding.json'));
    expect(itemsOf(rest)).toMatchObject([{ kind: 'ignored' }]);
  });

  test('telemetry without a time is still not an alert, a finding without one is rejected for that reason', () => {
    expect(itemsOf(fixture('ocsf/rw-telemetry-without-time.json'))).toMatchObject([{ kind: 'ignored', sensor: 'ocsf' }]);
    const { time: _time, ...rest } = finding;
    expect(itemsOf(rest)).toMatchObject([{ kind: 'rejected', reason: expect.stringContaining('`time`') }]);
  });

  test('an old-style security finding is read as a finding', () => {
    const { finding_info: _info, ...rest } = finding;
    const old = {
      ...rest,
      class_uid: 2001,
      finding: { uid: '1', title: 'Module loaded' },
      observables: [{ type_id: 2, value: '99.99.99.99' }],
    };
    expect(alertOf(old)).toMatchObject({ rule: 'Module loaded', severity: 'critical' });
    expect(alertOf(old).observables).toContainEqual({ type: 'ip', value: '99.99.99.99' });
  });

  test('API activity says who did what, and keeps its own severity', () => {
    const api = {
      class_uid: 6003,
      category_uid: 6,
      activity_id: 3,
      severity_id: 1,
      time: 1780308000123,
      message: 'ResponseComplete',
      actor: { user: { name: 'eve' } },
      api: { operation: 'create', request: { uid: 'a-1' } },
      resources: [{ type: 'pods', namespace: 'shop', name: 'cart-1' }],
    };
    expect(alertOf(api)).toMatchObject({
      rule: 'API create pods',
      title: 'API create pods cart-1 by eve',
      severity: 'info',
      pod: { namespace: 'shop', name: 'cart-1' },
      process: { user: 'eve' },
    });
  });
});

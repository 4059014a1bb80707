import { describe, expect, test } from '@jest/globals';
import { alertOf, fixture, itemsOf } from './read.ts';

const flat = fixture('tracee/rw-legacy-flat-signature-v0.11.json');
const nested = fixture('tracee/rw-legacy-signature-metadata-v0.12-0.2x.json');
const v1beta1 = fixture('tracee/rw-v1beta1-detection-k8s.json');

describe('a signature of Tracee', () => {
  test('to 0.12 is flat, and its time is exact to the nanosecond', () => {
    const alert = alertOf(flat);
    expect(alert).toMatchObject({
      sensor: 'tracee',
      rule: 'anti_debugging',
      severity: 'unknown',
      time: '2023-01-02T15:51:37.796957174Z',
      node: 'node-7',
      process: { name: 'strace', pid: 170463 },
    });
    for (const absent of ['pod', 'container']) expect(alert).not.toHaveProperty(absent);
  });

  test('to 0.12 names its pod in fields of its own', () => {
    const change = { podName: 'api-0', podNamespace: 'team-a', podUID: 'u-1', containerId: '84c0b936c919', hostName: 'api-0' };
    const alert = alertOf(flat.replace(/\}$/, `,${JSON.stringify(change).slice(1)}`));
    expect(alert).toMatchObject({ pod: { namespace: 'team-a', name: 'api-0', uid: 'u-1' }, container: { id: '84c0b936c919' } });
    expect(alert).not.toHaveProperty('node');
  });

  test('from 0.13 on has pod, container, severity and technique', () => {
    expect(alertOf(nested)).toMatchObject({
      rule: 'anti_debugging',
      severity: 'low',
      title: 'Anti-Debugging detected',
      time: '2023-02-20T20:34:43.242804700Z',
      pod: { namespace: 'team-a', name: 'api-0', uid: '0000' },
      container: { id: '4af0', name: 'api', image: 'docker.io/library/busybox:latest', digest: 'sha256:00' },
      tags: ['TRC-102', 'mitre_defense_evasion'],
      mitre: ['T1622', 'TA0005'],
    });
  });

  test('of v1beta1', () => {
    expect(alertOf(v1beta1)).toMatchObject({
      rule: 'file_modification',
      severity: 'high',
      title: 'File Modification',
      time: '2026-06-01T10:00:00.123456789Z',
      pod: { namespace: 'team-a', name: 'api-0', uid: '0000' },
      container: { id: '84c0b936c919', name: 'api', image: 'busybox:latest', digest: 'sha256:00' },
      process: { name: 'vi', exe: '/usr/bin/vi', pid: 12345 },
      observables: [
        { type: 'path', value: '/etc/passwd' },
        { type: 'path', value: '/usr/bin/vi' },
      ],
      mitre: ['T1098', 'TA0003'],
    });
  });

  test('of v1beta1 without a severity is info, which protojson leaves out', () => {
    expect(alertOf(fixture('tracee/rw-v1beta1-severity-info-omitted.json')).severity).toBe('info');
  });

  test('of v1beta1 as the program’s own writer has it: numbers for the enumeration, `value` for each argument', () => {
    const { data: _data, threat, detected_from: _from, id: _id, ...event } = JSON.parse(v1beta1);
    const alert = alertOf({
      ...event,
      id: 6014,
      data: [
        { name: 'pathname', value: '/etc/shadow' },
        { name: 'remote_addr', value: { sa_family: 2, sin_addr: '203.0.113.9', sin_port: 443 } },
        { name: 'inode', value: 1_234_567 },
      ],
      threat: { ...threat, severity: 4 },
    });
    expect(alert).toMatchObject({
      rule: 'file_modification',
      severity: 'critical',
      pod: { name: 'api-0' },
      process: { pid: 12345 },
    });
    expect(alert.observables).toEqual([
      { type: 'path', value: '/etc/shadow' },
      { type: 'ip', value: '203.0.113.9' },
      { type: 'path', value: '/usr/bin/vi' },
    ]);
  });

  test('of v1beta1 when `workload` was still called `context`', () => {
    const { workload, ...event } = JSON.parse(v1beta1);
    const { host_pid: _host, ...process } = workload.process;
    const alert = alertOf({ ...event, context: { ...workload, process: { ...process, pid: 12345, namespaced_pid: 7 } } });
    expect(alert).toMatchObject({
      pod: { namespace: 'team-a', name: 'api-0' },
      container: { id: '84c0b936c919' },
      process: { name: 'vi', exe: '/usr/bin/vi', pid: 12345 },
    });
    const { threat: _threat, ...telemetry } = { ...event, context: workload };
    expect(itemsOf(telemetry)).toMatchObject([{ kind: 'ignored', sensor: 'tracee' }]);
  });

  test('as wrapped by tracee-rules is what the signature found, not the event it was found in', () => {
    const finding = fixture('tracee/rw-rules-finding-v0.7.json');
    expect(alertOf(finding)).toMatchObject({
      rule: 'Anti-Debugging',
      severity: 'high',
      title: 'Anti-Debugging',
      time: '2022-03-10T15:14:43.242804700Z',
      pod: { namespace: 'team-a', name: 'api-0', uid: '0000' },
      tags: ['TRC-2', 'mitre_defense_evasion', 'linux', 'container'],
      mitre: ['T1480', 'TA0005'],
      observables: [{ type: 'domain', value: 'c2.evil.example' }],
    });
    const named = finding.replace('"Name": "Anti-Debugging"', '"EventName": "anti_debugging"');
    expect(alertOf(named).rule).toBe('anti_debugging');
    const inEvent = finding.replace('"Context": {', '"Event": {"Payload": {').replace('}, "SigMetadata"', '}}, "SigMetadata"');
    expect(alertOf(inEvent)).toMatchObject({ rule: 'Anti-Debugging', pod: { name: 'api-0' } });
  });

  test.each([
    ['is known', { container: { id: '4af0' }, hostName: 'node-7' }],
    ['is unknown, but the name has 15 characters and so was cut', {}],
  ])('has no node from the hostname where the container %s', (_what, change) => {
    const event = { ...JSON.parse(fixture('tracee/rw-hostname-cut-to-15.json')), timestamp: '1676925283242804700', ...change };
    expect(alertOf(event)).not.toHaveProperty('node');
    expect(alertOf({ ...event, container: {}, hostName: 'node-7' }).node).toBe('node-7');
  });

  test.each([[1_234_567_890_123], [9_876_543_210], ['1676925283'], [0], [undefined]])(
    'with the time %p, which is not a time of day, is rejected for that reason',
    (timestamp) => {
      expect(itemsOf({ ...JSON.parse(nested), timestamp })).toMatchObject([
        { kind: 'rejected', reason: expect.stringContaining('`timestamp`') },
      ]);
    },
  );

  test.each([
    [4, 'critical'],
    [3, 'high'],
    ['2', 'medium'],
    [1, 'low'],
    [0, 'info'],
    [5, 'unknown'],
    [null, 'unknown'],
  ])('severity %p is %s', (severity, expected) => {
    const event = JSON.parse(nested);
    event.metadata.Properties.Severity = severity;
    expect(alertOf(event).severity).toBe(expected);
  });
});

describe('telemetry', () => {
  test('is not an alert', () => {
    const open = { ...JSON.parse(nested), eventId: '257', eventName: 'openat', metadata: null };
    expect(itemsOf(open)).toMatchObject([{ kind: 'ignored', sensor: 'tracee' }]);
    const { threat: _threat, ...event } = JSON.parse(v1beta1);
    expect(itemsOf(event)).toMatchObject([{ kind: 'ignored', sensor: 'tracee' }]);
  });
});

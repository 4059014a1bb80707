import { describe, expect, test } from '@jest/globals';
import { alertOf, fixture, itemsOf } from './read.ts';

const image = {
  k8s: {
    containerName: 'app',
    hostnetwork: false,
    namespace: 'shop',
    node: 'worker-1',
    owner: { kind: 'Deployment', name: 'cart' },
    podName: 'cart-1',
  },
  runtime: {
    containerId: '84c0b936c919',
    containerImageDigest: 'sha256:00',
    containerImageName: 'shop/cart:1.2',
    containerName: 'app',
    runtimeName: 'containerd',
  },
  timestamp: '2026-06-01T10:00:00.123456789Z',
  timestamp_raw: 1780308000123456789n.toString(),
  mntns_id: 4026534463,
  proc: { comm: 'wget', pid: 41, tid: 41, creds: { uid: 0, gid: 0, user: 'root' }, parent: { comm: 'sh', pid: 40 } },
};

describe('an event', () => {
  test('of a built-in gadget, with its time exact to the nanosecond', () => {
    expect(alertOf(fixture('inspektor-gadget/rw-legacy-trace-exec.json'))).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      sensor: 'inspektor-gadget',
      rule: 'trace_exec',
      severity: 'unknown',
      time: '2023-06-06T20:23:57.200509658Z',
      title: 'trace_exec: /usr/sbin/iptables -w',
      cluster: 'lab',
      pod: { namespace: 'kube-system', name: 'kube-proxy-p' },
      container: { id: '7192', name: 'kube-proxy' },
      process: { name: 'iptables', exe: '/usr/sbin/iptables', commandLine: '/usr/sbin/iptables -w', pid: 587914 },
      observables: [{ type: 'path', value: '/usr/sbin/iptables' }],
      tags: [],
      mitre: [],
    });
  });

  test('of a gadget from an image', () => {
    expect(alertOf({ ...image, fname: '/etc/shadow', flags_raw: 0 })).toMatchObject({
      rule: 'trace_open',
      time: '2026-06-01T10:00:00.123456789Z',
      node: 'worker-1',
      pod: { namespace: 'shop', name: 'cart-1' },
      workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
      container: { id: '84c0b936c919', name: 'app', image: 'shop/cart:1.2', digest: 'sha256:00' },
      process: { name: 'wget', parent: 'sh', user: 'root', pid: 41 },
      observables: [{ type: 'path', value: '/etc/shadow' }],
    });
  });

  test.each([
    ['with plain spaces', ' '],
    ['with the non-breaking ones that later versions write', '\u00a0'],
  ])('of trace_exec has its command line %s between the arguments, without the secrets in it', (_what, space) => {
    const alert = alertOf({
      ...image,
      error: '',
      args: ['/usr/bin/mysql', '-u', 'root', '-pS3cr3tPassw0rd', '-h', '203.0.113.9'].join(space),
    });
    expect(alert).toMatchObject({ rule: 'trace_exec', process: { name: 'wget', exe: '/usr/bin/mysql' } });
    expect(alert.process?.commandLine).toMatch(/^\/usr\/bin\/mysql -u root -p\S+ -h 203\.0\.113\.9$/);
    expect(JSON.stringify(alert)).not.toContain('S3cr3tPassw0rd');
    expect(alert.observables).toEqual([
      { type: 'path', value: '/usr/bin/mysql' },
      { type: 'ip', value: '203.0.113.9' },
    ]);
  });

  test('of trace_dns and trace_tcp gives what was asked for', () => {
    expect(alertOf({ ...image, qr: 'Q', qtype: 'A', name: 'evil.example.org.' })).toMatchObject({
      rule: 'trace_dns',
      observables: [{ type: 'domain', value: 'evil.example.org' }],
    });
    const tcp = { ...image, src: { addr: '10.0.0.9', port: 5 }, dst: { addr: '203.0.113.9', port: 443 } };
    expect(alertOf(tcp)).toMatchObject({ rule: 'trace_tcp' });
    expect(alertOf(tcp).observables).toContainEqual({ type: 'ip', value: '203.0.113.9' });
  });

  test('of trace_sni and trace_mount gives the host and the place', () => {
    expect(alertOf({ ...image, gadget: 'trace_sni:latest', name: 'c2.evil.sbs' }).observables).toContainEqual({
      type: 'domain',
      value: 'c2.evil.sbs',
    });
    const mount = alertOf({ ...image, op: 'MOUNT', fs: 'ext4', src: '/dev/sda1', dest: '/mnt/host' });
    expect(mount).toMatchObject({ rule: 'trace_mount' });
    expect(mount.observables).toContainEqual({ type: 'path', value: '/mnt/host' });
  });

  test('may say its gadget and severity, and the configuration may', () => {
    expect(alertOf({ ...image, gadget: 'trace_ssl:latest', severity: 'high' })).toMatchObject({
      rule: 'trace_ssl',
      severity: 'high',
    });
    const severities = { 'inspektor-gadget': { severities: { trace_ssl: 'low' } } } as const;
    expect(alertOf({ ...image, gadget: 'trace_ssl' }, { severities }).severity).toBe('low');
  });

  test('of a built-in trace of opened files is of that rule', () => {
    expect(alertOf(fixture('inspektor-gadget/rw-legacy-trace-open.json'))).toMatchObject({
      rule: 'trace_open',
      title: 'trace_open: /etc/shadow',
      observables: [{ type: 'path', value: '/etc/shadow' }],
    });
  });

  test('whose empty texts hide nothing', () => {
    const alert = alertOf(fixture('inspektor-gadget/rw-image-container-name-empty.json'));
    expect(alert).toMatchObject({
      container: { id: '84c0b936c919', name: 'app' },
      observables: [
        { type: 'path', value: '/usr/bin/wget' },
        { type: 'domain', value: 'files.evil.example' },
      ],
    });
  });

  test('of a gadget that calls the process `process`', () => {
    expect(alertOf(fixture('inspektor-gadget/rw-image-process-for-proc.json'))).toMatchObject({
      time: '2026-06-01T10:00:00.123456789Z',
      severity: 'unknown',
      process: { name: 'wget', parent: 'sh', user: 'root', pid: 41 },
    });
    const both = JSON.parse(fixture('inspektor-gadget/rw-image-process-for-proc.json'));
    expect(alertOf({ ...both, proc: {} })).toMatchObject({ process: { name: 'wget', pid: 41 } });
  });

  test.each([
    ['counts from the boot', fixture('inspektor-gadget/rw-image-time-since-boot.json')],
    [
      'counts from the boot, by a number that would be milliseconds',
      { ...image, timestamp: 5_650_000_000_000, timestamp_raw: 1 },
    ],
    [
      'counts from the boot, by a number that would be microseconds',
      { ...image, timestamp: 8_793_542_187_654_321, timestamp_raw: '' },
    ],
    ['is absent', { ...image, timestamp: undefined, timestamp_raw: undefined }],
    ['was never set', { ...image, timestamp: '0001-01-01T00:00:00Z', timestamp_raw: undefined }],
  ])('whose time %s has no time of day, and is rejected for that reason', (_what, event) => {
    expect(itemsOf(event)).toMatchObject([{ kind: 'rejected', reason: expect.stringContaining('`timestamp`') }]);
  });

  test('with a message of the gadget’s own is health', () => {
    const lost = { ...image, type: 'warn', message: 'lost 3 samples' };
    expect(itemsOf(lost)).toMatchObject([{ kind: 'health', text: 'lost 3 samples', host: 'worker-1' }]);
  });
});

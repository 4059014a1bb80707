import { expect, test } from '@jest/globals';
import type { Right } from '../../../core/action/action.ts';
import type { OwnRequest } from '../../../core/action/own-implementation.ts';
import type { KubernetesCall } from '../../../integrations/kubernetes/call.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { errorOfStatus } from '../../../integrations/kubernetes/client-error.ts';
import { isForApiServer, ownCluster } from '../../../service/packs/own/declared-rights.ts';

const rights: readonly Right[] = [
  { apiGroup: 'apps', resource: 'deployments', verbs: ['get', 'patch'] },
  { apiGroup: '', resource: 'pods/log', verbs: ['get'] },
  { apiGroup: '', resource: 'configmaps', verbs: ['list', 'delete'], in: 'own namespace' },
];
const sent: string[] = [];
const api = {
  json: async (call: KubernetesCall) => {
    sent.push(`${call.method} ${call.path}${call.patch === undefined ? '' : ` ${call.patch}`}`);
    if (call.path.endsWith('/gone')) throw errorOfStatus({ status: 404, text: '', what: call.what });
    return { kind: 'It' };
  },
} as Partial<KubernetesApi> as KubernetesApi;

const server = 'https://kubernetes.default.svc';
const send = (method: OwnRequest['method'], path: string, headers = {}) =>
  ownCluster(api, { rights, ownNamespace: 'firebreak' }, new AbortController().signal)({ method, url: server + path, headers });

test('an action does in the cluster what its own rights name', async () => {
  const web = '/apis/apps/v1/namespaces/shop/deployments/web';
  expect(await send('GET', web)).toEqual({ status: 200, headers: {}, body: { kind: 'It' } });
  await send('PATCH', web, { 'Content-Type': 'application/json-patch+json' });
  await send('GET', '/api/v1/namespaces/shop/pods/cart-1/log');
  await send('GET', '/api/v1/namespaces/firebreak/configmaps');
  await send('DELETE', '/api/v1/namespaces/firebreak/configmaps/one');
  expect(sent.splice(0)).toEqual([
    `GET ${web}`,
    `PATCH ${web} json`,
    'GET /api/v1/namespaces/shop/pods/cart-1/log',
    'GET /api/v1/namespaces/firebreak/configmaps',
    'DELETE /api/v1/namespaces/firebreak/configmaps/one',
  ]);
  expect(await send('GET', '/apis/apps/v1/namespaces/shop/deployments/gone')).toMatchObject({ status: 404 });
  sent.length = 0;
});

test.each<[OwnRequest['method'], string]>([
  ['PUT', '/apis/apps/v1/namespaces/shop/deployments/web'],
  ['GET', '/apis/apps/v1/namespaces/shop/deployments'],
  ['GET', '/apis/apps/v1/namespaces/shop/deployments/web/scale'],
  ['GET', '/apis/apps/v1/namespaces/shop/deployments/web?watch=1'],
  ['GET', '/apis/extensions/v1/namespaces/shop/deployments/web'],
  ['GET', '/api/v1/namespaces/shop/secrets'],
  ['GET', '/api/v1/namespaces/shop/pods/cart-1'],
  ['GET', '/api/v1/namespaces/shop/pods/cart-1/exec'],
  ['GET', '/api/v1/namespaces/shop/configmaps'],
  ['GET', '/api/v1/configmaps'],
  ['DELETE', '/api/v1/namespaces/firebreak/configmaps'],
  ['GET', '/api/v1/namespaces/shop/pods/..%2f..%2fsecrets/log'],
  ['GET', '/apis/apps/v1/namespaces/shop/deployments/web/../../../../../../../api/v1/secrets'],
  ['GET', '/metrics'],
  ['GET', '//api/v1/namespaces/shop/secrets'],
])('and nothing else, whatever the account may do: %s %s', async (method, path) => {
  await expect(send(method, path)).rejects.toThrow('does not declare a right');
  expect(sent).toEqual([]);
});

test('only the API server’s own name means it', () => {
  expect(isForApiServer(`${server}/api`)).toBe(true);
  for (const url of ['http://kubernetes.default.svc/', `${server}:8443/`, `${server}.evil.example/`, 'https://a@evil.example/'])
    expect(isForApiServer(url)).toBe(false);
});

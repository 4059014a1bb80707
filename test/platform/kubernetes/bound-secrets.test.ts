import { beforeAll, expect, test } from '@jest/globals';
import { actions as all } from '../../../core/actions/index.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { rbacManifests } from '../../../service/rbac/manifests.ts';
import { missingRights } from '../../../service/rbac/missing.ts';
import { callKubernetes, readAccess } from '../../../tools/platform/kubernetes/kubernetes-api.ts';
import { testPlatform } from '../../platform.ts';
import { type PoolAccounts, poolAccounts } from './parts/pool-accounts.ts';

const platform = await testPlatform();
const own = 'firebreak-bound-test';
const actions = all.filter(({ optIn }) => !optIn);
let accounts: PoolAccounts;
let watched: string;
let other: string;

beforeAll(async () => {
  watched = await platform.freshNamespace();
  other = await platform.freshNamespace();
  const manifests = rbacManifests({ actions, namespace: own, namespaces: [watched] }).values();
  accounts = await poolAccounts({ kubeconfig: platform.kubeconfig, manifests, own, pools: ['secrets'] });
});
platform.cleanUp(() => accounts.remove());

async function statusOf(namespace: string, name?: string): Promise<number> {
  const path = pathOf({ resource: 'secrets', namespace, ...(name && { name }) });
  return (await callKubernetes({ access: accounts.accessOf('secrets'), path })).status;
}

test('with watched namespaces the secrets pool reads Secrets there, and nowhere else', async () => {
  for (const namespace of [watched, other, own, 'kube-system'])
    await accounts.admin.post(pathOf({ resource: 'secrets', namespace }), {
      metadata: { name: 'firebreak-bound' },
    });
  expect(await statusOf(watched, 'firebreak-bound')).toBe(200);
  for (const namespace of [other, own, 'kube-system']) {
    expect([namespace, await statusOf(namespace, 'firebreak-bound')]).toEqual([namespace, 403]);
    expect([namespace, await statusOf(namespace)]).toEqual([namespace, 403]);
  }
  const path = pathOf({ resource: 'secrets', namespace: 'kube-system', name: 'firebreak-bound' });
  await callKubernetes({ access: readAccess(platform.kubeconfig), path, method: 'DELETE' });
});

test('it lacks no right there that its actions need, and names what is missing elsewhere', async () => {
  const { api } = accounts.as('secrets');
  const asked = { api, pool: 'secrets' as const, actions, namespace: own };
  expect(await missingRights({ ...asked, watched: [watched] })).toEqual([]);
  const missing = (await missingRights({ ...asked, watched: [watched, other] })).map(({ right }) => right);
  expect(missing).toEqual(['create secrets', 'delete secrets', 'get secrets', 'list secrets']);
});

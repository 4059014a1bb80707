import { beforeAll, expect, test } from '@jest/globals';
import { quarantinePodImplementation } from '../../../../activities/actions/containment/quarantine-pod.ts';
import { actions as all } from '../../../../core/actions/index.ts';
import { names } from '../../../../core/cluster/labels.ts';
import { pathOf } from '../../../../integrations/kubernetes/client.ts';
import { rbacManifests } from '../../../../service/rbac/manifests.ts';
import { callKubernetes } from '../../../../tools/platform/kubernetes/kubernetes-api.ts';
import { testPlatform } from '../../../platform.ts';
import { cellKey, resolved, stepContext, until } from '../parts/cluster.ts';
import { type PoolAccounts, poolAccounts } from '../parts/pool-accounts.ts';

const platform = await testPlatform();
const own = 'firebreak-tenant-admission';
const rbac = 'rbac.authorization.k8s.io';

let accounts: PoolAccounts;
let namespace: string;
/** A tenant with the built-in role `edit`, and the rights that a tenant's controller may well have. */
beforeAll(async () => {
  const manifests = rbacManifests({ actions: all, namespace: own }).values();
  accounts = await poolAccounts({ kubeconfig: platform.kubeconfig, manifests, own, pools: ['cell'] });
  namespace = await platform.freshNamespace();
  const { admin } = accounts;
  const at = (resource: string) => pathOf({ group: rbac, resource, namespace });
  await admin.post(pathOf({ resource: 'serviceaccounts', namespace: own }), { metadata: { name: 'firebreak-tenant' } });
  await admin.post(at('roles'), {
    metadata: { name: 'controls' },
    rules: [{ apiGroups: [''], resources: ['pods/status', 'pods/ephemeralcontainers'], verbs: ['patch', 'update'] }],
  });
  for (const [kind, name] of [
    ['ClusterRole', 'edit'],
    ['Role', 'controls'],
  ])
    await admin.post(at('rolebindings'), {
      metadata: { name },
      roleRef: { apiGroup: rbac, kind, name },
      subjects: [{ kind: 'ServiceAccount', name: 'firebreak-tenant', namespace: own }],
    });
  await accounts.add('tenant');
});
platform.cleanUp(() => accounts.remove());

async function asTenant(method: 'PATCH' | 'POST' | 'DELETE', path: string, body?: object): Promise<string> {
  const { status, text } = await callKubernetes({ access: accounts.accessOf('tenant'), method, path, ...(body && { body }) });
  return status >= 200 && status < 300 ? 'ok' : `${status} ${text}`;
}

/** Everything that they could do to a quarantine is refused, including by way of a subresource, a collection or a name that does not exist yet. */
test('admission protects a quarantine in every subresource that writes metadata, and its policies however they are addressed', async () => {
  const { admin } = accounts;
  const { api, view } = accounts.as('cell');
  const podAt = (subresource?: string) =>
    pathOf({ resource: 'pods', namespace, name: 'cart', ...(subresource !== undefined && { subresource }) });
  const pod = resolved(await admin.makePod(namespace, 'cart', { metadata: { labels: { app: 'cart' } } }));
  await quarantinePodImplementation({ api, view, cellKey }).apply({ pod }, stepContext());
  const before = (await admin.pod(namespace, 'cart')).metadata;
  const labels = () => asTenant('PATCH', podAt(), { metadata: { labels: { sneaky: 'yes' } } });
  // A policy is enforced a moment after it was created.
  await until(async () => {
    if ((await labels()).startsWith('422 ')) return true;
    await admin.patchPod(namespace, 'cart', { labels: { sneaky: null } });
    return undefined;
  });
  const quarantined = expect.stringContaining('The pod is quarantined');
  const marks = [
    { labels: { [names.quarantineLabel]: null } },
    { labels: { sneaky: 'yes' } },
    { annotations: { [names.beforeAnnotation]: '{}' } },
  ];
  for (const metadata of marks)
    expect([metadata, await asTenant('PATCH', podAt('status'), { metadata })]).toEqual([metadata, quarantined]);
  // Here the API server takes over nothing but containers.
  for (const metadata of marks)
    expect([metadata, await asTenant('PATCH', podAt('ephemeralcontainers'), { metadata })]).toEqual([metadata, 'ok']);
  expect(await asTenant('PATCH', podAt(), { metadata: { managedFields: [{}] } })).toBe('ok');
  const after = (await admin.pod(namespace, 'cart')).metadata;
  expect([after?.labels, after?.annotations]).toEqual([before?.labels, before?.annotations]);

  const policies = pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace });
  const standing = `${policies}/${names.standingPolicy}`;
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'never-was', uid: '00000000-0000-4000-8000-000000000000' };
  const ours = expect.stringContaining('The policy is what a quarantine of Firebreak consists of');
  const attempts: readonly Parameters<typeof asTenant>[] = [
    ['POST', policies, { metadata: { generateName: names.isolatingPolicies }, spec: { podSelector: {}, egress: [{}] } }],
    ['DELETE', `${policies}?labelSelector=${encodeURIComponent(`${names.managedByLabel}=firebreak`)}`],
    ['DELETE', `${policies}?fieldSelector=metadata.name%3D${names.standingPolicy}`],
    ['DELETE', standing, { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Orphan', gracePeriodSeconds: 0 }],
    ['PATCH', standing, { metadata: { finalizers: ['example.com/keep'] } }],
    ['PATCH', standing, { metadata: { ownerReferences: [owner] } }],
  ];
  for (const attempt of attempts) expect([attempt, await asTenant(...attempt)]).toEqual([attempt, ours]);
});

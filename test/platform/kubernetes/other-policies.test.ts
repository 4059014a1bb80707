import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { otherPolicyKinds } from '../../../integrations/kubernetes/policies/other-policies.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, openCluster, resolved, stepContext, until } from './parts/cluster.ts';

const platform = await testPlatform();
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const kindNames: Readonly<Record<string, string>> = {
  'ciliumnetworkpolicies.cilium.io': 'CiliumNetworkPolicy',
  'ciliumclusterwidenetworkpolicies.cilium.io': 'CiliumClusterwideNetworkPolicy',
  'networkpolicies.crd.projectcalico.org': 'NetworkPolicy',
  'globalnetworkpolicies.crd.projectcalico.org': 'GlobalNetworkPolicy',
  'adminnetworkpolicies.policy.networking.k8s.io': 'AdminNetworkPolicy',
};
const kinds = otherPolicyKinds.flatMap((one) => {
  const name = `${one.resource}.${one.group}`;
  const kind = kindNames[name];
  return kind === undefined
    ? []
    : [
        {
          ...one,
          name,
          kind,
          isNamespaced: one.resource.endsWith('ciliumnetworkpolicies') || one.resource === 'networkpolicies',
        },
      ];
});
let cluster: Awaited<ReturnType<typeof openCluster>>;

/** Defined as their projects define them, as far as needed for an object with a spec; nothing here enforces them. */
beforeAll(async () => {
  const before = await openCluster(platform.kubeconfig, { watches: false });
  for (const { group, version, resource, name, kind, isNamespaced } of kinds) {
    const schema = { type: 'object', properties: { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } } };
    await before.post(definitions, {
      // The API group of administrators' policies belongs to Kubernetes: without this nobody may define a kind in it.
      metadata: { name, annotations: { 'api-approved.kubernetes.io': 'unapproved, for a test' } },
      spec: {
        group,
        scope: isNamespaced ? 'Namespaced' : 'Cluster',
        names: { kind, plural: resource, singular: kind.toLowerCase() },
        versions: [{ name: version, served: true, storage: true, schema: { openAPIV3Schema: schema } }],
      },
    });
    const path = pathOf({ group, version, resource });
    await until(() => before.api.json({ method: 'GET', path, what: 'list' }).catch(() => undefined));
  }
  await before.close();
  cluster = await openCluster(platform.kubeconfig);
});
afterAll(() => cluster.close());

platform.cleanUp(async () => {
  const after = await openCluster(platform.kubeconfig, { watches: false });
  for (const { name } of kinds) await after.api.json({ method: 'DELETE', path: `${definitions}/${name}`, what: 'clean up' });
  await after.close();
});

test.each([
  ['ciliumnetworkpolicies.cilium.io', { endpointSelector: {}, egress: [{ toEntities: ['world'] }] }, 'ciliumnetworkpolicy'],
  ['networkpolicies.crd.projectcalico.org', { selector: 'all()', egress: [{ action: 'Allow' }] }, 'calico-networkpolicy'],
  [
    'ciliumclusterwidenetworkpolicies.cilium.io',
    { endpointSelector: {}, egress: [{ toEntities: ['world'] }] },
    'ciliumclusterwidenetworkpolicy',
  ],
  [
    'globalnetworkpolicies.crd.projectcalico.org',
    { selector: 'all()', egress: [{ action: 'Allow' }] },
    'calico-globalnetworkpolicy',
  ],
  [
    'adminnetworkpolicies.policy.networking.k8s.io',
    { priority: 5, subject: { namespaces: {} }, egress: [{ action: 'Allow', to: [{ namespaces: {} }] }] },
    'adminnetworkpolicy',
  ],
])('a quarantine is partial while one of %s lets its traffic through, as the watch reports it', async (which, spec, sort) => {
  const namespace = await platform.freshNamespace();
  const input = { pod: resolved(await cluster.makePod(namespace, 'leaky')) };
  const { api, view } = cluster;
  const action = quarantinePodImplementation({ api, view, cellKey });
  const context = stepContext();
  const output = await action.apply(input, context);
  expect(await action.verify(output, context)).toMatchObject({ state: 'unverified' });
  const changed: string[] = [];
  view.onPolicies((where) => changed.push(where));
  const found = kinds.find(({ name }) => name === which);
  if (!found) throw new Error(`no ${which}`);
  const { isNamespaced, kind, group, version, resource } = found;
  const place = { group, version, resource, ...(isNamespaced && { namespace }) };
  await cluster.post(pathOf(place), { metadata: { name: 'open' }, spec, apiVersion: `${group}/${version}`, kind });
  await until(async () => changed.includes(namespace));
  const missing = [isNamespaced ? `${sort}/${namespace}/open` : `${sort}/open`];
  expect(await action.verify(output, context)).toMatchObject({ state: 'partial', missing });
  expect((await action.plan(input, context)).notes.join()).toContain('still selects the pod and allows traffic');
  await api.json({ method: 'DELETE', path: pathOf({ ...place, name: 'open' }), what: 'take it away' });
  await until(async () => view.otherPolicies(namespace).length === 0);
  expect(await action.verify(output, context)).toMatchObject({ state: 'unverified' });
});

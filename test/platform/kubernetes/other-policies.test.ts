import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { otherPolicyKinds } from '../../../integrations/kubernetes/policies/other-policies.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, openCluster, resolved, stepContext, until } from './parts/cluster.ts';

const platform = await testPlatform();
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const found = ['cilium.io', 'crd.projectcalico.org'];
const kinds = otherPolicyKinds.filter(({ group }) => found.includes(group));
let cluster: Awaited<ReturnType<typeof openCluster>>;

/** As their projects define them, as far as an object with a spec goes; nothing here enforces them. */
beforeAll(async () => {
  const before = await openCluster(platform.kubeconfig, { watches: false });
  for (const { group, version, resource } of kinds) {
    const kind = group === 'cilium.io' ? 'CiliumNetworkPolicy' : 'NetworkPolicy';
    const schema = { type: 'object', properties: { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } } };
    await before.post(definitions, {
      metadata: { name: `${resource}.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
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
  for (const { group, resource } of kinds)
    await after.api.json({ method: 'DELETE', path: `${definitions}/${resource}.${group}`, what: 'clean up' });
  await after.close();
});

test.each([
  ['cilium.io', { endpointSelector: {}, egress: [{ toEntities: ['world'] }] }, 'ciliumnetworkpolicy'],
  ['crd.projectcalico.org', { selector: 'all()', egress: [{ action: 'Allow' }] }, 'calico-networkpolicy'],
])('a quarantine is partial while a policy of %s lets its traffic through, as the watch brings it', async (group, spec, kind) => {
  const namespace = await platform.freshNamespace();
  const input = { pod: resolved(await cluster.makePod(namespace, 'leaky')) };
  const { api, view } = cluster;
  const action = quarantinePodImplementation({ api, view, cellKey });
  const context = stepContext();
  const output = await action.apply(input, context);
  expect(await action.verify(output, context)).toMatchObject({ state: 'unverified' });
  const changed: string[] = [];
  view.onPolicies((where) => changed.push(where));
  const place = kinds.find((one) => one.group === group);
  if (!place) throw new Error(`no ${group}`);
  await cluster.post(pathOf({ ...place, namespace }), {
    metadata: { name: 'open' },
    spec,
    apiVersion: `${group}/${place.version}`,
    kind: group === 'cilium.io' ? 'CiliumNetworkPolicy' : 'NetworkPolicy',
  });
  await until(async () => changed.includes(namespace));
  expect(await action.verify(output, context)).toMatchObject({ state: 'partial', missing: [`${kind}/${namespace}/open`] });
  expect((await action.plan(input, context)).notes.join()).toContain('still selects the pod and allows traffic');
  await api.json({ method: 'DELETE', path: pathOf({ ...place, namespace, name: 'open' }), what: 'take it away' });
  await until(async () => view.otherPolicies(namespace).length === 0);
  expect(await action.verify(output, context)).toMatchObject({ state: 'unverified' });
});

import { denyImageImplementation } from '../../../activities/actions/containment/deny-image.ts';
import { cordonNodeImplementation } from '../../../activities/actions/nodes/cordon-node.ts';
import { revokeServiceAccountImplementation } from '../../../activities/actions/secrets/revoke-service-account.ts';
import { denyImageInput } from '../../../core/actions/containment/deny-image.schema.ts';
import { cordonNode, denyImage, revokeServiceAccount } from '../../../core/actions/index.ts';
import { cordonNodeInput } from '../../../core/actions/nodes/cordon-node.schema.ts';
import { revokeServiceAccountInput } from '../../../core/actions/secrets/revoke-service-account.schema.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import type { ObjectRef } from '../../../integrations/kubernetes/objects.ts';
import { until } from '../kubernetes/parts/cluster.ts';
import { type AnyRow, change, forTheWatch, row, type TestCluster } from './row.ts';

/** A node on which nothing is scheduled: other tests share the cluster. */
export async function nodeNobodyUses(cluster: TestCluster, name: string): Promise<ObjectRef> {
  await cluster.post(pathOf({ resource: 'nodes' }), {
    metadata: { name, annotations: { 'kwok.x-k8s.io/node': 'fake', 'node.alpha.kubernetes.io/ttl': '0' } },
    spec: { taints: [{ key: 'firebreak.dev/test', effect: 'NoSchedule' }] },
  });
  const ref = { kind: 'Node', resource: 'nodes', name };
  await until(async () => {
    const { spec, status } = await cluster.get<{
      spec: { taints?: readonly unknown[] };
      status: { conditions?: readonly { type: string; status: string }[] };
    }>(pathOf(ref));
    const ready = status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True');
    return ready && spec.taints?.length === 1 ? true : undefined;
  });
  return ref;
}

const admission = 'admissionregistration.k8s.io';
const rbac = 'rbac.authorization.k8s.io';

/** The binding of the policy that denies images in this namespace. */
async function bindingFor(cluster: TestCluster, namespace: string): Promise<ObjectRef> {
  const place = { kind: 'ValidatingAdmissionPolicyBinding', group: admission, resource: 'validatingadmissionpolicybindings' };
  const { items } = await cluster.get<{ items: { metadata: { name: string }; spec: unknown }[] }>(pathOf(place));
  const found = items.find(({ spec }) => JSON.stringify(spec).includes(namespace));
  if (!found) throw new Error(`no binding for ${namespace}`);
  return { ...place, name: found.metadata.name };
}

/** Actions on cluster-wide objects: each scene has its own. */
export const clusterWide: readonly AnyRow[] = [
  row({
    declaration: cordonNode,
    input: cordonNodeInput,
    implementation: (parts) => cordonNodeImplementation(parts),
    async scene(cluster, namespace) {
      const ref = await nodeNobodyUses(cluster, namespace);
      return {
        input: { node: namespace },
        objects: [ref],
        drift: () => change(cluster, ref, { spec: { unschedulable: null } }, { spec: { unschedulable: true } }),
        end: async () => void (await cluster.api.json({ method: 'DELETE', path: pathOf(ref), what: 'clean up' })),
      };
    },
    verification: 'applied',
    unused: forTheWatch(cordonNode),
  }),
  row({
    declaration: revokeServiceAccount,
    input: revokeServiceAccountInput,
    implementation: (parts) => revokeServiceAccountImplementation(parts),
    async scene(cluster, namespace) {
      const account = { kind: 'ServiceAccount', namespace, name: 'default' };
      const other = { kind: 'ServiceAccount', namespace, name: 'other' };
      await cluster.post(pathOf({ group: rbac, resource: 'roles', namespace }), {
        metadata: { name: 'reader' },
        rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
      });
      const inNamespace = { kind: 'RoleBinding', group: rbac, resource: 'rolebindings', namespace, name: 'readers' };
      await cluster.post(pathOf({ group: rbac, resource: 'rolebindings', namespace }), {
        metadata: { name: 'readers', annotations: { owner: 'team' } },
        roleRef: { apiGroup: rbac, kind: 'Role', name: 'reader' },
        subjects: [account, other],
      });
      const inCluster = { kind: 'ClusterRoleBinding', group: rbac, resource: 'clusterrolebindings', name: `${namespace}-view` };
      await cluster.post(pathOf({ group: rbac, resource: 'clusterrolebindings' }), {
        metadata: { name: inCluster.name },
        roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'view' },
        subjects: [account],
      });
      return {
        input: { serviceAccount: { namespace, name: 'default' } },
        objects: [inNamespace, inCluster],
        drift: () => change(cluster, inCluster, { subjects: [other] }, { subjects: null }),
        end: async () => void (await cluster.api.json({ method: 'DELETE', path: pathOf(inCluster), what: 'clean up' })),
      };
    },
    verification: 'applied',
    unused: forTheWatch(revokeServiceAccount, ['watch']),
  }),
  row({
    declaration: denyImage,
    input: denyImageInput,
    implementation: (parts) => denyImageImplementation({ ...parts, exempt: ['firebreak', 'kube-system'] }),
    async scene(cluster, namespace) {
      await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
      return {
        input: { namespace, images: ['shop/cart:1'] },
        objects: [],
        makes: [
          { kind: 'ValidatingAdmissionPolicy', group: admission, resource: 'validatingadmissionpolicies' },
          { kind: 'ValidatingAdmissionPolicyBinding', group: admission, resource: 'validatingadmissionpolicybindings' },
        ],
        drift: async () =>
          change(
            cluster,
            await bindingFor(cluster, namespace),
            { spec: { validationActions: ['Audit'] } },
            { spec: { validationActions: ['Deny'] } },
          ),
      };
    },
    verification: 'partial',
    unused: forTheWatch(denyImage),
  }),
];

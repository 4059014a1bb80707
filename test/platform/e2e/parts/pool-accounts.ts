import { type KubernetesApi, pathOf } from '../../../../integrations/kubernetes/client.ts';
import { writeAccountKubeconfig } from '../../../account-kubeconfig.ts';

const bindings = pathOf({ group: 'rbac.authorization.k8s.io', resource: 'clusterrolebindings' });

/** Creates an account for each pool, as in a cluster. Their rights are tested elsewhere: here they may do everything. */
export async function makePoolAccounts(options: {
  readonly admin: KubernetesApi;
  /** An administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly binding: string;
  readonly pools: readonly string[];
  readonly kubeconfigOf: (pool: string) => string;
}): Promise<void> {
  const { admin, kubeconfig, namespace, binding, pools, kubeconfigOf } = options;
  const subjects = pools.map((name) => ({ kind: 'ServiceAccount', name, namespace }));
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' };
  for (const name of pools) {
    await admin.json({
      method: 'POST',
      path: pathOf({ resource: 'serviceaccounts', namespace }),
      body: { metadata: { name } },
      what: 'set up',
    });
    await writeAccountKubeconfig({ kubeconfig, namespace, name, file: kubeconfigOf(name) });
  }
  await admin.json({ method: 'POST', path: bindings, body: { metadata: { name: binding }, roleRef, subjects }, what: 'set up' });
}

export async function removeBinding(admin: KubernetesApi, binding: string): Promise<void> {
  await admin.json({ method: 'DELETE', path: `${bindings}/${binding}`, what: 'clean up' }).catch(() => undefined);
}

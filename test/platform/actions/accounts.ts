import { join } from 'node:path';
import type { Right } from '../../../core/action/action.ts';
import { createKubernetesApi, type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../../integrations/kubernetes/kubeconfig.ts';
import { writeAccountKubeconfig } from '../../account-kubeconfig.ts';
import type { TestCluster } from './row.ts';

/** Creates a client with its own account that has exactly these rights. */
export async function accountWith(options: {
  readonly admin: TestCluster;
  readonly kubeconfig: string;
  readonly folder: string;
  readonly namespace: string;
  readonly name: string;
  readonly rights: readonly Right[];
}): Promise<{ readonly api: KubernetesApi; remove(): Promise<void> }> {
  const { admin, kubeconfig, folder, namespace, name, rights } = options;
  const full = `${namespace}-${name}`;
  const rbac = (resource: string, one?: string): string =>
    pathOf({ group: 'rbac.authorization.k8s.io', resource, ...(one && { name: one }) });
  await Promise.all([
    admin.post(pathOf({ resource: 'serviceaccounts', namespace }), { metadata: { name } }),
    admin.post(rbac('clusterroles'), {
      metadata: { name: full },
      rules: rights.map(({ apiGroup, resource, verbs }) => ({ apiGroups: [apiGroup], resources: [resource], verbs })),
    }),
    admin.post(rbac('clusterrolebindings'), {
      metadata: { name: full },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: full },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    }),
  ]);
  const file = join(folder, `${full}.kubeconfig`);
  await writeAccountKubeconfig({ kubeconfig, namespace, name, file });
  const api = createKubernetesApi({ access: await accessFromKubeconfig({ file }) });
  return {
    api,
    async remove() {
      api.close();
      for (const resource of ['clusterrolebindings', 'clusterroles'])
        await admin.api.json({ method: 'DELETE', path: rbac(resource, full), what: 'clean up' });
    },
  };
}

/** Returns the rights without one verb on one resource. */
export function without(rights: readonly Right[], resource: string, verb: string): readonly Right[] {
  return rights
    .map((right) => (right.resource === resource ? { ...right, verbs: right.verbs.filter((one) => one !== verb) } : right))
    .filter(({ verbs }) => verbs.length > 0);
}

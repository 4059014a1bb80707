import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { pathOf } from '../../../../integrations/kubernetes/client.ts';
import { type KubernetesAccess, readAccess } from '../../../../tools/platform/kubernetes/kubernetes-api.ts';
import { writeAccountKubeconfig } from '../../../account-kubeconfig.ts';
import { openCluster } from './cluster.ts';

export type Cluster = Awaited<ReturnType<typeof openCluster>>;

export interface PoolAccounts {
  readonly admin: Cluster;
  /** The cluster as the account of this pool sees it. */
  as(pool: string): Cluster;
  /** For calls whose raw answer a client would not return. */
  accessOf(pool: string): KubernetesAccess;
  /** Adds one more account of Firebreak's own namespace, `firebreak-NAME`, which exists already. */
  add(name: string): Promise<void>;
  remove(): Promise<void>;
}

function placeOf(kind: string, own: string): string {
  const rbac = 'rbac.authorization.k8s.io';
  const admission = 'admissionregistration.k8s.io';
  const places: Readonly<Record<string, string>> = {
    ServiceAccount: pathOf({ resource: 'serviceaccounts', namespace: own }),
    ClusterRole: pathOf({ group: rbac, resource: 'clusterroles' }),
    Role: pathOf({ group: rbac, resource: 'roles', namespace: own }),
    RoleBinding: pathOf({ group: rbac, resource: 'rolebindings', namespace: own }),
    ClusterRoleBinding: pathOf({ group: rbac, resource: 'clusterrolebindings' }),
    ValidatingAdmissionPolicy: pathOf({ group: admission, resource: 'validatingadmissionpolicies' }),
    ValidatingAdmissionPolicyBinding: pathOf({ group: admission, resource: 'validatingadmissionpolicybindings' }),
  };
  return places[kind] ?? '';
}

/** Creates Firebreak's own namespace and everything in the manifests. Returns the paths of what must be deleted afterwards. */
export async function applyManifests(options: {
  readonly admin: Cluster;
  readonly manifests: Iterable<string>;
  readonly own: string;
}): Promise<readonly string[]> {
  const { admin, manifests, own } = options;
  const made = [`/api/v1/namespaces/${own}`];
  const posted = new Set<string>();
  await admin.post('/api/v1/namespaces', { metadata: { name: own } });
  for (const manifest of manifests)
    for (const document of parseAllDocuments(manifest)) {
      const object = document.toJS();
      // A pool's account may be in several manifests, because each can be applied alone.
      const place = `${object.kind}/${object.metadata.namespace}/${object.metadata.name}`;
      if (object.kind === 'ServiceAccount' && posted.has(place)) continue;
      posted.add(place);
      await admin.post(placeOf(object.kind, object.metadata.namespace ?? own), object);
      if (object.metadata.namespace === undefined) made.push(`${placeOf(object.kind, own)}/${object.metadata.name}`);
    }
  return made;
}

/** Applies the manifests as shipped, for a namespace of this test, and creates clients with each account's token. */
export async function poolAccounts(options: {
  readonly kubeconfig: string;
  readonly manifests: Iterable<string>;
  /** Firebreak's own namespace, which is created. */
  readonly own: string;
  readonly pools: readonly string[];
}): Promise<PoolAccounts> {
  const { kubeconfig, manifests, own, pools } = options;
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-accounts-'));
  const admin = await openCluster(kubeconfig);
  const accounts = new Map<string, Cluster>();
  const fileOf = (pool: string): string => join(folder, `${pool}.kubeconfig`);
  const made = await applyManifests({ admin, manifests, own });
  const add = (pool: string): Promise<void> =>
    writeAccountKubeconfig({ kubeconfig, namespace: own, name: `firebreak-${pool}`, file: fileOf(pool) });
  for (const pool of pools) {
    await add(pool);
    accounts.set(pool, await openCluster(fileOf(pool), { watches: pool === 'cell' }));
  }
  return {
    admin,
    add,
    accessOf: (pool) => readAccess(fileOf(pool)),
    as(pool) {
      const account = accounts.get(pool);
      if (!account) throw new Error(`no account ${pool}`);
      return account;
    },
    async remove() {
      for (const account of accounts.values()) await account.close();
      for (const path of made) await admin.api.json({ method: 'DELETE', path, what: 'clean up' });
      await admin.close();
      rmSync(folder, { recursive: true });
    },
  };
}

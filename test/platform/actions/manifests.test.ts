import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseAllDocuments, stringify } from 'yaml';
import { createKubernetesApi, type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../../integrations/kubernetes/kubeconfig.ts';
import { rbacManifests } from '../../../service/rbac/manifests.ts';
import { writeAccountKubeconfig } from '../../account-kubeconfig.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, openCluster, resolved, until } from '../kubernetes/parts/cluster.ts';
import { folderEvidence } from '../kubernetes/parts/evidence.ts';
import { applyManifests } from '../kubernetes/parts/pool-accounts.ts';
import { contextFor, wholeLife } from './observe.ts';
import type { AnyRow, TestCluster } from './row.ts';
import { table } from './table.ts';

const platform = await testPlatform();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-manifests-'));
const admission = 'admissionregistration.k8s.io';
const ownOf = ({ declaration }: AnyRow): string => `firebreak-only-${declaration.name.toLowerCase()}`;

/**
 * What `firebreak rbac manifests` prints for this action alone. Here the manifests of all actions are in force side by side, so cluster-wide objects get unique
 * names; and none of them protects the quarantine label from the cells of the others, which is tested elsewhere.
 */
function manifestsFor(row: AnyRow): readonly string[] {
  const namespace = ownOf(row);
  const renamed = (name: string): string => `${namespace}-${name}`;
  return [...rbacManifests({ actions: [row.declaration], namespace }).values()].flatMap((manifest) =>
    parseAllDocuments(manifest).flatMap((document) => {
      const object = document.toJS();
      if (object.metadata.name.endsWith('-quarantined-pods') || object.metadata.name.endsWith('-quarantine-policies')) return [];
      if (object.metadata.namespace !== undefined) return [stringify(object)];
      object.metadata.name = renamed(object.metadata.name);
      if (object.roleRef) object.roleRef.name = renamed(object.roleRef.name);
      if (object.spec?.policyName) object.spec.policyName = renamed(object.spec.policyName);
      return [stringify(object)];
    }),
  );
}

/** The API server picks up policies in the order in which they were created: when the last one is in force, all are. */
async function waitUntilInForce(admin: TestCluster, namespace: string): Promise<readonly string[]> {
  const name = 'firebreak-only-last';
  const policies = pathOf({ group: admission, resource: 'validatingadmissionpolicies' });
  const bindings = pathOf({ group: admission, resource: 'validatingadmissionpolicybindings' });
  const configMaps = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] };
  await admin.post(policies, {
    metadata: { name },
    spec: {
      matchConstraints: { resourceRules: [configMaps] },
      matchConditions: [{ name: 'is-it', expression: `object.metadata.name.startsWith('${name}')` }],
      validations: [{ expression: 'false', message: 'in force' }],
    },
  });
  await admin.post(bindings, { metadata: { name }, spec: { policyName: name, validationActions: ['Deny'] } });
  let tried = 0;
  await until(
    () =>
      admin.post(pathOf({ resource: 'configmaps', namespace }), { metadata: { name: `${name}-${++tried}` } }).then(
        () => undefined,
        () => true,
      ),
    90_000,
  );
  return [`${policies}/${name}`, `${bindings}/${name}`];
}

describe('the manifest of one action', () => {
  let admin: TestCluster;
  let evidence: Awaited<ReturnType<typeof folderEvidence>>;
  const made: string[] = [];
  const apis = new Map<string, KubernetesApi>();
  beforeAll(async () => {
    [admin, evidence] = await Promise.all([openCluster(platform.kubeconfig), folderEvidence(folder)]);
    for (const row of table) {
      const own = ownOf(row);
      made.push(...(await applyManifests({ admin, manifests: manifestsFor(row), own })));
      const file = join(folder, `${own}.kubeconfig`);
      const name = `firebreak-${row.declaration.pool}`;
      await writeAccountKubeconfig({ kubeconfig: platform.kubeconfig, namespace: own, name, file });
      apis.set(own, createKubernetesApi({ access: await accessFromKubeconfig({ file }) }));
    }
    made.push(...(await waitUntilInForce(admin, await platform.freshNamespace())));
  });
  afterAll(async () => {
    for (const api of apis.values()) api.close();
    for (const path of made) await admin.api.json({ method: 'DELETE', path, what: 'clean up' });
    await admin.close();
    rmSync(folder, { recursive: true });
  });
  const apiOf = (row: AnyRow): KubernetesApi => {
    const api = apis.get(ownOf(row));
    if (!api) throw new Error(`no account for ${row.declaration.name}`);
    return api;
  };

  test.each(table.map((row) => [row.declaration.name, row] as const))(
    'is enough for %s from plan to undo, both in its rights and in what admission lets it do with them',
    async (_, row) => {
      const namespace = await platform.freshNamespace();
      const scene = await row.scene(admin, namespace);
      const action = row.implementation({ api: apiOf(row), view: admin.view, cellKey, evidence });
      expect(await wholeLife(action, scene.input, contextFor(namespace))).toBe('ok');
      await scene.end?.();
    },
  );

  test('is enforced here, so that the tests above prove something', async () => {
    const row = table.find(({ declaration }) => declaration.name === 'quarantinePod');
    if (!row) throw new Error('it is in the table');
    const namespace = await platform.freshNamespace();
    const { name } = resolved(await admin.makePod(namespace, 'cart'));
    const image = apiOf(row).json({
      method: 'PATCH',
      patch: 'strategic',
      path: pathOf({ resource: 'pods', namespace, name }),
      body: { spec: { containers: [{ name: 'main', image: 'attacker/miner:1' }] } },
      what: 'patch pods',
    });
    await expect(image).rejects.toMatchObject({ status: 422 });
  });
});

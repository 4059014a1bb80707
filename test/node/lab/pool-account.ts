import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import type { ActionDeclaration } from '../../../core/action/action.ts';
import { createKubernetesApi, type KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../../integrations/kubernetes/kubeconfig.ts';
import { rbacManifests } from '../../../service/rbac/manifests.ts';
import { callKubernetes, readAccess } from '../../../tools/platform/kubernetes/kubernetes-api.ts';
import { writeAccountKubeconfig } from '../../account-kubeconfig.ts';
import { freshNamespace } from '../../platform.ts';
import type { NodeLab } from './lab.ts';

/**
 * The forensics pool's account with exactly the rights that the manifest of one action grants, and the admission policies that narrow them to the lab's tools,
 * in a separate namespace for Firebreak. It is removed after the file's tests.
 */
export async function poolAccount(
  lab: NodeLab,
  action: ActionDeclaration,
): Promise<{ readonly api: KubernetesApi; readonly kubeconfig: string; readonly ownNamespace: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-account-'));
  const manifest = join(folder, 'rbac.yaml');
  const access = readAccess(lab.kubeconfig);
  const ownNamespace = await freshNamespace(access);
  const made = rbacManifests({ actions: [action], namespace: ownNamespace, pinned: { toolsImage: lab.toolsImage } });
  writeFileSync(manifest, [...made.values()].join('---\n'));
  afterAll(async () => {
    await lab.kubectl('--namespace', ownNamespace, 'delete', '--ignore-not-found', '--filename', manifest);
    await callKubernetes({ access, path: `/api/v1/namespaces/${ownNamespace}`, method: 'DELETE' });
    rmSync(folder, { recursive: true });
  });
  const applied = await lab.kubectl('--namespace', ownNamespace, 'apply', '--filename', manifest);
  if (applied.code !== 0) throw new Error(`kubectl apply: ${applied.stderr}`);
  const kubeconfig = join(folder, 'pool.kubeconfig');
  await writeAccountKubeconfig({
    kubeconfig: lab.kubeconfig,
    namespace: ownNamespace,
    name: 'firebreak-forensics',
    file: kubeconfig,
  });
  const api = createKubernetesApi({ access: await accessFromKubeconfig({ file: kubeconfig }) });
  afterAll(() => api.close());
  return { api, kubeconfig, ownNamespace };
}

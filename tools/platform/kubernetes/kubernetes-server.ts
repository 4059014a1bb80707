import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError } from '../../../core/errors.ts';
import type { OnProgress } from '../../../service/parts/cache.ts';
import { ServerGroup } from '../server-group.ts';
import { assetsFolder, startApiServerOnly } from './api-server-only.ts';
import type { AuditLevel, AuditPolicy } from './audit-policy.ts';
import { startControlPlane } from './control-plane.ts';
import { addFakeNodes, nodesAreReady } from './fake-nodes.ts';
import { kindProgram, startKindCluster } from './kind-cluster.ts';
import { kubernetesProgram } from './kubelab-binary.ts';
import type { KubernetesServer } from './kubernetes-api.ts';

export interface KubernetesOptions {
  /** Names of the nodes that kwok simulates. Default: two. */
  readonly nodes?: readonly string[];
  /** Names of nodes on which containers run, if the machine supports them (see `nodes/parts.mjs`). Default: none. */
  readonly realNodes?: readonly string[];
  /** Default `Metadata`. */
  readonly auditLevel?: AuditLevel | AuditPolicy;
  /** etcd flushes each write to the disk, as in a cluster. Default: it does not, which is faster and loses data with the machine only. */
  readonly flushes?: boolean;
  /** The first of its six ports. Default: free ports, the same as last time. */
  readonly port?: number | undefined;
}

/**
 * Starts a Kubernetes control plane with its data in the state folder, and waits until its nodes are ready. Without a
 * group it ends when this process ends. Throws FB_ERR_PLATFORM_PART_MISSING, FB_ERR_PLATFORM_START.
 */
export async function startKubernetes(options: {
  readonly stateDir: string;
  readonly kubernetes?: KubernetesOptions;
  readonly group?: ServerGroup;
  readonly onProgress?: OnProgress;
}): Promise<KubernetesServer> {
  const { stateDir, kubernetes = {}, onProgress = () => {} } = options;
  const nodes = kubernetes.nodes ?? ['node-a', 'node-b'];
  const realNodes = kubernetes.realNodes ?? [];
  const auditLevel = kubernetes.auditLevel ?? 'Metadata';
  const folder = join(stateDir, 'kubernetes');
  mkdirSync(folder, { recursive: true });
  const group = options.group ?? new ServerGroup();
  try {
    // The folder that the environment names comes first, unless it cannot do what is requested and something else can.
    const assets = assetsFolder();
    const kubelab = assets && nodes.length + realNodes.length === 0 ? undefined : await kubernetesProgram('kubelab', onProgress);
    if (kubelab) {
      const { port, flushes = false } = kubernetes;
      const plane = await startControlPlane({ kubelab, folder, auditLevel, group, realNodes, port, flushes, onProgress });
      await addFakeNodes({ access: plane.access, names: nodes });
      await nodesAreReady({ access: plane.access, names: [...nodes, ...realNodes] });
      onProgress(`Kubernetes is serving at ${plane.server}`);
      return plane;
    }
    if (realNodes.length > 0)
      throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', 'Go 1.26 or newer on PATH, to build real nodes');
    if (assets) {
      const alone = await startApiServerOnly({ assets, folder, auditLevel, group });
      onProgress(`Kubernetes is serving at ${alone.server}, without ${alone.missing.join(', ')}: pods will not run`);
      return alone;
    }
    const kind = await kindProgram();
    if (kind) {
      return await startKindCluster({ kind, folder, workers: nodes.length, auditLevel, group, onProgress });
    }
    throw new FirebreakError(
      'FB_ERR_PLATFORM_PART_MISSING',
      'a Kubernetes API server. Put Go 1.26 or newer on PATH, or Docker and kind, or name the folder of envtest binaries in KUBEBUILDER_ASSETS.',
    );
  } catch (error) {
    if (!options.group) await group.stop();
    throw error;
  }
}

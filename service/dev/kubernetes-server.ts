import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import type { AuditLevel } from './audit-policy.ts';
import type { OnProgress } from './cache.ts';
import { type ControlPlaneServer, startControlPlane } from './control-plane.ts';
import { addFakeNodes } from './fake-nodes.ts';
import { kubelabBinary } from './kubelab-binary.ts';
import { ServerGroup } from './server-group.ts';

export interface KubernetesOptions {
  /** Names of the nodes that kwok plays. Default: two. */
  readonly nodes?: readonly string[];
  /** Default `Metadata`. */
  readonly auditLevel?: AuditLevel;
}

export interface KubernetesServer {
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** The API server's URL. */
  readonly server: string;
  /** Path of the API server's audit log, one JSON event a line, written before the request is answered. */
  readonly auditLog: string;
  /** What is not there: with only an API server, pods do not run and Deployments do not roll. Empty where all is there. */
  readonly missing: readonly string[];
  /** The pid of each server that is ours. */
  pids(): Readonly<Record<string, number>>;
  /** Kills one server as a crash would, if it still runs, and starts it again on its port with its data. */
  restart(name: ControlPlaneServer): Promise<void>;
  stop(): Promise<void>;
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
  const auditLevel = kubernetes.auditLevel ?? 'Metadata';
  const folder = join(stateDir, 'kubernetes');
  mkdirSync(folder, { recursive: true });
  const kubelab = await kubelabBinary(onProgress);
  if (!kubelab) {
    throw new FirebreakError(
      'FB_ERR_PLATFORM_PART_MISSING',
      'a Kubernetes API server. Install Go 1.26, or Docker with kind, or set KUBEBUILDER_ASSETS.',
    );
  }
  const group = options.group ?? new ServerGroup({ detached: false });
  try {
    const plane = await startControlPlane({ kubelab, folder, auditLevel, group });
    await addFakeNodes({ access: plane.access, names: nodes });
    onProgress(`Kubernetes serves at ${plane.access.server}`);
    return {
      kubeconfig: plane.kubeconfig,
      server: plane.access.server,
      auditLog: plane.auditLog,
      missing: [],
      pids: () => Object.fromEntries([...plane.servers].map(([name, server]) => [name, server.pid])),
      restart: (name) => plane.restart(name),
      async stop() {
        await plane.stop();
        if (!options.group) await group.stop();
      },
    };
  } catch (error) {
    if (!options.group) await group.stop();
    throw error;
  }
}

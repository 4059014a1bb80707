import { mkdirSync } from 'node:fs';
import type { OnProgress } from '../../service/parts/cache.ts';
import type { KubernetesServer } from './kubernetes/kubernetes-api.ts';
import { type KubernetesOptions, startKubernetes } from './kubernetes/kubernetes-server.ts';
import { ServerGroup } from './server-group.ts';
import { startTemporal, type TemporalOptions, type TemporalServer } from './temporal-server.ts';

export interface Platform {
  readonly temporal: TemporalServer;
  readonly kubernetes: KubernetesServer;
  stop(): Promise<void>;
  /** Leaves the servers running when this process ends; then they can only be ended by pid. */
  detach(): Promise<void>;
}

/**
 * Starts a Temporal server and a Kubernetes control plane with all their data in `stateDir`, and waits until both serve. They end with `stop()` and when this
 * process ends in any way, unless they were detached. When started again with the same folder, both have their data and, if those are free, their ports. Throws
 * FB_ERR_PLATFORM_PART_MISSING, FB_ERR_PLATFORM_START.
 */
export async function startPlatform(options: {
  readonly stateDir: string;
  readonly temporal?: TemporalOptions;
  readonly kubernetes?: KubernetesOptions;
  readonly onProgress?: OnProgress;
}): Promise<Platform> {
  const { stateDir, temporal = {}, kubernetes = {}, onProgress = () => {} } = options;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const group = new ServerGroup();
  try {
    const started = [
      startTemporal({ stateDir, temporal, group, onProgress }),
      startKubernetes({ stateDir, kubernetes, group, onProgress }),
    ] as const;
    await Promise.allSettled(started);
    const [temporalServer, kubernetesServer] = await Promise.all(started);
    return { temporal: temporalServer, kubernetes: kubernetesServer, stop: () => group.stop(), detach: () => group.detach() };
  } catch (error) {
    await group.stop();
    throw error;
  }
}

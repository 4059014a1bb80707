import type { ClusterAccess } from '../../integrations/kubernetes/kubeconfig.ts';
import type { Config } from '../config/load.ts';

/** Selects the cluster that a command reads: from a kubeconfig or from the configuration. */
export interface WhichCluster {
  readonly config: string;
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** The cluster that was selected. */
interface ChosenCluster {
  readonly access: ClusterAccess;
  /** Absent if a kubeconfig was named: no configuration is read then. */
  readonly config?: Config;
}

/** @throws FB_ERR_FILE_MISSING, FB_ERR_CONFIG_INVALID */
export async function withCluster<T>(
  { config: path, kubeconfig, context }: WhichCluster,
  work: (cluster: ChosenCluster) => Promise<T>,
): Promise<T> {
  if (kubeconfig !== undefined) {
    const { accessFromKubeconfig } = await import('../../integrations/kubernetes/kubeconfig.ts');
    return work({ access: await accessFromKubeconfig({ file: kubeconfig, ...(context !== undefined && { context }) }) });
  }
  const [{ configToUse }, { clusterAccess }] = await Promise.all([
    import('../config/left-out.ts'),
    import('../process/cluster-api.ts'),
  ]);
  const config = configToUse(path);
  const kubernetes = { ...config.kubernetes, ...(context !== undefined && { context }) };
  return work({ access: await clusterAccess({ config: { kubernetes }, env: process.env }), config });
}

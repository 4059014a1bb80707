import type { ClusterAccess } from '../../integrations/kubernetes/kubeconfig.ts';
import type { Config } from '../config/load.ts';

/** Which cluster a command reads: of a kubeconfig, or of the configuration. */
export interface WhichCluster {
  readonly config: string;
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** What was chosen. */
interface ChosenCluster {
  readonly access: ClusterAccess;
  /** Absent: a kubeconfig was named, and no configuration is read. */
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
  const [{ loadConfig }, { clusterAccess }] = await Promise.all([
    import('../config/load.ts'),
    import('../process/cluster-api.ts'),
  ]);
  const config = loadConfig({ path, env: process.env });
  const kubernetes = { ...config.kubernetes, ...(context !== undefined && { context }) };
  return work({ access: await clusterAccess({ config: { kubernetes }, env: process.env }), config });
}

import { createKubernetesApi, type KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig, accessInCluster, type ClusterAccess } from '../../integrations/kubernetes/kubeconfig.ts';
import type { Config, Environment } from '../config/load.ts';

interface Where {
  readonly config: { readonly kubernetes: Pick<Config['kubernetes'], 'kubeconfig' | 'context'> };
  readonly env: Environment;
}

/** Returns how to reach the cluster and with which account: the configured kubeconfig, or that of the pod we run in. */
export async function clusterAccess({ config, env }: Where): Promise<ClusterAccess> {
  const { kubeconfig, context } = config.kubernetes;
  return kubeconfig
    ? await accessFromKubeconfig({ file: kubeconfig, ...(context ? { context } : {}) })
    : accessInCluster({ host: env.KUBERNETES_SERVICE_HOST, port: env.KUBERNETES_SERVICE_PORT });
}

/** Creates a client for a command, with the same account. */
export async function openClusterApi(where: Where): Promise<KubernetesApi> {
  return createKubernetesApi({ access: await clusterAccess(where) });
}

import type { V1Node } from '@kubernetes/client-node';
import { FirebreakError } from '../../../core/errors.ts';
import { createKubernetesApi, type KubernetesApi, pathOf } from '../client.ts';
import { KubernetesError } from '../client-error.ts';
import type { ClusterAccess } from '../kubeconfig.ts';
import type { Jsonify } from '../watch/projection.ts';

/** Where kubelets store checkpoints, unless their root folder was moved. */
export const checkpointsFolder = '/var/lib/kubelet/checkpoints';

/**
 * Asks the kubelet for a checkpoint of a container: its memory and files, as an archive on the node, whose path is returned. Asking the kubelet directly needs
 * only the right `nodes/checkpoint`; through the API server it would need `nodes/proxy`, which allows running anything anywhere.
 * https://kubernetes.io/docs/reference/node/kubelet-checkpoint-api/
 *
 * @throws FB_ERR_REFUSED if the kubelet's certificate is not from the cluster's CA, or it does not support checkpoints; FB_ERR_UNAVAILABLE if it could not do
 * it now and may be busy with one; else as `KubernetesApi.json`.
 */
export async function askForCheckpoint(options: {
  readonly api: KubernetesApi;
  readonly access: ClusterAccess;
  readonly node: string;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly timeoutMs: number;
  /** An earlier call may not have ended: a runtime makes one checkpoint of a container at a time. */
  readonly mayBeBusy: boolean;
  readonly signal: AbortSignal;
}): Promise<string> {
  const { api, access, node, namespace, pod, container, timeoutMs, mayBeBusy, signal } = options;
  const server = await kubeletOf({ api, node, signal });
  const { servername: _, ...tls } = access.tls;
  // Our token is sent there: only to a proven kubelet of this cluster.
  const kubelet = createKubernetesApi({ access: { ...access, server, tls: { ...tls, rejectUnauthorized: true } } });
  const path = `/checkpoint/${[namespace, pod, container].map(encodeURIComponent).join('/')}`;
  try {
    const { items } = await kubelet.json<{ readonly items?: readonly string[] }>({
      method: 'POST',
      path,
      query: { timeout: String(Math.ceil(timeoutMs / 1_000)) },
      what: `create nodes/checkpoint on ${node}`,
      timeoutMs,
      signal,
    });
    const [archive] = items ?? [];
    if (archive === undefined) throw new FirebreakError('FB_ERR_UNAVAILABLE', `the kubelet of ${node} named no archive`);
    return archive;
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    if (error.reason === 'Untrusted')
      throw new FirebreakError(
        'FB_ERR_REFUSED',
        `the certificate of the kubelet of ${node} is not signed by the cluster’s CA: nothing was sent to it (kubelet: serverTLSBootstrap)`,
      );
    if (error.status === 500 && mayBeBusy)
      throw new FirebreakError(
        'FB_ERR_UNAVAILABLE',
        `the kubelet of ${node} could not make a checkpoint: it may still be making the one that an earlier attempt requested`,
      );
    if (error.status === 404 || error.status === 500)
      throw new FirebreakError(
        'FB_ERR_REFUSED',
        `the kubelet of ${node} could not make a checkpoint (${error.status}): its runtime needs CRIU and the feature ContainerCheckpoint, and CRIU refuses a container with an open TCP connection`,
      );
    throw error;
  } finally {
    kubelet.close();
  }
}

async function kubeletOf(options: {
  readonly api: KubernetesApi;
  readonly node: string;
  readonly signal: AbortSignal;
}): Promise<string> {
  const { api, node, signal } = options;
  const { status } = await api.json<Jsonify<V1Node>>({
    method: 'GET',
    path: pathOf({ resource: 'nodes', name: node }),
    what: 'get nodes',
    signal,
  });
  const address = status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
  const port = status?.daemonEndpoints?.kubeletEndpoint?.Port;
  if (!address || !port) throw new FirebreakError('FB_ERR_REFUSED', `node ${node} does not report the address of its kubelet`);
  return `https://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

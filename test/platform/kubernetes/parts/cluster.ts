import { randomUUID } from 'node:crypto';
import type { V1Deployment } from '@kubernetes/client-node';
import type { StepContext } from '../../../../core/action/action.ts';
import { FirebreakError } from '../../../../core/errors.ts';
import { createKubernetesApi, type KubernetesApi, pathOf } from '../../../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../../../integrations/kubernetes/kubeconfig.ts';
import type { Jsonify, PodJson } from '../../../../integrations/kubernetes/watch/projection.ts';
import { WatchCache } from '../../../../integrations/kubernetes/watch/watch-cache.ts';
import { readSecret } from '../../../../integrations/kubernetes/workloads/secrets.ts';
import { eventually } from '../../../eventually.ts';

export const cellKey = new Uint8Array(32).fill(7);

/**
 * Opens a client and a cache on the test cluster, with the calls that tests use to set up a scene. Without `watches` the cache stays empty, because not every
 * account may watch.
 */
export async function openCluster(kubeconfig: string, { watches = true }: { readonly watches?: boolean } = {}) {
  const api = createKubernetesApi({ access: await accessFromKubeconfig({ file: kubeconfig }) });
  const view = new WatchCache({ api });
  if (watches) await view.start();
  return {
    api,
    view,
    ...sceneOf(api, view),
    async close() {
      await view.stop();
      api.close();
    },
  };
}

function sceneOf(api: KubernetesApi, view: WatchCache) {
  const get = <T>(path: string): Promise<T> => api.json<T>({ method: 'GET', path, what: 'read for a test' });
  const post = <T>(path: string, body: unknown): Promise<T> =>
    api.json<T>({ method: 'POST', path, body, what: 'create for a test' });
  const pod = (namespace: string, name: string): Promise<PodJson> => get(pathOf({ resource: 'pods', namespace, name }));
  const pods = async (namespace: string): Promise<readonly PodJson[]> =>
    (await get<{ items: PodJson[] }>(pathOf({ resource: 'pods', namespace }))).items;
  const patchPod = (namespace: string, name: string, metadata: object): Promise<PodJson> =>
    api.json<PodJson>({
      method: 'PATCH',
      patch: 'merge',
      path: pathOf({ resource: 'pods', namespace, name }),
      body: { metadata },
      what: 'change for a test',
    });
  /** Creates a pod without an owner, and waits until the cache has it. */
  const makePod = async (namespace: string, name: string, more: { metadata?: object; spec?: object } = {}) => {
    await post(pathOf({ resource: 'pods', namespace }), {
      metadata: { name, ...more.metadata },
      spec: { containers: [{ name: 'main', image: 'shop/cart:1' }], ...more.spec },
    });
    const running = await until(async () => {
      const found = await pod(namespace, name);
      return found.status?.phase === 'Running' ? found : undefined;
    });
    return settled(running);
  };
  /** Waits until the object no longer changes by itself and the cache has its current state. */
  const settled = (seen: PodJson): Promise<PodJson> =>
    until(async () => {
      const found = await pod(seen.metadata?.namespace ?? '', seen.metadata?.name ?? '');
      const known = view.podByUid(found.metadata?.uid ?? '');
      return known?.resourceVersion === found.metadata?.resourceVersion ? found : undefined;
    });
  const makeDeployment = async (namespace: string, name: string, template: { spec?: object; replicas?: number } = {}) => {
    const labels = { app: name };
    await post(pathOf({ group: 'apps', resource: 'deployments', namespace }), {
      metadata: { name },
      spec: {
        replicas: template.replicas ?? 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels: { ...labels, tier: 'web' } },
          spec: { containers: [{ name: 'main', image: 'shop/cart:1' }], ...template.spec },
        },
      },
    });
    return until(async () => {
      const found = (await pods(namespace)).filter((one) => one.metadata?.labels?.app === name);
      const known = found.every((one) => one.status?.phase === 'Running' && view.podByUid(one.metadata?.uid ?? '') !== undefined);
      return found.length === (template.replicas ?? 2) && known ? found : undefined;
    });
  };
  const deployment = (namespace: string, name: string): Promise<Jsonify<V1Deployment>> =>
    get(pathOf({ group: 'apps', resource: 'deployments', namespace, name }));
  /** Whether the pod exists and is not being deleted. */
  const hasPod = async (namespace: string, name: string): Promise<boolean> =>
    (await pods(namespace)).some(({ metadata }) => metadata?.name === name && !metadata.deletionTimestamp);
  /** The values of a Secret, as text. Empty if it does not exist. */
  const secretValues = async (namespace: string, name: string): Promise<Readonly<Record<string, string>>> => {
    const { data = {} } = (await readSecret({ api, namespace, name, signal: AbortSignal.timeout(120_000) })) ?? {};
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
  };
  return { get, post, pod, pods, hasPod, patchPod, makePod, makeDeployment, deployment, secretValues, settled };
}

export function until<T>(look: () => Promise<T | undefined>, withinMs = 45_000): Promise<T> {
  return eventually('what is waited for', look, { withinMs, everyMs: 50 });
}

/** Runs work as Temporal does: retries it after a transient failure. */
export function asTemporal<T>(work: () => Promise<T>): Promise<T> {
  return until(
    () =>
      work().catch((error: unknown) => {
        if (error instanceof FirebreakError && error.retryable) return undefined;
        throw error;
      }),
    60_000,
  );
}

export function stepContext(more: Partial<StepContext> = {}): StepContext {
  const run = randomUUID();
  return {
    key: `incident/test/shop/Deployment/cart/${run}/contain/pod/quarantinePod/1`,
    incident: 'incident/test/shop/Deployment/cart',
    run,
    fast: false,
    taking: { severity: 'critical', reach: 'pod', lease: { durationMs: 14_400_000, onExpiry: 'renew' } },
    signal: AbortSignal.timeout(120_000),
    ...more,
  };
}

export function resolved(pod: PodJson): { readonly namespace: string; readonly name: string; readonly uid: string } {
  const { namespace = '', name = '', uid = '' } = pod.metadata ?? {};
  return { namespace, name, uid };
}

import { names } from '../../../core/cluster/labels.ts';
import { FirebreakError, undefinedIf } from '../../../core/errors.ts';
import { type KubernetesApi, pathOf } from '../client.ts';
import { lastManagerOf } from '../objects.ts';
import type { PodJson } from '../watch/projection.ts';

/** A pod by name, or undefined if there is none. */
export async function readPod(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly name: string;
  readonly signal?: AbortSignal;
}): Promise<PodJson | undefined> {
  const { api, namespace, name, signal } = options;
  return api
    .json<PodJson>({
      method: 'GET',
      path: pathOf({ resource: 'pods', namespace, name }),
      what: `get pods in ${namespace}`,
      ...(signal && { signal }),
    })
    .catch(undefinedIf('FB_ERR_NOT_FOUND'));
}

/** The last field manager other than us that set the labels of a pod. */
export async function lastManagerOfLabels(
  api: KubernetesApi,
  pod: { readonly namespace: string; readonly name: string },
): Promise<string | undefined> {
  const found = await readPod({ api, ...pod });
  return found && lastManagerOf(found, ['metadata', 'labels']);
}

/** The pod with exactly this uid. @throws FB_ERR_NOT_FOUND; FB_ERR_TARGET_REPLACED if another pod has the name now. */
export async function readSamePod(options: {
  readonly api: KubernetesApi;
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly signal?: AbortSignal;
}): Promise<PodJson> {
  const { api, pod, signal } = options;
  const found = await readPod({ api, namespace: pod.namespace, name: pod.name, ...(signal && { signal }) });
  const target = `pod/${pod.namespace}/${pod.name}`;
  if (!found) throw new FirebreakError('FB_ERR_NOT_FOUND', `${target} does not exist`);
  if (found.metadata?.uid !== pod.uid)
    throw new FirebreakError('FB_ERR_TARGET_REPLACED', `${target} is another pod now, with another uid`);
  return found;
}

/**
 * Replaces all labels of a pod and some of its annotations, in one call that succeeds only on exactly the object that was read.
 * @throws FB_ERR_CONFLICT if the pod has changed since (read again), FB_ERR_NOT_FOUND if it is gone.
 */
export async function replacePodLabels(options: {
  readonly api: KubernetesApi;
  readonly pod: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly labels: Readonly<Record<string, string>>;
  /** null removes an annotation. */
  readonly annotations: Readonly<Record<string, string | null>>;
  readonly signal?: AbortSignal;
}): Promise<PodJson> {
  const { api, pod, labels, annotations, signal } = options;
  const removed = Object.keys(pod.labels).filter((key) => !(key in labels));
  return api.json<PodJson>({
    method: 'PATCH',
    patch: 'merge',
    path: pathOf({ resource: 'pods', namespace: pod.namespace, name: pod.name }),
    query: { fieldManager: names.fieldManager },
    body: {
      metadata: {
        uid: pod.uid,
        resourceVersion: pod.resourceVersion,
        labels: { ...Object.fromEntries(removed.map((key) => [key, null])), ...labels },
        annotations,
      },
    },
    what: `patch pods in ${pod.namespace}`,
    ...(signal && { signal }),
  });
}

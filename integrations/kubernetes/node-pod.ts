import { setTimeout as sleep } from 'node:timers/promises';
import { FirebreakError } from '../../core/errors.ts';
import { names } from '../../core/labels.ts';
import { type KubernetesApi, pathOf } from './client.ts';
import { KubernetesError } from './client-error.ts';
import { readPod } from './pods.ts';
import type { PodJson } from './projection.ts';

/** A short-lived pod of our own on a certain node, in that node's network. */
export interface NodePod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly image: string;
  readonly command: readonly string[];
  /** The key of the step that it is for. */
  readonly step: string;
  /** Ended by its kubelet after this time, whatever becomes of us. */
  readonly livesSeconds: number;
}

interface OnNodePod {
  readonly api: KubernetesApi;
  readonly pod: NodePod;
  readonly signal: AbortSignal;
}

const pollMs = 250;

/**
 * Makes the pod, or finds the one that this step has made, and waits for its end. Returns its termination message.
 * @throws FB_ERR_REFUSED when the API server or somebody's pod of that name does not allow it, or when it fails;
 * FB_ERR_UNAVAILABLE while it has not run in its time.
 */
export async function runOnNode({ api, pod, patienceMs, signal }: OnNodePod & { readonly patienceMs: number }): Promise<string> {
  try {
    await api.json<PodJson>({
      method: 'POST',
      path: pathOf({ resource: 'pods', namespace: pod.namespace }),
      query: { fieldManager: names.fieldManager },
      body: manifestOf(pod),
      what: `create pods in ${pod.namespace}`,
      signal,
    });
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.status !== 409) throw error;
  }
  const end = Date.now() + patienceMs;
  for (;;) {
    const found = await readPod({ api, namespace: pod.namespace, name: pod.name, signal });
    if (found && found.metadata?.annotations?.[names.stepAnnotation] !== pod.step)
      throw new FirebreakError('FB_ERR_REFUSED', `pod/${pod.namespace}/${pod.name} is not the one that this step has made`);
    const ended = found?.status?.containerStatuses?.[0]?.state?.terminated;
    if (ended?.exitCode === 0 && ended.message) return ended.message;
    if (ended || found?.status?.phase === 'Failed')
      throw new FirebreakError('FB_ERR_REFUSED', `pod/${pod.namespace}/${pod.name} on ${pod.node} failed: ${whyFailed(found)}`);
    if (!found || Date.now() > end)
      throw new FirebreakError(
        'FB_ERR_UNAVAILABLE',
        `pod/${pod.namespace}/${pod.name} has not run on ${pod.node} yet: ${whyWaiting(found)}`,
      );
    await sleep(pollMs, undefined, { signal });
  }
}

/** Deletes the pod, and reads back that it is gone. Does nothing where there is none. @throws FB_ERR_UNAVAILABLE while it is still there. */
export async function removeFromNode(options: {
  readonly api: KubernetesApi;
  readonly pod: Pick<NodePod, 'namespace' | 'name' | 'step'>;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { api, pod, signal } = options;
  const { namespace, name } = pod;
  const end = Date.now() + 15_000;
  for (;;) {
    const found = await readPod({ api, namespace, name, signal });
    if (!found || found.metadata?.annotations?.[names.stepAnnotation] !== pod.step) return;
    if (!found.metadata?.deletionTimestamp) await remove({ api, pod, signal, uid: found.metadata?.uid ?? '' });
    if (Date.now() > end)
      throw new FirebreakError('FB_ERR_UNAVAILABLE', `pod/${namespace}/${name} is being deleted, but is still there`);
    await sleep(pollMs, undefined, { signal });
  }
}

async function remove(options: {
  readonly api: KubernetesApi;
  readonly pod: Pick<NodePod, 'namespace' | 'name'>;
  readonly uid: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { api, pod, uid, signal } = options;
  try {
    await api.json({
      method: 'DELETE',
      path: pathOf({ resource: 'pods', namespace: pod.namespace, name: pod.name }),
      body: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, preconditions: { uid } },
      what: `delete pods in ${pod.namespace}`,
      signal,
    });
  } catch (error) {
    if (!(error instanceof KubernetesError) || (error.status !== 404 && error.status !== 409)) throw error;
  }
}

/** What admission holds the account to: see `service/rbac/admission.ts`. */
function manifestOf({ namespace, name, node, image, command, step, livesSeconds }: NodePod): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels: { 'app.kubernetes.io/name': 'firebreak', 'app.kubernetes.io/component': 'forensics' },
      annotations: { [names.stepAnnotation]: step },
    },
    spec: {
      nodeName: node,
      hostNetwork: true,
      restartPolicy: 'Never',
      activeDeadlineSeconds: livesSeconds,
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      // A node that is cordoned or tainted, perhaps by us, is where it is needed.
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'main',
          image,
          imagePullPolicy: 'IfNotPresent',
          command,
          resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
          securityContext: {
            runAsUser: 0,
            privileged: false,
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
            seccompProfile: { type: 'RuntimeDefault' },
          },
        },
      ],
    },
  };
}

function whyFailed(pod: PodJson | undefined): string {
  const ended = pod?.status?.containerStatuses?.[0]?.state?.terminated;
  return ended ? `exit code ${ended.exitCode} (${ended.reason ?? 'no reason'})` : (pod?.status?.reason ?? 'no reason given');
}

function whyWaiting(pod: PodJson | undefined): string {
  return pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason ?? 'the node has not looked at it';
}

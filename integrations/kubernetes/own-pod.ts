import { setTimeout as sleep } from 'node:timers/promises';
import { FirebreakError } from '../../core/errors.ts';
import { names } from '../../core/labels.ts';
import { type KubernetesApi, pathOf } from './client.ts';
import { KubernetesError } from './client-error.ts';
import { readPod } from './pods.ts';
import type { PodJson } from './projection.ts';

/** A short-lived pod of our own on a certain node. */
export interface OwnPod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  /** In the node's network it has CAP_NET_ADMIN, and nothing else of the node. */
  readonly network: 'node' | 'pod';
  /** One folder of the node, mounted for root without any capability. */
  readonly folder?: { readonly path: string; readonly at: string };
  readonly image: string;
  readonly command: readonly string[];
  /** The key of the step that it is for. */
  readonly step: string;
  /** Ended by its kubelet after this time, whatever becomes of us. */
  readonly livesSeconds: number;
}

interface Waited {
  readonly api: KubernetesApi;
  readonly pod: OwnPod;
  readonly patienceMs: number;
  readonly signal: AbortSignal;
}

const pollMs = 250;

/**
 * Makes the pod, or finds the one that this step has made, and waits for its end. Returns its termination message.
 * @throws FB_ERR_REFUSED when the API server or somebody's pod of that name does not allow it, or when it fails;
 * FB_ERR_UNAVAILABLE while it has not run in its time.
 */
export async function runToEnd(options: Waited): Promise<string> {
  return waitFor(options, (found) => {
    const ended = found.status?.containerStatuses?.[0]?.state?.terminated;
    return ended?.exitCode === 0 ? ended.message : undefined;
  });
}

/** Makes the pod and waits until it runs. Returns its address. @throws as `runToEnd`. */
export async function startOwnPod(options: Waited): Promise<string> {
  return waitFor(options, ({ status }) => (status?.containerStatuses?.[0]?.state?.running ? status.podIP : undefined));
}

async function waitFor({ api, pod, patienceMs, signal }: Waited, seen: (pod: PodJson) => string | undefined): Promise<string> {
  await make({ api, pod, signal });
  const name = `pod/${pod.namespace}/${pod.name}`;
  const end = Date.now() + patienceMs;
  for (;;) {
    const found = await readPod({ api, namespace: pod.namespace, name: pod.name, signal });
    if (found && found.metadata?.annotations?.[names.stepAnnotation] !== pod.step)
      throw new FirebreakError('FB_ERR_REFUSED', `${name} is not the one that this step has made`);
    const answer = found && seen(found);
    if (answer) return answer;
    const ended = found?.status?.containerStatuses?.[0]?.state?.terminated;
    if (ended || found?.status?.phase === 'Failed')
      throw new FirebreakError('FB_ERR_REFUSED', `${name} on ${pod.node} failed: ${whyFailed(found)}`);
    if (!found || Date.now() > end)
      throw new FirebreakError('FB_ERR_UNAVAILABLE', `${name} has not run on ${pod.node} yet: ${whyWaiting(found)}`);
    await sleep(pollMs, undefined, { signal });
  }
}

async function make({ api, pod, signal }: Pick<Waited, 'api' | 'pod' | 'signal'>): Promise<void> {
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
}

/** Deletes the pod, and reads back that it is gone. Does nothing where there is none. @throws FB_ERR_UNAVAILABLE while it is still there. */
export async function removeOwnPod(options: {
  readonly api: KubernetesApi;
  readonly pod: Pick<OwnPod, 'namespace' | 'name' | 'step'>;
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
  readonly pod: Pick<OwnPod, 'namespace' | 'name'>;
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

/** What admission holds the account to: see `service/rbac/own-pod-admission.ts`. */
function manifestOf({ namespace, name, node, network, image, command, step, livesSeconds, folder }: OwnPod): object {
  const onNode = network === 'node';
  const asRoot = onNode || folder !== undefined;
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
      hostNetwork: onNode,
      ...(folder && { volumes: [{ name: 'folder', hostPath: { path: folder.path, type: 'DirectoryOrCreate' } }] }),
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
          ...(folder && { volumeMounts: [{ name: 'folder', mountPath: folder.at }] }),
          resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
          securityContext: {
            runAsUser: asRoot ? 0 : 65_534,
            runAsNonRoot: !asRoot,
            privileged: false,
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'], ...(onNode && { add: ['NET_ADMIN'] }) },
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

import { setTimeout as sleep } from 'node:timers/promises';
import type { V1EphemeralContainer, V1SecurityContext } from '@kubernetes/client-node';
import { tools } from '../../../core/actions/in-container-rights.ts';
import { names } from '../../../core/cluster/labels.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { type KubernetesApi, pathOf } from '../client.ts';
import { KubernetesError } from '../client-error.ts';
import type { PodJson } from '../watch/projection.ts';
import { readSamePod } from './pods.ts';

/** What the tools may do in the pod. `as the container`: what its namespace allows, and only on processes of the same user. */
type ToolsRights = 'everything' | 'as the container' | 'as the container, without capabilities';

export interface ToolsContainer {
  readonly name: string;
  readonly rights: ToolsRights;
}

/** An ephemeral container is never restarted: a step that returns after its container ended needs another one. */
const mostContainers = 5;

/**
 * Starts our own tools next to a container of the pod, in its process namespace. Once per `baseName`: a running one is reused. The container ends by itself,
 * and its name stays in the pod's spec for as long as the pod exists. It gets no token: those are mounted when a pod is created.
 * @throws FB_ERR_REFUSED if the API server does not allow it, FB_ERR_UNAVAILABLE while it does not run yet.
 */
export async function startTools(options: {
  readonly api: KubernetesApi;
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly baseName: string;
  readonly image: string;
  /** The container whose processes are examined. */
  readonly beside: string;
  readonly capabilities: readonly string[];
  readonly livesSeconds: number;
  readonly startsWithinMs: number;
  readonly signal: AbortSignal;
}): Promise<ToolsContainer> {
  const { api, pod, baseName, signal } = options;
  let found = await readSamePod({ api, pod, signal });
  for (let n = 1; n <= mostContainers; n += 1) {
    const name = n === 1 ? baseName : `${baseName}-${n}`;
    if (!specOf(found, name)) found = await addContainer({ ...options, found, name });
    if (await runs({ ...options, name })) return { name, rights: rightsOf(found, name, options.beside) };
  }
  throw new FirebreakError('FB_ERR_REFUSED', `the tools were ended ${mostContainers} times in pod/${pod.namespace}/${pod.name}`);
}

/** Names of the tools containers that this step added to the pod. */
export function toolsContainersOf(pod: PodJson, baseName: string): readonly string[] {
  const added = (pod.spec?.ephemeralContainers ?? []).map(({ name }) => name);
  return added.filter((name) => name === baseName || name.startsWith(`${baseName}-`));
}

function specOf(pod: PodJson, name: string) {
  return pod.spec?.ephemeralContainers?.find((one) => one.name === name);
}

/** Requests the most rights first, and fewer if the namespace's Pod Security level refuses them. */
async function addContainer(options: {
  readonly api: KubernetesApi;
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly found: PodJson;
  readonly name: string;
  readonly image: string;
  readonly beside: string;
  readonly capabilities: readonly string[];
  readonly livesSeconds: number;
  readonly signal: AbortSignal;
}): Promise<PodJson> {
  const { api, pod, found, name, image, beside, livesSeconds, signal } = options;
  let refusal: unknown;
  for (const { securityContext } of levels({ found, beside, capabilities: options.capabilities })) {
    const container: V1EphemeralContainer = {
      name,
      image,
      imagePullPolicy: 'IfNotPresent',
      command: [tools.program, 'wait', '-seconds', String(livesSeconds)],
      targetContainerName: beside,
      securityContext,
    };
    try {
      return await api.json<PodJson>({
        method: 'PATCH',
        patch: 'strategic',
        path: pathOf({ resource: 'pods', namespace: pod.namespace, name: pod.name, subresource: 'ephemeralcontainers' }),
        query: { fieldManager: names.fieldManager },
        // With the uid, the call succeeds on this pod only, never on its successor.
        body: { metadata: { uid: pod.uid }, spec: { ephemeralContainers: [container] } },
        what: `patch pods/ephemeralcontainers in ${pod.namespace}`,
        signal,
      });
    } catch (error) {
      if (!(error instanceof KubernetesError) || error.status !== 403) throw error;
      refusal ??= error;
    }
  }
  throw refusal;
}

interface Level {
  readonly rights: ToolsRights;
  readonly securityContext: V1SecurityContext;
}

/** https://kubernetes.io/docs/concepts/security/pod-security-standards/: accepted in privileged, baseline and restricted namespaces respectively. */
function levels(options: {
  readonly found: PodJson;
  readonly beside: string;
  readonly capabilities: readonly string[];
}): readonly Level[] {
  const { found, beside, capabilities } = options;
  const of = [...(found.spec?.containers ?? []), ...(found.spec?.initContainers ?? [])].find(({ name }) => name === beside);
  const user = of?.securityContext?.runAsUser ?? found.spec?.securityContext?.runAsUser;
  const group = of?.securityContext?.runAsGroup ?? found.spec?.securityContext?.runAsGroup;
  const same = { ...(user !== undefined && { runAsUser: user }), ...(group !== undefined && { runAsGroup: group }) };
  const common = {
    privileged: false,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    seccompProfile: { type: 'RuntimeDefault' },
  };
  return [
    {
      rights: 'everything',
      securityContext: {
        ...common,
        runAsUser: 0,
        runAsGroup: 0,
        runAsNonRoot: false,
        capabilities: { drop: ['ALL'], add: [...capabilities] },
      },
    },
    { rights: 'as the container', securityContext: { ...common, ...same } },
    {
      rights: 'as the container, without capabilities',
      securityContext: { ...common, ...same, runAsNonRoot: true, capabilities: { drop: ['ALL'] } },
    },
  ];
}

function rightsOf(pod: PodJson, name: string, beside: string): ToolsRights {
  const securityContext = specOf(pod, name)?.securityContext;
  if (securityContext?.capabilities?.add?.length) return 'everything';
  const [, same, without] = levels({ found: pod, beside, capabilities: [] });
  return (securityContext?.capabilities?.drop ? without : same)?.rights ?? 'as the container';
}

/** Waits until it runs. Returns false if it has ended. */
async function runs(options: {
  readonly api: KubernetesApi;
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly name: string;
  readonly startsWithinMs: number;
  readonly signal: AbortSignal;
}): Promise<boolean> {
  const { api, pod, name, startsWithinMs, signal } = options;
  const end = Date.now() + startsWithinMs;
  for (;;) {
    const { status } = await readSamePod({ api, pod, signal });
    const state = status?.ephemeralContainerStatuses?.find((one) => one.name === name)?.state;
    if (state?.running) return true;
    if (state?.terminated) return false;
    if (Date.now() > end) {
      const why = state?.waiting?.reason ?? 'the node has not picked it up';
      throw new FirebreakError('FB_ERR_UNAVAILABLE', `the tools are not running in pod/${pod.namespace}/${pod.name} yet: ${why}`);
    }
    await sleep(200, undefined, { signal });
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { names } from '../../../core/cluster/labels.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { type KubernetesApi, pathOf } from '../client.ts';
import { KubernetesError } from '../client-error.ts';
import type { PodJson } from '../watch/projection.ts';
import { endOf, type PodEnd } from './own-pod-end.ts';
import { manifestOf, type OwnPod } from './own-pod-manifest.ts';
import { readPod } from './pods.ts';

interface Waited {
  readonly api: KubernetesApi;
  readonly pod: OwnPod;
  readonly patienceMs: number;
  readonly signal: AbortSignal;
}

const pollMs = 250;

/**
 * Creates the pod, or finds the one that this step created, and waits for it to end. Returns its termination message.
 * @throws FB_ERR_REFUSED if the API server or a foreign pod of that name prevents it, or if its command fails; FB_ERR_UNAVAILABLE if it has not run in time, if
 * it was ended from outside (the next call creates another), or while another step has its turn.
 */
export async function runToEnd(options: Waited): Promise<string> {
  return waitFor(options, {
    seen(found) {
      const ended = found.status?.containerStatuses?.[0]?.state?.terminated;
      return (ended?.exitCode === 0 && ended.message) || undefined;
    },
    endOf,
  });
}

/** A running pod of ours. */
interface StartedPod {
  readonly address: string;
  /** When it, or the first pod that it replaces, was created, in seconds since 1970. */
  readonly since: number;
}

/** Creates the pod and waits until it runs. @throws as `runToEnd`. */
export async function startOwnPod(options: Waited): Promise<StartedPod> {
  return waitFor(options, {
    seen(found) {
      const { podIP: address, containerStatuses } = found.status ?? {};
      return containerStatuses?.[0]?.state?.running && address ? { address, since: sinceOf(found) } : undefined;
    },
    // A pod that should run until it is removed succeeds only when its time is over.
    endOf: (found) => (found.status?.phase === 'Succeeded' ? { how: 'from outside', why: 'its time ran out' } : endOf(found)),
  });
}

interface Look<T> {
  seen(pod: PodJson): T | undefined;
  endOf(pod: PodJson): PodEnd | undefined;
}

async function waitFor<T>(options: Waited, look: Look<T>): Promise<T> {
  const { api, pod, patienceMs, signal } = options;
  await makeOrReplace(options, look);
  const name = `pod/${pod.namespace}/${pod.name}`;
  const end = Date.now() + patienceMs;
  for (;;) {
    const found = await readPod({ api, namespace: pod.namespace, name: pod.name, signal });
    if (found && !isOf(pod, found))
      throw pod.takesTurns
        ? new FirebreakError('FB_ERR_UNAVAILABLE', `${name} is working for another step: this step waits for its turn`)
        : new FirebreakError('FB_ERR_REFUSED', `${name} is not the one that this step created`);
    const answer = found && look.seen(found);
    if (answer !== undefined) return answer;
    const ended = found && look.endOf(found);
    if (ended?.how === 'by itself') throw new FirebreakError('FB_ERR_REFUSED', `${name} on ${pod.node} failed: ${ended.why}`);
    if (ended)
      throw new FirebreakError(
        'FB_ERR_UNAVAILABLE',
        `${name} was ended on ${pod.node} before it had finished its work: ${ended.why}`,
      );
    if (!found || Date.now() > end)
      throw new FirebreakError('FB_ERR_UNAVAILABLE', `${name} has not run on ${pod.node} yet: ${whyWaiting(found)}`);
    await sleep(pollMs, undefined, { signal });
  }
}

/**
 * Creates the pod if there is none, or replaces a dead one: a pod of this step if it was ended from outside before it had an answer; a pod of another step if
 * they take turns. A pod whose command failed stays, so that people can find out why.
 */
async function makeOrReplace<T>(options: Waited, look: Look<T>): Promise<void> {
  const { api, pod, signal } = options;
  if (await make(options)) return;
  const found = await readPod({ api, namespace: pod.namespace, name: pod.name, signal });
  const ended = found && look.endOf(found);
  if (!ended || look.seen(found) !== undefined) return;
  const mayReplace = isOf(pod, found) ? ended.how === 'from outside' : pod.takesTurns === true;
  if (!mayReplace) return;
  const { uid } = found.metadata ?? {};
  await untilGone(options, ({ metadata }) => metadata?.uid === uid);
  await make(options, sinceOf(found));
}

/** False if a pod of that name exists. */
async function make({ api, pod, signal }: Pick<Waited, 'api' | 'pod' | 'signal'>, since?: number): Promise<boolean> {
  try {
    await api.json<PodJson>({
      method: 'POST',
      path: pathOf({ resource: 'pods', namespace: pod.namespace }),
      query: { fieldManager: names.fieldManager },
      body: manifestOf(pod, since),
      what: `create pods in ${pod.namespace}`,
      signal,
    });
    return true;
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.status !== 409) throw error;
    return false;
  }
}

/** Deletes the pod, and verifies that it is gone. Does nothing if there is none. @throws FB_ERR_UNAVAILABLE while it still exists. */
export async function removeOwnPod(options: {
  readonly api: KubernetesApi;
  readonly pod: Pick<OwnPod, 'namespace' | 'name' | 'step'>;
  readonly signal: AbortSignal;
}): Promise<void> {
  await untilGone(options, (found) => isOf(options.pod, found));
}

/** Whether a pod created by this step exists. */
export async function hasOwnPod(options: Parameters<typeof removeOwnPod>[0]): Promise<boolean> {
  const { api, pod, signal } = options;
  const found = await readPod({ api, namespace: pod.namespace, name: pod.name, signal });
  return found !== undefined && isOf(pod, found);
}

async function untilGone(
  options: { readonly api: KubernetesApi; readonly pod: Pick<OwnPod, 'namespace' | 'name'>; readonly signal: AbortSignal },
  isMeant: (found: PodJson) => boolean,
): Promise<void> {
  const { api, pod, signal } = options;
  const { namespace, name } = pod;
  const end = Date.now() + 15_000;
  for (;;) {
    const found = await readPod({ api, namespace, name, signal });
    if (!found || !isMeant(found)) return;
    const { uid = '', deletionGracePeriodSeconds } = found.metadata ?? {};
    // A lost node never confirms a graceful deletion that somebody else requested.
    if (deletionGracePeriodSeconds !== 0) await remove({ api, pod, signal, uid });
    if (Date.now() > end)
      throw new FirebreakError('FB_ERR_UNAVAILABLE', `pod/${namespace}/${name} is being deleted, but still exists`);
    await sleep(pollMs, undefined, { signal });
  }
}

function isOf({ step }: Pick<OwnPod, 'step'>, found: PodJson): boolean {
  return found.metadata?.annotations?.[names.stepAnnotation] === step;
}

function sinceOf({ metadata }: PodJson): number {
  const made = Math.floor(Date.parse(metadata?.creationTimestamp ?? '') / 1_000);
  return Math.min(made, Number(metadata?.annotations?.[names.sinceAnnotation] ?? made));
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

function whyWaiting(pod: PodJson | undefined): string {
  return pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason ?? 'the node has not picked it up';
}

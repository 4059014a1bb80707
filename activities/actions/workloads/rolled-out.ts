import { setTimeout as sleep } from 'node:timers/promises';
import type { Verification } from '../../../core/action/action.ts';
import type { Plan } from '../../../core/action/plan.ts';
import type { ResolvedPod } from '../../../core/actions/pod.schema.ts';
import type { NamedWorkload } from '../../../core/actions/workload.schema.ts';
import { selects } from '../../../core/cluster/pod-record.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { listObjects, type ObjectRef, readKnownObject, targetOf } from '../../../integrations/kubernetes/objects.ts';
import type { PodJson } from '../../../integrations/kubernetes/watch/projection.ts';
import { type RollingObject, rolloutOf } from '../../../integrations/kubernetes/workloads/rollout.ts';
import { workloadRef } from '../../../integrations/kubernetes/workloads/workloads.ts';
import { podsLeft } from './pods-ended.ts';

/** The last part of one check of a rollout: slightly longer than the default grace period of a pod. */
const endingMs = 40_000;

export interface RollingParts {
  readonly api: KubernetesApi;
  readonly pollMs?: number;
  /** How long one check of a rollout waits: 150 s. */
  readonly rollMs?: number;
}

/** @throws FB_ERR_NOT_FOUND, and FB_ERR_REFUSED for a kind that is not among `kinds`. */
export async function readRolling(
  api: KubernetesApi,
  { workload, kinds }: { readonly workload: NamedWorkload; readonly kinds: readonly string[] },
  signal: AbortSignal,
): Promise<{ readonly ref: ObjectRef; readonly object: RollingObject }> {
  const ref = workloadRef(workload, kinds);
  return { ref, object: await readKnownObject({ api, ref, signal }) };
}

/**
 * Waits until the object with this uid has rolled out.
 * @throws FB_ERR_UNAVAILABLE while it has not (the check is repeated), FB_ERR_TARGET_REPLACED if it is another object by now.
 */
export async function waitForRollout(
  { api, pollMs = 500, rollMs = 150_000 }: RollingParts,
  { ref, uid, signal }: { readonly ref: ObjectRef; readonly uid: string; readonly signal: AbortSignal },
): Promise<RollingObject> {
  const end = Date.now() + rollMs;
  for (;;) {
    const object: RollingObject = await readKnownObject({ api, ref, signal });
    if (object.metadata.uid !== uid)
      throw new FirebreakError('FB_ERR_TARGET_REPLACED', `${targetOf(ref)} is another object now, with another uid`);
    const rollout = rolloutOf(ref.kind, object);
    if (rollout.state === 'done') return object;
    if (rollout.state === 'stuck' || Date.now() > end)
      throw new FirebreakError('FB_ERR_UNAVAILABLE', `${targetOf(ref)}: ${rollout.detail}`);
    await sleep(pollMs, undefined, { signal });
  }
}

/**
 * Pods that the rollout has ended but that still run: whoever creates a pod decides how long it may take to end, and its workload no longer counts it then.
 * Waits for those that end in a moment.
 */
async function stillEnding(
  { api, pollMs = 500 }: RollingParts,
  { ref, object, signal }: { readonly ref: ObjectRef; readonly object: RollingObject; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const { namespace } = ref;
  const selector = object.spec?.selector;
  if (namespace === undefined || !selector) return [];
  const look = async (): Promise<readonly PodJson[]> => {
    const all = await listObjects<PodJson>({ api, ref: { kind: 'Pod', resource: 'pods', namespace }, signal });
    return all.filter(({ metadata }) => metadata?.deletionTimestamp !== undefined && selects(selector, metadata.labels ?? {}));
  };
  const { lasting, ending } = await podsLeft({ look, withinMs: endingMs, ending: { pollMs }, signal });
  return [...lasting, ...ending.map((name) => `${name} is being ended, but still exists`)];
}

/** What became of a workload that has rolled out. `undone`: describes that what the step has set is no longer there; absent if it is. */
export async function rolloutVerdict(
  parts: RollingParts,
  rolled: { readonly ref: ObjectRef; readonly object: RollingObject; readonly signal: AbortSignal },
  { undone, done }: { readonly undone: string | undefined; readonly done: string },
): Promise<Verification> {
  const missing = [...(await stillEnding(parts, rolled)), ...(undone === undefined ? [] : [undone])];
  if (missing.length > 0) return { state: 'partial', detail: 'it has rolled out', missing };
  return { state: 'verified', detail: done };
}

/** Whose evidence has to be kept before a whole workload or node is touched: that of the pod that the alert is about, if there is one. */
export function evidenceOfSuspect(suspect: ResolvedPod | undefined): Pick<Plan, 'evidenceOf'> {
  return suspect ? { evidenceOf: { name: `pod/${suspect.namespace}/${suspect.name}`, uid: suspect.uid } } : {};
}

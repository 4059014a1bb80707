import { setTimeout as sleep } from 'node:timers/promises';
import type { Verification } from '../../../core/action/action.ts';
import type { ResolvedPod } from '../../../core/actions/pod.schema.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { readPod } from '../../../integrations/kubernetes/pods/pods.ts';
import { type PodJson, podRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { controllerOf } from '../../../integrations/kubernetes/workloads/owners.ts';

/** How to wait for pods to end. */
export interface EndingParts {
  readonly pollMs?: number | undefined;
  /** How long a pod that nobody deletes may stay, since it may end some time after its owner: 20 s. */
  readonly unendedMs?: number | undefined;
}

/** Descriptions of pods that were to end but have not. */
interface PodsLeft {
  /** Those for which waiting longer changes nothing. */
  readonly lasting: readonly string[];
  /** Those that may be gone in a moment. */
  readonly ending: readonly string[];
  /** Whether none of them existed at the first look. */
  readonly wereGone: boolean;
}

/**
 * Waits until pods are gone, or until it is clear that they stay. Whoever creates a pod decides how long it may take to end, possibly years, and anyone who may
 * write it can have a finalizer keep it or its owner release it: the API server still knows all of these pods by their old uid.
 */
export async function podsLeft(options: {
  /** Returns those that still exist. */
  readonly look: () => Promise<readonly PodJson[]>;
  readonly withinMs: number;
  readonly ending: EndingParts;
  readonly signal: AbortSignal;
}): Promise<PodsLeft> {
  const { look, withinMs, signal } = options;
  const { pollMs = 500, unendedMs = 20_000 } = options.ending;
  const [begin, end] = [Date.now(), Date.now() + withinMs];
  let wereGone: boolean | undefined;
  for (;;) {
    const left = await look();
    wereGone ??= left.length === 0;
    const lasting: string[] = [];
    const ending: string[] = [];
    for (const pod of left) {
      const why = whyItLasts(pod, { end, isOver: Date.now() > begin + unendedMs });
      if (why === undefined) ending.push(textOf(pod));
      else lasting.push(why);
    }
    if (ending.length === 0 || Date.now() > end) return { lasting: lasting.sort(), ending: ending.sort(), wereGone };
    await sleep(pollMs, undefined, { signal });
  }
}

/** Looks for exactly these pods. */
export function lookFor(
  api: KubernetesApi,
  pods: readonly ResolvedPod[],
  signal: AbortSignal,
): () => Promise<readonly PodJson[]> {
  return async () => {
    const found = await Promise.all(pods.map(({ namespace, name }) => readPod({ api, namespace, name, signal })));
    return found.flatMap((pod, at) => (pod && pod.metadata?.uid === pods[at]?.uid ? [pod] : []));
  };
}

/** `pod/shop/cart-1 is being ended, and its containers may run until 2031-…`; undefined if it may be gone in a moment. */
function whyItLasts(pod: PodJson, { end, isOver }: { readonly end: number; readonly isOver: boolean }): string | undefined {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers = [] } = pod.metadata ?? {};
  const name = textOf(pod);
  if (deletionTimestamp === undefined) {
    if (!isOver) return undefined;
    const owner = controllerOf(podRecord(pod).owners);
    return `${name} is not being ended, and keeps running${owner ? ` for ${owner.kind} ${owner.name}` : ''}`;
  }
  if (Date.parse(deletionTimestamp) > end) return `${name} ${endsLateText(deletionTimestamp)}`;
  // No time is left if its node has confirmed the end, or somebody has forced it.
  if (deletionGracePeriodSeconds === 0 && finalizers.length > 0)
    return `${name} is kept by its finalizers: ${finalizers.join(', ')}`;
  return undefined;
}

/**
 * What became of a pod whose deletion was ordered.
 * @throws FB_ERR_UNAVAILABLE if it may be gone in a moment: `it is being deleted`, in the action's own word
 */
export async function endOf(order: {
  readonly api: KubernetesApi;
  readonly pod: ResolvedPod;
  readonly being: 'deleted' | 'ended';
  /** Whether it was already gone when its deletion was to be ordered. */
  readonly alreadyGone: boolean;
  readonly withinMs: number;
  readonly pollMs: number;
  readonly signal: AbortSignal;
}): Promise<Verification> {
  const { api, pod, being, alreadyGone, withinMs, pollMs, signal } = order;
  const { lasting, ending, wereGone } = await podsLeft({
    look: lookFor(api, [pod], signal),
    withinMs,
    ending: { pollMs },
    signal,
  });
  if (ending.length > 0)
    throw new FirebreakError('FB_ERR_UNAVAILABLE', `${ending.join(', ')} is being ${being}, but still exists`);
  if (lasting.length > 0) return { state: 'partial', detail: 'its termination was ordered', missing: lasting };
  const gone = 'the API server no longer knows a pod with this uid';
  if (!alreadyGone || !wereGone) return { state: 'verified', detail: gone };
  // The API server can forget a pod while its node still runs it.
  return {
    state: 'unverified',
    detail: `${gone}, but somebody else has ended it: whether its containers have ended is not known`,
  };
}

export function endsLateText(deletionTimestamp: string): string {
  return `is being ended, and its containers may run until ${deletionTimestamp}`;
}

function textOf({ metadata = {} }: PodJson): string {
  return `pod/${metadata.namespace}/${metadata.name}`;
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { Verification } from '../../../core/action/action.ts';
import type { ResolvedPod } from '../../../core/actions/pod.schema.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { readPod } from '../../../integrations/kubernetes/pods/pods.ts';
import { type PodJson, podRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { controllerOf } from '../../../integrations/kubernetes/workloads/owners.ts';

/** How ends are waited for. */
export interface EndingParts {
  readonly pollMs?: number | undefined;
  /** How long a pod that nobody deletes may stay, since its end may come some time after that of its owner: 20 s. */
  readonly unendedMs?: number | undefined;
}

/** Pods that were to end, and have not, in words. */
interface PodsLeft {
  /** Those of which more waiting says nothing else. */
  readonly lasting: readonly string[];
  /** Those that may be gone in a moment. */
  readonly ending: readonly string[];
  /** None of them was there at the first look. */
  readonly wereGone: boolean;
}

/**
 * Waits until pods are gone, or until it is clear that they stay. Whoever makes a pod says how long it may take to end, which may be years, and who
 * may write it can have it kept by a finalizer, or let go by its owner: the API server calls all of these pods by their old uid.
 */
export async function podsLeft(options: {
  /** Those that are there still. */
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

/** `pod/shop/cart-1 is being ended, and its containers may run until 2031-…`; undefined where it may be gone in a moment. */
function whyItLasts(pod: PodJson, { end, isOver }: { readonly end: number; readonly isOver: boolean }): string | undefined {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers = [] } = pod.metadata ?? {};
  const name = textOf(pod);
  if (deletionTimestamp === undefined) {
    if (!isOver) return undefined;
    const owner = controllerOf(podRecord(pod).owners);
    return `${name} is not being ended, and runs on${owner ? ` for ${owner.kind} ${owner.name}` : ''}`;
  }
  if (Date.parse(deletionTimestamp) > end) return `${name} ${endsLateText(deletionTimestamp)}`;
  // What its node has confirmed, or somebody has forced, has no time left.
  if (deletionGracePeriodSeconds === 0 && finalizers.length > 0)
    return `${name} is kept by its finalizers: ${finalizers.join(', ')}`;
  return undefined;
}

/**
 * What became of a pod whose end was ordered.
 * @throws FB_ERR_UNAVAILABLE where it may be gone in a moment: `it is being deleted`, by the word of the action
 */
export async function endOf(order: {
  readonly api: KubernetesApi;
  readonly pod: ResolvedPod;
  readonly being: 'deleted' | 'ended';
  /** It was gone when its end was to be ordered. */
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
    throw new FirebreakError('FB_ERR_UNAVAILABLE', `${ending.join(', ')} is being ${being}, but is still there`);
  if (lasting.length > 0) return { state: 'partial', detail: 'its end was ordered', missing: lasting };
  const gone = 'the API server no longer knows a pod with this uid';
  if (!alreadyGone || !wereGone) return { state: 'verified', detail: gone };
  // A pod can be forgotten while its node still runs it.
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

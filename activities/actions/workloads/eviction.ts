import { setTimeout as sleep } from 'node:timers/promises';
import type { ResolvedPod } from '../../../core/actions/pod.schema.ts';
import { type PodRecord, selects } from '../../../core/cluster/pod-record.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../../integrations/kubernetes/client-error.ts';
import { readPod } from '../../../integrations/kubernetes/pods/pods.ts';
import type { BudgetRecord } from '../../../integrations/kubernetes/workloads/disruption.ts';

/** `held`: a disruption budget allows no eviction now. `several`: more than one budget selects the pod, which the API refuses for good. */
export type Evicted = 'evicted' | 'gone' | 'held' | 'several';

/** The API answers 500 for several budgets, but also for any transient failure: only a permanent one repeats. */
const mostAsked = 3;
const againMs = 500;

interface Eviction {
  readonly api: KubernetesApi;
  readonly pod: ResolvedPod;
  readonly signal: AbortSignal;
}

/**
 * Asks the API server to evict exactly this pod; it alone judges the budgets. Never forces an eviction past one.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
 */
export async function evict(eviction: Eviction): Promise<Evicted> {
  for (let asked = 1; ; asked += 1) {
    const outcome = await askOnce(eviction);
    if (outcome !== 'several' || asked === mostAsked) return outcome;
    await sleep(againMs, undefined, { signal: eviction.signal });
  }
}

async function askOnce(options: Eviction): Promise<Evicted> {
  const { api, pod, signal } = options;
  const { namespace, name, uid } = pod;
  const found = await readPod({ api, namespace, name, signal });
  if (found?.metadata?.uid !== uid || found.metadata.deletionTimestamp !== undefined) return 'gone';
  try {
    await api.json({
      method: 'POST',
      path: pathOf({ resource: 'pods', namespace, name, subresource: 'eviction' }),
      body: {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { namespace, name },
        deleteOptions: { preconditions: { uid } },
      },
      what: `create pods/eviction in ${namespace}`,
      signal,
    });
    return 'evicted';
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    if (error.status === 429) return 'held';
    if (error.status === 500) return 'several';
    if (error.status !== 404 && error.status !== 409) throw error;
    const now = await readPod({ api, namespace, name, signal });
    if (now?.metadata?.uid === uid && now.metadata.deletionTimestamp === undefined) throw error;
    return 'gone';
  }
}

export const heldText = 'its disruption budget allows no eviction now';
export const severalText = 'more than one disruption budget selects it, and the API server refuses its eviction';

/**
 * What a plan says about the budgets that apply to a pod's eviction; undefined if there are none. How many evictions they currently allow changes by itself,
 * and is not part of a plan.
 */
export function budgetNote(text: string, labels: PodRecord['labels'], budgets: readonly BudgetRecord[]): string | undefined {
  const [only, ...more] = budgets.filter(({ selector }) => selects(selector, labels)).map(({ name }) => name);
  if (only === undefined) return undefined;
  return more.length === 0
    ? `${text} leaves only when the disruption budget ${only} allows it; nothing is forced.`
    : `${text} stays: the disruption budgets ${[only, ...more].join(' and ')} select it, and the API server evicts no such pod.`;
}

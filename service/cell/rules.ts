import type { Census } from '../../activities/chokepoint/chokepoint.ts';
import type { GuardrailRules } from '../../core/action/guardrail.ts';
import type { StepCall } from '../../core/action/step.ts';
import { authenticState, type BeforeState, type CellKey, laterState } from '../../core/cluster/before-state.ts';
import { names } from '../../core/cluster/labels.ts';
import type { PodRecord } from '../../core/cluster/pod-record.ts';
import type { Asking } from '../../core/decide/asking.ts';
import type { ClusterView } from '../../integrations/kubernetes/watch/cluster-view.ts';
import { isOfWorkload, topOwnerOf } from '../../integrations/kubernetes/workloads/owners.ts';
import { enabledIds, playbooks } from '../../playbooks/index.ts';
import type { Config } from '../config/load.ts';

/** The guardrails as the configuration has them. Firebreak's own namespace is always among the protected. */
export function rulesOf(config: Config): GuardrailRules {
  return { ...config.guardrails, ownNamespace: config.kubernetes.ownNamespace };
}

/** Whether a namespace is among those that nothing is done to. */
export function isProtected(config: Config): (namespace: string) => boolean {
  const { protectedNamespaces, ownNamespace } = rulesOf(config);
  return (namespace) => namespace === ownNamespace || protectedNamespaces.includes(namespace);
}

/** Who asks whom, by this configuration and this build's playbooks. */
export function askingOf({ playbooks: { enabled }, incidents }: Config): Asking {
  return {
    playbooks: playbooks.filter(({ id }) => enabledIds(enabled).includes(id)),
    groups: incidents.levels.map(({ group }) => group),
  };
}

/** Where no pod is ever touched (the desk), nothing is counted. */
export const noCensus: Census = {
  ownerReplicas: () => undefined,
  contained: () => new Map(),
  takenBy: () => new Set(),
};

/**
 * Counts from the watch cache: who is contained is read from the objects, so a restart forgets nothing. Only what the cell has sealed counts: a
 * label that a tenant writes fills no cap, and one that is taken off empties none.
 */
export function createCensus({
  view,
  cellKey,
  noteOf,
  windowMs,
  now = Date.now,
}: {
  readonly view: ClusterView;
  readonly cellKey: CellKey;
  /** The sealed note of a pod as the cell wrote it last: one that somebody takes off empties no cap. */
  readonly noteOf?: ((podUid: string) => string | undefined) | undefined;
  /** What was contained before that no longer counts for namespace and cluster. */
  readonly windowMs: number;
  readonly now?: () => number;
}): Census {
  const opened = new Map<string, { readonly text: string; readonly state: BeforeState | undefined }>();
  /** Notes hardly ever change: each is proven once, and forgotten with its pod. */
  const sealedOn = (pod: PodRecord): BeforeState | undefined => {
    const [found, remembered] = [pod.annotations[names.beforeAnnotation], noteOf?.(pod.uid)];
    const text = [found, remembered].join('\n');
    if (found === undefined && remembered === undefined) return undefined;
    const known = opened.get(pod.uid);
    if (known?.text === text) return known.state;
    const of = { podUid: pod.uid, key: cellKey };
    const state = laterState(authenticState({ ...of, text: found }), authenticState({ ...of, text: remembered }));
    opened.set(pod.uid, { text, state });
    return state;
  };
  const isTakenBy = (pod: PodRecord, incident: string): boolean => sealedOn(pod)?.incident === incident;
  return {
    ownerReplicas: (call) => ownerReplicas({ view, call, isTakenBy }),
    contained: () => {
      const contained = new Map<string, string>();
      const since = now() - windowMs;
      const seen = new Set<string>();
      for (const pod of view.pods()) {
        const state = sealedOn(pod);
        if (!state) continue;
        seen.add(pod.uid);
        if (Date.parse(state.taken.at) > since) contained.set(pod.uid, pod.namespace);
      }
      if (opened.size > 2 * seen.size + 1_000) for (const uid of opened.keys()) if (!seen.has(uid)) opened.delete(uid);
      return contained;
    },
    takenBy: (incident, namespace) => {
      const taken = new Set<string>();
      for (const pod of view.pods()) {
        if (pod.namespace === namespace && isTakenBy(pod, incident)) taken.add(pod.uid);
      }
      return taken;
    },
  };
}

function ownerReplicas({
  view,
  call,
  isTakenBy,
}: {
  readonly view: ClusterView;
  readonly call: StepCall;
  readonly isTakenBy: (pod: PodRecord, incident: string) => boolean;
}): number | undefined {
  const { workload } = call;
  if (!workload || workload.guessed || !view.ready()) return undefined;
  let count = 0;
  for (const pod of view.pods()) {
    if (pod.namespace !== workload.namespace) continue;
    if (pod.labels[names.quarantineLabel] === undefined ? isOwnedBy(pod, view, workload) : isTakenBy(pod, call.incident.id))
      count += 1;
  }
  return count;
}

function isOwnedBy(pod: PodRecord, view: ClusterView, workload: NonNullable<StepCall['workload']>): boolean {
  const top = topOwnerOf({ pod, view });
  return top.known && isOfWorkload(pod, top.workload, workload);
}

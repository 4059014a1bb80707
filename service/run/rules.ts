import type { Census } from '../../activities/chokepoint.ts';
import { type CellKey, openBeforeState } from '../../core/before-state.ts';
import type { GuardrailRules } from '../../core/guardrail.ts';
import { names } from '../../core/labels.ts';
import type { PodRecord } from '../../core/pod-record.ts';
import type { StepCall } from '../../core/step.ts';
import type { ClusterView } from '../../integrations/kubernetes/cluster-view.ts';
import { topOwnerOf } from '../../integrations/kubernetes/owners.ts';
import { ownNamespace } from '../config/fields.ts';
import type { Config } from '../config/load.ts';

/** The guardrails as the configuration has them. Firebreak's own namespace is always among the protected. */
export function rulesOf(config: Config): GuardrailRules {
  return { ...config.guardrails, ownNamespace };
}

/** Whether a namespace is among those that nothing is done to. */
export function isProtected(config: Config): (namespace: string) => boolean {
  const { protectedNamespaces, ownNamespace } = rulesOf(config);
  return (namespace) => namespace === ownNamespace || protectedNamespaces.includes(namespace);
}

/** Where no pod is ever touched (the desk), nothing is counted. */
export const noCensus: Census = {
  ownerReplicas: () => undefined,
  contained: () => new Map(),
  takenBy: () => new Set(),
};

/** Counts from the watch cache: who is contained is read from the objects, so a restart forgets nothing. */
export function createCensus({ view, cellKey }: { readonly view: ClusterView; readonly cellKey: CellKey }): Census {
  return {
    ownerReplicas: (call) => ownerReplicas({ view, cellKey, call }),
    contained: () => {
      const contained = new Map<string, string>();
      for (const pod of view.pods()) if (pod.labels[names.quarantineLabel] !== undefined) contained.set(pod.uid, pod.namespace);
      return contained;
    },
    takenBy: (incident, namespace) => {
      const taken = new Set<string>();
      for (const pod of view.pods()) {
        if (pod.namespace === namespace && wasTakenBy(pod, cellKey, incident)) taken.add(pod.uid);
      }
      return taken;
    },
  };
}

function ownerReplicas({
  view,
  cellKey,
  call,
}: {
  readonly view: ClusterView;
  readonly cellKey: CellKey;
  readonly call: StepCall;
}): number | undefined {
  const { workload } = call;
  if (!workload || workload.guessed || !view.ready()) return undefined;
  let count = 0;
  for (const pod of view.pods()) {
    if (pod.namespace !== workload.namespace) continue;
    if (
      pod.labels[names.quarantineLabel] === undefined
        ? isOwnedBy(pod, view, workload)
        : wasTakenBy(pod, cellKey, call.incident.id)
    )
      count += 1;
  }
  return count;
}

function isOwnedBy(pod: PodRecord, view: ClusterView, workload: NonNullable<StepCall['workload']>): boolean {
  const top = topOwnerOf({ pod, view });
  if (!top.known) return false;
  return top.workload
    ? top.workload.kind === workload.kind && top.workload.name === workload.name
    : workload.kind === 'Pod' && pod.name === workload.name;
}

function wasTakenBy(pod: PodRecord, cellKey: CellKey, incident: string): boolean {
  const text = pod.annotations[names.beforeAnnotation];
  // Of a namespace full of contained pods, only those that say they are this incident's are read and proven.
  if (text?.includes(JSON.stringify(incident)) !== true) return false;
  const opened = openBeforeState({ text, podUid: pod.uid, key: cellKey });
  return opened.kind === 'read' && opened.authentic === 'yes' && opened.state.incident === incident;
}

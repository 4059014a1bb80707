import type { Census } from '../../activities/chokepoint/parts.ts';
import { countedIn } from '../../activities/chokepoint/reservations.ts';
import type { GuardrailRules } from '../../core/action/guardrail.ts';
import type { StepCall } from '../../core/action/step.ts';
import { authenticState, type BeforeState, type CellKey, heldSince, laterState } from '../../core/cluster/before-state.ts';
import { names } from '../../core/cluster/labels.ts';
import type { OwnerRef, PodRecord } from '../../core/cluster/pod-record.ts';
import type { Level } from '../../core/decide/approval.ts';
import { type Asking, type EnvelopeAsking, widerOf } from '../../core/decide/asking.ts';
import { matchesAnyName } from '../../core/text/name-pattern.ts';
import type { ClusterView } from '../../integrations/kubernetes/watch/cluster-view.ts';
import { controllingOwner, isOfWorkload, topOwnerOf } from '../../integrations/kubernetes/workloads/owners.ts';
import type { Config } from '../config/load.ts';
import { enabledPlaybooks } from '../config/packs.ts';

/** The parts of a configuration that define the guardrails. */
export interface RulesConfig {
  readonly guardrails: Config['guardrails'];
  readonly kubernetes: Pick<Config['kubernetes'], 'ownNamespace'>;
}

/** Returns the configured guardrails. Firebreak's own namespace is always protected. */
export function rulesOf(config: RulesConfig): GuardrailRules {
  return { ...config.guardrails, ownNamespace: config.kubernetes.ownNamespace };
}

/** Returns a check for whether a namespace is protected from all actions. */
export function isProtected(config: RulesConfig): (namespace: string) => boolean {
  const { protectedNamespaces, ownNamespace } = rulesOf(config);
  return (namespace) => namespace === ownNamespace || matchesAnyName(protectedNamespaces, namespace);
}

/** Who asks whom, according to this configuration and this build's playbooks. */
export function askingOf(config: Config): EnvelopeAsking {
  return { playbooks: enabledPlaybooks(config), groups: config.incidents.levels.map(({ group }) => group) };
}

/**
 * The same if some incidents start with another version of a pack and this process cannot tell which: a cell has already checked for each step whether it is
 * allowed.
 */
export function askingOfEither(config: Config, ramping: Config | undefined): Asking {
  return ramping ? widerOf(askingOf(config), askingOf(ramping)) : askingOf(config);
}

/** Whom incidents ask, and for how long, if a playbook says nothing about it. */
export function levelsOfIncidents({ incidents }: { readonly incidents: Pick<Config['incidents'], 'levels'> }): readonly Level[] {
  return incidents.levels.map(({ group, withinMinutes, page }) => ({
    group,
    withinMs: withinMinutes * 60_000,
    ...(page ? { page } : {}),
  }));
}

/** Counts nothing, for a role that never touches a pod (the desk). */
export const noCensus: Census = {
  ownerReplicas: () => undefined,
  ...countedIn(() => new Map()),
  containedBy: () => new Set(),
};

/**
 * Counts from the watch cache: containments are read from the objects, so a restart forgets nothing. Only what the cell has sealed counts: a label added by a
 * tenant does not fill a cap, and removing one does not free it.
 */
export function createCensus({
  view,
  cellKey,
  notes,
  windowMs,
  now = Date.now,
}: {
  readonly view: Pick<ClusterView, 'pods' | 'notedPods' | 'podByUid' | 'ownersOf' | 'ready'>;
  readonly cellKey: CellKey;
  /** Sealed notes as the cell remembers them: removing a note does not free a cap. */
  readonly notes?: RememberedNotes | undefined;
  /** Containments older than this no longer count for namespace and cluster. */
  readonly windowMs: number;
  readonly now?: () => number;
}): Census {
  const opened = new Map<string, OpenedNotes>();
  /** Notes hardly ever change: each is verified once, and forgotten with its pod. Called for every pod of a namespace at each containment. */
  const sealedOn = (pod: PodRecord): OpenedNotes | undefined => {
    const found = pod.annotations[names.beforeAnnotation];
    const remembered = notes?.of(pod.uid);
    if (found === undefined && remembered === undefined) return undefined;
    const known = opened.get(pod.uid);
    return known !== undefined && known.found === found && known.remembered === remembered
      ? known
      : open(pod.uid, found, remembered);
  };
  const open = (podUid: string, found: string | undefined, remembered: string | undefined): OpenedNotes => {
    const proven = (text: string | undefined) => authenticState({ podUid, key: cellKey, text });
    const state = laterState(proven(found), found === remembered ? undefined : proven(remembered));
    const anew = { found, remembered, state, at: state ? heldSince(state) : Number.NEGATIVE_INFINITY };
    opened.set(podUid, anew);
    return anew;
  };
  const holderOf = (pod: PodRecord): string | undefined => sealedOn(pod)?.state?.incident;
  const isContainedBy = (pod: PodRecord, incident: string): boolean => holderOf(pod) === incident;
  const isSealedSince = (pod: PodRecord, since: number): boolean => (sealedOn(pod)?.at ?? Number.NEGATIVE_INFINITY) > since;
  return {
    ownerReplicas: (call) => ownerReplicas({ view, call, holderOf }),
    contained: (except, namespace) => {
      let [total, here] = [0, 0];
      const since = now() - windowMs;
      const count = (pod: PodRecord): void => {
        if (pod.uid === except || !isSealedSince(pod, since)) return;
        total += 1;
        if (pod.namespace === namespace) here += 1;
      };
      for (const pod of view.notedPods()) count(pod);
      for (const uid of notes?.uids() ?? []) {
        const pod = view.podByUid(uid);
        if (pod && pod.annotations[names.beforeAnnotation] === undefined) count(pod);
      }
      if (opened.size > 2 * total + 1_000) for (const uid of opened.keys()) if (!view.podByUid(uid)) opened.delete(uid);
      return { total, namespace: here };
    },
    isContained: (uid) => {
      const pod = view.podByUid(uid);
      return pod !== undefined && isSealedSince(pod, now() - windowMs);
    },
    containedBy: (incident, namespace) => {
      const taken = new Set<string>();
      for (const pod of view.pods(namespace)) if (isContainedBy(pod, incident)) taken.add(pod.uid);
      return taken;
    },
  };
}

/** Sealed notes as last written by the cell, by the uid of their pods. */
export interface RememberedNotes {
  of(podUid: string): string | undefined;
  uids(): Iterable<string>;
}

interface OpenedNotes {
  readonly found: string | undefined;
  readonly remembered: string | undefined;
  /** Before-state that the cell has sealed for the pod. */
  readonly state: BeforeState | undefined;
  /** When the before-state was taken, in milliseconds since 1970. */
  readonly at: number;
}

function ownerReplicas({
  view,
  call,
  holderOf,
}: {
  readonly view: Pick<ClusterView, 'pods' | 'ownersOf' | 'ready'>;
  readonly call: StepCall;
  readonly holderOf: (pod: PodRecord) => string | undefined;
}): number | undefined {
  const { workload } = call;
  if (!workload || workload.guessed || !view.ready()) return undefined;
  const isOwned = ownedBy(view, workload);
  let count = 0;
  for (const pod of view.pods(workload.namespace)) {
    const holder = holderOf(pod);
    if (holder === undefined ? isOwned(pod) : holder === call.incident.id) count += 1;
  }
  return count;
}

/** Tells the pods of a workload. Looks each controller up once: most pods of a namespace share a few. */
function ownedBy(view: Pick<ClusterView, 'ownersOf'>, workload: NonNullable<StepCall['workload']>): (pod: PodRecord) => boolean {
  const known = new Map<string, { readonly owner: OwnerRef; readonly isOurs: boolean }>();
  return (pod) => {
    const owner = controllingOwner(pod.owners);
    const found = owner && known.get(owner.uid);
    // Whoever creates a pod may name any uid.
    if (owner && found && found.owner.kind === owner.kind && found.owner.name === owner.name) return found.isOurs;
    const top = topOwnerOf({ pod, view });
    const isOurs = top.known && isOfWorkload(pod, top.workload, workload);
    if (owner) known.set(owner.uid, { owner, isOurs });
    return isOurs;
  };
}

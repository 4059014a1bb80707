import type { ActionImplementation } from '../../../core/action/action.ts';
import { exceptionNotes, type QuarantineExceptions, standingText } from '../../../core/action/quarantine-exceptions.ts';
import type { QuarantinePodInput, QuarantinePodOutput } from '../../../core/actions/containment/quarantine-pod.schema.ts';
import { type BeforeState, type NamedKind, notedOf, quarantineLabels } from '../../../core/cluster/before-state.ts';
import { type DenyTier, notDenied } from '../../../core/cluster/deny-tier.ts';
import { names } from '../../../core/cluster/labels.ts';
import { type PodRecord, type PolicyRecord, policyTarget, selects } from '../../../core/cluster/pod-record.ts';
import { mirrorAnnotation, type ServiceRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import type { BudgetRecord, ScalerRecord } from '../../../integrations/kubernetes/workloads/disruption.ts';
import { controllerOf } from '../../../integrations/kubernetes/workloads/owners.ts';
import { claimNotes } from './left-open.ts';

/** The pod and its relevant surroundings, as they were before the quarantine. */
export interface Situation {
  readonly pod: PodRecord;
  /** Set when this incident already holds the pod: the pod's state before that. */
  readonly held?: BeforeState;
  readonly policies: readonly PolicyRecord[];
  readonly services: readonly ServiceRecord[];
  /** Absent while they are not known. */
  readonly budgets?: readonly BudgetRecord[] | undefined;
  readonly scalers?: readonly ScalerRecord[] | undefined;
  /** The topmost of its owners. */
  readonly workload?: NamedKind;
  readonly denyTier?: DenyTier | undefined;
  readonly exceptions: QuarantineExceptions;
}

/** Why a quarantine by label cannot work on this pod; undefined when it can. */
export function whyNotQuarantine(pod: PodRecord): string | undefined {
  const target = `pod/${pod.namespace}/${pod.name}`;
  if (pod.annotations[mirrorAnnotation] !== undefined)
    return `${target} is a mirror pod: its kubelet runs it from a file on the node, and changes through the API have no effect`;
  if (pod.hostNetwork) return `${target} uses the network of its node (hostNetwork): no NetworkPolicy applies to it`;
  return undefined;
}

/** Other policies that select the quarantined pod and allow something: they add to the deny-all policy. Only a deny tier overrides them. */
export function additivePolicies(
  policies: readonly PolicyRecord[],
  { incident, denyTier }: { readonly incident: string; readonly denyTier: DenyTier | undefined },
): readonly PolicyRecord[] {
  const labels = quarantineLabels(incident);
  return notDenied(policies, denyTier)
    .filter(({ kind, name, allows }) => allows && !(kind === undefined && name === names.standingPolicy))
    .filter(({ selector, alsoSelects = [] }) => [selector, ...alsoSelects].some((one) => selects(one, labels)))
    .toSorted((a, b) => (policyTarget(a) < policyTarget(b) ? -1 : 1));
}

/** `open`, or `CiliumNetworkPolicy open` for a kind other than Kubernetes' own. */
export function policyName({ kind, name }: PolicyRecord): string {
  return kind === undefined ? name : `${kind} ${name}`;
}

/** What a controller does when a pod is relabelled away from it. */
const ownerEffects: Readonly<Record<string, string>> = {
  Deployment: 'starts a new pod in its place',
  ReplicaSet: 'starts a new pod in its place',
  StatefulSet: 'cannot start a new pod while this one holds its name: one replica is missing until it is released or deleted',
  DaemonSet: 'starts a second pod on the node',
  Job: 'starts a new pod and does the work again',
};

/** Describes what an owner of this kind does when one of its pods is quarantined. */
export function quarantineEffect(kind: string): string {
  return ownerEffects[kind] ?? 'may start another in its place';
}

/** Describes what denies traffic in addition to the standing policy. */
export function meansNote(denyTier: DenyTier | undefined): readonly string[] {
  return denyTier ? [`${denyTier.kind} ${names.standingPolicy} denies its traffic before any NetworkPolicy can allow it.`] : [];
}

/** Describes what is removed to make room for the note. */
export function lostNotes({ lost }: Pick<BeforeState, 'lost'>, who: string): readonly string[] {
  if (!lost) return [];
  const { annotations, labels } = lost;
  return [
    `${who} has too many annotations or labels to leave room for the note, or Firebreak labels that somebody else wrote: ${annotations} annotations are removed, and they and ${labels} of its labels are not restored on release.`,
  ];
}

/** What a controller does when the pod gets its labels back. */
const releaseEffects: Readonly<Record<string, string>> = {
  ReplicaSet: 'takes it back, has one pod too many, and ends one, starting with pods that are not ready',
  StatefulSet: 'takes it back under its name',
  DaemonSet: 'takes it back, has two pods on the node, and ends one',
  Job: 'takes it back: the work may be done twice',
};

/** What else the quarantine does to budgets, autoscalers and the container itself. Pure, and the same before and after. */
function sideEffects(situation: Situation): readonly string[] {
  const { pod, held, budgets, scalers } = situation;
  const before = (held ?? notedOf(pod)).labels;
  const workload = held ? held.workload : situation.workload;
  const counted = (budgets ?? []).filter(({ selector }) => selects(selector, before)).map(({ name }) => name);
  const scaling = (scalers ?? [])
    .filter(({ scales }) => scales.kind === workload?.kind && scales.name === workload.name)
    .map(({ name }) => name);
  const after = pod.restartPolicy === 'Never' ? 'end' : 'restart';
  return [
    ...counted
      .sort()
      .map((name) => `PodDisruptionBudget ${name} is bypassed: it no longer counts this pod, and does not delay the quarantine.`),
    ...scaling.sort().map((name) => `HorizontalPodAutoscaler ${name} no longer counts this pod or its load.`),
    ...pod.containers.flatMap(({ name, livenessSeconds }) =>
      livenessSeconds === undefined
        ? []
        : [
            `If its probe needs the network, liveness will ${after} container ${name} in ${livenessSeconds} s: memory and files are lost.`,
          ],
    ),
  ];
}

type QuarantinePlan = Awaited<ReturnType<ActionImplementation<QuarantinePodInput, QuarantinePodOutput>['plan']>>;

/** Pure, and the same before and after the apply: what people approve must still hold when the step is resumed. */
export function quarantinePlan(situation: Situation, incident: string): QuarantinePlan {
  const { pod, held, policies, services } = situation;
  const target = `pod/${pod.namespace}/${pod.name}`;
  const policy = `networkpolicy/${pod.namespace}/${names.standingPolicy}`;
  const noted = held ?? notedOf(pod);
  const before = noted.labels;
  const owner: NamedKind | undefined = held ? held.owner : controllerOf(pod.owners);
  const losing = services
    .filter(({ selector }) => Object.keys(selector).length > 0 && selects({ matchLabels: selector }, before))
    .map(({ name }) => name)
    .sort();
  const { denyTier, exceptions } = situation;
  const open = additivePolicies(policies, { incident, denyTier });
  const text = (labels: Readonly<Record<string, string>>): string =>
    Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(', ') || 'none';
  return {
    target: { name: target, uid: pod.uid },
    changes: [
      { target, what: `replaces its labels (${text(before)}) with ${text(quarantineLabels(incident))}` },
      {
        target,
        what: 'records the incident, the step and its earlier state in its annotations, and keeps autoscalers from ending it',
      },
      { target: policy, what: standingText(exceptions, 'the pod') },
    ],
    blastRadius: [
      target,
      policy,
      ...(owner ? [`${owner.kind.toLowerCase()}/${pod.namespace}/${owner.name}`] : []),
      ...losing.map((name) => `service/${pod.namespace}/${name}`),
    ].sort(),
    notes: [
      ...(owner
        ? [`${owner.kind} ${owner.name} lets go of the pod and ${quarantineEffect(owner.kind)}.`]
        : ['Nothing owns the pod: nothing replaces it.']),
      ...(owner && releaseEffects[owner.kind] ? [`On release ${owner.kind} ${owner.name} ${releaseEffects[owner.kind]}.`] : []),
      ...losing.map((name) => `Service ${name} loses this endpoint.`),
      ...lostNotes(noted, 'The pod'),
      ...claimNotes([pod]),
      ...sideEffects(situation),
      ...meansNote(denyTier),
      ...exceptionNotes(exceptions, denyTier),
      ...open.map(
        ({ kind = 'NetworkPolicy', name }) =>
          `${kind} ${name} still selects the pod and allows traffic: the quarantine is partial.`,
      ),
      'Open connections may survive, traffic with its own node is not blocked, and without a policy controller nothing is.',
    ],
  };
}

import type { ActionImplementation } from '../../core/action.ts';
import type { QuarantinePodInput, QuarantinePodOutput } from '../../core/actions/quarantine-pod.schema.ts';
import { type BeforeState, type NamedKind, quarantineLabels } from '../../core/before-state.ts';
import { names } from '../../core/labels.ts';
import { type PodRecord, type PolicyRecord, selects } from '../../core/pod-record.ts';
import { controllerOf } from '../../integrations/kubernetes/owners.ts';
import { mirrorAnnotation } from '../../integrations/kubernetes/projection.ts';
import type { ServiceRecord } from '../../integrations/kubernetes/watch-cache.ts';

/** The pod and what around it matters, as it was before the quarantine. */
export interface Situation {
  readonly pod: PodRecord;
  /** Set when this incident already holds the pod: then this is what it was like before. */
  readonly held?: BeforeState;
  readonly policies: readonly PolicyRecord[];
  readonly services: readonly ServiceRecord[];
}

/** Why a quarantine by label cannot work on this pod; undefined when it can. */
export function whyNotQuarantine(pod: PodRecord): string | undefined {
  const target = `pod/${pod.namespace}/${pod.name}`;
  if (pod.annotations[mirrorAnnotation] !== undefined)
    return `${target} is a mirror pod: its kubelet runs it from a file on the node, and changes through the API have no effect`;
  if (pod.hostNetwork) return `${target} uses the network of its node (hostNetwork): no NetworkPolicy applies to it`;
  return undefined;
}

/** Other policies that select the quarantined pod and allow something: they add to the deny-all policy, which cannot take it back. */
export function additivePolicies(policies: readonly PolicyRecord[], incident: string): readonly string[] {
  const labels = quarantineLabels(incident);
  return policies
    .filter(({ name, allows, selector }) => name !== names.standingPolicy && allows && selects(selector, labels))
    .map(({ name }) => name)
    .sort();
}

/** What a controller does when a pod is relabelled away from it. */
const ownerEffects: Readonly<Record<string, string>> = {
  Deployment: 'starts a new pod in its place',
  ReplicaSet: 'starts a new pod in its place',
  StatefulSet: 'cannot start a new pod while this one holds its name: one replica is missing until it is released or deleted',
  DaemonSet: 'starts a second pod on the node',
  Job: 'starts a new pod and does the work again',
};

/** What an owner of this kind does when one of its pods is quarantined, in words. */
export function quarantineEffect(kind: string): string {
  return ownerEffects[kind] ?? 'may start another in its place';
}

type QuarantinePlan = Awaited<ReturnType<ActionImplementation<QuarantinePodInput, QuarantinePodOutput>['plan']>>;

/** Pure, and the same before and after the apply: what people approve must still hold when the step is taken up again. */
export function quarantinePlan(situation: Situation, incident: string): QuarantinePlan {
  const { pod, held, policies, services } = situation;
  const target = `pod/${pod.namespace}/${pod.name}`;
  const policy = `networkpolicy/${pod.namespace}/${names.standingPolicy}`;
  const before = held?.labels ?? pod.labels;
  const owner: NamedKind | undefined = held ? held.owner : controllerOf(pod.owners);
  const losing = services
    .filter(({ selector }) => Object.keys(selector).length > 0 && selects({ matchLabels: selector }, before))
    .map(({ name }) => name)
    .sort();
  const open = additivePolicies(policies, incident);
  const text = (labels: Readonly<Record<string, string>>): string =>
    Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(', ') || 'none';
  return {
    target: { name: target, uid: pod.uid },
    changes: [
      { target, what: `replaces its labels (${text(before)}) by ${text(quarantineLabels(incident))}` },
      { target, what: 'notes incident, step and the labels before in its annotations' },
      { target: policy, what: 'denies all traffic of the pod, in and out; created where it is missing' },
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
      ...losing.map((name) => `Service ${name} loses this endpoint.`),
      ...open.map((name) => `NetworkPolicy ${name} still selects the pod and allows traffic: the quarantine is partial.`),
      'Open connections may survive, traffic with its own node is not blocked, and without a policy controller nothing is.',
    ],
  };
}

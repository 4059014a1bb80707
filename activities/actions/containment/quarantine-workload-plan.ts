import { exceptionNotes, type QuarantineExceptions, standingText } from '../../../core/action/quarantine-exceptions.ts';
import type { NamedWorkload } from '../../../core/actions/workload.schema.ts';
import { type BeforeState, notedOf } from '../../../core/cluster/before-state.ts';
import type { DenyTier } from '../../../core/cluster/deny-tier.ts';
import { names } from '../../../core/cluster/labels.ts';
import { type PodRecord, type PolicyRecord, selects } from '../../../core/cluster/pod-record.ts';
import type { ServiceRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import type { BudgetRecord, ScalerRecord } from '../../../integrations/kubernetes/workloads/disruption.ts';
import { claimNotes } from './left-open.ts';
import { additivePolicies, lostNotes, meansNote, quarantineEffect } from './quarantine-plan.ts';

/** Pure. What happens to the pods, and to whatever depends on them. */
export function quarantineWorkloadPlan(situation: {
  readonly workload: NamedWorkload;
  readonly pods: readonly PodRecord[];
  readonly whyLeft: (pod: PodRecord) => string | undefined;
  /** Before-state of a pod, if it is in quarantine. */
  readonly beforeOf: (pod: PodRecord) => BeforeState | undefined;
  readonly policies: readonly PolicyRecord[];
  readonly services: readonly ServiceRecord[];
  readonly budgets: readonly BudgetRecord[];
  readonly scalers: readonly ScalerRecord[];
  readonly incident: string;
  readonly denyTier: DenyTier | undefined;
  readonly exceptions: QuarantineExceptions;
}) {
  const { workload, pods, whyLeft, beforeOf, policies, services, budgets, scalers, incident, denyTier, exceptions } = situation;
  const { kind, namespace, name } = workload;
  const policy = `networkpolicy/${namespace}/${names.standingPolicy}`;
  const nameOf = (pod: PodRecord): string => `pod/${namespace}/${pod.name}`;
  const [left, isolated] = [pods.filter((pod) => whyLeft(pod) !== undefined), pods.filter((pod) => whyLeft(pod) === undefined)];
  const losing = services.filter(
    ({ selector }) =>
      Object.keys(selector).length > 0 && isolated.some(({ labels }) => selects({ matchLabels: selector }, labels)),
  );
  const bypassed = budgets.filter(({ selector }) => isolated.some(({ labels }) => selects(selector, labels)));
  const scaling = scalers.filter(({ scales }) => scales.kind === kind && scales.name === name);
  return {
    target: { name: workloadText(workload) },
    changes: [
      ...isolated.map((pod) => ({
        target: nameOf(pod),
        what: `replaces the labels of the pod with uid ${pod.uid}: it gets those of the quarantine`,
      })),
      { target: policy, what: standingText(exceptions, 'these pods') },
    ],
    blastRadius: [
      workloadText(workload),
      policy,
      ...isolated.map(nameOf),
      ...losing.map((service) => `service/${namespace}/${service.name}`),
    ].sort(),
    notes: [
      `${kind} ${name} ${quarantineEffect(kind)}, for each of ${isolated.length}: from the same image and configuration, and not quarantined.`,
      'A pod that is released later is one too many for its controller, which then ends one, not always the new one.',
      ...losing.map((service) => `Service ${service.name} loses all these endpoints at once.`),
      ...bypassed.map((budget) => `PodDisruptionBudget ${budget.name} is bypassed: it does not delay the quarantine.`),
      ...scaling.map((scaler) => `HorizontalPodAutoscaler ${scaler.name} no longer counts these pods or their load.`),
      ...isolated.flatMap((pod) => lostNotes(beforeOf(pod) ?? notedOf(pod), nameOf(pod))),
      ...claimNotes(isolated),
      ...left.map((pod) => `${nameOf(pod)} is left out: ${whyLeft(pod)}.`),
      ...meansNote(denyTier),
      ...exceptionNotes(exceptions, denyTier),
      ...additivePolicies(policies, { incident, denyTier }).map(
        ({ kind = 'NetworkPolicy', name }) =>
          `${kind} ${name} still selects the pods and allows traffic: the quarantine is partial.`,
      ),
      'Open connections may survive, traffic with their own nodes is not blocked, and without a policy controller nothing is.',
    ],
  };
}

/** `deployment/shop/cart` */
export function workloadText({ kind, namespace, name }: NamedWorkload): string {
  return `${kind.toLowerCase()}/${namespace}/${name}`;
}

import type { ActionImplementation, StepContext, UndoResult } from '../../../core/action/action.ts';
import { labelDifference } from '../../../core/action/drift.ts';
import { exceptionsSaid, type QuarantineExceptions } from '../../../core/action/quarantine-exceptions.ts';
import type {
  QuarantineWorkloadInput,
  QuarantineWorkloadOutput,
} from '../../../core/actions/containment/quarantine-workload.schema.ts';
import type { ResolvedPod } from '../../../core/actions/pod.schema.ts';
import type { NamedWorkload } from '../../../core/actions/workload.schema.ts';
import {
  authenticState,
  type BeforeState,
  type CellKey,
  openBeforeState,
  podMark,
  quarantineLabels,
  quarantineMarks,
} from '../../../core/cluster/before-state.ts';
import type { DenyTier } from '../../../core/cluster/deny-tier.ts';
import { incidentHash, names } from '../../../core/cluster/labels.ts';
import { type PodRecord, policyTarget } from '../../../core/cluster/pod-record.ts';
import { FirebreakError, hasCode } from '../../../core/errors.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { despiteConflicts, listObjects } from '../../../integrations/kubernetes/objects.ts';
import { readPod } from '../../../integrations/kubernetes/pods/pods.ts';
import { readDenyTier } from '../../../integrations/kubernetes/policies/deny-tier.ts';
import { listNetworkPolicies } from '../../../integrations/kubernetes/policies/network-policies.ts';
import {
  ensureStandingPolicy,
  readStandingPolicy,
  standingState,
} from '../../../integrations/kubernetes/policies/standing-policy.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { type PodJson, podRecord, policyRecord, serviceRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { controllerOf, topOwnerOf } from '../../../integrations/kubernetes/workloads/owners.ts';
import { leftOpen } from './left-open.ts';
import { additivePolicies, whyNotQuarantine } from './quarantine-plan.ts';
import { beforeStateOf, putMarks } from './quarantine-pod.ts';
import { lookAtQuarantine, podGivenBack, undoQuarantine } from './quarantine-undo.ts';
import { quarantineWorkloadPlan, workloadText } from './quarantine-workload-plan.ts';

/** Maximum number of concurrent patches. */
const atOnce = 8;
const leftToEndMs = 60_000;

type Implementation = ActionImplementation<QuarantineWorkloadInput, QuarantineWorkloadOutput>;

/**
 * Quarantines each pod of a workload. Its controller immediately creates others, so the list of intended pods is written with the first one: an interrupted
 * step is finished on these, and never pursues the successors.
 */
export function quarantineWorkloadImplementation(parts: {
  readonly api: KubernetesApi;
  readonly view: ClusterView;
  readonly cellKey: CellKey;
  /** The sealed note of a pod as the cell last wrote it. */
  readonly noteOf?: ((podUid: string) => string | undefined) | undefined;
  /** What the cluster denies by, besides NetworkPolicies; from memory. */
  readonly denyTier?: (() => DenyTier | undefined) | undefined;
  readonly exceptions?: QuarantineExceptions;
}): Implementation & Required<Pick<Implementation, 'undo'>> {
  const { api, view, cellKey, noteOf, denyTier = () => undefined, exceptions = {} } = parts;

  const podsIn = async (namespace: string, signal: AbortSignal, labelSelector?: string): Promise<readonly PodRecord[]> => {
    const items = await listObjects<PodJson>({
      api,
      ref: { kind: 'Pod', resource: 'pods', namespace },
      ...(labelSelector !== undefined && { query: { labelSelector } }),
      signal,
    });
    return items.map(podRecord);
  };

  const beforeOf = (pod: PodRecord): BeforeState | undefined => {
    const opened = openBeforeState({ text: pod.annotations[names.beforeAnnotation], podUid: pod.uid, key: cellKey });
    return opened.kind === 'read' && opened.authentic === 'yes' ? opened.state : undefined;
  };

  /** Its before-state as the cell remembers it. */
  const rememberedOf = ({ uid }: PodRecord): BeforeState | undefined =>
    authenticState({ text: noteOf?.(uid), podUid: uid, key: cellKey });

  /** The pods of the step: those that it began with, or else those that the workload has now. */
  const meant = async ({ workload }: QuarantineWorkloadInput, { key, signal }: StepContext) => {
    const all = await podsIn(workload.namespace, signal);
    const begun = all.map(beforeOf).find((state) => state?.step === key)?.together;
    const marks = new Set(begun);
    const pods = begun
      ? all.filter(({ uid }) => marks.has(podMark(uid)))
      : all.filter((pod) => !endsSoon(pod) && !isEnded(pod) && belongsTo({ pod, workload, view, before: beforeOf(pod) }));
    if (!begun && pods.length === 0) throw new FirebreakError('FB_ERR_NOT_FOUND', `${workloadText(workload)} has no pods`);
    return { begun: begun !== undefined, pods: [...pods].sort((a, b) => (a.name < b.name ? -1 : 1)) };
  };

  const whyLeft = (pod: PodRecord, { incident, key }: StepContext): string | undefined => {
    const before = beforeOf(pod);
    if (before && before.incident !== incident) return `it is quarantined by ${before.incident}`;
    if (before && before.step !== key) return 'another step of this incident has quarantined it';
    return whyNotQuarantine(pod);
  };

  const readAgain = async ({ namespace, name, uid }: PodRecord, signal: AbortSignal): Promise<PodRecord | undefined> => {
    const now = await readPod({ api, namespace, name, signal });
    return now?.metadata?.uid === uid ? podRecord(now) : undefined;
  };

  /** @param refusals collects what the API server refuses for these pods */
  const contain = async (
    pod: PodRecord,
    together: readonly string[],
    context: StepContext,
    refusals: FirebreakError[],
  ): Promise<string | undefined> => {
    const { incident, signal } = context;
    let listed: PodRecord | undefined = pod;
    const now = despiteConflicts(async () => {
      const seen = listed ?? (await readAgain(pod, signal));
      listed = undefined;
      if (!seen) return 'it is gone';
      const why = whyLeft(seen, context);
      if (why !== undefined) return why;
      const labels = quarantineLabels(incident);
      const ours = beforeOf(seen);
      if (ours && labelDifference({ expected: labels, found: seen.labels }).length === 0) return undefined;
      const state = ours ?? beforeStateOf({ pod: seen, context, view, together });
      view.observePod(await putMarks({ api, pod: seen, marks: quarantineMarks(state, cellKey), signal }));
      return undefined;
    }, 'FB_ERR_NOT_FOUND');
    // A policy that refuses one pod must not stop the others.
    return now.catch((error: unknown) => {
      if (!hasCode(error, 'FB_ERR_API_REFUSED')) throw error;
      refusals.push(error);
      return error.detail;
    });
  };

  return {
    async plan(input, context) {
      const { workload } = input;
      const { namespace } = workload;
      const [{ pods }, policies, services] = await Promise.all([
        meant(input, context),
        listNetworkPolicies({ api, namespace, signal: context.signal }),
        listObjects<Parameters<typeof serviceRecord>[0]>({
          api,
          ref: { kind: 'Service', resource: 'services', namespace },
          signal: context.signal,
        }),
      ]);
      return quarantineWorkloadPlan({
        workload,
        pods,
        whyLeft: (pod) => whyLeft(pod, context),
        beforeOf,
        policies: [...policies.map(policyRecord), ...view.otherPolicies(namespace)],
        services: services.map(serviceRecord),
        budgets: view.budgets(namespace) ?? [],
        scalers: view.scalers(namespace) ?? [],
        incident: context.incident,
        denyTier: denyTier(),
        exceptions,
      });
    },

    async apply(input, context) {
      const { workload } = input;
      const { namespace } = workload;
      const { pods } = await meant(input, context);
      const { created, refused } = await ensureStandingPolicy({ api, namespace, exceptions, signal: context.signal });
      const together = pods.map(({ uid }) => podMark(uid));
      const reasons: (string | undefined)[] = [];
      const refusals: FirebreakError[] = [];
      for (let at = 0; at < pods.length; at += atOnce)
        reasons.push(...(await Promise.all(pods.slice(at, at + atOnce).map((pod) => contain(pod, together, context, refusals)))));
      const [refusal] = refusals;
      if (refusal && refusals.length === pods.length) throw refusal;
      const contained = pods.filter((_, at) => reasons[at] === undefined);
      const said = [
        ...exceptionsSaid(exceptions, { denyTier: denyTier(), refused }),
        ...leftOpen(contained, view.pods(namespace)),
      ];
      return {
        workload,
        pods: contained.map(({ name, uid }) => ({ namespace, name, uid })),
        left: pods.flatMap(({ name }, at) => {
          const reason = reasons[at];
          return reason === undefined ? [] : [{ pod: `pod/${namespace}/${name}`, reason }];
        }),
        policy: names.standingPolicy,
        policyCreated: created,
        ...(said.length > 0 && { exceptions: said }),
      };
    },

    async started(input, context) {
      return (await podsIn(input.workload.namespace, context.signal)).some((pod) => beforeOf(pod)?.step === context.key);
    },

    async verify(output, context) {
      const { namespace } = output.workload;
      const { signal, incident } = context;
      const [found, policy, policies, tier] = await Promise.all([
        podsIn(namespace, signal),
        readStandingPolicy({ api, namespace, signal }),
        listNetworkPolicies({ api, namespace, signal }),
        denyTier() && readDenyTier({ api, signal }),
      ]);
      const standing = policy ? standingState(policy, exceptions) : 'changed';
      if (standing === 'changed')
        throw new FirebreakError(
          'FB_ERR_DRIFTED',
          `networkpolicy/${namespace}/${names.standingPolicy} is missing or was changed`,
        );
      for (const pod of output.pods) requireContained(pod, found, incident);
      const all = [...policies.map(policyRecord), ...view.otherPolicies(namespace)];
      const open = additivePolicies(all, { incident, denyTier: tier });
      const missing = [...open.map(policyTarget), ...output.left.map(({ pod }) => pod)];
      const many = output.pods.length === 1 ? '1 pod' : `${output.pods.length} pods`;
      if (missing.length > 0)
        return {
          state: 'partial',
          detail: `applied to ${many}; but traffic is still allowed by policies, or pods were left out`,
          missing,
        };
      const uids = new Set(output.pods.map(({ uid }) => uid));
      const contained = found.filter(({ uid }) => uids.has(uid));
      const said = [
        ...exceptionsSaid(exceptions, { denyTier: tier, refused: standing === 'strict' }),
        ...leftOpen(contained, found),
      ];
      return {
        state: 'unverified',
        detail: `applied; ${many} and ${tier ? `policy and ${tier.kind}` : 'the policy'} are read back, but no probe was made: whether a policy controller enforces it is unknown, and ${['established connections may survive', ...said].join('; ')}`,
      };
    },

    async undo({ input, key, allow }, context): Promise<UndoResult> {
      const { namespace } = input.workload;
      const { signal } = context;
      // If a pod's note was edited or removed, the cell remembers what it wrote there.
      const stateOf = (pod: PodRecord): BeforeState | undefined => beforeOf(pod) ?? rememberedOf(pod);
      const pods = await podsIn(namespace, signal);
      const held = pods.filter((pod) => stateOf(pod)?.step === key);
      // If the cell remembers nothing, the pod may still be this step's: it must not stay contained while the step counts as released.
      const edited = pods.filter((pod) => !stateOf(pod) && saysThatItIsOf(pod, key, context.incident));
      if (held.length === 0 && edited.length === 0)
        return { state: 'already', detail: `no pod in ${namespace} is quarantined by this step` };
      const difference = [...held, ...edited].flatMap((pod) =>
        lookAtQuarantine(pod, cellKey).difference.map((what) => `pod/${namespace}/${pod.name}: ${what}`),
      );
      if (difference.length > 0)
        return { state: 'drifted', detail: 'pods are no longer as the quarantine left them; nothing was changed', difference };
      await allow?.(held.flatMap((pod) => podGivenBack(pod, stateOf(pod))));
      const results: UndoResult[] = [];
      const refusals: FirebreakError[] = [];
      for (const pod of held) {
        const result = await undoQuarantine({
          api,
          pod,
          cellKey,
          by: 'cell',
          remembered: rememberedOf(pod),
          holder: ({ step }) => step === key,
          signal,
          observe: (seen) => view.observePod(seen),
        }).catch((error: unknown) => {
          if (!hasCode(error, 'FB_ERR_API_REFUSED')) throw error;
          refusals.push(error);
        });
        if (result) results.push(result);
      }
      // The others have their labels back; this is retried until these have theirs, too.
      const [refusal] = refusals;
      if (refusal) throw refusal;
      const late = results.flatMap((result) => (result.state === 'drifted' ? result.difference : []));
      if (late.length > 0)
        return { state: 'drifted', detail: 'a pod was changed while the others were released', difference: late };
      const given = results.filter(({ state }) => state === 'undone').length;
      if (given === 0) return { state: 'already', detail: `no pod in ${namespace} is quarantined by this step any more` };
      return { state: 'undone', detail: `${given === 1 ? '1 pod has its' : `${given} pods have their`} labels back` };
    },
  };
}

/** Based on what anybody who may patch the pod can write: enough to ask people about it. */
function saysThatItIsOf(pod: PodRecord, key: string, incident: string): boolean {
  if (lookAtQuarantine(pod, undefined).state === 'none') return false;
  return pod.annotations[names.stepAnnotation] === key || pod.labels[names.incidentLabel] === incidentHash(incident);
}

function isEnded({ phase }: PodRecord): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

/** A pod that is being deleted is left to end. But its grace period is set by the deleter, and may be years. */
function endsSoon({ endsAt }: PodRecord): boolean {
  return endsAt !== undefined && Date.parse(endsAt) < Date.now() + leftToEndMs;
}

/** A pod that is already quarantined no longer has an owner: its before-state names it. */
function belongsTo(options: {
  readonly pod: PodRecord;
  readonly workload: NamedWorkload;
  readonly view: ClusterView;
  readonly before: BeforeState | undefined;
}): boolean {
  const { pod, workload, view, before } = options;
  const direct = before?.owner ?? controllerOf(pod.owners);
  const top = before?.workload ?? topOwnerOf({ pod, view }).workload;
  return [direct, top].some((owner) => owner?.kind === workload.kind && owner.name === workload.name);
}

function requireContained(pod: ResolvedPod, found: readonly PodRecord[], incident: string): void {
  const target = `pod/${pod.namespace}/${pod.name}`;
  const now = found.find(({ uid }) => uid === pod.uid);
  if (!now) throw new FirebreakError('FB_ERR_NOT_FOUND', `${target} does not exist`);
  const difference = labelDifference({ expected: quarantineLabels(incident), found: now.labels });
  if (difference.length > 0) throw new FirebreakError('FB_ERR_DRIFTED', `${target}: ${difference.join('; ')}`);
}

import type { ActionImplementation, StepContext } from '../../../core/action/action.ts';
import { labelDifference } from '../../../core/action/drift.ts';
import { exceptionsSaid, type QuarantineExceptions } from '../../../core/action/quarantine-exceptions.ts';
import type { QuarantinePodInput, QuarantinePodOutput } from '../../../core/actions/containment/quarantine-pod.schema.ts';
import {
  authenticState,
  type BeforeState,
  type CellKey,
  laterState,
  notedOf,
  type QuarantineMarks,
  quarantineMarks,
} from '../../../core/cluster/before-state.ts';
import type { DenyTier } from '../../../core/cluster/deny-tier.ts';
import { names } from '../../../core/cluster/labels.ts';
import { type PodRecord, type PolicyRecord, policyTarget } from '../../../core/cluster/pod-record.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { holdTermsNow } from '../../../core/incident/hold.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { despiteConflicts, listObjects } from '../../../integrations/kubernetes/objects.ts';
import { readSamePod, replacePodLabels } from '../../../integrations/kubernetes/pods/pods.ts';
import { readDenyTier } from '../../../integrations/kubernetes/policies/deny-tier.ts';
import { listNetworkPolicies } from '../../../integrations/kubernetes/policies/network-policies.ts';
import {
  ensureStandingPolicy,
  readStandingPolicy,
  standingState,
} from '../../../integrations/kubernetes/policies/standing-policy.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { podRecord, policyRecord, type ServiceRecord, serviceRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { controllerOf, topOwnerOf } from '../../../integrations/kubernetes/workloads/owners.ts';
import { leftOpen } from './left-open.ts';
import { additivePolicies, policyName, quarantinePlan, type Situation, whyNotQuarantine } from './quarantine-plan.ts';
import { undoQuarantine } from './quarantine-undo.ts';

interface QuarantinePodOptions {
  readonly api: KubernetesApi;
  readonly view: ClusterView;
  /** At least 32 bytes; authenticates before-states. */
  readonly cellKey: CellKey;
  /** The sealed note of a pod as the cell last wrote it: used if somebody has edited or removed the one on the pod. */
  readonly noteOf?: (podUid: string) => string | undefined;
  /** What the cluster denies by, besides NetworkPolicies; from memory. */
  readonly denyTier?: (() => DenyTier | undefined) | undefined;
  readonly exceptions?: QuarantineExceptions;
}

/** An older view is not used for planning, even on the fast path. */
const maxViewAgeMs = 90_000;

type Implementation = ActionImplementation<QuarantinePodInput, QuarantinePodOutput>;

/** Cuts one pod off with one conditional label patch; see the declaration in `core/actions/containment/quarantine-pod.ts`. */
export function quarantinePodImplementation(
  options: QuarantinePodOptions,
): Implementation & Required<Pick<Implementation, 'undo'>> {
  const { api, view, cellKey, noteOf, denyTier = () => undefined, exceptions = {} } = options;
  const viewIsFresh = (): boolean => view.ready() && view.age() <= maxViewAgeMs;

  const cached = ({ pod }: QuarantinePodInput): PodRecord | undefined => {
    const known = viewIsFresh() ? view.pod(pod.namespace, pod.name) : undefined;
    return known?.uid === pod.uid ? known : undefined;
  };
  const read = async ({ pod }: QuarantinePodInput, signal: AbortSignal): Promise<PodRecord> =>
    podRecord(await readSamePod({ api, pod, signal }));

  const policiesOf = async (namespace: string, context: StepContext): Promise<readonly PolicyRecord[]> => {
    if (context.fast && viewIsFresh()) return [...view.policies(namespace), ...view.otherPolicies(namespace)];
    const policies = (await listNetworkPolicies({ api, namespace, signal: context.signal })).map(policyRecord);
    return [...policies, ...view.otherPolicies(namespace)];
  };

  return {
    async plan(input, context) {
      const known = context.fast ? cached(input) : undefined;
      const { namespace } = input.pod;
      const [pod, policies, services] = await Promise.all([
        known ?? read(input, context.signal),
        policiesOf(namespace, context),
        known ? view.services(namespace) : listServices({ api, namespace, signal: context.signal }),
      ]);
      const mark = markOn({ pod, context, cellKey, noteOf });
      const { workload } = topOwnerOf({ pod, view });
      const situation: Situation = {
        pod,
        policies,
        services,
        budgets: view.budgets(namespace),
        scalers: view.scalers(namespace),
        denyTier: denyTier(),
        exceptions,
        ...(workload && { workload }),
        ...(mark.kind === 'ours' && { held: mark.state }),
      };
      return quarantinePlan(situation, context.incident);
    },

    async apply(input, context) {
      const { namespace } = input.pod;
      // A pod that the cache already shows in our quarantine is read again: success is never reported from memory.
      const known = cached(input);
      let trusted = known && markOn({ pod: known, context, cellKey, noteOf }).kind === 'none' ? known : undefined;
      return despiteConflicts(async () => {
        const pod = trusted ?? (await read(input, context.signal));
        trusted = undefined;
        const mark = markOn({ pod, context, cellKey, noteOf });
        const state = mark.kind === 'ours' ? mark.state : beforeStateOf({ pod, context, view });
        const { created, refused } = await ensureStandingPolicy({
          api,
          namespace,
          exceptions,
          signal: context.signal,
          ...(viewIsFresh() && { view }),
        });
        if (mark.kind !== 'ours' || markDifference(pod, quarantineMarks(state, cellKey)).length > 0)
          view.observePod(await putMarks({ api, pod, marks: quarantineMarks(state, cellKey), signal: context.signal }));
        const said = [...exceptionsSaid(exceptions, { denyTier: denyTier(), refused }), ...leftOpen([pod], view.pods(namespace))];
        return {
          pod: input.pod,
          labelsBefore: { ...state.labels },
          additivePolicies: [
            ...additivePolicies(await policiesOf(namespace, context), {
              incident: context.incident,
              denyTier: denyTier(),
            }).map(policyName),
          ],
          policy: names.standingPolicy,
          policyCreated: created,
          ...(said.length > 0 && { exceptions: said }),
        };
      });
    },

    async started(input, context) {
      const { pod } = input;
      const found = (context.fast ? cached(input) : undefined) ?? (await read(input, context.signal));
      const state = authenticState({ text: found.annotations[names.beforeAnnotation], podUid: pod.uid, key: cellKey });
      return state?.step === context.key;
    },

    async verify(output, context) {
      const { pod } = output;
      const [found, policy, policies, tier] = await Promise.all([
        readSamePod({ api, pod, signal: context.signal }),
        readStandingPolicy({ api, namespace: pod.namespace, signal: context.signal }),
        policiesOf(pod.namespace, { ...context, fast: false }),
        denyTier() && readDenyTier({ api, signal: context.signal }),
      ]);
      const now = podRecord(found);
      const mark = markOn({ pod: now, context, cellKey, noteOf });
      const difference =
        mark.kind === 'ours'
          ? markDifference(now, quarantineMarks(mark.state, cellKey))
          : [`annotation ${names.beforeAnnotation} is missing, or not what this cell wrote`];
      const target = `pod/${pod.namespace}/${pod.name}`;
      if (difference.length > 0) throw new FirebreakError('FB_ERR_DRIFTED', `${target}: ${difference.join('; ')}`);
      const standing = policy ? standingState(policy, exceptions) : 'changed';
      if (standing === 'changed')
        throw new FirebreakError(
          'FB_ERR_DRIFTED',
          `networkpolicy/${pod.namespace}/${names.standingPolicy} is missing or was changed`,
        );
      const missing = additivePolicies(policies, { incident: context.incident, denyTier: tier });
      if (missing.length > 0)
        return {
          state: 'partial',
          detail: `applied; but ${missing.length === 1 ? 'a policy still allows' : 'policies still allow'} traffic of the pod: ${missing.map(policyName).join(', ')}`,
          missing: missing.map(policyTarget),
        };
      const said = [
        ...exceptionsSaid(exceptions, { denyTier: tier, refused: standing === 'strict' }),
        ...leftOpen([now], view.pods(pod.namespace)),
      ];
      return {
        state: 'unverified',
        detail: `applied; ${tier ? `labels, policy and ${tier.kind}` : 'labels and policy'} are read back, but no probe was made: whether a policy controller enforces it is unknown, and ${['established connections may survive', ...said].join('; ')}`,
      };
    },

    undo({ input, key, observedFor, allow }, context) {
      return undoQuarantine({
        api,
        pod: input.pod,
        cellKey,
        by: 'cell',
        observedFor,
        remembered: authenticState({ text: noteOf?.(input.pod.uid), podUid: input.pod.uid, key: cellKey }),
        holder: ({ step, incident }) => step === key || incident === context.incident,
        ...(allow && { allow }),
        signal: context.signal,
        observe: (pod) => view.observePod(pod),
      });
    },
  };
}

/** Describes which marks of the quarantine on the pod are not as they should be. */
export function markDifference(pod: PodRecord, { labels, annotations }: QuarantineMarks): readonly string[] {
  return [
    ...labelDifference({ expected: labels, found: pod.labels }),
    ...Object.entries(annotations).flatMap(([name, set]) => {
      const found = pod.annotations[name];
      if (found === set) return [];
      return [`annotation ${name} was ${found === undefined ? 'removed' : 'changed'}`];
    }),
  ];
}

type Mark = { readonly kind: 'none' } | { readonly kind: 'ours'; readonly state: BeforeState };

/**
 * Who holds the pod. Only an authentic mark counts: anyone who creates pods can write labels and annotations, and must not escape that way. If somebody has
 * edited the mark, and the cell has forgotten it, the pod is taken as it is.
 * @throws FB_ERR_REFUSED for a pod that cannot be quarantined or that another incident holds
 */
function markOn(options: {
  readonly pod: PodRecord;
  readonly context: StepContext;
  readonly cellKey: CellKey;
  readonly noteOf: QuarantinePodOptions['noteOf'];
}): Mark {
  const { pod, context, cellKey, noteOf } = options;
  const why = whyNotQuarantine(pod);
  if (why !== undefined) throw new FirebreakError('FB_ERR_REFUSED', why);
  const target = `pod/${pod.namespace}/${pod.name}`;
  const of = { podUid: pod.uid, key: cellKey };
  const state = laterState(
    authenticState({ ...of, text: pod.annotations[names.beforeAnnotation] }),
    authenticState({ ...of, text: noteOf?.(pod.uid) }),
  );
  if (state) {
    if (state.incident === context.incident) return { kind: 'ours', state };
    throw new FirebreakError('FB_ERR_REFUSED', `${target} is already quarantined by ${state.incident}`);
  }
  return { kind: 'none' };
}

/** Sets the marks, and removes annotations if they need the room, in one patch. */
export function putMarks(options: {
  readonly api: KubernetesApi;
  readonly pod: PodRecord;
  readonly marks: QuarantineMarks;
  readonly signal: AbortSignal;
}): ReturnType<typeof replacePodLabels> {
  const { marks, ...rest } = options;
  const going = Object.fromEntries((options.pod.crowding ?? []).map((name) => [name, null]));
  return replacePodLabels({ ...rest, labels: marks.labels, annotations: { ...going, ...marks.annotations } });
}

/** @param together marks of all pods of the step, if it is about more than this one */
export function beforeStateOf(options: {
  readonly pod: PodRecord;
  readonly context: StepContext;
  readonly view: ClusterView;
  readonly together?: readonly string[];
}): BeforeState {
  const { pod, context, view, together } = options;
  const owner = controllerOf(pod.owners);
  const { workload } = topOwnerOf({ pod, view });
  return {
    version: 1,
    incident: context.incident,
    step: context.key,
    podUid: pod.uid,
    ...notedOf(pod),
    ...(owner && { owner }),
    ...(workload && { workload }),
    ...(together && { together }),
    terms: holdTermsNow(context),
  };
}

async function listServices(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly signal: AbortSignal;
}): Promise<readonly ServiceRecord[]> {
  const { namespace, ...rest } = options;
  const ref = { kind: 'Service', resource: 'services', namespace };
  return (await listObjects<Parameters<typeof serviceRecord>[0]>({ ...rest, ref })).map(serviceRecord);
}

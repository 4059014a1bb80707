import type { ActionImplementation } from '../../../core/action/action.ts';
import type { NamedWorkload } from '../../../core/actions/workload.schema.ts';
import type { ScaleToZeroInput, ScaleToZeroOutput } from '../../../core/actions/workloads/scale-to-zero.schema.ts';
import { scaleToZero } from '../../../core/actions/workloads/scale-to-zero.ts';
import { type PodRecord, selects } from '../../../core/cluster/pod-record.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { readKnownObject, targetOf } from '../../../integrations/kubernetes/objects.ts';
import { readPod } from '../../../integrations/kubernetes/pods/pods.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { type PodJson, podRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { budgetsIn, scalersIn } from '../../../integrations/kubernetes/workloads/disruption.ts';
import { topOwnerOf } from '../../../integrations/kubernetes/workloads/owners.ts';
import { type WorkloadJson, workloadRef } from '../../../integrations/kubernetes/workloads/workloads.ts';
import { type HeldField, plannedBefore, plannedRoom, requireHeld } from '../held-field.ts';
import type { PauseParts } from '../paused-declarer.ts';
import { heldWorkload } from './held-workload.ts';
import { type EndingParts, podsLeft } from './pods-ended.ts';
import { lookAmong, podsOfWorkload, resolvedPods } from './pods-of.ts';

type Implementation = ActionImplementation<ScaleToZeroInput, ScaleToZeroOutput>;

const endsWithinMs = 50_000;

/** Ends every pod of a workload and remembers the replica count; see the declaration in `core/actions/workloads/scale-to-zero.ts`. */
export function scaleToZeroImplementation(
  options: PauseParts & EndingParts & { readonly view: ClusterView },
): Implementation & Required<Pick<Implementation, 'undo'>> {
  const { api, view, cellKey } = options;
  const { withDeclarer, hold, ...steps } = heldWorkload(
    options,
    fieldOn,
    ({ replicasBefore }) => typeof replicasBefore === 'number' && replicasBefore > 0,
  );
  const read = async (field: HeldField, signal: AbortSignal): Promise<WorkloadJson> =>
    readKnownObject({ api, ref: field.ref, signal });

  /** @throws FB_ERR_REFUSED if the suspect belongs to another workload: its evidence would say nothing about what is ended. */
  const requireOwn = async ({ workload, suspect }: ScaleToZeroInput, signal: AbortSignal): Promise<void> => {
    const found = await readPod({ api, namespace: suspect.namespace, name: suspect.name, signal });
    if (found?.metadata?.uid !== suspect.uid) return;
    const { workload: owner } = topOwnerOf({ pod: podRecord(found), view });
    const isOther = owner !== undefined && (owner.kind !== workload.kind || owner.name !== workload.name);
    if (suspect.namespace !== workload.namespace || isOther)
      throw new FirebreakError(
        'FB_ERR_REFUSED',
        `pod/${suspect.namespace}/${suspect.name} is not a pod of ${workload.kind} ${workload.name}`,
      );
  };

  const podsOf = (object: WorkloadJson, workload: NamedWorkload, signal: AbortSignal): Promise<readonly PodRecord[]> =>
    podsOfWorkload({ api, view, cellKey, workload, selector: object.spec?.selector, signal });

  return {
    ...steps,

    async plan(input, { incident, key, signal }) {
      const { workload, suspect } = input;
      const { namespace } = workload;
      const field = fieldOn({ workload });
      const [object, scalers, budgets] = await Promise.all([
        read(field, signal),
        scalersIn({ api, namespace, signal }),
        budgetsIn({ api, namespace, signal }),
        requireOwn(input, signal),
      ]);
      keepsClaims(object, workload);
      const before = plannedBefore({ object, cellKey, field, incident });
      const target = targetOf(field.ref);
      const labels = object.spec?.template?.metadata?.labels ?? {};
      const scaling = scalers.filter(({ scales }) => scales.kind === workload.kind && scales.name === workload.name);
      const bypassed = budgets.filter(({ selector }) => selects(selector, labels));
      const plan = {
        target: { name: target, uid: object.metadata.uid },
        evidenceOf: { name: `pod/${suspect.namespace}/${suspect.name}`, uid: suspect.uid },
        changes: [{ target, what: `goes from ${String(before)} replicas to 0: all its pods are ended` }],
        blastRadius: [target, ...scaling.map((one) => `horizontalpodautoscaler/${namespace}/${one.name}`)].sort(),
        notes: [
          'What is only in the memory, the file systems and the emptyDir volumes of its pods is gone for good.',
          'A quarantined pod is no longer the workload’s: it keeps running.',
          ...bypassed.map(({ name }) => `PodDisruptionBudget ${name} is bypassed: it does not delay scaling.`),
          ...scaling.map(({ name }) => `HorizontalPodAutoscaler ${name} does nothing while there are 0 replicas.`),
          ...plannedRoom({ object, cellKey, field, incident, key }),
        ],
      };
      return withDeclarer(plan, { input, object, signal });
    },

    async apply(input, context) {
      const { workload } = input;
      // Anyone who may write its pods could release them, so that they live on: they are listed beforehand, and checked by their uids afterwards.
      const pods = resolvedPods(await podsOf(await read(fieldOn(input), context.signal), workload, context.signal));
      const { before, ...paused } = await hold(input, context);
      return { workload, replicasBefore: typeof before === 'number' ? before : 1, pods, ...paused };
    },

    async verify({ workload, pods }, { incident, signal }) {
      const field = fieldOn({ workload });
      const ofBefore = lookAmong(api, workload, pods, signal);
      const look = async (): Promise<readonly PodJson[]> => {
        const object = await read(field, signal);
        requireHeld({ object, cellKey, field, incident });
        const since = resolvedPods(await podsOf(object, workload, signal));
        const [before, now] = await Promise.all([ofBefore(), lookAmong(api, workload, since, signal)()]);
        return [...new Map([...before, ...now].map((pod) => [pod.metadata?.uid, pod])).values()];
      };
      const { lasting, ending } = await podsLeft({ look, withinMs: endsWithinMs, ending: options, signal });
      if (ending.length > 0)
        throw new FirebreakError(
          'FB_ERR_UNAVAILABLE',
          `${targetOf(field.ref)} has 0 replicas, but ${ending.join(', ')} still run`,
        );
      return lasting.length > 0
        ? { state: 'partial', detail: 'it has 0 replicas', missing: lasting }
        : { state: 'verified', detail: 'it has 0 replicas, and none of its pods is left' };
    },
  };
}

function fieldOn({ workload }: { readonly workload: NamedWorkload }): HeldField {
  return {
    action: scaleToZero,
    ref: workloadRef(workload, ['Deployment', 'StatefulSet']),
    path: ['spec', 'replicas'],
    value: () => 0,
  };
}

/** https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention: restoring the count does not bring a volume back. */
function keepsClaims(object: WorkloadJson, { kind, name }: NamedWorkload): void {
  if (object.spec?.persistentVolumeClaimRetentionPolicy?.whenScaled === 'Delete')
    throw new FirebreakError('FB_ERR_REFUSED', `${kind} ${name} deletes its volumes when it is scaled down (whenScaled: Delete)`);
}

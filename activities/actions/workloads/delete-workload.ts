import { setTimeout as sleep } from 'node:timers/promises';
import type { ActionImplementation, StepContext } from '../../../core/action/action.ts';
import type { NamedWorkload } from '../../../core/actions/workload.schema.ts';
import type { DeleteWorkloadInput, DeleteWorkloadOutput } from '../../../core/actions/workloads/delete-workload.schema.ts';
import type { LabelSelector, PodRecord } from '../../../core/cluster/pod-record.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { CellKey } from '../../../core/messages/sealed.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../../integrations/kubernetes/client-error.ts';
import { type ObjectJson, readKnownObject, readObject, targetOf } from '../../../integrations/kubernetes/objects.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { workloadRef } from '../../../integrations/kubernetes/workloads/workloads.ts';
import { otherWriter } from '../../../integrations/kubernetes/workloads/writers.ts';
import { type EndingParts, podsLeft } from './pods-ended.ts';
import { lookAmong, podsOfWorkload, resolvedPods } from './pods-of.ts';
import { evidenceOfSuspect } from './rolled-out.ts';

/** How long to wait for what was ended. */
const withinMs = 150_000;
const kinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob'];

/** Deletes a workload, which goes after what it owns; see the declaration in `core/actions/workloads/delete-workload.ts`. */
export function deleteWorkloadImplementation(
  options: EndingParts & { readonly api: KubernetesApi; readonly view: Pick<ClusterView, 'ownersOf'>; readonly cellKey: CellKey },
): ActionImplementation<DeleteWorkloadInput, DeleteWorkloadOutput> {
  const { api, view, cellKey, pollMs = 500 } = options;

  const podsOf = (
    workload: NamedWorkload,
    object: ObjectJson | undefined,
    { planned, signal }: Pick<StepContext, 'planned' | 'signal'>,
  ): Promise<readonly PodRecord[]> => {
    const spec = object?.spec as { readonly selector?: LabelSelector } | undefined;
    return podsOfWorkload({ api, view, cellKey, workload, selector: spec?.selector, planned, signal });
  };

  return {
    async plan({ workload, suspect }, { signal }) {
      const ref = workloadRef(workload, kinds);
      const object = await readKnownObject({ api, ref, signal });
      const target = targetOf(ref);
      const pods = await podsOf(workload, object, { signal });
      const writer = otherWriter(object.metadata);
      return {
        target: { name: target, uid: object.metadata.uid },
        ...evidenceOfSuspect(suspect),
        changes: [{ target, what: 'is deleted, after everything that it owns' }],
        blastRadius: [target, ...pods.map(({ namespace, name }) => `pod/${namespace}/${name}`)].sort(),
        notes: [
          pods.length === 0
            ? 'It has no pods now.'
            : `Its ${pods.length === 1 ? 'pod ends' : `${pods.length} pods end`}, and what is only in their memory and file systems is gone for good.`,
          'Quarantined pods are no longer its own: they stay. Services, volume claims and autoscalers stay too.',
          ...(writer ? [`It is managed by ${writer.named}, which will recreate it: remove it there first.`] : []),
        ],
      };
    },

    async started({ workload }, { signal }) {
      const object = await readObject({ api, ref: workloadRef(workload, kinds), signal });
      return object === undefined || object.metadata.deletionTimestamp !== undefined;
    },

    async apply({ workload }, context) {
      const { signal } = context;
      const ref = workloadRef(workload, kinds);
      const object = await readObject({ api, ref, signal });
      // Somebody may delete it alone, or release its pods, so that they live on: they are listed beforehand, and checked by their uids afterwards.
      const pods = resolvedPods(await podsOf(workload, object, context));
      if (!object) return { workload, pods };
      const { uid, deletionTimestamp } = object.metadata;
      if (deletionTimestamp !== undefined) return { workload, uid, pods };
      try {
        await api.json({
          method: 'DELETE',
          path: pathOf(ref),
          body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Foreground', preconditions: { uid } },
          what: `delete ${ref.resource} in ${workload.namespace}`,
          signal,
        });
      } catch (error) {
        if (!(error instanceof KubernetesError) || error.status !== 404) throw error;
      }
      return { workload, uid, pods };
    },

    async verify({ workload, uid, pods }, { signal }) {
      const ref = workloadRef(workload, kinds);
      const isThere = async (): Promise<boolean> => {
        const object = await readObject({ api, ref, signal });
        return object !== undefined && (uid === undefined || object.metadata.uid === uid);
      };
      const end = Date.now() + withinMs;
      const left = await podsLeft({ look: lookAmong(api, workload, pods, signal), withinMs, ending: options, signal });
      if (left.ending.length > 0)
        throw new FirebreakError(
          'FB_ERR_UNAVAILABLE',
          `${left.ending.join(', ')} of ${targetOf(ref)}: being ended, but not gone yet`,
        );
      // It goes after what it owns: if a pod stays, the workload may stay as long.
      while (left.lasting.length === 0 && uid !== undefined && (await isThere())) {
        if (Date.now() > end)
          throw new FirebreakError('FB_ERR_UNAVAILABLE', `${targetOf(ref)} is being deleted, but what it owns still exists`);
        await sleep(pollMs, undefined, { signal });
      }
      const again = await readObject({ api, ref, signal });
      const isAgain = again !== undefined && again.metadata.uid !== uid;
      const missing = [...left.lasting, ...(isAgain ? [`${targetOf(ref)} was recreated by somebody`] : [])];
      return missing.length > 0
        ? { state: 'partial', detail: 'its termination was ordered', missing }
        : { state: 'verified', detail: 'the API server no longer knows it or the pods that it had' };
    },
  };
}

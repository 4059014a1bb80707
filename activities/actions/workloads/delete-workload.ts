import { setTimeout as sleep } from 'node:timers/promises';
import type { ActionImplementation } from '../../../core/action/action.ts';
import type { NamedWorkload } from '../../../core/actions/workload.schema.ts';
import type { DeleteWorkloadInput, DeleteWorkloadOutput } from '../../../core/actions/workloads/delete-workload.schema.ts';
import { type LabelSelector, selects } from '../../../core/cluster/pod-record.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../../integrations/kubernetes/client-error.ts';
import { listObjects, readKnownObject, readObject, targetOf } from '../../../integrations/kubernetes/objects.ts';
import { type PodJson, podRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { workloadRef } from '../../../integrations/kubernetes/workloads/workloads.ts';
import { otherWriter } from '../../../integrations/kubernetes/workloads/writers.ts';
import { evidenceOfSuspect } from './rolled-out.ts';

const kinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob'];

/** Deletes a workload, and it goes after what it owns; see the declaration in `core/actions/workloads/delete-workload.ts`. */
export function deleteWorkloadImplementation(options: {
  readonly api: KubernetesApi;
  readonly pollMs?: number;
}): ActionImplementation<DeleteWorkloadInput, DeleteWorkloadOutput> {
  const { api, pollMs = 500 } = options;

  const podsOf = async ({ namespace }: NamedWorkload, selector: LabelSelector | undefined, signal: AbortSignal) => {
    if (!selector) return [];
    const pods = await listObjects<PodJson>({ api, ref: { kind: 'Pod', resource: 'pods', namespace }, signal });
    return pods.map(podRecord).filter(({ labels }) => selects(selector, labels));
  };

  return {
    async plan({ workload, suspect }, { signal }) {
      const ref = workloadRef(workload, kinds);
      const object = await readKnownObject({ api, ref, signal });
      const target = targetOf(ref);
      const spec = object.spec as { readonly selector?: LabelSelector } | undefined;
      const pods = await podsOf(workload, spec?.selector, signal);
      const writer = otherWriter(object.metadata);
      return {
        target: { name: target, uid: object.metadata.uid },
        ...evidenceOfSuspect(suspect),
        changes: [{ target, what: 'is deleted, after all that it owns' }],
        blastRadius: [target, ...pods.map(({ namespace, name }) => `pod/${namespace}/${name}`)].sort(),
        notes: [
          pods.length === 0
            ? 'It has no pods now.'
            : `Its ${pods.length === 1 ? 'pod ends' : `${pods.length} pods end`}, and what is only in their memory and file systems is gone for good.`,
          'Quarantined pods are no longer its own: they stay. Services, volume claims and autoscalers stay too.',
          ...(writer ? [`It is managed by ${writer.named}, which will make it again: take it out there first.`] : []),
        ],
      };
    },

    async started({ workload }, { signal }) {
      const object = await readObject({ api, ref: workloadRef(workload, kinds), signal });
      return object === undefined || object.metadata.deletionTimestamp !== undefined;
    },

    async apply({ workload }, { signal }) {
      const ref = workloadRef(workload, kinds);
      const object = await readObject({ api, ref, signal });
      if (!object) return { workload };
      const { uid, deletionTimestamp } = object.metadata;
      if (deletionTimestamp !== undefined) return { workload, uid };
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
      return { workload, uid };
    },

    async verify({ workload, uid }, { signal }) {
      const ref = workloadRef(workload, kinds);
      const end = Date.now() + 150_000;
      for (;;) {
        const object = await readObject({ api, ref, signal });
        if (object === undefined || (uid !== undefined && object.metadata.uid !== uid)) break;
        if (Date.now() > end)
          throw new FirebreakError('FB_ERR_UNAVAILABLE', `${targetOf(ref)} is being deleted, but what it owns is still there`);
        await sleep(pollMs, undefined, { signal });
      }
      const again = await readObject({ api, ref, signal });
      return again === undefined
        ? { state: 'verified', detail: 'the API server no longer knows it, nor what it owned' }
        : { state: 'partial', detail: 'it was deleted', missing: [`${targetOf(ref)} has been made again by somebody`] };
    },
  };
}

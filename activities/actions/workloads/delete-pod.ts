import type { ActionImplementation } from '../../../core/action/action.ts';
import type { DeletePodInput, DeletePodOutput } from '../../../core/actions/workloads/delete-pod.schema.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../../integrations/kubernetes/client-error.ts';
import { readPod, readSamePod } from '../../../integrations/kubernetes/pods/pods.ts';
import { isQuarantined } from '../../../integrations/kubernetes/policies/network-policies.ts';
import { podRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { controllerOf, ownerEffect } from '../../../integrations/kubernetes/workloads/owners.ts';
import { endOf } from './pods-ended.ts';

/**
 * The attacker gets no 30 s of grace, but the kubelet still confirms that the containers are gone: with 0 the API server would forget the pod while it may
 * still run.
 */
const graceSeconds = 1;
const withinMs = 55_000;

/** Deletes one pod by uid; see the declaration in `core/actions/workloads/delete-pod.ts`. */
export function deletePodImplementation(options: {
  readonly api: KubernetesApi;
  readonly pollMs?: number;
}): ActionImplementation<DeletePodInput, DeletePodOutput> {
  const { api, pollMs = 250 } = options;

  const isThere = async ({ namespace, name, uid }: DeletePodInput['pod'], signal: AbortSignal): Promise<boolean> =>
    (await readPod({ api, namespace, name, signal }))?.metadata?.uid === uid;

  return {
    async plan({ pod }, { signal }) {
      const found = podRecord(await readSamePod({ api, pod, signal }));
      const name = `pod/${pod.namespace}/${pod.name}`;
      // A quarantined pod has already been replaced, and its owner reference may disappear at any moment.
      const owner = isQuarantined(found.labels) ? undefined : controllerOf(found.owners);
      return {
        target: { name, uid: pod.uid },
        changes: [{ target: name, what: `ends its containers within ${graceSeconds} s and removes it` }],
        blastRadius: [name],
        notes: [
          owner
            ? `${owner.kind} ${owner.name} ${ownerEffect(owner.kind)}: the same image and configuration come back.`
            : 'Nothing starts another pod in its place.',
          'What is only in its memory, its file system and its emptyDir volumes is gone for good.',
        ],
      };
    },

    async started({ pod }, { signal }) {
      const found = await readPod({ api, namespace: pod.namespace, name: pod.name, signal });
      return found?.metadata?.uid !== pod.uid || found.metadata.deletionTimestamp !== undefined;
    },

    async apply({ pod }, { signal }) {
      try {
        await api.json({
          method: 'DELETE',
          path: pathOf({ resource: 'pods', namespace: pod.namespace, name: pod.name }),
          body: {
            apiVersion: 'v1',
            kind: 'DeleteOptions',
            gracePeriodSeconds: graceSeconds,
            preconditions: { uid: pod.uid },
          },
          what: `delete pods in ${pod.namespace}`,
          signal,
        });
        return { pod, alreadyGone: false };
      } catch (error) {
        const refused = error instanceof KubernetesError && (error.status === 404 || error.status === 409);
        if (!refused || (await isThere(pod, signal))) throw error;
        return { pod, alreadyGone: true };
      }
    },

    verify: ({ pod, alreadyGone }, { signal }) => endOf({ api, pod, being: 'deleted', alreadyGone, withinMs, pollMs, signal }),
  };
}

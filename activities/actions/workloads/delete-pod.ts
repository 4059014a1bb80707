import type { ActionImplementation } from '../../../core/action/action.ts';
import type { DeletePodInput, DeletePodOutput } from '../../../core/actions/workloads/delete-pod.schema.ts';
import type { CellKey } from '../../../core/cluster/before-state.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../../integrations/kubernetes/client-error.ts';
import { readPod, readSamePod } from '../../../integrations/kubernetes/pods/pods.ts';
import { podRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { endOf } from './pods-ended.ts';
import { replacementNote } from './replacement-note.ts';

/**
 * The attacker gets no 30 s of grace, but the kubelet still confirms that the containers are gone: with 0 the API server would forget the pod while it may
 * still run.
 */
const graceSeconds = 1;
const withinMs = 55_000;

/** Deletes one pod by uid; see the declaration in `core/actions/workloads/delete-pod.ts`. */
export function deletePodImplementation(options: {
  readonly api: KubernetesApi;
  /** Absent: the note on a quarantined pod is not believed. */
  readonly cellKey?: CellKey;
  readonly pollMs?: number;
}): ActionImplementation<DeletePodInput, DeletePodOutput> {
  const { api, cellKey, pollMs = 250 } = options;

  const isThere = async ({ namespace, name, uid }: DeletePodInput['pod'], signal: AbortSignal): Promise<boolean> =>
    (await readPod({ api, namespace, name, signal }))?.metadata?.uid === uid;

  return {
    async plan({ pod }, { signal }) {
      const found = podRecord(await readSamePod({ api, pod, signal }));
      const name = `pod/${pod.namespace}/${pod.name}`;
      return {
        target: { name, uid: pod.uid },
        changes: [{ target: name, what: `ends its containers within ${graceSeconds} s and removes it` }],
        blastRadius: [name],
        notes: [
          replacementNote(found, cellKey),
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

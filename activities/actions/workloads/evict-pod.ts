import { setTimeout as sleep } from 'node:timers/promises';
import type { ActionImplementation } from '../../../core/action/action.ts';
import type { EvictPodInput, EvictPodOutput } from '../../../core/actions/workloads/evict-pod.schema.ts';
import type { CellKey } from '../../../core/cluster/before-state.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { readPod, readSamePod } from '../../../integrations/kubernetes/pods/pods.ts';
import { mirrorAnnotation, podRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { budgetsIn } from '../../../integrations/kubernetes/workloads/disruption.ts';
import { budgetNote, evict, heldText, severalText } from './eviction.ts';
import { endOf } from './pods-ended.ts';
import { replacementNote } from './replacement-note.ts';

const withinMs = 150_000;

/** Evicts one pod by uid; see the declaration in `core/actions/workloads/evict-pod.ts`. */
export function evictPodImplementation(options: {
  readonly api: KubernetesApi;
  /** Absent: the note on a quarantined pod is not believed. */
  readonly cellKey?: CellKey;
  readonly pollMs?: number;
  /** How long to wait for a budget: 40 s. */
  readonly heldMs?: number;
}): ActionImplementation<EvictPodInput, EvictPodOutput> {
  const { api, cellKey, pollMs = 500, heldMs = 40_000 } = options;

  return {
    async plan({ pod }, { signal }) {
      const { namespace } = pod;
      const found = await readSamePod({ api, pod, signal });
      const record = podRecord(found);
      const name = `pod/${namespace}/${pod.name}`;
      if (record.annotations[mirrorAnnotation] !== undefined)
        throw new FirebreakError('FB_ERR_REFUSED', `${name} is a static pod: only its node can end it`);
      const budgets = await budgetsIn({ api, namespace, signal });
      return {
        target: { name, uid: pod.uid },
        changes: [{ target: name, what: 'is ended in its own grace time, when its disruption budgets allow it' }],
        blastRadius: [name],
        notes: [
          budgetNote(name, record.labels, budgets) ?? 'No disruption budget selects it.',
          replacementNote(record, cellKey),
          `Anyone in it has ${found.spec?.terminationGracePeriodSeconds ?? 30} s to react; deletePod gives them less.`,
        ],
      };
    },

    async started({ pod }, { signal }) {
      const found = await readPod({ api, namespace: pod.namespace, name: pod.name, signal });
      return found?.metadata?.uid !== pod.uid || found.metadata.deletionTimestamp !== undefined;
    },

    async apply({ pod }, { signal }) {
      const end = Date.now() + heldMs;
      for (;;) {
        const evicted = await evict({ api, pod, signal });
        if (evicted === 'evicted' || evicted === 'gone') return { pod, alreadyGone: evicted === 'gone' };
        const why = evicted === 'held' ? heldText : severalText;
        if (evicted === 'several' || Date.now() > end)
          throw new FirebreakError('FB_ERR_REFUSED', `pod/${pod.namespace}/${pod.name}: ${why}; nothing was forced`);
        await sleep(pollMs, undefined, { signal });
      }
    },

    verify: ({ pod, alreadyGone }, { signal }) => endOf({ api, pod, being: 'ended', alreadyGone, withinMs, pollMs, signal }),
  };
}

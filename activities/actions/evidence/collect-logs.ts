import type { ActionImplementation } from '../../../core/action/action.ts';
import type { CollectLogsInput, CollectLogsOutput } from '../../../core/actions/evidence/collect-logs.schema.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { readSamePod } from '../../../integrations/kubernetes/pods/pods.ts';
import { planToRead } from '../../chokepoint/pod-reading.ts';
import { createEvidenceWriter, type EvidenceParts, verifyStoredEvidence } from '../../evidence/evidence-writer.ts';
import { collectPodLogs } from './pod-logs.ts';

const defaultLines = 100_000;
/** Maximum bytes per log. All logs of a pod are in memory at once: at most 16 of these. */
const maxLogBytes = 16 * 1024 * 1024;

/** Stores the logs of a pod; see the declaration in `core/actions/evidence/collect-logs.ts`. */
export function collectLogsImplementation(
  options: EvidenceParts & { readonly api: KubernetesApi },
): ActionImplementation<CollectLogsInput, CollectLogsOutput> {
  const { api } = options;

  return {
    plan: ({ pod, maxLines = defaultLines }, { signal }) =>
      planToRead({
        api,
        pod,
        signal,
        notes: [
          `Reads up to ${maxLines} lines and ${maxLogBytes} bytes of each container’s log and of the run before; changes nothing in the cluster.`,
          'Logs are kept as they are: whatever the program wrote into them is in the evidence.',
        ],
      }),

    async started() {
      return false;
    },

    async apply({ pod: target, maxLines = defaultLines }, context) {
      const { signal } = context;
      const pod = await readSamePod({ api, pod: target, signal });
      const logs = await collectPodLogs({ api, pod, target, maxLines, maxBytes: maxLogBytes, signal });
      const { keep, close } = createEvidenceWriter(options, { pod: target, context });
      for (const { bytes, ...log } of logs) await keep('logs', log, bytes);
      return { evidence: await close('firebreak/cell', `collected ${logs.length} logs through the Kubernetes API`) };
    },

    verify: ({ evidence }) => verifyStoredEvidence(options, { evidence, what: 'logs' }),
  };
}

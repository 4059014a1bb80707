import type { ActionImplementation } from '../../../core/action/action.ts';
import type { SnapshotPodStateInput, SnapshotPodStateOutput } from '../../../core/actions/evidence/snapshot-pod-state.schema.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { eventsAbout } from '../../../integrations/kubernetes/pods/events-about.ts';
import { redactedPodYaml } from '../../../integrations/kubernetes/pods/pod-yaml.ts';
import { readSamePod } from '../../../integrations/kubernetes/pods/pods.ts';
import { planToRead } from '../../chokepoint/pod-reading.ts';
import { createEvidenceWriter, type EvidenceParts, verifyStoredEvidence } from '../../evidence/evidence-writer.ts';
import { collectPodLogs } from './pod-logs.ts';

interface SnapshotPodStateOptions extends EvidenceParts {
  readonly api: KubernetesApi;
  /** Per container and log; 4 MiB by default. */
  readonly maxLogBytes?: number;
}

/** Per container and log. */
const mostLogLines = 20_000;

/** Stores what the API server knows about a pod; see the declaration in `core/actions/evidence/snapshot-pod-state.ts`. */
export function snapshotPodStateImplementation(
  options: SnapshotPodStateOptions,
): ActionImplementation<SnapshotPodStateInput, SnapshotPodStateOutput> {
  const { api, maxLogBytes = 4 * 1024 * 1024 } = options;

  return {
    plan: ({ pod }, { signal }) =>
      planToRead({ api, pod, signal, notes: ['Reads the pod, its events and its logs; changes nothing in the cluster.'] }),

    async started() {
      return false;
    },

    async apply({ pod: target }, context) {
      const { signal } = context;
      const pod = await readSamePod({ api, pod: target, signal });
      const { keep, close } = createEvidenceWriter(options, { pod: target, context });
      await keep('state', { name: 'pod.yaml', mediaType: 'application/yaml', tool: 'kubernetes-api' }, redactedPodYaml(pod));
      const { text: events, ...cut } = await eventsAbout({ api, namespace: target.namespace, of: { uid: target.uid }, signal });
      await keep('state', { name: 'events.json', mediaType: 'application/json', tool: 'kubernetes-api', ...cut }, events);
      const logs = await collectPodLogs({ api, pod, target, maxLines: mostLogLines, maxBytes: maxLogBytes, signal });
      for (const { bytes, ...log } of logs) await keep('logs', log, bytes);
      return { evidence: await close('firebreak/cell', `collected ${logs.length + 2} artefacts from the Kubernetes API`) };
    },

    verify: ({ evidence }) => verifyStoredEvidence(options, { evidence, what: 'artefacts' }),
  };
}

import type { ActionImplementation } from '../../core/action.ts';
import type { CollectLogsInput, CollectLogsOutput } from '../../core/actions/collect-logs.schema.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { Artefact } from '../../core/evidence.ts';
import type { EvidenceStore, VerifyManifest, WriteManifest } from '../../core/evidence-store.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { readSamePod } from '../../integrations/kubernetes/pods.ts';
import { collectPodLogs } from './pod-logs.ts';

const defaultLines = 100_000;
/** Per log. All logs of a pod are in memory at once: 16 of these at most. */
const maxLogBytes = 16 * 1024 * 1024;

/** Keeps the logs of a pod; see the declaration in `core/actions/collect-logs.ts`. */
export function collectLogsImplementation(options: {
  readonly api: KubernetesApi;
  readonly store: EvidenceStore;
  readonly writeManifest: WriteManifest;
  readonly verifyManifest: VerifyManifest;
  readonly now?: () => Date;
}): ActionImplementation<CollectLogsInput, CollectLogsOutput> {
  const { api, store, writeManifest, verifyManifest, now = () => new Date() } = options;

  return {
    async plan({ pod, maxLines = defaultLines }, { signal }) {
      await readSamePod({ api, pod, signal });
      const name = `pod/${pod.namespace}/${pod.name}`;
      return {
        target: { name, uid: pod.uid },
        changes: [],
        blastRadius: [name],
        notes: [
          `Reads up to ${maxLines} lines and ${maxLogBytes} bytes of each container’s log and of the run before; changes nothing in the cluster.`,
          'Logs are kept as they are: whatever the program wrote into them is in the evidence.',
        ],
      };
    },

    async started() {
      return false;
    },

    async apply({ pod: target, maxLines = defaultLines }, context) {
      const { signal } = context;
      const pod = await readSamePod({ api, pod: target, signal });
      const logs = await collectPodLogs({ api, pod, target, maxLines, maxBytes: maxLogBytes, signal });
      const artefacts: Artefact[] = [];
      for (const { bytes, ...log } of logs) {
        const kept = await store.put(bytes, log.mediaType);
        artefacts.push({ ...log, ...kept, collectedAt: now().toISOString() });
      }
      const at = now().toISOString();
      const ref = await writeManifest({
        incident: context.incident,
        run: context.run,
        step: context.key,
        target: { name: `pod/${target.namespace}/${target.name}`, uid: target.uid },
        artefacts,
        custody: [{ at, who: 'firebreak/cell', did: `collected ${artefacts.length} logs through the Kubernetes API` }],
        createdAt: at,
      });
      return {
        evidence: {
          manifestSha256: ref.manifestSha256,
          target: { ...ref.target },
          artefacts: ref.artefacts.map((artefact) => ({ ...artefact })),
        },
      };
    },

    async verify({ evidence }) {
      const problems = await verifyManifest(evidence.manifestSha256);
      if (problems.length > 0) throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', problems.join('; '));
      const missing = evidence.artefacts.flatMap(({ name, partial }) => (partial ? [`${name}: ${partial}`] : []));
      const detail = `${evidence.artefacts.length} logs and their signed manifest are read back and hashed again`;
      return missing.length > 0 ? { state: 'partial', detail, missing } : { state: 'verified', detail };
    },
  };
}

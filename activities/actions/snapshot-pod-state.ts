import type { CoreV1EventList } from '@kubernetes/client-node';
import type { ActionImplementation } from '../../core/action.ts';
import type { SnapshotPodStateInput, SnapshotPodStateOutput } from '../../core/actions/snapshot-pod-state.schema.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { Artefact } from '../../core/evidence.ts';
import type { EvidenceStore, VerifyManifest, WriteManifest } from '../../core/evidence-store.ts';
import { redactSecrets } from '../../core/redact.ts';
import { type KubernetesApi, pathOf } from '../../integrations/kubernetes/client.ts';
import { redactedPodYaml } from '../../integrations/kubernetes/pod-yaml.ts';
import { readSamePod } from '../../integrations/kubernetes/pods.ts';
import type { Json } from '../../integrations/kubernetes/projection.ts';
import { collectPodLogs } from './pod-logs.ts';

export interface SnapshotPodStateOptions {
  readonly api: KubernetesApi;
  readonly store: EvidenceStore;
  readonly writeManifest: WriteManifest;
  readonly verifyManifest: VerifyManifest;
  /** Per container and log: 20 000 lines, 4 MiB. */
  readonly maxLogLines?: number;
  readonly maxLogBytes?: number;
  readonly now?: () => Date;
}

/** Keeps what the API server knows of a pod; see the declaration in `core/actions/snapshot-pod-state.ts`. */
export function snapshotPodStateImplementation(
  options: SnapshotPodStateOptions,
): ActionImplementation<SnapshotPodStateInput, SnapshotPodStateOutput> {
  const { api, store, writeManifest, verifyManifest, now = () => new Date() } = options;
  const { maxLogLines = 20_000, maxLogBytes = 4 * 1024 * 1024 } = options;

  return {
    async plan({ pod }, { signal }) {
      await readSamePod({ api, pod, signal });
      const name = `pod/${pod.namespace}/${pod.name}`;
      return {
        target: { name, uid: pod.uid },
        changes: [],
        blastRadius: [name],
        notes: ['Reads the pod, its events and its logs; changes nothing in the cluster.'],
      };
    },

    async started() {
      return false;
    },

    async apply({ pod: target }, context) {
      const { signal } = context;
      const { namespace, name } = target;
      const pod = await readSamePod({ api, pod: target, signal });
      const artefacts: Artefact[] = [];
      const keep = async (what: Omit<Artefact, 'sha256' | 'bytes' | 'collectedAt'>, data: Uint8Array): Promise<void> => {
        const kept = await store.put(data, what.mediaType);
        artefacts.push({ ...what, ...kept, collectedAt: now().toISOString() });
      };
      const text = (value: string): Uint8Array => new TextEncoder().encode(value);

      await keep({ name: 'pod.yaml', mediaType: 'application/yaml', tool: 'kubernetes-api' }, text(redactedPodYaml(pod)));
      await keep(
        { name: 'events.json', mediaType: 'application/json', tool: 'kubernetes-api' },
        text(await eventsOf(target, signal)),
      );
      const logs = await collectPodLogs({ api, pod, target, maxLines: maxLogLines, maxBytes: maxLogBytes, signal });
      for (const { bytes, ...log } of logs) await keep(log, bytes);
      const at = now().toISOString();
      const ref = await writeManifest({
        incident: context.incident,
        run: context.run,
        step: context.key,
        target: { name: `pod/${namespace}/${name}`, uid: target.uid },
        artefacts,
        custody: [{ at, who: 'firebreak/cell', did: `collected ${artefacts.length} artefacts from the Kubernetes API` }],
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
      const detail = `${evidence.artefacts.length} artefacts and their signed manifest are read back and hashed again`;
      return missing.length > 0 ? { state: 'partial', detail, missing } : { state: 'verified', detail };
    },
  };

  async function eventsOf(pod: { readonly namespace: string; readonly uid: string }, signal: AbortSignal): Promise<string> {
    const list = await api.json<Json<CoreV1EventList>>({
      method: 'GET',
      path: pathOf({ resource: 'events', namespace: pod.namespace }),
      query: { fieldSelector: `involvedObject.uid=${pod.uid}`, limit: '500' },
      what: `list events in ${pod.namespace}`,
      signal,
    });
    const events = list.items.map(({ metadata: _, ...event }) => ({
      ...event,
      ...(event.message && { message: redactSecrets(event.message) }),
    }));
    return JSON.stringify(events, null, 2);
  }
}

import type { ActionImplementation } from '../../../core/action/action.ts';
import type { CollectNodeInfoInput, CollectNodeInfoOutput } from '../../../core/actions/evidence/collect-node-info.schema.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { listObjects, type ObjectRef, readKnownObject, readObject, targetOf } from '../../../integrations/kubernetes/objects.ts';
import { eventsAbout } from '../../../integrations/kubernetes/pods/events-about.ts';
import { type NodeJson, redactedNodeYaml } from '../../../integrations/kubernetes/pods/node-yaml.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { type PodJson, podRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { topOwnerOf } from '../../../integrations/kubernetes/workloads/owners.ts';
import { createEvidenceWriter, type EvidenceParts, verifyStoredEvidence } from '../../evidence/evidence-writer.ts';

/** The kubelet's default `nodeStatusMaxImages`. */
const mostImages = 50;
const fromApi = { mediaType: 'application/json', tool: 'kubernetes-api' };

/** Stores what is known about a node; see the declaration in `core/actions/evidence/collect-node-info.ts`. */
export function collectNodeInfoImplementation(
  options: EvidenceParts & { readonly api: KubernetesApi; readonly view: ClusterView },
): ActionImplementation<CollectNodeInfoInput, CollectNodeInfoOutput> {
  const { api, view } = options;
  const refOf = (node: string): ObjectRef => ({ kind: 'Node', resource: 'nodes', name: node });

  return {
    async plan({ node }, { signal }) {
      const ref = refOf(node);
      const { metadata } = await readKnownObject({ api, ref, signal });
      const name = targetOf(ref);
      return {
        target: { name, uid: metadata.uid },
        changes: [],
        blastRadius: [name],
        notes: [
          'Reads the node, its lease, the pods on it and its events from the API server; changes nothing, and runs nothing on the node.',
        ],
      };
    },

    async started() {
      return false;
    },

    async apply({ node }, context) {
      const { signal } = context;
      const ref = refOf(node);
      const seen = await readKnownObject({ api, ref, signal });
      const query = { fieldSelector: `spec.nodeName=${node}` };
      const [pods, events, lease] = await Promise.all([
        listObjects<PodJson>({ api, ref: { kind: 'Pod', resource: 'pods' }, query, signal }),
        // The kubelet writes the node's name where the uid belongs.
        eventsAbout({ api, of: { kind: 'Node', name: node }, signal }),
        readObject({ api, ref: leaseOf(node), signal }),
      ]);
      // All of that is looked up by name: a new node of the same name would have answered just as well.
      const still = await readObject({ api, ref, signal });
      if (still?.metadata.uid !== seen.metadata.uid)
        throw new FirebreakError('FB_ERR_TARGET_REPLACED', `${targetOf(ref)} was replaced or deleted`);
      const target = { name: targetOf(ref), uid: seen.metadata.uid };
      const { keep, close } = createEvidenceWriter(options, { target, context });
      const json: NodeJson = seen;
      const cut = json.status?.images?.length === mostImages ? `the kubelet lists at most ${mostImages} images` : undefined;
      const yaml = { name: 'node.yaml', mediaType: 'application/yaml', tool: 'kubernetes-api' };
      await keep('state', { ...yaml, ...(cut !== undefined && { partial: cut }) }, redactedNodeYaml(json));
      await keep('state', { name: 'pods.json', ...fromApi }, asText(pods.map((pod) => onNode(pod, view)).sort(byName)));
      const { text, ...more } = events;
      await keep('state', { name: 'events.json', ...fromApi, ...more }, text);
      await keep('state', { name: 'lease.json', ...fromApi }, asText(lease?.spec ?? null));
      return {
        evidence: await close('firebreak/cell', `collected 4 artefacts and ${pods.length} pods’ names from the Kubernetes API`),
      };
    },

    verify: ({ evidence }) => verifyStoredEvidence(options, { evidence, what: 'artefacts' }),
  };
}

/** The lease by which the kubelet reports that it is alive. */
function leaseOf(node: string): ObjectRef {
  return { kind: 'Lease', group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-node-lease', name: node };
}

interface OnNode {
  readonly name: string;
  readonly [fact: string]: unknown;
}

/** The pod, its owner, start time, images, and how close to the node it runs. No command line and no environment: they may contain secrets. */
function onNode(pod: PodJson, view: ClusterView): OnNode {
  const { metadata, spec, status } = pod;
  const owner = topOwnerOf({ pod: podRecord(pod), view });
  const statuses = [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ];
  const specs = [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])];
  return {
    name: `${metadata?.namespace}/${metadata?.name}`,
    uid: metadata?.uid,
    owners: metadata?.ownerReferences?.map(({ kind, name, uid }) => ({ kind, name, uid })) ?? [],
    ...(owner.workload && { workload: `${owner.workload.kind}/${owner.workload.name}`, workloadKnown: owner.known }),
    serviceAccount: spec?.serviceAccountName,
    phase: status?.phase,
    startedAt: status?.startTime,
    deletionTimestamp: metadata?.deletionTimestamp,
    addresses: status?.podIPs?.map(({ ip }) => ip) ?? [],
    onTheHost: {
      network: spec?.hostNetwork === true,
      processes: spec?.hostPID === true,
      ipc: spec?.hostIPC === true,
      paths: (spec?.volumes ?? []).flatMap(({ hostPath }) => (hostPath ? [hostPath.path] : [])),
      privileged: specs.filter(({ securityContext }) => securityContext?.privileged === true).map(({ name }) => name),
    },
    containers: statuses.map(({ name, image, imageID, containerID, restartCount, state, lastState }) => ({
      ...{ name, image, imageID, containerID, restartCount },
      startedAt: state?.running?.startedAt ?? state?.terminated?.startedAt,
      ...(lastState?.terminated && { lastExit: { code: lastState.terminated.exitCode, at: lastState.terminated.finishedAt } }),
    })),
  };
}

function byName(a: OnNode, b: OnNode): number {
  return a.name < b.name ? -1 : 1;
}

function asText(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

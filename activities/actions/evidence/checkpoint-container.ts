import { dirname } from 'node:path';
import type { ActionImplementation } from '../../../core/action/action.ts';
import type {
  CheckpointContainerInput,
  CheckpointContainerOutput,
} from '../../../core/actions/evidence/checkpoint-container.schema.ts';
import { fetcher } from '../../../core/actions/evidence/checkpoint-container.ts';
import type { ResolvedPod } from '../../../core/actions/pod.schema.ts';
import { stepHash } from '../../../core/cluster/labels.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import type { ClusterAccess } from '../../../integrations/kubernetes/kubeconfig.ts';
import {
  type RunningContainer,
  runningContainer,
  type WantedContainer,
} from '../../../integrations/kubernetes/pods/containers.ts';
import { askForCheckpoint, checkpointsFolder } from '../../../integrations/kubernetes/pods/kubelet.ts';
import { hasOwnPod, removeOwnPod, startOwnPod } from '../../../integrations/kubernetes/pods/own-pod.ts';
import type { OwnPod } from '../../../integrations/kubernetes/pods/own-pod-manifest.ts';
import { readPod, readSamePod } from '../../../integrations/kubernetes/pods/pods.ts';
import { fetchArchive, mountedAt, sweepArchives } from '../../evidence/checkpoint-archive.ts';
import { createEvidenceWriter, type EvidenceParts, verifyStoredEvidence } from '../../evidence/evidence-writer.ts';
import { inTurn, type SealingParts } from '../../evidence/sealed-evidence.ts';
import { toolsImageOf } from '../../evidence/tools-image.ts';
import type { UploadParts } from '../../evidence/uploads.ts';

const startsWithinMs = 45_000;
const checkpointMs = 120_000;

interface Suspect {
  readonly node: string;
  readonly container: RunningContainer;
}

/** Stores a container's memory; see the declaration in `core/actions/evidence/checkpoint-container.ts`. */
export function checkpointContainerImplementation(
  parts: EvidenceParts &
    SealingParts &
    UploadParts & {
      readonly api: KubernetesApi;
      /** Our identity, which the kubelets accept too. */
      readonly access: ClusterAccess;
      readonly toolsImage: string | undefined;
      /** Namespace of our own pods. */
      readonly ownNamespace: string;
    },
): ActionImplementation<CheckpointContainerInput, CheckpointContainerOutput> {
  const { api, access, toolsImage, ownNamespace } = parts;
  /** One name per container: a runtime makes one checkpoint of it at a time, and removing its archives must not remove another container's. */
  const nameOf = (pod: ResolvedPod, { name }: RunningContainer): string =>
    `${fetcher.namePrefix}${stepHash(`${pod.uid}/${name}`)}`;

  const suspect = async (pod: ResolvedPod, wanted: WantedContainer, signal: AbortSignal): Promise<Suspect> => {
    const found = await readSamePod({ api, pod, signal });
    const container = runningContainer(found, wanted);
    const node = found.spec?.nodeName;
    if (node === undefined) throw new FirebreakError('FB_ERR_REFUSED', `pod/${pod.namespace}/${pod.name} is not on a node`);
    return { node, container };
  };

  return {
    async plan({ pod, container: wanted = {} }, { signal }) {
      const { node, container } = await suspect(pod, wanted, signal);
      const name = `pod/${pod.namespace}/${pod.name}`;
      return {
        target: { name, uid: pod.uid },
        changes: [{ target: name, what: `is paused while the memory of ${container.name} is written to disk, and then runs on` }],
        blastRadius: [name],
        notes: [
          `The kubelet of ${node} writes the archive, with unencrypted keys and passwords, to ${checkpointsFolder} on the node. It stays there for some seconds until it is fetched, and is then deleted.`,
          `A pod with the image ${toolsImageOf(toolsImage)} on ${node}, with that folder and no token, fetches it. It is encrypted before it leaves the node, and sealed under the incident’s key.`,
          'Connections that time out while the container is paused are lost.',
        ],
      };
    },

    async started({ pod, container: wanted = {} }, { key: step, signal }) {
      const { container } = await suspect(pod, wanted, signal);
      return hasOwnPod({ api, pod: { namespace: ownNamespace, name: nameOf(pod, container), step }, signal });
    },

    apply: ({ pod, container: wanted = {} }, context) =>
      inTurn(parts, context, async () => {
        const { key, signal } = context;
        const seenBefore = new Date().toISOString();
        const { node, container } = await suspect(pod, wanted, signal);
        const onNode: OwnPod = {
          namespace: ownNamespace,
          name: nameOf(pod, container),
          takesTurns: true,
          node,
          image: toolsImageOf(toolsImage),
          command: [fetcher.program, 'wait', '-seconds', String(fetcher.livesSeconds)],
          step: key,
          livesSeconds: fetcher.livesSeconds,
          network: 'pod',
          folder: { path: checkpointsFolder, at: mountedAt },
        };
        const where = { api, pod: onNode, context };
        // Whoever created it may have left an archive.
        let mayLie = (await readPod({ api, namespace: ownNamespace, name: onNode.name, signal })) !== undefined;
        const wasBegun = mayLie;
        let since: number | undefined;
        let archive: string | undefined;
        /** The pod is removed last: while it exists, the next attempt knows that something may be on the node, and since when. */
        const cleanUp = async (): Promise<void> => {
          if (mayLie) {
            if (since === undefined) return;
            const prefix = `checkpoint-${pod.name}_${pod.namespace}-${container.name}-`;
            await sweepArchives(where, { prefix, since, archive });
          }
          await removeOwnPod({ api, pod: onNode, signal });
        };
        try {
          // The pod comes first: nothing is written that could not be fetched.
          ({ since } = await startOwnPod({ api, pod: onNode, patienceMs: startsWithinMs, signal }));
          mayLie = true;
          const { namespace, name } = pod;
          archive = await askForCheckpoint({
            api,
            access,
            node,
            namespace,
            pod: name,
            container: container.name,
            timeoutMs: checkpointMs,
            mayBeBusy: wasBegun && Date.now() < since * 1_000 + checkpointMs,
            signal,
          });
          if (dirname(archive) !== checkpointsFolder)
            throw new FirebreakError(
              'FB_ERR_REFUSED',
              `node ${node} keeps its checkpoints elsewhere: ${archive} is left there and must be removed by hand`,
            );
          const { kept, tool, command, sent } = await fetchArchive(parts, where, archive);
          const after = await suspect(pod, { id: container.id }, signal);
          if (after.container.restartCount !== container.restartCount || after.container.startedAt !== container.startedAt)
            throw new FirebreakError(
              'FB_ERR_CONTAINER_REPLACED',
              `container replaced: ${container.name} was restarted meanwhile`,
            );
          const { keep, add, close } = createEvidenceWriter(parts, { pod, context });
          const what = { name: `checkpoint/${container.name}.tar.zst`, mediaType: 'application/zstd' };
          add({ ...what, tool: `kubelet checkpoint, ${tool}`, command, ...kept });
          const facts = { pod, node, container, seenBefore, seenAfter: new Date().toISOString(), archive, sent };
          await keep(
            'memory',
            { name: 'checkpoint/container.json', mediaType: 'application/json', tool: 'kubernetes-api' },
            JSON.stringify(facts, null, 2),
          );
          await cleanUp();
          const did = `took the memory of container ${container.id}; the archive was encrypted on node ${node}, and removed from it`;
          return {
            evidence: await close('firebreak/forensics', did),
            container: { id: container.id, name: container.name },
            node,
            fetcher: `${onNode.namespace}/${onNode.name}`,
          };
        } catch (error) {
          if (signal.aborted) throw error;
          await cleanUp().catch((left: unknown) => {
            if (!(left instanceof FirebreakError)) throw left;
            throw new FirebreakError(
              left.code,
              `a checkpoint may still be in ${checkpointsFolder} on node ${node}: ${left.detail}`,
            );
          });
          throw error;
        }
      }),

    async verify({ evidence, fetcher: madeBy }, { key: step, signal }) {
      const [namespace = '', name = ''] = madeBy.split('/');
      if (await hasOwnPod({ api, pod: { namespace, name, step }, signal }))
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `pod/${madeBy} still exists`);
      return verifyStoredEvidence(parts, { evidence, what: 'artefacts' });
    },
  };
}

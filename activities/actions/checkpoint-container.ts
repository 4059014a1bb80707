import { basename, dirname } from 'node:path';
import { z } from 'zod';
import type { ActionImplementation, StepContext } from '../../core/action.ts';
import type { CheckpointContainerInput, CheckpointContainerOutput } from '../../core/actions/checkpoint-container.schema.ts';
import { fetcher } from '../../core/actions/checkpoint-container.ts';
import type { ResolvedPod } from '../../core/actions/pod.schema.ts';
import { FirebreakError } from '../../core/errors.ts';
import { stepHash } from '../../core/labels.ts';
import { newReader } from '../../integrations/evidence/sent-stream.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { type RunningContainer, runningContainer, type WantedContainer } from '../../integrations/kubernetes/containers.ts';
import type { ClusterAccess } from '../../integrations/kubernetes/kubeconfig.ts';
import { askForCheckpoint, checkpointsFolder } from '../../integrations/kubernetes/kubelet.ts';
import { type OwnPod, removeOwnPod, startOwnPod } from '../../integrations/kubernetes/own-pod.ts';
import { type PodCommand, podCommand } from '../../integrations/kubernetes/pod-command.ts';
import { readPod, readSamePod } from '../../integrations/kubernetes/pods.ts';
import { mustHaveEnded, outputOf } from '../in-container.ts';
import { type EvidenceParts, keepEvidence, verifyKept } from '../kept-evidence.ts';
import { compressed, hashing, inTurn, keepSealed, type SealingParts } from '../sealed-evidence.ts';
import { toolsImageOf } from '../tools-image.ts';
import { byExec, type UploadParts } from '../uploads.ts';

const startsWithinMs = 45_000;
const checkpointMs = 120_000;
const fetchMs = 600_000;
/** More memory than a container has. */
const mostUploaded = 256 * 1024 ** 3;
/** How far the clocks of a node and of the API server may be apart. */
const clockSeconds = 5;
const mountedAt = '/checkpoints';

/** The last line of `firebreak-tools send` on standard error. */
const sentSchema = z.object({ tool: z.string(), bytes: z.int(), sha256: z.string() });

interface Suspect {
  readonly node: string;
  readonly container: RunningContainer;
}

/** Keeps a container's memory; see the declaration in `core/actions/checkpoint-container.ts`. */
export function checkpointContainerImplementation(
  parts: EvidenceParts &
    SealingParts &
    UploadParts & {
      readonly api: KubernetesApi;
      /** As whom the kubelets know us too. */
      readonly access: ClusterAccess;
      readonly toolsImage: string | undefined;
      /** Where our own pods are made. */
      readonly ownNamespace: string;
    },
): ActionImplementation<CheckpointContainerInput, CheckpointContainerOutput> {
  const { api, access, toolsImage, ownNamespace } = parts;
  const nameOf = (key: string): string => `${fetcher.namePrefix}${stepHash(key)}`;

  const suspect = async (pod: ResolvedPod, wanted: WantedContainer, signal: AbortSignal): Promise<Suspect> => {
    const found = await readSamePod({ api, pod, signal });
    const container = runningContainer(found, wanted);
    const node = found.spec?.nodeName;
    if (node === undefined) throw new FirebreakError('FB_ERR_REFUSED', `pod/${pod.namespace}/${pod.name} is on no node`);
    return { node, container };
  };

  /** Fetches the archive and takes it off the node, whatever comes of the fetching; and what an attempt before this one has left there. */
  const fetched = async (order: {
    readonly pod: OwnPod;
    readonly since: number;
    readonly archive: string;
    readonly prefix: string;
    readonly context: StepContext;
  }) => {
    const { pod, since, archive, prefix, context } = order;
    const { namespace, name } = pod;
    const file = `${mountedAt}/${basename(archive)}`;
    const removal = [fetcher.program, 'remove', '-folder', mountedAt, '-prefix', prefix, '-since', String(since)];
    const run = (command: readonly string[], timeoutMs: number): PodCommand =>
      podCommand({ api, namespace, pod: name, container: 'main', command, timeoutMs, idleMs: 60_000, signal: context.signal });
    try {
      const reader = newReader();
      const start = (more: readonly string[]) =>
        run([fetcher.program, 'send', ...more, '-file', file, '-to', reader.publicKey], fetchMs);
      const order = { step: context.key, mostBytes: mostUploaded, lastsMs: fetchMs, start };
      const { command, way } = parts.uploads?.stream(order) ?? byExec(start([]));
      const came = hashing(reader.open(command.stdout));
      let tool = '';
      const data = (async function* () {
        yield* came.data;
        mustHaveEnded(command);
        const sent = sentSchema.parse(JSON.parse(command.end().stderr.trimEnd().split('\n').at(-1) ?? ''));
        const { sha256, bytes } = came.result();
        if (sha256 !== sent.sha256 || bytes !== sent.bytes)
          throw new FirebreakError('FB_ERR_UNAVAILABLE', 'what came of the checkpoint is not what the node sent');
        tool = sent.tool;
      })();
      const kept = await keepSealed(parts, {
        kind: 'memory',
        what: { mediaType: 'application/zstd' },
        data: compressed(data),
        context,
      });
      return { kept, tool, sent: way() };
    } finally {
      if (!context.signal.aborted) await outputOf(run(removal, 30_000), { mostBytes: 65_536 });
    }
  };

  return {
    async plan({ pod, container: wanted = {} }, { signal }) {
      const { node, container } = await suspect(pod, wanted, signal);
      const name = `pod/${pod.namespace}/${pod.name}`;
      return {
        target: { name, uid: pod.uid },
        changes: [{ target: name, what: `is stopped while the memory of ${container.name} is written down, and runs on` }],
        blastRadius: [name],
        notes: [
          `The kubelet of ${node} writes the archive, keys and passwords in it in the clear, into ${checkpointsFolder} of the node. There it lies until it is fetched, some seconds; then it is taken away.`,
          `It is fetched by a pod of ${toolsImageOf(toolsImage)} on ${node} with that folder and no token, encrypted before it leaves the node, and sealed under the incident’s key.`,
          'Connections that time out while the container is stopped are lost.',
        ],
      };
    },

    started: async (_input, { key, signal }) =>
      (await readPod({ api, namespace: ownNamespace, name: nameOf(key), signal })) !== undefined,

    apply: ({ pod, container: wanted = {} }, context) =>
      inTurn(parts, context, async () => {
        const { key, signal } = context;
        const seenBefore = new Date().toISOString();
        const { node, container } = await suspect(pod, wanted, signal);
        const onNode: OwnPod = {
          namespace: ownNamespace,
          name: nameOf(key),
          node,
          image: toolsImageOf(toolsImage),
          command: [fetcher.program, 'wait', '-seconds', String(fetcher.livesSeconds)],
          step: key,
          livesSeconds: fetcher.livesSeconds,
          network: 'pod',
          folder: { path: checkpointsFolder, at: mountedAt },
        };
        const what = { name: `checkpoint/${container.name}.tar.zst`, mediaType: 'application/zstd' };
        try {
          // The pod first: nothing is written that could not be fetched.
          await startOwnPod({ api, pod: onNode, patienceMs: startsWithinMs, signal });
          const made = await readPod({ api, namespace: ownNamespace, name: onNode.name, signal });
          const { namespace, name } = pod;
          const order = { node, namespace, pod: name, container: container.name };
          const archive = await askForCheckpoint({ api, access, ...order, timeoutMs: checkpointMs, signal });
          if (dirname(archive) !== checkpointsFolder)
            throw new FirebreakError(
              'FB_ERR_REFUSED',
              `node ${node} keeps its checkpoints elsewhere: ${archive} lies there and must be taken away by hand`,
            );
          const { kept, tool, sent } = await fetched({
            pod: onNode,
            since: Math.floor(Date.parse(made?.metadata?.creationTimestamp ?? '') / 1_000) - clockSeconds,
            archive,
            prefix: `checkpoint-${name}_${namespace}-${container.name}-`,
            context,
          });
          const after = await suspect(pod, { id: container.id }, signal);
          if (after.container.restartCount !== container.restartCount || after.container.startedAt !== container.startedAt)
            throw new FirebreakError(
              'FB_ERR_CONTAINER_REPLACED',
              `container replaced: ${container.name} was started again meanwhile`,
            );
          const { keep, add, close } = keepEvidence(parts, { pod, context });
          add({ ...what, tool: `kubelet checkpoint, ${tool}`, ...kept });
          const facts = { pod, node, container, seenBefore, seenAfter: new Date().toISOString(), archive, sent };
          await keep(
            'memory',
            { name: 'checkpoint/container.json', mediaType: 'application/json', tool: 'kubernetes-api' },
            JSON.stringify(facts, null, 2),
          );
          const did = `took the memory of container ${container.id}; the archive was encrypted on node ${node}, and is taken off it`;
          return {
            evidence: await close('firebreak/forensics', did),
            container: { id: container.id, name: container.name },
            node,
            fetcher: `${onNode.namespace}/${onNode.name}`,
          };
        } finally {
          if (!signal.aborted) await removeOwnPod({ api, pod: onNode, signal });
        }
      }),

    async verify({ evidence, fetcher: madeBy }, { signal }) {
      const [namespace = '', name = ''] = madeBy.split('/');
      if ((await readPod({ api, namespace, name, signal })) !== undefined)
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `pod/${madeBy} is still there`);
      return verifyKept(parts, { evidence, what: 'artefacts' });
    },
  };
}

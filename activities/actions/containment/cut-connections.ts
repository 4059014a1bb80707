import { z } from 'zod';
import type { ActionImplementation, StepContext } from '../../../core/action/action.ts';
import type { CutConnectionsInput, CutConnectionsOutput } from '../../../core/actions/containment/cut-connections.schema.ts';
import { cutter } from '../../../core/actions/containment/cut-connections.ts';
import type { ResolvedPod } from '../../../core/actions/pod.schema.ts';
import { stepHash } from '../../../core/cluster/labels.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { removeOwnPod, runToEnd } from '../../../integrations/kubernetes/pods/own-pod.ts';
import type { OwnPod } from '../../../integrations/kubernetes/pods/own-pod-manifest.ts';
import { readPod } from '../../../integrations/kubernetes/pods/pods.ts';
import { isQuarantined } from '../../../integrations/kubernetes/policies/network-policies.ts';
import { toolsImageOf } from '../../evidence/tools-image.ts';
import { podOnNode } from './pod-on-node.ts';

/** A policy may take this long to be in force: until then, a connection that was cut could open again. */
const cutSeconds = 3;

/** Output of `deploy/forensics/cut`. */
const report = z.object({ table: z.number(), dropped: z.number(), left: z.number() });

const nameOf = (key: string): string => `${cutter.namePrefix}${stepHash(key)}`;

interface Target {
  readonly node: string;
  readonly addresses: readonly string[];
}

/** Drops the connections of a pod that its node tracks; see the declaration in `core/actions/containment/cut-connections.ts`. */
export function cutConnectionsImplementation(options: {
  readonly api: KubernetesApi;
  /** Contains /firebreak-cut, and is named by its digest; absent if none is configured. */
  readonly toolsImage: string | undefined;
  /** Namespace of our own pods. */
  readonly ownNamespace: string;
  /** How long the pod on the node may take to start and to cut: 40 s. */
  readonly patienceMs?: number;
}): ActionImplementation<CutConnectionsInput, CutConnectionsOutput> &
  Required<Pick<ActionImplementation<CutConnectionsInput, CutConnectionsOutput>, 'undo'>> {
  const { api, toolsImage, ownNamespace, patienceMs = cutter.livesSeconds * 1000 } = options;

  const cutterOf = (key: string, { node, addresses }: Target): OwnPod => ({
    namespace: ownNamespace,
    name: nameOf(key),
    node,
    network: 'node',
    image: toolsImageOf(toolsImage),
    command: [cutter.program, '-address', addresses.join(), '-seconds', String(cutSeconds)],
    step: key,
    livesSeconds: cutter.livesSeconds,
  });
  const target = async (pod: ResolvedPod, { signal }: StepContext): Promise<Target> => {
    const { found, node, addresses } = await podOnNode({ api, pod, signal });
    if (!isQuarantined(found.metadata?.labels ?? {}))
      throw new FirebreakError(
        'FB_ERR_REFUSED',
        `pod/${pod.namespace}/${pod.name} is not in quarantine: connections that are cut would be opened again`,
      );
    return { node, addresses };
  };

  return {
    async plan({ pod }, context) {
      const { node } = await target(pod, context);
      const name = `pod/${pod.namespace}/${pod.name}`;
      return {
        target: { name, uid: pod.uid },
        changes: [{ target: name, what: 'loses every open connection: from then on, the policies treat each as a new one' }],
        blastRadius: [name],
        notes: [
          `For some seconds, a pod with the image ${toolsImageOf(toolsImage)} runs in the network of node ${node}, with CAP_NET_ADMIN and no token.`,
          'Connections with the node itself are left alone: no policy applies to them.',
          'Anyone in the pod sees its connections hang.',
        ],
      };
    },

    async started(_input, { key, signal }) {
      return (await readPod({ api, namespace: ownNamespace, name: nameOf(key), signal })) !== undefined;
    },

    async apply({ pod }, context) {
      const { key, signal } = context;
      const on = await target(pod, context);
      const onNode = cutterOf(key, on);
      try {
        const found = report.parse(JSON.parse(await runToEnd({ api, pod: onNode, patienceMs, signal })));
        return { pod, node: on.node, addresses: [...on.addresses], ...found, cutter: `${onNode.namespace}/${onNode.name}` };
      } finally {
        await removeOwnPod({ api, pod: onNode, signal });
      }
    },

    async verify({ pod, node, dropped, left, cutter: madeBy }, { signal }) {
      const [namespace = '', name = ''] = madeBy.split('/');
      if ((await readPod({ api, namespace, name, signal })) !== undefined)
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `pod/${madeBy} still exists`);
      if (left > 0)
        return {
          state: 'partial',
          detail: `${left} established ${left === 1 ? 'connection' : 'connections'} came back: something still allows traffic of the pod, or no policy is enforced`,
          missing: [`pod/${pod.namespace}/${pod.name}`],
        };
      if (dropped === 0)
        return {
          state: 'unverified',
          detail: `established connections may survive: the connection table of node ${node} had no entry of the pod, and this network may track them elsewhere`,
        };
      return {
        state: 'verified',
        detail: `${dropped} ${dropped === 1 ? 'entry' : 'entries'} dropped from the connection table of node ${node}, and no established connection came back; the pod that did it is gone`,
      };
    },

    async undo({ input, key }, { signal }) {
      await removeOwnPod({ api, pod: { namespace: ownNamespace, name: nameOf(key), step: key }, signal });
      return {
        state: 'already',
        detail: `pod/${input.pod.namespace}/${input.pod.name} may open connections as far as policies allow`,
      };
    },
  };
}

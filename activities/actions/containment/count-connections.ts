import { z } from 'zod';
import type { ActionImplementation } from '../../../core/action/action.ts';
import type {
  CountConnectionsInput,
  CountConnectionsOutput,
} from '../../../core/actions/containment/count-connections.schema.ts';
import { counter } from '../../../core/actions/containment/count-connections.ts';
import { stepHash } from '../../../core/cluster/labels.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { countedText, isTracked } from '../../../core/incident/connections.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { removeOwnPod, runToEnd } from '../../../integrations/kubernetes/pods/own-pod.ts';
import type { OwnPod } from '../../../integrations/kubernetes/pods/own-pod-manifest.ts';
import { readPod } from '../../../integrations/kubernetes/pods/pods.ts';
import { toolsImageOf } from '../../evidence/tools-image.ts';
import { type PodOnNode, podOnNode } from './pod-on-node.ts';

/** Output of `deploy/forensics/cut -count`. */
const report = z.object({ table: z.number(), open: z.number(), others: z.number(), neighbours: z.number() });

const nameOf = (key: string): string => `${counter.namePrefix}${stepHash(key)}`;

/** Counts the connections of a pod that its node tracks; see the declaration in `core/actions/containment/count-connections.ts`. */
export function countConnectionsImplementation(options: {
  readonly api: KubernetesApi;
  /** Contains /firebreak-cut, and is named by its digest; absent if none is configured. */
  readonly toolsImage: string | undefined;
  /** Namespace of our own pods. */
  readonly ownNamespace: string;
  /** How long the pod on the node may take to start and to count: 40 s. */
  readonly patienceMs?: number;
}): ActionImplementation<CountConnectionsInput, CountConnectionsOutput> {
  const { api, toolsImage, ownNamespace, patienceMs = counter.livesSeconds * 1000 } = options;

  const counterOf = (key: string, { node, addresses }: PodOnNode): OwnPod => ({
    namespace: ownNamespace,
    name: nameOf(key),
    node,
    network: 'node',
    image: toolsImageOf(toolsImage),
    command: [counter.program, counter.option, '-address', addresses.join()],
    step: key,
    livesSeconds: counter.livesSeconds,
  });

  return {
    async plan({ pod }, { signal }) {
      const { node } = await podOnNode({ api, pod, signal });
      const name = `pod/${pod.namespace}/${pod.name}`;
      return {
        target: { name, uid: pod.uid },
        // Nothing of the pod is changed, but something runs on its node: so not on a protected node, nor for a protected namespace.
        changes: [{ target: `node/${node}`, what: 'runs a Firebreak pod for some seconds, which reads the connection table' }],
        blastRadius: [name],
        notes: [
          `That pod runs ${toolsImageOf(toolsImage)} in the network of the node, with CAP_NET_ADMIN and no token. It drops nothing.`,
        ],
      };
    },

    async started(_input, { key, signal }) {
      return (await readPod({ api, namespace: ownNamespace, name: nameOf(key), signal })) !== undefined;
    },

    async apply({ pod }, { key, signal }) {
      const at = await podOnNode({ api, pod, signal });
      const onNode = counterOf(key, at);
      try {
        const found = report.parse(JSON.parse(await runToEnd({ api, pod: onNode, patienceMs, signal })));
        return { pod, node: at.node, addresses: [...at.addresses], ...found, counter: `${onNode.namespace}/${onNode.name}` };
      } finally {
        await removeOwnPod({ api, pod: onNode, signal });
      }
    },

    async verify(found, { signal }) {
      const [namespace = '', name = ''] = found.counter.split('/');
      if ((await readPod({ api, namespace, name, signal })) !== undefined)
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `pod/${found.counter} still exists`);
      return { state: isTracked(found) ? 'applied' : 'unverified', detail: countedText(found) };
    },
  };
}

import { countConnectionsImplementation } from '../../activities/actions/containment/count-connections.ts';
import { cutConnectionsImplementation } from '../../activities/actions/containment/cut-connections.ts';
import { probeQuarantineImplementation } from '../../activities/actions/containment/probe-quarantine.ts';
import { quarantinePodImplementation } from '../../activities/actions/containment/quarantine-pod.ts';
import { checkpointContainerImplementation } from '../../activities/actions/evidence/checkpoint-container.ts';
import { countConnectionsInput } from '../../core/actions/containment/count-connections.schema.ts';
import { cutConnectionsInput } from '../../core/actions/containment/cut-connections.schema.ts';
import { probeQuarantineInput } from '../../core/actions/containment/probe-quarantine.schema.ts';
import { checkpointContainerInput } from '../../core/actions/evidence/checkpoint-container.schema.ts';
import { checkpointContainer, countConnections, cutConnections, probeQuarantine } from '../../core/actions/index.ts';
import { accessFromKubeconfig } from '../../integrations/kubernetes/kubeconfig.ts';
import { echoServer, talkTo } from '../../test/node/lab/echoes.ts';
import type { LabAddresses } from '../../test/node/lab/start-lab.ts';
import { type AnyRow, row, type TestCluster } from '../../test/platform/actions/row.ts';
import { cellKey, resolved, stepContext } from '../../test/platform/kubernetes/parts/cluster.ts';

/** The actions that create one of Firebreak's own pods on the suspect's node, each with its scene. `ownNamespace` exists already. */
export async function ownPodRows(
  { kubeconfig, image, toolsImage }: LabAddresses,
  ownNamespace: string,
): Promise<readonly AnyRow[]> {
  const access = await accessFromKubeconfig({ file: kubeconfig });
  const parts = { toolsImage, ownNamespace };
  const pod = async (cluster: TestCluster, namespace: string, name: string, command: readonly string[]) =>
    cluster.makePod(namespace, name, {
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'main', image, imagePullPolicy: 'IfNotPresent', command }],
      },
    });
  const quarantined = async (cluster: TestCluster, namespace: string, command: readonly string[]) => {
    const suspect = resolved(await pod(cluster, namespace, 'cart', command));
    const { api, view } = cluster;
    await quarantinePodImplementation({ api, view, cellKey }).apply({ pod: suspect }, stepContext());
    return { input: { pod: suspect }, objects: [] };
  };
  return [
    row({
      declaration: countConnections,
      input: countConnectionsInput,
      implementation: ({ api }) => countConnectionsImplementation({ api, ...parts }),
      async scene(cluster, namespace) {
        const suspect = await pod(cluster, namespace, 'cart', talkTo(await pod(cluster, namespace, 'server', echoServer)));
        return { input: { pod: resolved(suspect) }, objects: [] };
      },
      verification: 'applied',
    }),
    row({
      declaration: cutConnections,
      input: cutConnectionsInput,
      implementation: ({ api }) => cutConnectionsImplementation({ api, ...parts }),
      async scene(cluster, namespace) {
        return quarantined(cluster, namespace, talkTo(await pod(cluster, namespace, 'server', echoServer)));
      },
      verification: 'verified',
    }),
    row({
      declaration: probeQuarantine,
      input: probeQuarantineInput,
      implementation: ({ api }) => probeQuarantineImplementation({ api, ...parts }),
      scene: (cluster, namespace) => quarantined(cluster, namespace, echoServer),
      verification: 'verified',
    }),
    row({
      declaration: checkpointContainer,
      input: checkpointContainerInput,
      implementation: ({ api, evidence }) => checkpointContainerImplementation({ api, access, ...parts, ...evidence }),
      async scene(cluster, namespace) {
        return { input: { pod: resolved(await pod(cluster, namespace, 'cart', ['sleep', '1000'])) }, objects: [] };
      },
      verification: 'verified',
    }),
  ];
}

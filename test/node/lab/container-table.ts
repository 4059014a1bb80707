import { killProcessImplementation } from '../../../activities/actions/containment/kill-process.ts';
import { captureProcessesImplementation } from '../../../activities/actions/evidence/capture-processes.ts';
import { captureTrafficImplementation } from '../../../activities/actions/evidence/capture-traffic.ts';
import { snapshotFilesystemImplementation } from '../../../activities/actions/evidence/snapshot-filesystem.ts';
import { inContainer, outputOf } from '../../../activities/evidence/in-container.ts';
import { killProcessInput } from '../../../core/actions/containment/kill-process.schema.ts';
import { captureProcessesInput } from '../../../core/actions/evidence/capture-processes.schema.ts';
import { captureTrafficInput } from '../../../core/actions/evidence/capture-traffic.schema.ts';
import { snapshotFilesystemInput } from '../../../core/actions/evidence/snapshot-filesystem.schema.ts';
import { captureProcesses, captureTraffic, killProcess, snapshotFilesystem } from '../../../core/actions/index.ts';
import type { ResolvedPod } from '../../../core/actions/pod.schema.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { type AnyRow, row, type TestCluster } from '../../platform/actions/row.ts';
import { resolved, stepContext } from '../../platform/kubernetes/parts/cluster.ts';

export interface Seen {
  readonly pid: number;
  readonly startTicks: number;
  readonly name: string;
  readonly state: string;
}

/** The processes in the pod's only container, according to the tools themselves. */
export async function processesIn(
  parts: { readonly api: KubernetesApi; readonly toolsImage: string },
  pod: ResolvedPod,
): Promise<readonly Seen[]> {
  const { result } = await inContainer({
    parts,
    pod,
    wanted: {},
    context: stepContext(),
    work: async ({ tool }) => JSON.parse(String(await outputOf(tool('processes'), { mostBytes: 1_000_000 }))),
  });
  return result.processes.filter(({ state }: Seen) => state !== 'Z');
}

/** The actions inside containers, each with its scene: they need a kubelet and a runtime. */
export function containerTable({
  image,
  toolsImage,
}: {
  readonly image: string;
  readonly toolsImage: string;
}): readonly AnyRow[] {
  const suspect = async (cluster: TestCluster, namespace: string) => {
    const main = { name: 'main', image, imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', 'sleep 1000 & exec sleep 2000'] };
    const spec = { terminationGracePeriodSeconds: 0, containers: [main] };
    return resolved(await cluster.makePod(namespace, 'cart', { spec }));
  };
  return [
    row({
      declaration: captureProcesses,
      input: captureProcessesInput,
      implementation: ({ api, evidence }) => captureProcessesImplementation({ api, toolsImage, ...evidence }),
      async scene(cluster, namespace) {
        return { input: { pod: await suspect(cluster, namespace) }, objects: [] };
      },
      verification: 'verified',
    }),
    row({
      declaration: snapshotFilesystem,
      input: snapshotFilesystemInput,
      implementation: ({ api, evidence }) => snapshotFilesystemImplementation({ api, toolsImage, ...evidence }),
      async scene(cluster, namespace) {
        return { input: { pod: await suspect(cluster, namespace) }, objects: [] };
      },
      verification: 'verified',
    }),
    row({
      declaration: captureTraffic,
      input: captureTrafficInput,
      implementation: ({ api, evidence }) => captureTrafficImplementation({ api, toolsImage, ...evidence }),
      async scene(cluster, namespace) {
        return { input: { pod: await suspect(cluster, namespace), seconds: 1 }, objects: [] };
      },
      verification: 'verified',
    }),
    row({
      declaration: killProcess,
      input: killProcessInput,
      implementation: ({ api }) => killProcessImplementation({ api, toolsImage }),
      async scene(cluster, namespace) {
        const pod = await suspect(cluster, namespace);
        const list = () => processesIn({ api: cluster.api, toolsImage }, pod);
        const child = (await list()).find(({ pid }) => pid !== 1);
        if (!child) throw new Error('the child does not run');
        const { pid, startTicks } = child;
        return {
          input: { pod, process: { pid, startTicks } },
          objects: [],
          running: async () => (await list()).map((one) => `${one.pid} ${one.startTicks}`),
        };
      },
      verification: 'verified',
    }),
  ];
}

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import type { PodJson } from '../../../integrations/kubernetes/watch/projection.ts';
import { type CommandResult, runCommand } from '../../../service/parts/command.ts';
import { kubernetesProgram } from '../../../tools/platform/kubernetes/kubelab-binary.ts';
import { callKubernetes, readAccess } from '../../../tools/platform/kubernetes/kubernetes-api.ts';
import type { RunningServer, ServerGroup } from '../../../tools/platform/server-group.ts';
import { until } from '../../platform/kubernetes/parts/cluster.ts';
import { freshNamespace } from '../../platform.ts';
import { type LabAddresses, startLab } from './start-lab.ts';

export interface PodOrder {
  readonly name: string;
  /** Default: it sleeps. */
  readonly command?: readonly string[];
  /** Default: the lab's busybox. */
  readonly image?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** The pod's spec in addition to its containers. */
  readonly spec?: object;
  /** Settings of its only container, in addition to name, image and command. */
  readonly container?: object;
}

export interface NodeLab extends LabAddresses {
  /** Used only by this test file. */
  readonly namespace: string;
  /** Creates a pod whose only container is called `main`, and waits until it is ready. */
  runPod(order: PodOrder): Promise<PodJson>;
  pod(name: string): Promise<PodJson>;
  /** Runs a command in a pod of the namespace, with kubectl. */
  exec(pod: string, ...command: readonly string[]): Promise<CommandResult>;
  /** Runs any kubectl command in the namespace. */
  kubectl(...words: readonly string[]): Promise<CommandResult>;
  /** Forwards a port of a pod to one of 127.0.0.1, until the group is stopped. */
  forward(options: {
    readonly group: ServerGroup;
    readonly namespace: string;
    readonly pod: string;
    readonly here: number;
    readonly there: number;
    readonly logFile: string;
  }): RunningServer;
}

/**
 * The real node of this run, for the top of a test file: `const lab = await nodeLab()`. Under `npm test` all files share it; a file that runs alone gets its
 * own, which ends with it.
 */
export async function nodeLab(): Promise<NodeLab> {
  const shared = process.env.FIREBREAK_TEST_LAB;
  const addresses: LabAddresses = shared ? JSON.parse(readFileSync(shared, 'utf8')) : await startOwn();
  const { kubeconfig } = addresses;
  const access = readAccess(kubeconfig);
  const namespace = await freshNamespace(access);
  const program = (await kubernetesProgram('kubectl', () => {})) ?? '';
  const kubectl = (...words: readonly string[]) =>
    runCommand({ command: program, args: ['--kubeconfig', kubeconfig, '--namespace', namespace, ...words] });
  const pod = async (name: string): Promise<PodJson> => {
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
    const { status, text } = await callKubernetes({ access, path });
    if (status !== 200) throw new Error(`pod ${name}: status ${status}`);
    return JSON.parse(text);
  };
  afterAll(async () => {
    await callKubernetes({ access, path: `/api/v1/namespaces/${namespace}`, method: 'DELETE' });
  });
  return {
    ...addresses,
    namespace,
    kubectl,
    pod,
    forward: ({ group, namespace: of, pod: name, here, there, logFile }) => {
      const args = ['--kubeconfig', kubeconfig, '--namespace', of, 'port-forward', `pod/${name}`, `${here}:${there}`];
      return group.start({ name: `way to ${name}`, command: program, args, logFile });
    },
    exec: (name, ...command) => kubectl('exec', name, '--container', 'main', '--', ...command),
    async runPod({ name, command, image = addresses.image, labels = {}, spec = {}, container = {} }) {
      const main = { name: 'main', image, imagePullPolicy: 'IfNotPresent', ...(command && { command }), ...container };
      const body = {
        metadata: { name, labels },
        spec: { terminationGracePeriodSeconds: 0, ...spec, containers: [main] },
      };
      const { status, text } = await callKubernetes({
        access,
        path: `/api/v1/namespaces/${namespace}/pods`,
        method: 'POST',
        body,
      });
      if (status !== 201) throw new Error(`pod ${name}: status ${status}: ${text}`);
      return until(async () => {
        const found = await pod(name);
        return found.status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ? found : undefined;
      }, 30_000);
    },
  };
}

async function startOwn(): Promise<LabAddresses> {
  const stateDir = mkdtempSync(join(tmpdir(), 'firebreak-node-'));
  const { addresses, kubernetes } = await startLab({
    stateDir,
    onProgress: (message) => process.stderr.write(`${message}\n`),
  });
  afterAll(async () => {
    await kubernetes.stop();
    rmSync(stateDir, { recursive: true, force: true, maxRetries: 10 });
  });
  return addresses;
}

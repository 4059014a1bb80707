import { setTimeout as sleep } from 'node:timers/promises';
import { FirebreakError } from '../../../core/errors.ts';
import { callKubernetes, type KubernetesAccess } from './kubernetes-api.ts';

/** Adds nodes that kwok simulates. */
export async function addFakeNodes(options: {
  readonly access: KubernetesAccess;
  readonly names: readonly string[];
}): Promise<void> {
  const { access, names } = options;
  for (const name of names) {
    const { status } = await callKubernetes({ access, path: '/api/v1/nodes', method: 'POST', body: fakeNode(name) });
    if (status !== 201 && status !== 409) throw new FirebreakError('FB_ERR_PLATFORM_START', `node ${name}: status ${status}`);
  }
}

/** Waits until the nodes are Ready and pods may be created in `default`. */
export async function nodesAreReady(options: {
  readonly access: KubernetesAccess;
  readonly names: readonly string[];
}): Promise<void> {
  const { access, names } = options;
  const deadline = Date.now() + 60_000;
  while (!(await isSettled(access, names))) {
    if (Date.now() > deadline)
      throw new FirebreakError('FB_ERR_PLATFORM_START', `nodes ${names.join(', ')} are not ready after 60 s`);
    await sleep(100);
  }
}

interface NodeList {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly spec: { readonly taints?: readonly unknown[] };
    readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  }[];
}

async function isSettled(access: KubernetesAccess, names: readonly string[]): Promise<boolean> {
  const account = await callKubernetes({ access, path: '/api/v1/namespaces/default/serviceaccounts/default' });
  const nodes = await callKubernetes({ access, path: '/api/v1/nodes' });
  if (account.status !== 200 || nodes.status !== 200) return false;
  const list: NodeList = JSON.parse(nodes.text);
  const ready = list.items
    .filter((node) => node.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'))
    .filter((node) => (node.spec.taints ?? []).length === 0)
    .map((node) => node.metadata.name);
  return names.every((name) => ready.includes(name));
}

function fakeNode(name: string): object {
  const room = { cpu: '32', memory: '256Gi', pods: '1000' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      annotations: { 'kwok.x-k8s.io/node': 'fake', 'node.alpha.kubernetes.io/ttl': '0' },
      labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64', type: 'kwok' },
    },
    status: { allocatable: room, capacity: room },
  };
}

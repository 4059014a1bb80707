import { collectLogsImplementation } from '../../../activities/actions/evidence/collect-logs.ts';
import { drainNodeImplementation } from '../../../activities/actions/nodes/drain-node.ts';
import { listReachableSecretsImplementation } from '../../../activities/actions/secrets/list-reachable-secrets.ts';
import { revokeTokensImplementation } from '../../../activities/actions/secrets/revoke-tokens.ts';
import { verifyImageImplementation } from '../../../activities/actions/verify-image.ts';
import { deleteWorkloadImplementation } from '../../../activities/actions/workloads/delete-workload.ts';
import { evictPodImplementation } from '../../../activities/actions/workloads/evict-pod.ts';
import { hardenWorkloadImplementation } from '../../../activities/actions/workloads/harden-workload.ts';
import { restartWorkloadImplementation } from '../../../activities/actions/workloads/restart-workload.ts';
import { rollbackWorkloadImplementation } from '../../../activities/actions/workloads/rollback-workload.ts';
import { collectLogsInput } from '../../../core/actions/evidence/collect-logs.schema.ts';
import {
  collectLogs,
  deleteWorkload,
  drainNode,
  evictPod,
  hardenWorkload,
  listReachableSecrets,
  restartWorkload,
  revokeTokens,
  rollbackWorkload,
  verifyImage,
} from '../../../core/actions/index.ts';
import { drainNodeInput } from '../../../core/actions/nodes/drain-node.schema.ts';
import { listReachableSecretsInput } from '../../../core/actions/secrets/list-reachable-secrets.schema.ts';
import { revokeTokensInput } from '../../../core/actions/secrets/revoke-tokens.schema.ts';
import { verifyImageInput } from '../../../core/actions/verify-image.schema.ts';
import { deleteWorkloadInput } from '../../../core/actions/workloads/delete-workload.schema.ts';
import { evictPodInput } from '../../../core/actions/workloads/evict-pod.schema.ts';
import { hardenWorkloadInput } from '../../../core/actions/workloads/harden-workload.schema.ts';
import { restartWorkloadInput } from '../../../core/actions/workloads/restart-workload.schema.ts';
import { rollbackWorkloadInput } from '../../../core/actions/workloads/rollback-workload.schema.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { resolved, until } from '../kubernetes/parts/cluster.ts';
import { type AnyRow, row, type TestCluster } from './row.ts';

const cart = (namespace: string) => ({ kind: 'Deployment', namespace, name: 'cart' });
const otherKinds = (verbs: readonly string[], ...resources: readonly string[]) =>
  Object.fromEntries(
    resources.flatMap((resource) => verbs.map((verb) => [`${verb} ${resource}`, 'the scene has a Deployment'] as const)),
  );

/** Creates a Deployment with one pod. Returns that pod. */
async function suspectOf(cluster: TestCluster, namespace: string) {
  const [suspect] = await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
  if (!suspect) throw new Error('one replica was asked for');
  return resolved(suspect);
}

/** Creates a Deployment that has rolled once: its image was `shop/cart:1`, and is now `shop/cart:2`. */
export async function rolledDeployment(cluster: TestCluster, namespace: string): Promise<void> {
  await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
  await cluster.api.json({
    method: 'PATCH',
    patch: 'strategic',
    path: pathOf({ group: 'apps', resource: 'deployments', namespace, name: 'cart' }),
    body: { spec: { template: { spec: { containers: [{ name: 'main', image: 'shop/cart:2' }] } } } },
    what: 'roll for a test',
  });
  await until(async () => {
    const { status, metadata } = await cluster.deployment(namespace, 'cart');
    const rolled = status?.observedGeneration === metadata?.generation && status?.updatedReplicas === 1;
    return rolled && status?.replicas === 1 && status.availableReplicas === 1 ? true : undefined;
  });
}

/** Creates a separate node with one pod on it, so that no other test's pods are drained. */
export async function ownNode(cluster: TestCluster, namespace: string): Promise<{ readonly node: string; end(): Promise<void> }> {
  const node = `${namespace}-node`;
  await cluster.post('/api/v1/nodes', {
    metadata: {
      name: node,
      annotations: { 'kwok.x-k8s.io/node': 'fake' },
      labels: { type: 'kwok', 'kubernetes.io/hostname': node },
    },
    spec: { taints: [{ key: 'firebreak.test/own', value: node, effect: 'NoSchedule' }] },
    status: { allocatable: { cpu: '8', memory: '8Gi', pods: '20' }, capacity: { cpu: '8', memory: '8Gi', pods: '20' } },
  });
  return {
    node,
    end: async () => {
      await cluster.api.json({ method: 'DELETE', path: `/api/v1/nodes/${node}`, what: 'clean up' });
    },
  };
}

/** The actions that end things, and those that inform people before they decide on that, each with its scene. */
export const eradicationTable: readonly AnyRow[] = [
  row({
    declaration: collectLogs,
    input: collectLogsInput,
    implementation: ({ api, evidence }) => collectLogsImplementation({ api, ...evidence }),
    async scene(cluster, namespace) {
      return { input: { pod: resolved(await cluster.makePod(namespace, 'cart')) }, objects: [] };
    },
    verification: 'verified',
    unused: { 'get pods/log': 'a log that cannot be read makes the evidence partial' },
  }),
  row({
    declaration: listReachableSecrets,
    input: listReachableSecretsInput,
    implementation: ({ api, view }) => listReachableSecretsImplementation({ api, view }),
    async scene(cluster, namespace) {
      return { input: { pod: resolved(await cluster.makePod(namespace, 'cart')) }, objects: [] };
    },
    verification: 'applied',
    unused: { 'get serviceaccounts': 'the token of the pod is in a projected volume' },
  }),
  row({
    declaration: verifyImage,
    input: verifyImageInput,
    // No signer is trusted here for a repository in a registry that does not exist: test/platform/images covers those that do.
    implementation: ({ api }) =>
      verifyImageImplementation({
        api,
        trust: {
          rules: [{ repositories: ['127.0.0.1:9/shop/cart'], keys: [], keyless: [], predicateTypes: [] }],
          registries: [],
          withinMs: 5_000,
        },
      }),
    async scene(cluster, namespace) {
      await cluster.post(pathOf({ resource: 'secrets', namespace }), { metadata: { name: 'pull' } });
      const containers = [{ name: 'main', image: '127.0.0.1:9/shop/cart:1' }];
      const pod = await cluster.makePod(namespace, 'cart', { spec: { containers, imagePullSecrets: [{ name: 'pull' }] } });
      return { input: { pod: resolved(pod) }, objects: [] };
    },
    verification: 'unverified',
  }),
  row({
    declaration: evictPod,
    input: evictPodInput,
    implementation: ({ api }) => evictPodImplementation({ api, pollMs: 50 }),
    async scene(cluster, namespace) {
      return { input: { pod: resolved(await cluster.makePod(namespace, 'cart')) }, objects: [] };
    },
    verification: 'verified',
  }),
  row({
    declaration: restartWorkload,
    input: restartWorkloadInput,
    implementation: ({ api }) => restartWorkloadImplementation({ api, pollMs: 100 }),
    async scene(cluster, namespace) {
      const suspect = await suspectOf(cluster, namespace);
      return { input: { workload: cart(namespace), suspect }, objects: [] };
    },
    verification: 'verified',
    unused: otherKinds(['get', 'patch'], 'statefulsets', 'daemonsets'),
  }),
  row({
    declaration: rollbackWorkload,
    input: rollbackWorkloadInput,
    implementation: ({ api }) => rollbackWorkloadImplementation({ api, pollMs: 100 }),
    async scene(cluster, namespace) {
      await rolledDeployment(cluster, namespace);
      const [suspect] = await cluster.pods(namespace);
      return { input: { workload: cart(namespace), suspect: resolved(suspect ?? {}) }, objects: [] };
    },
    verification: 'verified',
  }),
  row({
    declaration: hardenWorkload,
    input: hardenWorkloadInput,
    implementation: ({ api, view }) => hardenWorkloadImplementation({ api, view, pollMs: 100 }),
    async scene(cluster, namespace) {
      const suspect = await suspectOf(cluster, namespace);
      return { input: { workload: cart(namespace), suspect }, objects: [] };
    },
    verification: 'verified',
    unused: otherKinds(['get', 'patch'], 'statefulsets', 'daemonsets'),
  }),
  row({
    declaration: deleteWorkload,
    input: deleteWorkloadInput,
    implementation: ({ api, view, cellKey }) => deleteWorkloadImplementation({ api, view, cellKey, pollMs: 100 }),
    async scene(cluster, namespace) {
      const suspect = await suspectOf(cluster, namespace);
      return { input: { workload: cart(namespace), suspect }, objects: [] };
    },
    verification: 'verified',
    unused: otherKinds(['get', 'delete'], 'statefulsets', 'daemonsets', 'jobs', 'cronjobs'),
  }),
  row({
    declaration: drainNode,
    input: drainNodeInput,
    implementation: ({ api, cellKey }) => drainNodeImplementation({ api, cellKey, isProtected: () => false, pollMs: 100 }),
    async scene(cluster, namespace) {
      const { node, end } = await ownNode(cluster, namespace);
      await cluster.makePod(namespace, 'cart', { spec: { nodeName: node } });
      return { input: { node: { name: node } }, objects: [], end };
    },
    verification: 'verified',
  }),
  row({
    declaration: revokeTokens,
    input: revokeTokensInput,
    implementation: ({ api }) => revokeTokensImplementation({ api, pollMs: 50 }),
    async scene(cluster, namespace) {
      await cluster.post(pathOf({ resource: 'serviceaccounts', namespace }), { metadata: { name: 'cart' } });
      await cluster.post(pathOf({ resource: 'secrets', namespace }), {
        metadata: { name: 'cart-token', annotations: { 'kubernetes.io/service-account.name': 'cart' } },
        type: 'kubernetes.io/service-account-token',
      });
      const pod = resolved(await cluster.makePod(namespace, 'cart', { spec: { serviceAccountName: 'cart' } }));
      return { input: { pod, account: 'cart', ways: ['legacySecrets', 'account', 'pod'] }, objects: [] };
    },
    verification: 'verified',
  }),
];

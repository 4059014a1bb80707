import { blockEgressImplementation } from '../../../activities/actions/containment/block-egress.ts';
import { isolateNamespaceImplementation } from '../../../activities/actions/containment/isolate-namespace.ts';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { quarantineWorkloadImplementation } from '../../../activities/actions/containment/quarantine-workload.ts';
import { rotateSecretImplementation } from '../../../activities/actions/secrets/rotate-secret.ts';
import { deletePodImplementation } from '../../../activities/actions/workloads/delete-pod.ts';
import { scaleToZeroImplementation } from '../../../activities/actions/workloads/scale-to-zero.ts';
import { suspendCronJobImplementation } from '../../../activities/actions/workloads/suspend-cron-job.ts';
import { suspendRolloutImplementation } from '../../../activities/actions/workloads/suspend-rollout.ts';
import { blockEgressInput } from '../../../core/actions/containment/block-egress.schema.ts';
import { isolateNamespaceInput } from '../../../core/actions/containment/isolate-namespace.schema.ts';
import { quarantinePodInput } from '../../../core/actions/containment/quarantine-pod.schema.ts';
import { quarantineWorkloadInput } from '../../../core/actions/containment/quarantine-workload.schema.ts';
import {
  blockEgress,
  deletePod,
  isolateNamespace,
  quarantinePod,
  quarantineWorkload,
  rotateSecret,
  scaleToZero,
  suspendCronJob,
  suspendRollout,
} from '../../../core/actions/index.ts';
import { rotateSecretInput } from '../../../core/actions/secrets/rotate-secret.schema.ts';
import { deletePodInput } from '../../../core/actions/workloads/delete-pod.schema.ts';
import { scaleToZeroInput } from '../../../core/actions/workloads/scale-to-zero.schema.ts';
import { suspendCronJobInput } from '../../../core/actions/workloads/suspend-cron-job.schema.ts';
import { suspendRolloutInput } from '../../../core/actions/workloads/suspend-rollout.schema.ts';
import { names } from '../../../core/cluster/labels.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import type { ObjectRef } from '../../../integrations/kubernetes/objects.ts';
import { networkPolicyRef } from '../../../integrations/kubernetes/policies/network-policies.ts';
import { workloadRef } from '../../../integrations/kubernetes/workloads/workloads.ts';
import { resolved, until } from '../kubernetes/parts/cluster.ts';
import { eradicationTable } from './eradication-table.ts';
import { type AnyRow, change, forTheWatch, row, type TestCluster } from './row.ts';
import { clusterWide } from './rows-cluster-wide.ts';
import { evidenceTable } from './rows-evidence.ts';

const policiesIn = (namespace: string) => ({
  kind: 'NetworkPolicy',
  group: 'networking.k8s.io',
  resource: 'networkpolicies',
  namespace,
});
const podRef = (namespace: string, name: string): ObjectRef => ({ kind: 'Pod', resource: 'pods', namespace, name });

/** The one policy in the namespace whose name has this prefix. */
async function policyNamed(cluster: TestCluster, namespace: string, prefix: string): Promise<ObjectRef> {
  const path = pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace });
  const { items } = await cluster.get<{ items: { metadata: { name: string } }[] }>(path);
  const found = items.find(({ metadata }) => metadata.name.startsWith(prefix));
  if (!found) throw new Error(`no policy ${prefix} in ${namespace}`);
  return networkPolicyRef(namespace, found.metadata.name);
}

/** Adds a rule to the created policy; the result removes it again. */
async function openPolicy(cluster: TestCluster, namespace: string, prefix: string): Promise<() => Promise<void>> {
  const ref = await policyNamed(cluster, namespace, prefix);
  const { spec } = await cluster.get<{ spec: { ingress?: unknown; policyTypes: string[] } }>(pathOf(ref));
  return change(
    cluster,
    ref,
    { spec: { ingress: [{}], policyTypes: ['Ingress', 'Egress'] } },
    { spec: { ingress: spec.ingress ?? null, policyTypes: spec.policyTypes } },
  );
}

const deploymentRef = (namespace: string): ObjectRef => workloadRef(workload(namespace));
const workload = (namespace: string) => ({ kind: 'Deployment', namespace, name: 'cart' });
const repairsOnly = 'only where somebody has changed the standing policy';

/** Every action that changes or reads the cluster, with a scene on which all rules are tested. */
export const table: readonly AnyRow[] = [
  ...clusterWide,
  row({
    declaration: quarantinePod,
    input: quarantinePodInput,
    implementation: (parts) => quarantinePodImplementation(parts),
    async scene(cluster, namespace) {
      const pod = resolved(await cluster.makePod(namespace, 'cart', { metadata: { labels: { app: 'cart' } } }));
      const ref = podRef(namespace, 'cart');
      return {
        input: { pod },
        objects: [ref],
        drift: () =>
          change(cluster, ref, { metadata: { labels: { added: 'by-hand' } } }, { metadata: { labels: { added: null } } }),
      };
    },
    verification: 'unverified',
    unused: { 'patch networkpolicies': repairsOnly, 'create networkpolicies': 'the policy is there from the tries before' },
  }),
  row({
    declaration: quarantineWorkload,
    input: quarantineWorkloadInput,
    implementation: (parts) => quarantineWorkloadImplementation(parts),
    async scene(cluster, namespace) {
      const pods = await cluster.makeDeployment(namespace, 'cart');
      const [first] = pods;
      const ref = podRef(namespace, first?.metadata?.name ?? '');
      return {
        input: { workload: workload(namespace) },
        // On release the ReplicaSet has too many pods and ends some of them: it decides which.
        objects: [],
        drift: () =>
          change(cluster, ref, { metadata: { labels: { added: 'by-hand' } } }, { metadata: { labels: { added: null } } }),
      };
    },
    verification: 'unverified',
    unused: {
      'patch networkpolicies': repairsOnly,
      'create networkpolicies': 'the policy is there from the tries before',
      'get pods': 'only where a pod changes while it is quarantined, and for its release',
    },
  }),
  row({
    declaration: isolateNamespace,
    input: isolateNamespaceInput,
    implementation: (parts) => isolateNamespaceImplementation(parts),
    async scene(cluster, namespace) {
      await cluster.post(pathOf({ resource: 'services', namespace }), {
        metadata: { name: 'cart' },
        spec: { selector: { app: 'cart' }, ports: [{ port: 80 }] },
      });
      return {
        input: { namespace, allow: { dns: true, namespaces: ['monitoring'], cidrs: ['203.0.113.7'] } },
        objects: [{ kind: 'Namespace', resource: 'namespaces', name: namespace }],
        makes: [policiesIn(namespace)],
        drift: () => openPolicy(cluster, namespace, 'firebreak-isolate-'),
      };
    },
    verification: 'unverified',
  }),
  row({
    declaration: blockEgress,
    input: blockEgressInput,
    implementation: (parts) => blockEgressImplementation(parts),
    async scene(cluster, namespace) {
      await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
      return {
        input: { workload: workload(namespace), to: ['203.0.113.7', '198.51.100.0/24', '2001:db8::/32'] },
        objects: [],
        makes: [policiesIn(namespace)],
        drift: () => openPolicy(cluster, namespace, 'firebreak-egress-'),
      };
    },
    verification: 'unverified',
    unused: Object.fromEntries(
      ['statefulsets', 'daemonsets', 'replicasets', 'jobs'].map((resource) => [`get ${resource}`, 'the scene has a Deployment']),
    ),
  }),
  row({
    declaration: suspendCronJob,
    input: suspendCronJobInput,
    implementation: (parts) => suspendCronJobImplementation(parts),
    async scene(cluster, namespace) {
      const ref = { kind: 'CronJob', group: 'batch', resource: 'cronjobs', namespace, name: 'report' };
      await cluster.post(pathOf({ group: 'batch', resource: 'cronjobs', namespace }), {
        metadata: { name: 'report' },
        spec: {
          schedule: '0 4 1 1 *',
          jobTemplate: {
            spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'shop/report:1' }] } } },
          },
        },
      });
      return {
        input: { cronJob: { namespace, name: 'report' } },
        objects: [ref],
        drift: () => change(cluster, ref, { spec: { suspend: false } }, { spec: { suspend: true } }),
      };
    },
    verification: 'applied',
    unused: forTheWatch(suspendCronJob),
  }),
  row({
    declaration: suspendRollout,
    input: suspendRolloutInput,
    implementation: (parts) => suspendRolloutImplementation(parts),
    async scene(cluster, namespace) {
      await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
      const ref = deploymentRef(namespace);
      return {
        input: { deployment: { namespace, name: 'cart' } },
        objects: [ref],
        drift: () => change(cluster, ref, { spec: { paused: false } }, { spec: { paused: true } }),
      };
    },
    verification: 'applied',
    unused: forTheWatch(suspendRollout),
  }),
  row({
    declaration: scaleToZero,
    input: scaleToZeroInput,
    implementation: (parts) => scaleToZeroImplementation({ ...parts, pollMs: 50 }),
    undoes: true,
    async scene(cluster, namespace) {
      const [suspect] = await cluster.makeDeployment(namespace, 'cart');
      if (!suspect) throw new Error('two replicas were asked for');
      const ref = deploymentRef(namespace);
      return {
        input: { workload: workload(namespace), suspect: resolved(suspect) },
        objects: [ref],
        drift: () => change(cluster, ref, { spec: { replicas: 1 } }, { spec: { replicas: 0 } }),
      };
    },
    verification: 'verified',
    unused: {
      ...forTheWatch(scaleToZero),
      'get statefulsets': 'the scene has a Deployment',
      'patch statefulsets': 'the scene has a Deployment',
    },
  }),
  row({
    declaration: rotateSecret,
    input: rotateSecretInput,
    implementation: ({ api }) => rotateSecretImplementation({ api, pollMs: 100 }),
    async scene(cluster, namespace) {
      await cluster.post(pathOf({ resource: 'secrets', namespace }), { metadata: { name: 'db' }, stringData: { password: 'x' } });
      const [pod] = await cluster.makeDeployment(namespace, 'cart', {
        replicas: 1,
        spec: { containers: [{ name: 'main', image: 'shop/cart:1', envFrom: [{ secretRef: { name: 'db' } }] }] },
      });
      if (!pod) throw new Error('one replica was asked for');
      await cluster.patchPod(namespace, pod.metadata?.name ?? '', { labels: { app: null, [names.quarantineLabel]: 'active' } });
      await until(async () => {
        const running = (await cluster.pods(namespace)).filter(({ status }) => status?.phase === 'Running');
        return running.length === 2 ? true : undefined;
      });
      return { input: { suspect: resolved(pod) }, objects: [] };
    },
    verification: 'verified',
    unused: {
      ...Object.fromEntries(
        ['statefulsets', 'daemonsets', 'cronjobs'].flatMap((resource) =>
          ['get', 'patch'].map((verb) => [`${verb} ${resource}`, 'the scene has a Deployment']),
        ),
      ),
      ...Object.fromEntries(
        [
          'delete secrets',
          'get externalsecrets',
          'patch externalsecrets',
          'get certificates',
          'patch certificates',
          'patch certificates/status',
        ].map((right) => [right, 'for Secrets that somebody else writes: test/platform/rotation/in-place.test.ts']),
      ),
    },
  }),
  row({
    declaration: deletePod,
    input: deletePodInput,
    implementation: ({ api }) => deletePodImplementation({ api, pollMs: 50 }),
    async scene(cluster, namespace) {
      return { input: { pod: resolved(await cluster.makePod(namespace, 'cart')) }, objects: [] };
    },
    verification: 'verified',
  }),
  ...evidenceTable,
  ...eradicationTable,
];

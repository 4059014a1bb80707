import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isolateNamespaceImplementation } from '../../../activities/actions/containment/isolate-namespace.ts';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { quarantineWorkloadImplementation } from '../../../activities/actions/containment/quarantine-workload.ts';
import { revokeServiceAccountImplementation } from '../../../activities/actions/secrets/revoke-service-account.ts';
import { scaleToZeroImplementation } from '../../../activities/actions/workloads/scale-to-zero.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import type { ObjectJson } from '../../../integrations/kubernetes/objects.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, openCluster, resolved, stepContext, until } from '../kubernetes/parts/cluster.ts';

const platform = await testPlatform();

describe('an undo whose object something else has changed meanwhile', () => {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  beforeAll(async () => {
    cluster = await openCluster(platform.kubeconfig);
  });
  afterAll(() => cluster.close());

  const parts = () => ({ api: cluster.api, view: cluster.view, cellKey, pollMs: 50 });
  const cart = (namespace: string) => ({ kind: 'Deployment' as const, namespace, name: 'cart' });
  const deployment = (namespace: string) => pathOf({ group: 'apps', resource: 'deployments', namespace, name: 'cart' });
  const change = (path: string, body: object, fieldManager: string) =>
    cluster.api.json({ method: 'PATCH', patch: 'merge', path, query: { fieldManager }, body, what: 'change by another' });
  const remove = (path: string) => cluster.api.json({ method: 'DELETE', path, what: 'delete by hand' });
  const scaled = async (namespace: string) => {
    const [pod] = await cluster.makeDeployment(namespace, 'cart', { replicas: 2 });
    const [action, context] = [scaleToZeroImplementation(parts()), stepContext()];
    const input = { workload: cart(namespace), suspect: resolved(pod ?? {}) };
    const output = await action.apply(input, context);
    return { context, undo: () => action.undo({ input, output, key: context.key }, context) };
  };

  /** Somebody’s admission policy: no label of this pod may be changed. In force when this resolves; it resolves to a function that removes it. */
  const denyingLabels = async (namespace: string, pod: string): Promise<() => Promise<unknown>> => {
    const group = 'admissionregistration.k8s.io';
    const policy = pathOf({ group, resource: 'validatingadmissionpolicies' });
    const binding = pathOf({ group, resource: 'validatingadmissionpolicybindings' });
    const metadata = { name: namespace };
    await cluster.post(policy, {
      metadata,
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
          resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['pods'] }],
        },
        matchConditions: [{ name: 'this', expression: `object.metadata.name == '${pod}'` }],
        validations: [{ expression: 'object.metadata.?labels == oldObject.metadata.?labels', message: 'labels stay' }],
      },
    });
    await cluster.post(binding, { metadata, spec: { policyName: namespace, validationActions: ['Deny'] } });
    const tried = () =>
      cluster.api.json({
        method: 'PATCH',
        patch: 'merge',
        path: pathOf({ resource: 'pods', namespace, name: pod }),
        query: { dryRun: 'All' },
        body: { metadata: { labels: { tried: 'yes' } } },
        what: 'try it',
      });
    await until(() =>
      tried().then(
        () => undefined,
        () => true,
      ),
    );
    return async () => {
      await remove(`${binding}/${namespace}`);
      await remove(`${policy}/${namespace}`);
    };
  };

  test('keeps what autoscalers and deployments have changed, and restores exactly its own field', async () => {
    const namespace = await platform.freshNamespace();
    const { undo } = await scaled(namespace);
    const resources = { requests: { cpu: '250m', memory: '64Mi' } };
    const containers = [{ name: 'main', image: 'shop/cart:2', resources }];
    await change(deployment(namespace), { spec: { template: { spec: { containers } } } }, 'vpa-updater');
    await change(
      deployment(namespace),
      { metadata: { labels: { team: 'cart' }, annotations: { 'notes.example.com/by': 'argo' } }, spec: { minReadySeconds: 3 } },
      'argocd-controller',
    );
    expect(await undo()).toMatchObject({ state: 'undone' });
    expect(await cluster.deployment(namespace, 'cart')).toMatchObject({
      metadata: { labels: { team: 'cart' }, annotations: { 'notes.example.com/by': 'argo' } },
      spec: { replicas: 2, minReadySeconds: 3, template: { spec: { containers } } },
    });
  });

  test('leaves alone an object that was recreated under the same name, even with the note of the old one', async () => {
    const namespace = await platform.freshNamespace();
    const { undo } = await scaled(namespace);
    const { metadata, spec } = await cluster.get<ObjectJson>(deployment(namespace));
    const { annotations } = metadata;
    await remove(deployment(namespace));
    const again = { metadata: { name: 'cart' }, spec };
    const path = pathOf({ group: 'apps', resource: 'deployments', namespace });
    await until(() =>
      cluster.post(path, again).then(
        () => true,
        () => undefined,
      ),
    );
    await change(deployment(namespace), { spec: { replicas: 5 } }, 'kubectl');
    expect(await undo()).toMatchObject({ state: 'already' });
    await change(deployment(namespace), { metadata: { annotations } }, 'velero');
    expect(await undo()).toMatchObject({
      state: 'drifted',
      difference: [expect.stringContaining('is not what this cell wrote')],
    });
    expect((await cluster.deployment(namespace, 'cart')).spec?.replicas).toBe(5);
  });

  test('has not released a policy while somebody’s finalizer keeps it in force, and has once that is removed', async () => {
    const namespace = await platform.freshNamespace();
    const context = stepContext();
    const isolation = isolateNamespaceImplementation(parts());
    await isolation.apply({ namespace }, context);
    const policies = pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace });
    const { items } = await cluster.get<{ items: readonly ObjectJson[] }>(policies);
    const made = `${policies}/${items.find(({ metadata }) => metadata.name.startsWith('firebreak-isolate-'))?.metadata.name}`;
    await change(made, { metadata: { finalizers: ['example.com/keep'] } }, 'tenant');
    const undo = () => isolation.undo({ input: { namespace }, key: context.key }, context);
    const kept = {
      code: 'FB_ERR_API_REFUSED',
      detail: expect.stringContaining('finalizers keep it in force: example.com/keep'),
    };
    await expect(undo()).rejects.toMatchObject(kept);
    await expect(undo()).rejects.toMatchObject(kept);
    await change(made, { metadata: { finalizers: null } }, 'tenant');
    expect(await undo()).toMatchObject({ state: 'already' });
  });

  test('that admission denies quotes the denial, and succeeds once admission allows it', async () => {
    const namespace = await platform.freshNamespace();
    const pod = resolved(await cluster.makePod(namespace, 'cart'));
    const context = stepContext();
    const quarantine = quarantinePodImplementation(parts());
    await quarantine.apply({ pod }, context);
    const free = await denyingLabels(namespace, 'cart');
    const undo = () => quarantine.undo({ input: { pod }, key: context.key }, context);
    await expect(undo()).rejects.toMatchObject({
      code: 'FB_ERR_API_REFUSED',
      detail: `the API server rejected: patch pods in ${namespace} (422 Invalid): ValidatingAdmissionPolicy '${namespace}' with binding '${namespace}' denied request: labels stay`,
    });
    expect((await cluster.pod(namespace, 'cart')).metadata?.labels).toHaveProperty(['firebreak.dev/quarantine']);
    await free();
    await until(() =>
      undo().then(
        ({ state }) => (state === 'undone' ? true : undefined),
        () => undefined,
      ),
    );
  });

  test('and a workload quarantine cover all pods except the one that admission protects', async () => {
    const namespace = await platform.freshNamespace();
    const pods = await cluster.makeDeployment(namespace, 'cart', { replicas: 2 });
    const names = pods.map((pod) => resolved(pod).name).sort();
    const quarantine = quarantineWorkloadImplementation(parts());
    const workload = cart(namespace);
    const isHeld = async (name = '') =>
      (await cluster.pod(namespace, name)).metadata?.labels?.['firebreak.dev/quarantine'] === 'active';
    const [first, second] = [stepContext(), stepContext()];
    const freeFirst = await denyingLabels(namespace, names[0] ?? '');
    const output = await quarantine.apply({ workload }, first);
    expect(output.pods).toMatchObject([{ name: names[1] }]);
    expect(output.left).toMatchObject([{ pod: `pod/${namespace}/${names[0]}`, reason: expect.stringContaining('labels stay') }]);
    expect(await quarantine.verify(output, first)).toMatchObject({ state: 'partial' });
    await freeFirst();
    await until(async () =>
      (await quarantine.undo({ input: { workload }, key: first.key }, first)).state === 'undone' ? true : undefined,
    );

    await until(async () => {
      const left = await cluster.pods(namespace);
      return left.length === 2 && left.every(({ metadata }) => !metadata?.deletionTimestamp) ? true : undefined;
    });
    const { pods: all } = await until(async () => {
      const done = await quarantine.apply({ workload }, second);
      return done.left.length === 0 && done.pods.length > 1 ? done : undefined;
    });
    const [kept, other] = all.map(({ name }) => name).sort();
    const free = await denyingLabels(namespace, kept ?? '');
    const undo = () => quarantine.undo({ input: { workload }, key: second.key }, second);
    await expect(undo()).rejects.toMatchObject({ code: 'FB_ERR_API_REFUSED', detail: expect.stringContaining('labels stay') });
    expect([await isHeld(kept), await isHeld(other)]).toEqual([true, false]);
    await free();
    await until(() =>
      undo().then(
        ({ state }) => (state === 'undone' ? true : undefined),
        () => undefined,
      ),
    );
    expect(await isHeld(kept)).toBe(false);
  });

  test('works in a namespace that is being deleted', async () => {
    const namespace = await platform.freshNamespace();
    const rbac = 'rbac.authorization.k8s.io';
    await cluster.post(pathOf({ group: rbac, resource: 'rolebindings', namespace }), {
      metadata: { name: 'viewers', finalizers: ['example.com/keep'] },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'ServiceAccount', name: 'default', namespace }],
    });
    const pod = resolved(await cluster.makePod(namespace, 'cart'));
    const [first, second, third] = [stepContext(), stepContext(), stepContext()];
    const quarantine = quarantinePodImplementation(parts());
    await quarantine.apply({ pod }, first);
    const revocation = revokeServiceAccountImplementation(parts());
    const serviceAccount = { namespace, name: 'default' };
    await revocation.apply({ serviceAccount }, second);
    const isolation = isolateNamespaceImplementation(parts());
    await isolation.apply({ namespace }, third);
    await remove(`/api/v1/namespaces/${namespace}`);
    await until(async () => {
      const { status } = await cluster.get<{ status: { phase: string } }>(`/api/v1/namespaces/${namespace}`);
      return status.phase === 'Terminating' ? true : undefined;
    });
    const binding = pathOf({ group: rbac, resource: 'rolebindings', namespace, name: 'viewers' });
    expect(await revocation.undo({ input: { serviceAccount }, key: second.key }, second)).toMatchObject({ state: 'undone' });
    expect((await cluster.get<{ subjects: object[] }>(binding)).subjects).toHaveLength(1);
    expect(await isolation.undo({ input: { namespace }, key: third.key }, third)).toMatchObject({
      state: expect.stringMatching(/^(undone|already)$/),
    });
    // Once its deletion has begun, the pod is held until it is gone.
    expect(await quarantine.undo({ input: { pod }, key: first.key }, first)).toMatchObject({
      state: expect.stringMatching(/^(undone|gone)$/),
    });
    await change(binding, { metadata: { finalizers: null } }, 'kubectl');
  });
});

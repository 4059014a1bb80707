import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { blockEgressImplementation } from '../../../activities/actions/containment/block-egress.ts';
import { denyImageImplementation } from '../../../activities/actions/containment/deny-image.ts';
import { isolateNamespaceImplementation } from '../../../activities/actions/containment/isolate-namespace.ts';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { quarantineWorkloadImplementation } from '../../../activities/actions/containment/quarantine-workload.ts';
import { revokeServiceAccountImplementation } from '../../../activities/actions/secrets/revoke-service-account.ts';
import { scaleToZeroImplementation } from '../../../activities/actions/workloads/scale-to-zero.ts';
import { suspendCronJobImplementation } from '../../../activities/actions/workloads/suspend-cron-job.ts';
import { suspendRolloutImplementation } from '../../../activities/actions/workloads/suspend-rollout.ts';
import type { ActionImplementation } from '../../../core/action/action.ts';
import { names } from '../../../core/cluster/labels.ts';
import { noteAnnotation } from '../../../core/cluster/object-note.ts';
import { selects } from '../../../core/cluster/pod-record.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import type { ObjectJson } from '../../../integrations/kubernetes/objects.ts';
import { policyRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, openCluster, resolved, stepContext, until } from '../kubernetes/parts/cluster.ts';

const platform = await testPlatform();

describe('containment wider than a pod', () => {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  const parts = () => ({ api: cluster.api, view: cluster.view, cellKey });
  beforeAll(async () => {
    cluster = await openCluster(platform.kubeconfig);
  });
  afterAll(() => cluster.close());

  const policies = (namespace: string) => pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace });
  const cart = (namespace: string) => ({ kind: 'Deployment', namespace, name: 'cart' });
  const deploymentPath = (namespace: string) => pathOf({ group: 'apps', resource: 'deployments', namespace, name: 'cart' });
  const change = (path: string, body: object) =>
    cluster.api.json({ method: 'PATCH', patch: 'merge', path, body, what: 'change by hand' });

  test('isolateNamespace never selects a quarantined pod, and reports partial while another policy allows traffic', async () => {
    const namespace = await platform.freshNamespace();
    const action = isolateNamespaceImplementation(parts());
    const [input, context] = [{ namespace, allow: { dns: true, cidrs: ['203.0.113.9/24'] } }, stepContext()];
    const output = await action.apply(input, context);
    expect(await cluster.get(`${policies(namespace)}/${output.policy}`)).toMatchObject({
      spec: {
        podSelector: { matchExpressions: [{ key: names.quarantineLabel, operator: 'NotIn', values: ['active'] }] },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [{ ipBlock: { cidr: '203.0.113.0/24' } }] }],
      },
    });
    const { selector } = policyRecord(await cluster.get(`${policies(namespace)}/${output.policy}`));
    const isSelected = (value: string) => selects(selector, { [names.quarantineLabel]: value });
    // Anyone who may label pods must not be able to escape it with another value.
    expect([isSelected('active'), isSelected('off'), selects(selector, {})]).toEqual([false, true, true]);
    await cluster.post(policies(namespace), { metadata: { name: 'open' }, spec: { podSelector: {}, ingress: [{}] } });
    expect((await action.plan(input, context)).notes.join()).toContain('NetworkPolicy open still allows traffic');
    expect(await action.verify(output, context)).toMatchObject({
      state: 'partial',
      missing: [`networkpolicy/${namespace}/open`],
    });
    const other = stepContext({ incident: 'incident/test/other' });
    const second = await action.apply(input, other);
    expect(second.policy).not.toBe(output.policy);
    expect(await action.undo({ input, output, key: context.key }, context)).toMatchObject({ state: 'undone' });
    expect(await action.verify(second, other)).toMatchObject({ state: 'partial' });
  });

  test('blockEgress opens nothing that another policy denies, and denies it even when that one is deleted', async () => {
    const namespace = await platform.freshNamespace();
    await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
    const action = blockEgressImplementation(parts());
    const input = (to: string) => ({ workload: cart(namespace), to: [to] });
    await cluster.post(policies(namespace), {
      metadata: { name: 'only-office' },
      spec: {
        podSelector: { matchLabels: { app: 'cart' } },
        policyTypes: ['Egress'],
        egress: [{ to: [{ ipBlock: { cidr: '198.51.100.0/24', except: ['198.51.100.128/25'] } }] }],
      },
    });
    const denied = await action.plan(input('203.0.113.7'), stepContext());
    expect(denied.notes.join()).toContain('only-office limit its egress');
    const context = stepContext();
    const output = await action.apply(input('198.51.100.200'), context);
    const spec = async () => (await cluster.get<ObjectJson>(`${policies(namespace)}/${output.policy}`)).spec;
    const denying = { podSelector: expect.objectContaining({ matchLabels: { app: 'cart' } }), policyTypes: ['Egress'] };
    expect(await spec()).toEqual(denying);
    await expect(action.plan(input('198.51.100.7'), stepContext())).rejects.toMatchObject({
      code: 'FB_ERR_REFUSED',
      detail: expect.stringContaining(`networkpolicy/${namespace}/only-office lets Deployment cart reach 198.51.100.7/32`),
    });
    await cluster.api.json({ method: 'DELETE', path: `${policies(namespace)}/only-office`, what: 'delete by hand' });
    expect(await action.verify(output, context)).toMatchObject({ state: 'unverified' });
    expect(await spec()).toEqual(denying);
    const given = await action.undo({ input: input('198.51.100.200'), key: context.key }, context);
    expect(given).toMatchObject({ state: 'undone' });
    expect((await cluster.get<{ items: unknown[] }>(policies(namespace))).items).toEqual([]);
  });

  test('blockEgress refuses a pod’s address and the whole range, and reports partial when a policy is added later', async () => {
    const namespace = await platform.freshNamespace();
    const [pod] = await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
    const action = blockEgressImplementation(parts());
    const address = await until(async () => (await cluster.pod(namespace, pod?.metadata?.name ?? '')).status?.podIP);
    const workload = cart(namespace);
    await expect(action.plan({ workload, to: [address] }, stepContext())).rejects.toMatchObject({
      detail: expect.stringMatching(/is pod\/.* stay reachable/),
    });
    await expect(action.plan({ workload, to: ['0.0.0.0/0'] }, stepContext())).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
    const context = stepContext();
    const output = await action.apply({ workload, to: ['203.0.113.7', '203.0.113.0/24'] }, context);
    expect(output.blocked).toEqual(['203.0.113.0/24']);
    expect(await action.verify(output, context)).toMatchObject({ state: 'unverified' });
    await cluster.post(policies(namespace), { metadata: { name: 'all' }, spec: { podSelector: {}, egress: [{}] } });
    expect(await action.verify(output, context)).toMatchObject({
      state: 'partial',
      missing: [`networkpolicy/${namespace}/all`],
    });
  });

  test('isolateNamespace and blockEgress name the pods that no policy applies to, and are partial then', async () => {
    const namespace = await platform.freshNamespace();
    await cluster.makeDeployment(namespace, 'cart', { replicas: 1, spec: { hostNetwork: true } });
    const [pod] = await cluster.pods(namespace);
    const outside = `pod/${namespace}/${pod?.metadata?.name}`;
    const isPartial = async <Input, Output>(action: ActionImplementation<Input, Output>, input: Input): Promise<void> => {
      const context = stepContext();
      expect((await action.plan(input, context)).notes.join(' ')).toContain(`${outside} uses the network of its node`);
      expect(await action.verify(await action.apply(input, context), context)).toMatchObject({
        state: 'partial',
        missing: expect.arrayContaining([outside]),
      });
    };
    await isPartial(isolateNamespaceImplementation(parts()), { namespace });
    await isPartial(blockEgressImplementation(parts()), { workload: cart(namespace), to: ['203.0.113.7'] });
  });

  test('quarantineWorkload quarantines the existing pods, not their successors, and skips those that another incident holds', async () => {
    const namespace = await platform.freshNamespace();
    const pods = await cluster.makeDeployment(namespace, 'cart', { replicas: 3 });
    const [held, ...rest] = pods.map(resolved);
    if (!held) throw new Error('three replicas were asked for');
    await quarantinePodImplementation(parts()).apply({ pod: held }, stepContext({ incident: 'incident/test/first' }));
    await until(async () => ((await cluster.pods(namespace)).length === 4 ? true : undefined));
    await cluster.post(pathOf({ group: 'policy', resource: 'poddisruptionbudgets', namespace }), {
      metadata: { name: 'most' },
      spec: { minAvailable: 2, selector: { matchLabels: { app: 'cart' } } },
    });
    await until(async () => (cluster.view.budgets(namespace)?.length ? true : undefined));
    const action = quarantineWorkloadImplementation(parts());
    const [input, context] = [{ workload: cart(namespace) }, stepContext()];
    const plan = await action.plan(input, context);
    expect(plan.notes[0]).toContain('Deployment cart starts a new pod in its place, for each of 3');
    expect(plan.notes).toContain('PodDisruptionBudget most is bypassed: it does not delay the quarantine.');
    expect(plan.notes.join()).toContain(`pod/${namespace}/${held.name} is left out: it is quarantined by incident/test/first`);
    const output = await action.apply(input, context);
    expect(output.pods).toHaveLength(3);
    expect(output.pods.map(({ uid }) => uid)).toEqual(expect.arrayContaining(rest.map(({ uid }) => uid)));
    await until(async () => ((await cluster.pods(namespace)).length === 7 ? true : undefined));
    expect((await action.apply(input, context)).pods).toEqual(output.pods);
    expect(await action.verify(output, context)).toMatchObject({
      state: 'partial',
      missing: [`pod/${namespace}/${held.name}`],
    });
    expect(await action.undo({ input, key: context.key }, context)).toMatchObject({ state: 'undone' });
    expect((await cluster.pod(namespace, held.name)).metadata?.labels).toHaveProperty([names.quarantineLabel], 'active');
  });

  test('quarantineWorkload includes a pod that is being deleted with years of grace, and skips one that ends at once', async () => {
    const namespace = await platform.freshNamespace();
    const [container, spec] = [{ name: 'main', image: 'shop/cart:1' }, { nodeName: 'nobody-plays-it' }];
    await cluster.post(pathOf({ group: 'apps', resource: 'deployments', namespace }), {
      metadata: { name: 'cart' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'cart' } },
        template: { metadata: { labels: { app: 'cart' } }, spec: { ...spec, containers: [container] } },
      },
    });
    const [lasting, ending] = await until(async () => {
      const found = (await cluster.pods(namespace)).map(resolved);
      return found.length === 2 && found.every(({ uid }) => cluster.view.podByUid(uid)) ? found : undefined;
    });
    const remove = (name = '', gracePeriodSeconds: number) =>
      cluster.api.json({
        method: 'DELETE',
        path: pathOf({ resource: 'pods', namespace, name }),
        body: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds },
        what: 'delete by hand',
      });
    await remove(lasting?.name, 100_000_000);
    await remove(ending?.name, 5);
    const action = quarantineWorkloadImplementation(parts());
    const { pods } = await action.apply({ workload: cart(namespace) }, stepContext());
    const uids = pods.map(({ uid }) => uid);
    expect(uids).toContain(lasting?.uid);
    expect(uids).not.toContain(ending?.uid);
  });

  test('what somebody else already held stays held, and an edited note is not trusted', async () => {
    const namespace = await platform.freshNamespace();
    await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
    await change(deploymentPath(namespace), { spec: { paused: true } });
    const action = suspendRolloutImplementation(parts());
    const [input, context] = [{ deployment: { namespace, name: 'cart' } }, stepContext()];
    expect((await action.plan(input, context)).notes.join()).toContain('Somebody has already paused it');
    expect(await action.apply(input, context)).toMatchObject({ wasPaused: true });
    await expect(action.apply(input, stepContext({ incident: 'incident/test/other' }))).rejects.toMatchObject({
      code: 'FB_ERR_REFUSED',
      detail: expect.stringContaining(`already held by ${context.incident}`),
    });
    const annotation = noteAnnotation('suspendRollout');
    const { metadata } = await cluster.deployment(namespace, 'cart');
    const text = metadata?.annotations?.[annotation] ?? '';
    await change(deploymentPath(namespace), {
      metadata: { annotations: { [annotation]: text.replace('"before":true', '"before":false') } },
    });
    expect(await action.undo({ input, key: context.key }, context)).toMatchObject({
      state: 'drifted',
      difference: [expect.stringContaining('somebody edited it')],
    });
    await expect(action.apply(input, context)).rejects.toMatchObject({ code: 'FB_ERR_UNVERIFIED_STATE' });
    await change(deploymentPath(namespace), { metadata: { annotations: { [annotation]: text } } });
    expect(await action.undo({ input, key: context.key }, context)).toMatchObject({ state: 'undone' });
    expect((await cluster.deployment(namespace, 'cart')).spec?.paused).toBe(true);
  });

  test('scaleToZero names the budgets and scalers, requires the suspect’s evidence, and refuses what would lose volumes', async () => {
    const namespace = await platform.freshNamespace();
    const [suspect] = await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
    if (!suspect) throw new Error('one replica was asked for');
    await cluster.post(pathOf({ group: 'policy', resource: 'poddisruptionbudgets', namespace }), {
      metadata: { name: 'one-at-least' },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'cart' } } },
    });
    await cluster.post(pathOf({ group: 'autoscaling', version: 'v2', resource: 'horizontalpodautoscalers', namespace }), {
      metadata: { name: 'load' },
      spec: { minReplicas: 1, maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'cart' } },
    });
    await cluster.post(pathOf({ group: 'apps', resource: 'statefulsets', namespace }), {
      metadata: { name: 'db' },
      spec: {
        replicas: 0,
        serviceName: 'db',
        selector: { matchLabels: { app: 'db' } },
        persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete', whenDeleted: 'Retain' },
        template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'main', image: 'shop/db:1' }] } },
      },
    });
    const action = scaleToZeroImplementation(parts());
    const plan = await action.plan({ workload: cart(namespace), suspect: resolved(suspect) }, stepContext());
    expect(plan.evidenceOf).toEqual({ name: `pod/${namespace}/${suspect.metadata?.name}`, uid: suspect.metadata?.uid });
    expect(plan.notes).toContain('PodDisruptionBudget one-at-least is bypassed: it does not delay scaling.');
    expect(plan.blastRadius).toContain(`horizontalpodautoscaler/${namespace}/load`);
    const db = { kind: 'StatefulSet', namespace, name: 'db' };
    const stranger = resolved(await cluster.makePod(namespace, 'alone'));
    await expect(action.plan({ workload: db, suspect: stranger }, stepContext())).rejects.toMatchObject({
      detail: expect.stringContaining('whenScaled: Delete'),
    });
    await expect(action.plan({ workload: db, suspect: resolved(suspect) }, stepContext())).rejects.toMatchObject({
      detail: expect.stringContaining('is not a pod of StatefulSet db'),
    });
  });

  test('suspendCronJob names the Jobs that keep running', async () => {
    const namespace = await platform.freshNamespace();
    const path = pathOf({ group: 'batch', resource: 'cronjobs', namespace });
    const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'shop/report:1' }] } };
    await cluster.post(path, {
      metadata: { name: 'report' },
      spec: { schedule: '0 4 1 1 *', startingDeadlineSeconds: 60, jobTemplate: { spec: { template } } },
    });
    const action = suspendCronJobImplementation(parts());
    const [input, context] = [{ cronJob: { namespace, name: 'report' } }, stepContext()];
    expect((await action.plan(input, context)).notes.join()).toContain('a run that was missed in the last 60 s');
    const output = await action.apply(input, context);
    expect(await cluster.get(`${path}/report`)).toMatchObject({ spec: { suspend: true } });
    expect(await action.verify(output, context)).toMatchObject({ detail: 'it starts no more Jobs, and none runs' });
  });

  test('revokeServiceAccount removes the account’s rights, names the groups that still grant some, and restores them', async () => {
    const namespace = await platform.freshNamespace();
    const rbac = 'rbac.authorization.k8s.io';
    const bindings = pathOf({ group: rbac, resource: 'rolebindings', namespace });
    const roleRef = { apiGroup: rbac, kind: 'ClusterRole', name: 'view' };
    const user = `system:serviceaccount:${namespace}:default`;
    await cluster.post(bindings, {
      metadata: { name: 'viewers' },
      roleRef,
      subjects: [
        { kind: 'ServiceAccount', name: 'default', namespace },
        { kind: 'User', apiGroup: rbac, name: user },
      ],
    });
    const may = async (): Promise<boolean> =>
      (
        await cluster.post<{ status: { allowed: boolean } }>('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
          spec: { user, resourceAttributes: { verb: 'list', resource: 'pods', namespace } },
        })
      ).status.allowed;
    await until(async () => (await may()) || undefined);
    const action = revokeServiceAccountImplementation(parts());
    const [input, context] = [{ serviceAccount: { namespace, name: 'default' } }, stepContext()];
    const plan = await action.plan(input, context);
    expect(plan.notes).toContain('Restoring them needs the right to bind: clusterrole/view.');
    const output = await action.apply(input, context);
    await until(async () => !(await may()) || undefined);
    expect(await action.verify(output, context)).toMatchObject({ state: 'applied' });
    await cluster.post(bindings, {
      metadata: { name: 'all-of-us' },
      roleRef,
      subjects: [{ kind: 'Group', apiGroup: rbac, name: `system:serviceaccounts:${namespace}` }],
    });
    expect(await action.verify(output, context)).toMatchObject({
      state: 'partial',
      missing: [`rolebinding/${namespace}/all-of-us`],
    });
    // Anyone who owns a binding cannot, by writing on it, prevent other accounts from being restored.
    const elsewhere = await platform.freshNamespace();
    await cluster.post(pathOf({ group: rbac, resource: 'rolebindings', namespace: elsewhere }), {
      metadata: { name: 'mine', annotations: { [noteAnnotation('revokeServiceAccount')]: '{}' } },
      roleRef,
      subjects: [],
    });
    expect(await action.undo({ input, output, key: context.key }, context)).toMatchObject({ state: 'undone' });
  });

  test('revokeServiceAccount does not touch a binding that is held for another account, and says which', async () => {
    const namespace = await platform.freshNamespace();
    const rbac = 'rbac.authorization.k8s.io';
    const account = (name: string) => ({ serviceAccount: { namespace, name } });
    for (const name of ['first', 'second'])
      await cluster.post(pathOf({ resource: 'serviceaccounts', namespace }), { metadata: { name } });
    const bind = (name: string, of: readonly string[]) =>
      cluster.post(pathOf({ group: rbac, resource: 'rolebindings', namespace }), {
        metadata: { name },
        roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'view' },
        subjects: of.map((one) => ({ kind: 'ServiceAccount', name: one, namespace })),
      });
    await bind('both', ['first', 'second']);
    await bind('alone', ['second']);
    const action = revokeServiceAccountImplementation(parts());
    const context = stepContext();
    const output = await action.apply(account('first'), context);
    const again = stepContext({ incident: context.incident });
    const refused = {
      code: 'FB_ERR_REFUSED',
      detail: expect.stringContaining(`rolebinding/${namespace}/both is already held, for ${namespace}/first`),
    };
    await expect(action.plan(account('second'), again)).rejects.toMatchObject(refused);
    await expect(action.apply(account('second'), again)).rejects.toMatchObject(refused);
    const subjects = async (name: string) =>
      (await cluster.get<{ subjects: { name: string }[] }>(pathOf({ group: rbac, resource: 'rolebindings', namespace, name })))
        .subjects;
    expect(await subjects('alone')).toHaveLength(1);
    expect(await action.undo({ input: account('first'), output, key: context.key }, context)).toMatchObject({ state: 'undone' });
    const done = await action.apply(account('second'), again);
    expect(await action.verify(done, again)).toMatchObject({ state: 'applied' });
    expect(await subjects('both')).toMatchObject([{ name: 'first' }]);
  });

  test('denyImage rejects new pods in every spelling of the image, names workloads that cannot replace a pod, and does not block a quarantine', async () => {
    const namespace = await platform.freshNamespace();
    await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
    const before = resolved(await cluster.makePod(namespace, 'before', { metadata: { labels: { app: 'before' } } }));
    const action = denyImageImplementation({ ...parts(), exempt: ['kube-system'] });
    const digest = `sha256:${'ab'.repeat(32)}`;
    const [input, context] = [{ namespace, images: [`shop/cart:1@${digest}`] }, stepContext()];
    const plan = await action.plan(input, context);
    expect(plan).toMatchObject({ reach: 'namespace', blastRadius: expect.arrayContaining([`deployment/${namespace}/cart`]) });
    expect(plan.notes.join()).toContain('It blocks the failover of healthy replicas');
    const output = await action.apply(input, context);
    expect(await action.verify(output, context)).toMatchObject({ state: 'applied' });
    let tried = 0;
    const make = (image: string) =>
      cluster
        .post(pathOf({ resource: 'pods', namespace }), {
          metadata: { name: `try-${++tried}` },
          spec: { containers: [{ name: 'main', image: 'shop/web:1' }], initContainers: [{ name: 'first', image }] },
        })
        .then(
          () => 'made',
          (error) => error.status,
        );
    // The API server takes a moment to enforce a new policy.
    await until(async () => ((await make('shop/cart:1')) === 422 ? true : undefined), 45_000);
    expect(await make('docker.io/shop/cart:1')).toBe(422);
    expect(await make(`mirror.example/cart@${digest}`)).toBe(422);
    expect(await make('shop/cart:2')).toBe('made');
    const quarantine = await quarantinePodImplementation(parts()).apply({ pod: before }, context);
    expect(quarantine.labelsBefore).toEqual({ app: 'before' });
    expect(await action.undo({ input, output, key: context.key }, context)).toMatchObject({ state: 'undone' });
  });
});

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { drainNodeImplementation } from '../../../activities/actions/nodes/drain-node.ts';
import { deleteWorkloadImplementation } from '../../../activities/actions/workloads/delete-workload.ts';
import { evictPodImplementation } from '../../../activities/actions/workloads/evict-pod.ts';
import { hardenWorkloadImplementation } from '../../../activities/actions/workloads/harden-workload.ts';
import { rollbackWorkloadImplementation } from '../../../activities/actions/workloads/rollback-workload.ts';
import type { KubernetesCall } from '../../../integrations/kubernetes/call.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { testPlatform } from '../../platform.ts';
import { ownNode, rolledDeployment } from '../actions/eradication-table.ts';
import { cellKey, openCluster, resolved, stepContext } from './parts/cluster.ts';

const platform = await testPlatform();

describe('eradication and recovery', () => {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  beforeAll(async () => {
    cluster = await openCluster(platform.kubeconfig);
  });
  afterAll(() => cluster.close());

  const context = () => stepContext({ signal: AbortSignal.timeout(120_000) });

  test('an eviction that a disruption budget blocks is reported, not forced', async () => {
    const namespace = await platform.freshNamespace();
    const pod = resolved(await cluster.makePod(namespace, 'db', { metadata: { labels: { app: 'db' } } }));
    await cluster.post(pathOf({ group: 'policy', resource: 'poddisruptionbudgets', namespace }), {
      metadata: { name: 'db' },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'db' } } },
    });
    const evict = evictPodImplementation({ api: cluster.api, pollMs: 50, heldMs: 300 });
    const { notes } = await evict.plan({ pod }, context());
    expect(notes.join('\n')).toContain('/db leaves only when the disruption budget db allows it; nothing is forced.');
    await expect(evict.apply({ pod }, context())).rejects.toMatchObject({
      code: 'FB_ERR_REFUSED',
      detail: expect.stringContaining('nothing was forced'),
    });
    expect(await cluster.hasPod(namespace, 'db')).toBe(true);
  });

  test('two budgets for one pod block its eviction only when the API server says so repeatedly', async () => {
    const namespace = await platform.freshNamespace();
    const pod = resolved(await cluster.makePod(namespace, 'db', { metadata: { labels: { app: 'db' } } }));
    const budgets = { group: 'policy', resource: 'poddisruptionbudgets', namespace };
    for (const name of ['one', 'two'])
      await cluster.post(pathOf(budgets), {
        metadata: { name },
        spec: { minAvailable: 0, selector: { matchLabels: { app: 'db' } } },
      });
    expect((await evictPodImplementation({ api: cluster.api }).plan({ pod }, context())).notes).toContain(
      `pod/${namespace}/db stays: the disruption budgets one and two select it, and the API server evicts no such pod.`,
    );
    await expect(evictPodImplementation({ api: cluster.api }).apply({ pod }, context())).rejects.toMatchObject({
      code: 'FB_ERR_REFUSED',
      detail: expect.stringContaining('more than one disruption budget'),
    });
    expect(await cluster.hasPod(namespace, 'db')).toBe(true);

    // The second pod goes just after it has blocked once, like a transient error.
    let asked = 0;
    const api: KubernetesApi = {
      ...cluster.api,
      async json<T>(call: KubernetesCall): Promise<T> {
        if (call.path.endsWith('/eviction') && ++asked === 2)
          await cluster.api.json({ method: 'DELETE', path: pathOf({ ...budgets, name: 'two' }), what: 'clear the way' });
        return cluster.api.json<T>(call);
      },
    };
    const evict = evictPodImplementation({ api });
    const output = await evict.apply({ pod }, context());
    expect(output).toEqual({ pod, alreadyGone: false });
    expect(await evict.verify(output, context())).toMatchObject({ state: 'verified' });
  });

  test('a drain leaves critical, quarantined and protected pods, and those a budget blocks, and says so', async () => {
    const namespace = await platform.freshNamespace();
    const sacred = await platform.freshNamespace();
    const { node, end } = await ownNode(cluster, namespace);
    const onNode = { spec: { nodeName: node } };
    const { api, view } = cluster;
    await Promise.all([
      cluster.makePod(namespace, 'web', onNode),
      cluster.makePod(namespace, 'db', { ...onNode, metadata: { labels: { app: 'db' } } }),
      cluster.makePod(namespace, 'pair', { ...onNode, metadata: { labels: { app: 'pair' } } }),
      cluster
        .makePod(namespace, 'suspect', onNode)
        .then((pod) => quarantinePodImplementation({ api, view, cellKey }).apply({ pod: resolved(pod) }, context())),
      cluster.makePod(namespace, 'dns', { spec: { nodeName: node, priorityClassName: 'system-cluster-critical' } }),
      cluster.makePod(sacred, 'vault', onNode),
    ]);
    for (const [name, app] of [
      ['db', 'db'],
      ['one', 'pair'],
      ['two', 'pair'],
      ['other', 'nobody'],
    ])
      await cluster.post(pathOf({ group: 'policy', resource: 'poddisruptionbudgets', namespace }), {
        metadata: { name },
        spec: { minAvailable: 1, selector: { matchLabels: { app } } },
      });
    const drain = drainNodeImplementation({
      api: cluster.api,
      cellKey,
      isProtected: (one) => one === sacred,
      pollMs: 50,
      heldMs: 500,
    });
    const input = { node: { name: node } };
    const plan = await drain.plan(input, context());
    expect(plan.blastRadius).toEqual([`node/${node}`, ...['db', 'pair', 'web'].map((name) => `pod/${namespace}/${name}`)]);
    expect(plan.notes.join('\n')).toContain(`pod/${sacred}/vault stays: the namespace ${sacred} is protected`);
    expect(plan.notes.filter((note) => note.includes('budget'))).toEqual([
      `pod/${namespace}/db leaves only when the disruption budget db allows it; nothing is forced.`,
      `pod/${namespace}/pair stays: the disruption budgets one and two select it, and the API server evicts no such pod.`,
    ]);
    expect(plan.notes).toContain(`pod/${namespace}/web has no controller: nothing restarts it.`);
    const output = await drain.apply(input, context());
    expect(output.evicted.map(({ name }) => name)).toEqual(['web']);
    expect(await drain.verify(output, context())).toMatchObject({
      state: 'partial',
      missing: [
        `pod/${namespace}/pair: more than one disruption budget selects it, and the API server refuses its eviction`,
        `pod/${namespace}/db: its disruption budget allows no eviction now`,
      ],
    });
    for (const name of ['db', 'pair', 'suspect', 'dns']) expect(await cluster.hasPod(namespace, name)).toBe(true);
    expect(await cluster.hasPod(sacred, 'vault')).toBe(true);
    await end();
  });

  test('a rollback shows the difference, and hides values', async () => {
    const namespace = await platform.freshNamespace();
    await rolledDeployment(cluster, namespace);
    const [pod] = await cluster.pods(namespace);
    const input = { workload: { kind: 'Deployment', namespace, name: 'cart' }, suspect: resolved(pod ?? {}) };
    const rollback = rollbackWorkloadImplementation({ api: cluster.api, pollMs: 50 });
    const plan = await rollback.plan(input, context());
    expect(plan.notes[0]).toBe('Difference: spec.containers[main].image: shop/cart:2 becomes shop/cart:1.');
    const step = context();
    expect(await rollback.verify(await rollback.apply(input, step), step)).toMatchObject({ state: 'verified' });
    const { spec } = await cluster.deployment(namespace, 'cart');
    expect(spec?.template.spec?.containers[0]?.image).toBe('shop/cart:1');
    await expect(rollback.plan({ ...input, toRevision: 99 }, context())).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
  });

  test('a hardened workload that does not become ready gets its old fields back, and the plan showed the new ones', async () => {
    const namespace = await platform.freshNamespace();
    const path = pathOf({ group: 'apps', resource: 'deployments', namespace, name: 'cart' });
    const [pod] = await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
    const template = async () => (await cluster.deployment(namespace, 'cart')).spec?.template;
    const before = await template();
    // No second pod may be created here, and the first may not go before that: a rollout cannot complete.
    await cluster.post(pathOf({ resource: 'resourcequotas', namespace }), {
      metadata: { name: 'one' },
      spec: { hard: { pods: '1' } },
    });
    await cluster.api.json({
      method: 'PATCH',
      patch: 'merge',
      path,
      body: {
        spec: { progressDeadlineSeconds: 2, minReadySeconds: 0, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
      },
      what: 'set the scene',
    });
    const input = { workload: { kind: 'Deployment', namespace, name: 'cart' }, suspect: resolved(pod ?? {}) };
    const parts = { api: cluster.api, view: cluster.view, pollMs: 100, rollMs: 20_000 };
    const hardening = hardenWorkloadImplementation({ ...parts, appArmorOnEveryNode: true });
    const { notes } = await hardening.plan(input, context());
    const unsure = await hardenWorkloadImplementation(parts).plan(input, context());
    expect(unsure.notes.join(' ')).toContain('It gets no AppArmor profile: not every node');
    expect(unsure.notes.join(' ')).not.toContain('appArmorProfile');
    expect(notes).toEqual(
      expect.arrayContaining([
        'Difference: spec.automountServiceAccountToken is added: false.',
        'Difference: spec.containers[main].securityContext.readOnlyRootFilesystem is added: true.',
        'Difference: spec.hostUsers is added: false.',
        'Difference: spec.securityContext.appArmorProfile.type is added: RuntimeDefault.',
      ]),
    );
    expect(await template()).toEqual(before);
    const step = context();
    const failure = { code: 'FB_ERR_REFUSED', detail: expect.stringContaining('its old fields were restored') };
    await expect(hardening.apply(input, step)).rejects.toMatchObject(failure);
    expect(await template()).toEqual(before);
    await expect(hardening.apply(input, step)).rejects.toMatchObject(failure);
    expect((await cluster.pods(namespace)).map(({ metadata }) => metadata?.uid)).toEqual([pod?.metadata?.uid]);
  });

  test('a workload is deleted with all its pods, and the plan names them', async () => {
    const namespace = await platform.freshNamespace();
    const pods = await cluster.makeDeployment(namespace, 'miner');
    const [suspect] = pods;
    const input = { workload: { kind: 'Deployment', namespace, name: 'miner' }, suspect: resolved(suspect ?? {}) };
    const deletion = deleteWorkloadImplementation({ api: cluster.api, view: cluster.view, cellKey, pollMs: 50 });
    const plan = await deletion.plan(input, context());
    expect(plan.blastRadius).toEqual(
      [`deployment/${namespace}/miner`, ...pods.map(({ metadata }) => `pod/${namespace}/${metadata?.name}`)].sort(),
    );
    expect(await deletion.verify(await deletion.apply(input, context()), context())).toMatchObject({ state: 'verified' });
    expect(await cluster.pods(namespace)).toEqual([]);
  });
});

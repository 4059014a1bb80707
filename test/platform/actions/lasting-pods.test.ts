import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { drainNodeImplementation } from '../../../activities/actions/nodes/drain-node.ts';
import { deletePodImplementation } from '../../../activities/actions/workloads/delete-pod.ts';
import { deleteWorkloadImplementation } from '../../../activities/actions/workloads/delete-workload.ts';
import { evictPodImplementation } from '../../../activities/actions/workloads/evict-pod.ts';
import { restartWorkloadImplementation } from '../../../activities/actions/workloads/restart-workload.ts';
import { scaleToZeroImplementation } from '../../../activities/actions/workloads/scale-to-zero.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import type { PodJson } from '../../../integrations/kubernetes/watch/projection.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, openCluster, resolved, stepContext, until } from '../kubernetes/parts/cluster.ts';

const platform = await testPlatform();
/** A hundred million seconds are about three years. */
const years = 100_000_000;
/** A node without a simulated kubelet: a pod that is ended there goes when its grace period is over, and not before. */
const node = 'firebreak-unplayed';

let cluster: Awaited<ReturnType<typeof openCluster>>;
const namespaces: string[] = [];
const fresh = async (): Promise<string> => {
  const namespace = await platform.freshNamespace();
  namespaces.push(namespace);
  return namespace;
};
beforeAll(async () => {
  cluster = await openCluster(platform.kubeconfig);
  await cluster.post('/api/v1/nodes', { metadata: { name: node }, spec: { unschedulable: true } });
});
afterAll(async () => {
  for (const namespace of namespaces) {
    const gone = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 };
    await cluster.api.json({ method: 'DELETE', path: podsIn(namespace), body: gone, what: 'clean up' });
  }
  await cluster.api.json({ method: 'DELETE', path: `/api/v1/nodes/${node}`, what: 'clean up' });
  await cluster.close();
});

const podsIn = (namespace: string, name?: string): string =>
  pathOf({ resource: 'pods', namespace, ...(name !== undefined && { name }) });
const deploymentIn = (namespace: string): string => pathOf({ group: 'apps', resource: 'deployments', namespace, name: 'cart' });
const remove = (path: string, options: object) =>
  cluster.api.json({
    method: 'DELETE',
    path,
    body: { apiVersion: 'v1', kind: 'DeleteOptions', ...options },
    what: 'delete by hand',
  });
const patch = (path: string, body: object) =>
  cluster.api.json({ method: 'PATCH', patch: 'merge', path, body, what: 'change by hand' });
const cart = (namespace: string) => ({ kind: 'Deployment' as const, namespace, name: 'cart' });
const parts = () => ({ api: cluster.api, view: cluster.view, cellKey, pollMs: 50, unendedMs: 4_000 });

async function lonePod(namespace: string, name: string, metadata: object = {}): Promise<PodJson> {
  return cluster.post<PodJson>(podsIn(namespace), {
    metadata: { name, ...metadata },
    spec: { nodeName: node, terminationGracePeriodSeconds: years, containers: [{ name: 'main', image: 'shop/cart:1' }] },
  });
}

/** Reports each pod as running, as its kubelet would. */
async function play(namespace: string): Promise<void> {
  for (const { metadata, status } of await cluster.pods(namespace))
    if (status?.phase !== 'Running')
      await patch(`${podsIn(namespace, metadata?.name)}/status`, {
        status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
      });
}

/** Creates a Deployment on that node whose pods may take years to end. Returns its one pod. */
async function lastingDeployment(namespace: string): Promise<PodJson> {
  const labels = { app: 'cart' };
  await cluster.post(pathOf({ group: 'apps', resource: 'deployments', namespace }), {
    metadata: { name: 'cart' },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { nodeName: node, terminationGracePeriodSeconds: years, containers: [{ name: 'main', image: 'shop/cart:1' }] },
      },
    },
  });
  return until(async () => {
    await play(namespace);
    const { status } = await cluster.deployment(namespace, 'cart');
    return status?.availableReplicas === 1 ? (await cluster.pods(namespace))[0] : undefined;
  });
}

describe('a pod that was meant to end but keeps running is reported', () => {
  test.each<[string, (namespace: string, pods: readonly PodJson[]) => Promise<void>]>([
    [
      'by somebody who deletes the workload alone',
      async (namespace) => void (await remove(deploymentIn(namespace), { propagationPolicy: 'Orphan' })),
    ],
    [
      'by somebody who takes its pods out of its hands',
      async (namespace, pods) => {
        for (const { metadata } of pods)
          await patch(podsIn(namespace, metadata?.name), { metadata: { labels: { app: 'mine' } } });
        await until(async () => ((await cluster.pods(namespace)).length > pods.length ? true : undefined));
      },
    ],
  ])('when its workload is deleted: let go %s', async (_, letGo) => {
    const namespace = await fresh();
    const pods = await cluster.makeDeployment(namespace, 'cart');
    const [suspect] = pods;
    const [deletion, input] = [
      deleteWorkloadImplementation(parts()),
      { workload: cart(namespace), suspect: resolved(suspect ?? {}) },
    ];
    const plan = await deletion.plan(input, stepContext());
    await letGo(namespace, pods);
    const context = stepContext({ planned: plan.blastRadius });
    const verification = await deletion.verify(await deletion.apply(input, context), context);
    expect(verification).toMatchObject({
      state: 'partial',
      missing: pods
        .map(({ metadata }) =>
          expect.stringMatching(new RegExp(`^pod/${namespace}/${metadata?.name} is not being ended, and keeps running`)),
        )
        .sort((a, b) => (`${a}` < `${b}` ? -1 : 1)),
    });
  });

  test('when it may take years to end: deleted, evicted, scaled down, drained and rolled', async () => {
    const namespace = await fresh();
    const lasts = expect.stringMatching(/ is being ended, and its containers may run until 20\d\d-/);
    const partial = { state: 'partial', missing: [lasts] };

    const evicted = resolved(await lonePod(namespace, 'evicted'));
    const eviction = evictPodImplementation(parts());
    expect(await eviction.verify(await eviction.apply({ pod: evicted }, stepContext()), stepContext())).toMatchObject(partial);
    const drain = drainNodeImplementation({ ...parts(), isProtected: () => false });
    await lonePod(namespace, 'drained');
    const input = { node: { name: node } };
    expect((await drain.plan(input, stepContext())).notes.join(' ')).toMatch(
      /pod\/\S+\/evicted stays: it is being ended, and its containers may run until/,
    );
    expect(await drain.verify(await drain.apply(input, stepContext()), stepContext())).toMatchObject({
      state: 'partial',
      detail: 'the node is unschedulable, 0 pods have left it',
      missing: [
        expect.stringMatching(/drained is being ended, and its containers may run until/),
        expect.stringMatching(/evicted: it is being ended, and its containers may run until/),
      ],
    });

    const rolling = await fresh();
    const old = await lastingDeployment(rolling);
    const restart = restartWorkloadImplementation(parts());
    const output = await restart.apply({ workload: cart(rolling), suspect: resolved(old) }, stepContext());
    const playing = setInterval(() => void play(rolling).catch(() => undefined), 100);
    try {
      expect(await restart.verify(output, stepContext())).toMatchObject({
        state: 'partial',
        missing: expect.arrayContaining([lasts]),
      });
    } finally {
      clearInterval(playing);
    }
    const zero = scaleToZeroImplementation(parts());
    const step = stepContext();
    const scaled = await zero.apply({ workload: cart(rolling), suspect: resolved(old) }, step);
    expect(await zero.verify(scaled, step)).toMatchObject({ state: 'partial', missing: [lasts, lasts] });
    const deletion = deleteWorkloadImplementation(parts());
    const deleted = await deletion.apply({ workload: cart(rolling), suspect: resolved(old) }, stepContext());
    expect(await deletion.verify(deleted, stepContext())).toMatchObject({ state: 'partial', missing: [lasts, lasts] });
  });

  test('when its finalizers keep it, and when somebody else had already ended it', async () => {
    const namespace = await fresh();
    const kept = resolved(await lonePod(namespace, 'kept', { finalizers: ['example.com/keep'] }));
    const deletion = deletePodImplementation(parts());
    const output = await deletion.apply({ pod: kept }, stepContext());
    await remove(podsIn(namespace, 'kept'), { gracePeriodSeconds: 0 });
    expect(await deletion.verify(output, stepContext())).toMatchObject({
      state: 'partial',
      missing: [`pod/${namespace}/kept is kept by its finalizers: example.com/keep`],
    });
    await patch(podsIn(namespace, 'kept'), { metadata: { finalizers: null } });
    const forced = resolved(await lonePod(namespace, 'forced'));
    await remove(podsIn(namespace, 'forced'), { gracePeriodSeconds: 0 });
    expect(await deletion.verify(await deletion.apply({ pod: forced }, stepContext()), stepContext())).toMatchObject({
      state: 'unverified',
      detail: expect.stringContaining('whether its containers have ended is not known'),
    });
  });

  test('when its workload is scaled to zero but has lost control of the pod meanwhile', async () => {
    const namespace = await fresh();
    const [pod] = await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
    const { name, uid } = resolved(pod ?? {});
    const zero = scaleToZeroImplementation(parts());
    const context = stepContext();
    const output = await zero.apply({ workload: cart(namespace), suspect: { namespace, name, uid } }, context);
    expect(output.pods).toEqual([{ namespace, name, uid }]);
    const other = resolved(await cluster.makePod(namespace, 'mine', { metadata: { labels: { app: 'mine' } } }));
    // As it would look for a pod that was released at the same moment.
    expect(await zero.verify({ ...output, pods: [other] }, context)).toMatchObject({
      state: 'partial',
      missing: [`pod/${namespace}/mine is not being ended, and keeps running`],
    });
  });
});

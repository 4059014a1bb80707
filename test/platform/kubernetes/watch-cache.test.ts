import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { V1NetworkPolicy } from '@kubernetes/client-node';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import { names } from '../../../core/cluster/labels.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { errorOfStatus } from '../../../integrations/kubernetes/client-error.ts';
import { readStandingPolicy, StandingPolicies } from '../../../integrations/kubernetes/policies/standing-policy.ts';
import { type Jsonify, type PodJson, policyRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { Reflector } from '../../../integrations/kubernetes/watch/reflector.ts';
import { createSubjectResolver } from '../../../integrations/kubernetes/watch/resolver.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, openCluster, resolved, stepContext, until } from './parts/cluster.ts';

const platform = await testPlatform();
let cluster: Awaited<ReturnType<typeof openCluster>>;
let namespace: string;
beforeAll(async () => {
  cluster = await openCluster(platform.kubeconfig);
  namespace = await platform.freshNamespace();
});
afterAll(() => cluster.close());

const alert = (more: Partial<Alert>): Alert => ({
  id: '0'.repeat(32),
  sensor: 'falco',
  rule: 'Drop and execute new binary in container',
  severity: 'critical',
  time: new Date().toISOString(),
  title: 'a new binary',
  cluster: 'test',
  observables: [],
  tags: [],
  mitre: [],
  ...more,
});

const giveContainerId = async (pod: PodJson, id: string): Promise<void> => {
  const { namespace = '', name = '' } = resolved(pod);
  await cluster.api.json({
    method: 'PATCH',
    patch: 'strategic',
    path: pathOf({ resource: 'pods', namespace, name, subresource: 'status' }),
    body: { status: { containerStatuses: [{ name: 'main', containerID: `containerd://${id}`, imageID: 'x', image: 'x' }] } },
    what: 'set a container id',
  });
  await until(async () => (cluster.view.podByUid(pod.metadata?.uid ?? '')?.containers[0]?.id === id ? true : undefined));
};

describe('whom an alert is about', () => {
  const resolver = () => createSubjectResolver({ view: cluster.view, cellKey });

  test('is the Deployment above the pod’s ReplicaSet, even when only a container id is known', async () => {
    const [pod, sibling] = await cluster.makeDeployment(namespace, 'cart');
    if (!pod || !sibling) throw new Error('two replicas were asked for');
    await until(async () =>
      cluster.view.ownersOf('ReplicaSet', namespace, pod.metadata?.ownerReferences?.[0]?.name ?? '') ? true : undefined,
    );
    const subject = { kind: 'workload', cluster: 'test', namespace, ownerKind: 'Deployment', name: 'cart' };
    const { uid, name } = resolved(pod);
    expect(resolver().resolve(alert({ pod: { namespace, name } }))).toMatchObject({
      subject,
      alert: {
        pod: { uid },
        node: pod.spec?.nodeName,
        workload: { kind: 'Deployment', name: 'cart' },
        container: { name: 'main', image: 'shop/cart:1' },
        rollout: { revision: '1', at: expect.stringMatching(/Z$/) },
      },
    });
    const id = 'ab'.repeat(32);
    await giveContainerId(pod, id);
    const found = resolver().resolve(alert({ container: { id: id.slice(0, 12) } }));
    expect(found).toMatchObject({ subject, alert: { pod: { uid, name } } });
    expect(found.alert.workload).not.toHaveProperty('guessed');
    await giveContainerId(sibling, `${id.slice(0, 12)}${'0'.repeat(52)}`);
    const twice = resolver().resolve(alert({ container: { id: id.slice(0, 12) } }));
    expect(twice.ambiguous).toContain('2 pods');
    expect(twice.alert.pod).toBeUndefined();
    // People see it where they read the incident.
    expect(twice.alert.doubt).toBe(twice.ambiguous);
  });

  test('is not a pod that was created after the alert, nor one on another node', async () => {
    const pod = await cluster.makePod(namespace, 'db-0');
    const id = 'cd'.repeat(32);
    await giveContainerId(pod, id);
    const past = new Date(Date.now() - 60_000).toISOString();
    const early = resolver().resolve(alert({ pod: { namespace, name: 'db-0' }, time: past }));
    expect(early.alert.pod?.uid).toBeUndefined();
    expect(early.alert.workload).toEqual({ kind: 'StatefulSet', namespace, name: 'db', guessed: true });
    const container = { id: id.slice(0, 12) };
    expect(resolver().resolve(alert({ container, ...(pod.spec?.nodeName && { node: pod.spec.nodeName }) })).alert.pod?.name).toBe(
      'db-0',
    );
    const otherNode = (await cluster.get<{ items: { metadata: { name: string } }[] }>('/api/v1/nodes')).items.find(
      ({ metadata }) => metadata.name !== pod.spec?.nodeName && cluster.view.knowsNode(metadata.name),
    );
    if (otherNode) expect(resolver().resolve(alert({ container, node: otherNode.metadata.name })).alert.pod).toBeUndefined();
    expect(resolver().resolve(alert({ container, node: 'falco-x7k2p' })).alert.pod?.name).toBe('db-0');
  });

  test('stays the incident’s subject after the quarantine detaches the pod from its owner, but not through a forged mark', async () => {
    const [pod] = await cluster.makeDeployment(namespace, 'pay', { replicas: 1 });
    if (!pod) throw new Error('one replica was asked for');
    const context = stepContext({ incident: `incident/test/${namespace}/Deployment/pay` });
    await quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey }).apply({ pod: resolved(pod) }, context);
    const { name, uid } = resolved(pod);
    await until(async () => (cluster.view.podByUid(uid)?.owners.length === 0 ? true : undefined));
    const subject = { kind: 'workload', cluster: 'test', namespace, ownerKind: 'Deployment', name: 'pay' };
    expect(resolver().resolve(alert({ pod: { namespace, name } })).subject).toEqual(subject);
    const text = (await cluster.pod(namespace, name)).metadata?.annotations?.[names.beforeAnnotation] ?? '';
    await cluster.makePod(namespace, 'thief', { metadata: { annotations: { [names.beforeAnnotation]: text } } });
    expect(resolver().resolve(alert({ pod: { namespace, name: 'thief' } })).subject).toMatchObject({
      ownerKind: 'Pod',
      name: 'thief',
    });
  });
});

test('the watch repeats what our own call returned, and each version of a pod is told once', async () => {
  const { namespace: where, name, uid } = resolved(await cluster.makePod(namespace, 'told-once'));
  const told: string[] = [];
  cluster.view.onPod((pod) => {
    if (pod.uid === uid) told.push(pod.resourceVersion);
  });
  const label = async (value: string) =>
    cluster.api.json<PodJson>({
      method: 'PATCH',
      patch: 'merge',
      path: pathOf({ resource: 'pods', namespace: where, name }),
      body: { metadata: { labels: { told: value } } },
      what: 'label a pod',
    });
  const own = await label('own');
  cluster.view.observePod(own);
  await label('later');
  await until(async () => (cluster.view.podByUid(uid)?.labels.told === 'later' ? true : undefined));
  expect(told.filter((version) => version === own.metadata?.resourceVersion)).toHaveLength(1);
  expect(new Set(told).size).toBe(told.length);
});

describe('a result of our own call that arrives after the watch has reported something later', () => {
  const policies = (name?: string) =>
    pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace, ...(name && { name }) });
  const seen = (name: string) => cluster.view.policies(namespace).find((policy) => policy.name === name);
  const deletePolicy = (name: string) => cluster.api.json({ method: 'DELETE', path: policies(name), what: 'delete a policy' });
  const makePolicy = (name: string) =>
    cluster.post<Jsonify<V1NetworkPolicy>>(policies(), {
      metadata: { name },
      spec: { podSelector: {}, policyTypes: ['Egress'] },
    });

  test('does not bring a deleted policy back', async () => {
    const own = await makePolicy('deleted-at-once');
    await until(async () => seen('deleted-at-once'));
    await deletePolicy('deleted-at-once');
    await until(async () => (seen('deleted-at-once') ? undefined : true));
    cluster.view.observePolicy(own);
    expect(seen('deleted-at-once')).toBeUndefined();
  });

  test('does not hide that a policy was changed', async () => {
    const own = await makePolicy('opened-at-once');
    await cluster.api.json({
      method: 'PATCH',
      patch: 'merge',
      path: policies('opened-at-once'),
      body: { spec: { egress: [{}] } },
      what: 'open a policy',
    });
    const opened = await until(async () => {
      const found = seen('opened-at-once');
      return found?.specDigest === policyRecord(own).specDigest ? undefined : found;
    });
    cluster.view.observePolicy(own);
    expect(seen('opened-at-once')).toEqual(opened);
    await deletePolicy('opened-at-once');
  });

  test('does not bring a deleted pod back', async () => {
    const own = await cluster.makePod(namespace, 'gone-at-once');
    const { name, uid } = resolved(own);
    await cluster.api.json({
      method: 'DELETE',
      path: pathOf({ resource: 'pods', namespace, name }),
      body: { gracePeriodSeconds: 0 },
      what: 'delete a pod',
    });
    await until(async () => (cluster.view.podByUid(uid) ? undefined : true));
    cluster.view.observePod(own);
    expect(cluster.view.podByUid(uid)).toBeUndefined();
  });
});

test('a watch survives a dropped connection, an expired version, a restored etcd and a handler that throws', async () => {
  const streams: IncomingMessage[] = [];
  let expire = false;
  let restored = false;
  const api: KubernetesApi = {
    ...cluster.api,
    async json<R>(call: Parameters<KubernetesApi['json']>[0]): Promise<R> {
      const answer = await cluster.api.json<R & { metadata: object }>(call);
      if (!restored) return answer;
      restored = false;
      return { ...answer, metadata: { ...answer.metadata, resourceVersion: '1' } };
    },
    async stream(call) {
      if (expire) {
        expire = false;
        throw errorOfStatus({ status: 410, text: '{"reason":"Expired"}', what: 'watch pods' });
      }
      const response = await cluster.api.stream(call);
      streams.push(response);
      return response;
    },
  };
  const space = await platform.freshNamespace();
  const seen = new Set<string>();
  const said: string[] = [];
  let lists = 0;
  let broken = true;
  const reflector = new Reflector<PodJson>({
    api,
    resource: 'pods',
    path: pathOf({ resource: 'pods', namespace: space }),
    log: ({ level, what }) => said.push(`${level}: ${what}`),
    onList: (items) => {
      lists += 1;
      for (const { metadata } of items) seen.add(metadata?.name ?? '');
    },
    onChange: ({ item }) => {
      if (item.metadata?.name === 'third' && broken) {
        broken = false;
        throw new Error('a fault in the handler');
      }
      seen.add(item.metadata?.name ?? '');
    },
  });
  const sees = (name: string) => until(async () => (seen.has(name) ? true : undefined));
  expect(reflector.age()).toBe(Number.POSITIVE_INFINITY);
  await reflector.start();
  await until(async () => streams[0]);
  streams.at(-1)?.destroy();
  await cluster.makePod(space, 'first');
  await sees('first');
  expect(lists).toBe(1);
  expire = true;
  streams.at(-1)?.destroy();
  await until(async () => (lists === 2 ? true : undefined));
  await cluster.makePod(space, 'second');
  await sees('second');
  await cluster.makePod(space, 'third');
  await sees('third');
  expect(lists).toBe(3);
  restored = true;
  // The watch after the third list may not be open yet.
  await until(async () => {
    streams.at(-1)?.destroy();
    return lists === 4 ? true : undefined;
  });
  await cluster.makePod(space, 'fourth');
  await sees('fourth');
  expect(lists).toBe(4);
  const warned = [...new Set(said.filter((line) => line.startsWith('warn')))];
  expect(warned).toEqual([
    'warn: a watch event could not be handled (Error)',
    'warn: pods are listed again: the API server is at an earlier version, as after a restore of etcd',
  ]);
  expect(said.some((line) => line.startsWith('debug') && line.includes('410'))).toBe(true);
  await until(async () => (reflector.age() < 5_000 ? true : undefined));
  await reflector.stop();
});

test('every watched namespace keeps the standing policy, including a new one or one whose policy was changed', async () => {
  const watched = new Set([namespace]);
  const standing = new StandingPolicies({
    api: cluster.api,
    view: cluster.view,
    watched: (name) => watched.has(name),
    everyMs: 200,
  });
  await standing.start();
  const policy = (space: string) => readStandingPolicy({ api: cluster.api, namespace: space });
  const spec = (await policy(namespace))?.spec;
  expect(spec).toBeDefined();
  const later = await platform.freshNamespace();
  watched.add(later);
  await until(() => policy(later));
  await cluster.api.json({
    method: 'PATCH',
    patch: 'merge',
    path: pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace, name: names.standingPolicy }),
    body: { spec: { ingress: [{}], podSelector: { matchLabels: { more: 'x' } } } },
    what: 'weaken it',
  });
  await until(async () => (JSON.stringify((await policy(namespace))?.spec) === JSON.stringify(spec) ? true : undefined));
  await standing.stop();
  const unwatched = await platform.freshNamespace();
  expect(await policy(unwatched)).toBeUndefined();
});

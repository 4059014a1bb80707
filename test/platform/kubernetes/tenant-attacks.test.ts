import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { tools } from '../../../core/actions/in-container-rights.ts';
import { actions, quarantinePod } from '../../../core/actions/index.ts';
import { quarantineLabels } from '../../../core/cluster/before-state.ts';
import { names } from '../../../core/cluster/labels.ts';
import type { IncidentNote } from '../../../core/incident/incident.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import type { PodJson } from '../../../integrations/kubernetes/watch/projection.ts';
import { ContainedPods } from '../../../service/cell/contained-pods.ts';
import { HeldObjects } from '../../../service/cell/containment/held-objects.ts';
import { HoldContainment } from '../../../service/cell/containment/hold-containment.ts';
import { openKnowledge } from '../../../service/cell/pools/durable-memory.ts';
import { callKubernetes, type KubernetesAccess, readAccess } from '../../../tools/platform/kubernetes/kubernetes-api.ts';
import { writeAccountKubeconfig } from '../../account-kubeconfig.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, openCluster, resolved, stepContext } from './parts/cluster.ts';

const platform = await testPlatform();
const log = pino({ level: 'silent' });
const folder = mkdtempSync(join(tmpdir(), 'firebreak-tenant-'));
const toolsImage = `images.internal/firebreak-tools@sha256:${'0'.repeat(64)}`;
const rbac = 'rbac.authorization.k8s.io';
const notes: IncidentNote[] = [];
const ends: (() => Promise<unknown>)[] = [];

let cluster: Awaited<ReturnType<typeof openCluster>>;
let namespace: string;
let tenant: KubernetesAccess;

/**
 * The cell's watch on the real API server, without admission: only what the watch restores stays in place. The tenant has the built-in role `edit`, and may
 * debug and bind.
 */
beforeAll(async () => {
  cluster = await openCluster(platform.kubeconfig);
  namespace = await platform.freshNamespace();
  const knowledge = openKnowledge(join(folder, 'memory'), log);
  const pods = new ContainedPods(join(folder, 'contained'));
  const quarantine = quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey });
  const hold = new HoldContainment({
    chokepoint: {
      apply: async ({ key, incident, input }, context) => {
        const { pod } = input as { readonly pod: ReturnType<typeof resolved> };
        const planned = await quarantine.plan({ pod }, { ...context, key, incident: incident.id });
        const { name: action, effect, reach } = quarantinePod;
        const output = await quarantine.apply({ pod }, { ...context, key, incident: incident.id });
        return { plan: { ...planned, action, effect, reach, inputDigest: '' }, output };
      },
    },
    view: cluster.view,
    cellKey,
    pods,
    objects: new HeldObjects({ api: cluster.api, cellKey, actions, keeper: knowledge.heldObjects }),
    landed: knowledge.landed,
    denyTier: () => undefined,
    exceptions: {},
    toolsImage,
    note: async (_, note) => void notes.push(note),
    log,
  });
  hold.start();
  ends.push(
    () => hold.stop(),
    () => pods.close(),
    () => knowledge.close(),
  );
  const at = (resource: string) => pathOf({ group: rbac, resource, namespace });
  await cluster.post(pathOf({ resource: 'serviceaccounts', namespace }), { metadata: { name: 'tenant' } });
  await cluster.post(at('roles'), {
    metadata: { name: 'debug' },
    rules: [
      { apiGroups: [''], resources: ['pods/ephemeralcontainers', 'pods/resize'], verbs: ['patch', 'update'] },
      { apiGroups: [''], resources: ['pods/binding'], verbs: ['create'] },
    ],
  });
  for (const [name, kind, role] of [
    ['edit', 'ClusterRole', 'edit'],
    ['debug', 'Role', 'debug'],
  ])
    await cluster.post(at('rolebindings'), {
      metadata: { name },
      roleRef: { apiGroup: rbac, kind, name: role },
      subjects: [{ kind: 'ServiceAccount', name: 'tenant', namespace }],
    });
  const file = join(folder, 'tenant.kubeconfig');
  await writeAccountKubeconfig({ kubeconfig: platform.kubeconfig, namespace, name: 'tenant', file });
  tenant = readAccess(file);
});

afterAll(async () => {
  for (const end of ends) await end();
  await cluster?.close();
  rmSync(folder, { recursive: true });
});

async function asTenant(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<void> {
  const { status, text } = await callKubernetes({ access: tenant, method, path, ...(body && { body }) });
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
}

const podAt = (name: string, subresource?: string): string =>
  pathOf({ resource: 'pods', namespace, name, ...(subresource !== undefined && { subresource }) });
const standingAt = (): string =>
  pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace, name: names.standingPolicy });

/** Creates a pod in quarantine that the watch has looked at. */
async function held(name: string, more: { metadata?: object; spec?: object } = {}): Promise<PodJson> {
  const pod = resolved(await cluster.makePod(namespace, name, more));
  const incident = `incident/test/${namespace}/Pod/${name}`;
  const step = stepContext({ incident });
  await quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey }).apply({ pod }, step);
  return eventually('the pod in the watch', async () => {
    const seen = cluster.view.podByUid(pod.uid);
    return seen?.labels[names.quarantineLabel] === 'active' && seen.endsBy ? cluster.pod(namespace, name) : undefined;
  });
}

const toldOf = (name: string): readonly IncidentNote[] => notes.filter(({ about }) => about === `pod/${namespace}/${name}`);
/** Waits for a line about the pod, which comes within seconds of what was done to it. */
const told = (name: string, text: string): Promise<IncidentNote> =>
  eventually(`a line: ${text}`, async () => toldOf(name).find((note) => note.text.includes(text)));

const container = (name: string, image: string) => ({
  name,
  image,
  terminationMessagePolicy: 'File',
  imagePullPolicy: 'IfNotPresent',
});
const gone = { apiVersion: 'v1', kind: 'ConfigMap', name: 'never-was', uid: '00000000-0000-4000-8000-000000000000' };

describe('a tenant with access to a quarantined pod', () => {
  test('who adds a container is reported, but our own tools are not', async () => {
    await held('debugged');
    const ours = container(`${tools.namePrefix}1234567890ab`, toolsImage);
    const theirs = container(`${tools.namePrefix}debugger`, 'busybox:1');
    await asTenant('PATCH', podAt('debugged', 'ephemeralcontainers'), { spec: { ephemeralContainers: [ours] } });
    await asTenant('PATCH', podAt('debugged', 'ephemeralcontainers'), { spec: { ephemeralContainers: [ours, theirs] } });
    const { kind, text } = await told('debugged', 'somebody added a container');
    expect(kind).toBe('containment.changed');
    expect(text).toContain(`${theirs.name} (busybox:1)`);
    expect(toldOf('debugged').filter((note) => note.text.includes(toolsImage))).toEqual([]);
  });

  test('who changes its resources, or sets a deadline that ends it, is reported', async () => {
    const resources = { requests: { cpu: '100m' }, limits: { memory: '128Mi' } };
    await held('resized', { spec: { containers: [{ name: 'main', image: 'shop/cart:1', resources }] } });
    const { spec, status } = await cluster.pod(namespace, 'resized');
    const [main] = spec?.containers ?? [];
    // As a kubelet reports that it can do this: https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
    const [seen] = status?.containerStatuses ?? [];
    const isOn = { name: 'main', image: 'shop/cart:1', imageID: '', ready: true, restartCount: 0, ...seen, resources };
    await cluster.api.json({
      method: 'PATCH',
      patch: 'merge',
      path: podAt('resized', 'status'),
      body: { status: { containerStatuses: [isOn] } },
      what: 'say what it has, as its node would',
    });
    const smaller = { ...resources, requests: { ...main?.resources?.requests, cpu: '50m' } };
    await asTenant('PATCH', podAt('resized', 'resize'), { spec: { containers: [{ ...main, resources: smaller }] } });
    expect((await told('resized', 'so that its node may stop')).text).toMatch(
      /what container main is given was requests cpu 100m.* and is now requests cpu 50m/,
    );
    await asTenant('PATCH', podAt('resized'), { spec: { activeDeadlineSeconds: 1 } });
    await told('resized', 'its deadline was not set and is now 1 s');
  });

  test('who kills what runs in one of its containers is reported once, with what its node says, even after many kills in a row', async () => {
    const restarted = (name: string, restartCount: number, reason = 'Error') =>
      cluster.api.json({
        method: 'PATCH',
        patch: 'merge',
        path: podAt(name, 'status'),
        body: {
          status: {
            containerStatuses: [
              {
                ...{ name: 'main', image: 'shop/cart:1', imageID: '', ready: true, restartCount, state: { running: {} } },
                lastState: { terminated: { exitCode: 137, reason } },
              },
            ],
          },
        },
        what: 'start it again as its node would',
      });
    const made = await cluster.makePod(namespace, 'restarted');
    await restarted('restarted', 3);
    const pod = resolved(made);
    await eventually('three restarts in the watch', () => cluster.view.podByUid(pod.uid)?.restarts === 3);
    const step = stepContext({ incident: `incident/test/${namespace}/Pod/restarted` });
    await quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey }).apply({ pod }, step);
    await eventually('the pod in the watch', () => cluster.view.podByUid(pod.uid)?.endsBy !== undefined);
    const lines = () => toldOf('restarted').filter(({ text }) => text.includes('was restarted'));
    await restarted('restarted', 4, 'OOMKilled');
    expect(await told('restarted', 'was restarted')).toMatchObject({
      kind: 'containment.changed',
      text: expect.stringMatching(/what was in its memory is lost: main \(OOMKilled, exit code 137\)$/),
    });
    for (const times of [5, 6, 12, 13]) {
      await restarted('restarted', times);
      await eventually('the watch', () => cluster.view.podByUid(pod.uid)?.restarts === times);
    }
    await told('restarted', 'main, 10 times (Error, exit code 137)');
    expect(lines()).toHaveLength(2);
    expect(cluster.view.podByUid(pod.uid)?.labels[names.quarantineLabel]).toBe('active');
  });

  test('who gets it ended without deleting it is reported, and it stays held', async () => {
    await held('ended');
    await cluster.api.json({
      method: 'PATCH',
      patch: 'merge',
      path: podAt('ended', 'status'),
      body: { status: { phase: 'Failed', reason: 'DeadlineExceeded' } },
      what: 'end it as its node would',
    });
    expect(await told('ended', 'all containers of')).toMatchObject({ kind: 'containment.gone' });
    await asTenant('PATCH', podAt('ended'), { metadata: { labels: { [names.quarantineLabel]: null } } });
    await told('ended', 'and it is in force again');
  });

  test('who gets the standing policy garbage-collected through a bogus owner sees it restored', async () => {
    await held('policed');
    const before = await cluster.get<{ metadata: { uid: string } }>(standingAt());
    await asTenant('PATCH', standingAt(), { metadata: { ownerReferences: [gone] } });
    const after = await eventually('another policy', async () => {
      const found = await cluster.get<{ metadata: { uid: string } }>(standingAt()).catch(() => undefined);
      return found && found.metadata.uid !== before.metadata.uid ? found : undefined;
    });
    expect(after.metadata).not.toHaveProperty('ownerReferences');
    // From whichever pod of the namespace the cell looked at first.
    await eventually('a line', async () => notes.find(({ text }) => text.includes(`${names.standingPolicy} is missing`)));
  });

  test('who gives the pod such an owner, or a ReplicaSet that adopts it by our own label, has its deletion reported', async () => {
    await held('orphan', { metadata: { finalizers: ['example.com/slow'] } });
    await asTenant('PATCH', podAt('orphan'), { metadata: { ownerReferences: [gone] } });
    expect(await told('orphan', 'is being deleted')).toMatchObject({ kind: 'containment.gone' });
    await asTenant('PATCH', podAt('orphan'), { metadata: { finalizers: null } });

    const { metadata } = await held('adopted');
    const label = { [names.incidentLabel]: metadata?.labels?.[names.incidentLabel] ?? '' };
    const set = pathOf({ group: 'apps', resource: 'replicasets', namespace });
    await asTenant('POST', set, {
      metadata: { name: 'thief' },
      spec: {
        replicas: 0,
        selector: { matchLabels: label },
        template: { metadata: { labels: label }, spec: { containers: [{ name: 'main', image: 'shop/cart:1' }] } },
      },
    });
    expect(await told('adopted', 'is being deleted, or is gone')).toMatchObject({ kind: 'containment.gone' });
  });

  test('who overwrites its labels by server-side apply with force sees them restored', async () => {
    await held('applied');
    await cluster.api.json({
      method: 'PATCH',
      patch: 'apply',
      path: podAt('applied'),
      query: { fieldManager: 'tenant', force: 'true' },
      body: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'applied', labels: { [names.quarantineLabel]: 'no', app: 'cart' } },
      },
      what: 'apply by force',
    });
    await told('applied', 'and it is in force again');
    const { metadata } = await cluster.pod(namespace, 'applied');
    expect(metadata?.labels?.[names.quarantineLabel]).toBe('active');
    expect(metadata?.labels).not.toHaveProperty('app');
  });

  test('who adds labels and annotations while binding it to a node sees them removed', async () => {
    const made = await cluster.post<PodJson>(pathOf({ resource: 'pods', namespace }), {
      metadata: { name: 'waiting', labels: { app: 'cart' } },
      spec: { schedulerName: 'nobody', containers: [{ name: 'main', image: 'shop/cart:1' }] },
    });
    const pod = resolved(made);
    const step = stepContext({ incident: `incident/test/${namespace}/Pod/waiting` });
    await eventually('the pod in the watch', async () => cluster.view.podByUid(pod.uid));
    await quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey }).apply({ pod }, step);
    await asTenant('POST', podAt('waiting', 'binding'), {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'waiting', labels: { role: 'db' }, annotations: { [names.stepAnnotation]: 'theirs' } },
      target: { apiVersion: 'v1', kind: 'Node', name: 'node-a' },
    });
    const { text } = await told('waiting', 'and it is in force again');
    expect(text).toContain('label role=db was added');
    const { metadata } = await cluster.pod(namespace, 'waiting');
    expect(metadata?.labels).toEqual(quarantineLabels(step.incident));
    expect(metadata?.annotations?.[names.stepAnnotation]).toBe(step.key);
  });

  test('who writes Services, EndpointSlices or labels of other objects does not affect its quarantine', async () => {
    const { status } = await held('reached');
    const ip = status?.podIP ?? '10.9.8.7';
    await asTenant('POST', pathOf({ resource: 'services', namespace }), {
      metadata: { name: 'around' },
      spec: { ports: [{ port: 80 }] },
    });
    await asTenant('POST', pathOf({ group: 'discovery.k8s.io', resource: 'endpointslices', namespace }), {
      metadata: { name: 'around', labels: { 'kubernetes.io/service-name': 'around' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: [ip] }],
      ports: [{ port: 80 }],
    }).catch((error: unknown) => expect(String(error)).toContain('403'));
    const { labels } = (await cluster.get<{ metadata: { labels: Record<string, string> } }>(`/api/v1/namespaces/${namespace}`))
      .metadata;
    await expect(
      asTenant('PATCH', `/api/v1/namespaces/${namespace}`, { metadata: { labels: { team: 'other' } } }),
    ).rejects.toThrow('403');
    expect(labels['kubernetes.io/metadata.name']).toBe(namespace);
    const pod = cluster.view.podByUid((await cluster.pod(namespace, 'reached')).metadata?.uid ?? '');
    expect(pod?.labels[names.quarantineLabel]).toBe('active');
  });
});

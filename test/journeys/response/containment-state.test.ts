import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { counter } from '../../../core/actions/containment/count-connections.ts';
import { resourcePlurals } from '../../../core/cluster/cluster-resources.ts';
import { names } from '../../../core/cluster/labels.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { playedBack } from '../../../core/messages/message-table.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { callKubernetes, type KubernetesAccess, readAccess } from '../../../tools/platform/kubernetes/kubernetes-api.ts';
import { writeAccountKubeconfig } from '../../account-kubeconfig.ts';
import { until, type Workload } from '../../platform/e2e/parts/cluster.ts';
import { Service } from '../../platform/e2e/parts/service.ts';
import { testPlatform } from '../../platform.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
const admin = readAccess(kubeconfig);
const folder = mkdtempSync(join(tmpdir(), 'firebreak-tenant-'));
const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const plurals = Object.values(resourcePlurals);
let namespace: string;
/** Namespace in which Firebreak creates its own pods. */
let ownNamespace: string;
let service: Service;
let workload: Workload;
let tenant: KubernetesAccess;

async function call(access: KubernetesAccess, method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<void> {
  const { status, text } = await callKubernetes({ access, method, path, ...(body && { body }) });
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
}

/** Admission is not applied here: only what the watch restores stays in place. */
beforeAll(async () => {
  namespace = await freshNamespace();
  ownNamespace = await freshNamespace();
  for (const plural of plurals)
    await call(
      admin,
      'POST',
      crds,
      parse(readFileSync(join(projectRoot(), 'deploy', 'crds', `firebreak.dev_${plural}.yaml`), 'utf8')),
    );
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    // 3 s afterwards.
    config.incidents = { effectChecks: [0.05] };
    config.kubernetes = { kubeconfig, ownNamespace };
    config.forensics = { toolsImage: `images.internal/firebreak-tools@sha256:${'0'.repeat(64)}` };
    config.actions = { optIn: ['countConnections'] };
  });
  await service.start();
  [workload] = (await service.workloads.deploy(namespace, ['held'])) as [Workload];
  await call(admin, 'POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'tenant' } });
  await call(admin, 'POST', `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
    metadata: { name: 'tenant' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
    subjects: [{ kind: 'ServiceAccount', name: 'tenant', namespace }],
  });
  const file = join(folder, 'tenant.kubeconfig');
  await writeAccountKubeconfig({ kubeconfig, namespace, name: 'tenant', file });
  tenant = readAccess(file);
  await service.alert(workload);
  await service.contained(workload, 120_000);
  await endCount({ table: 40, open: 2, others: 0, neighbours: 11 });
  await service.cardOf(workload);
});

afterAll(async () => {
  await service?.stop();
  for (const plural of plurals) await call(admin, 'DELETE', `${crds}/${plural}.firebreak.dev`);
  rmSync(folder, { recursive: true });
});

/** Returns the items of a list, as JSON; none if the API server does not have the kind yet. */
async function list(path: string): Promise<readonly { readonly [field: string]: unknown }[]> {
  const { status, text } = await callKubernetes({ access: admin, method: 'GET', path });
  return status === 200 ? JSON.parse(text).items : [];
}

const pod = (): string => `/api/v1/namespaces/${namespace}/pods/${workload.pod}`;
/** A node that runs containers would run the counting pod: here the test supplies its result. */
async function endCount(told: object): Promise<void> {
  const pods = `/api/v1/namespaces/${ownNamespace}/pods`;
  const state = { terminated: { exitCode: 0, message: JSON.stringify(told) } };
  const main = { name: 'main', image: 'i', imageID: '', ready: false, restartCount: 0, state };
  const body = { status: { phase: 'Succeeded', containerStatuses: [main] } };
  await until('the end of the pod that counts', 120_000, async () => {
    const metadata = (await list(pods)).map((one) => one.metadata as { readonly name: string });
    const { name } = metadata.find((one) => one.name.startsWith(counter.namePrefix)) ?? {};
    if (name === undefined) return false;
    const { status } = await callKubernetes({ access: admin, method: 'PATCH', path: `${pods}/${name}/status`, body });
    return status === 200;
  });
}

const policies = (name = ''): string => `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies${name && `/${name}`}`;
const metadata = () => service.workloads.podMetadata(workload);
const lines = ({ timeline }: IncidentState, kind: string) => timeline.filter((entry) => entry.kind === kind);
const missing = (now: IncidentState): unknown => {
  const { verification } = quarantine(now) ?? {};
  return verification && 'missing' in verification ? verification.missing : undefined;
};
const quarantine = ({ steps }: IncidentState) => steps.find(({ action }) => action === 'quarantinePod');

test('what was done is announced on the pod by one Event, and listed by kubectl as an incident and a containment', async () => {
  const { uid } = JSON.parse((await callKubernetes({ access: admin, method: 'GET', path: pod() })).text).metadata;
  const regarding = { kind: 'Pod', namespace, name: workload.pod, uid };
  const events = await until('the Event', 120_000, async () => {
    const found = await list(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`);
    const own = found.filter(
      ({ reportingController, regarding }) =>
        reportingController === 'firebreak.dev/cell' && JSON.stringify(regarding).includes('"kind":"Pod"'),
    );
    return own.length > 0 && own;
  });
  expect(events).toMatchObject([{ reason: 'Quarantined', type: 'Warning', regarding }]);
  const resources = `/apis/firebreak.dev/v1alpha1/namespaces/${namespace}`;
  await until('the containment', 120_000, async () => {
    const [found, ...others] = await list(`${resources}/containments`);
    if (!found) return false;
    expect(others).toEqual([]);
    expect(found).toMatchObject({ status: { target: { kind: 'Pod', name: workload.pod, uid }, action: 'quarantinePod' } });
    return true;
  });
  await until('the incident', 120_000, async () => {
    const [found] = await list(`${resources}/incidents`);
    const status = { state: 'Open', severity: 'critical', containments: 1 };
    try {
      expect(found).toMatchObject({ status });
      return true;
    } catch {
      return false;
    }
  });
});

test('the cell checks whether it has helped, open connections are counted on the node, and what the workload was allowed is kept', async () => {
  const state = await service.stateWhen('both looks', workload, 120_000, (now) => quarantine(now)?.effect !== undefined);
  const { afterMs, look } = quarantine(state)?.effect ?? {};
  expect(afterMs).toBe(3_000);
  expect(look).toMatchObject({
    outcome: 'no-alerts',
    alerts: { counts: {} },
    problems: [],
    pods: { there: 1, of: 1 },
    restarts: 0,
    connections: { open: 2, others: 0, pods: 1, of: 1 },
    warnings: {},
  });
  expect(state.steps.find(({ action }) => action === 'countConnections')).toMatchObject({
    target: `pod/${namespace}/${workload.pod}`,
    state: 'applied',
    detail: expect.stringMatching(/^2 established, according to the connection table of node \S+$/),
  });
  // Its other pod may have become known only after the first alert.
  expect([1, 2]).toContain(look?.workload?.before?.pods);
  const { posture } = await service.stateWhen('the posture', workload, 120_000, (now) => now.posture !== undefined);
  expect(posture).toMatchObject({ level: 'baseline', account: { may: [] } });
  expect(lines(state, 'effect.checked')).toMatchObject([{ text: expect.stringContaining('2 connections of it are open.') }]);
});

describe('a tenant with the built-in role edit and access to a quarantined pod', () => {
  test('who adds its old labels, edits its former state and opens its network is undone and reported within seconds', async () => {
    const before = await metadata();
    const note = before.annotations?.[names.beforeAnnotation];
    expect(note).toContain('"mac"');
    const began = Date.now();
    await call(tenant, 'PATCH', pod(), {
      metadata: {
        // All but the one by which its ReplicaSet would have it back, and end one of its two pods.
        labels: { ...JSON.parse(note ?? '').labels, 'pod-template-hash': null },
        annotations: { [names.beforeAnnotation]: note?.replace('"labels":{', '"labels":{"mine":"x",') },
      },
    });
    await call(tenant, 'POST', policies(), {
      metadata: { name: 'allow-all' },
      spec: { podSelector: {}, ingress: [{}], egress: [{}], policyTypes: ['Ingress', 'Egress'] },
    });
    await until('labels and note as before', 120_000, async () => {
      const { labels, annotations } = await metadata();
      return JSON.stringify(labels) === JSON.stringify(before.labels) && annotations?.[names.beforeAnnotation] === note;
    });
    const putBack = Date.now() - began;
    // The incident looks as soon as it hears of one of the two: the lines and what its look found can come in any order.
    const state = await service.stateWhen(
      'a partial quarantine',
      workload,
      45_000,
      (now) =>
        isDeepStrictEqual(missing(now), [`networkpolicy/${namespace}/allow-all`]) &&
        ['containment.reasserted', 'containment.changed'].every((kind) => lines(now, kind).length > 0),
    );
    process.stdout.write(`put back after ${putBack} ms, partial in the incident after ${Date.now() - began} ms\n`);
    expect(quarantine(state)?.state).toBe('partial');
    const [reasserted, changed] = ['containment.reasserted', 'containment.changed'].map((kind) =>
      lines(state, kind)
        .map(({ text }) => text)
        .join(),
    );
    expect(reasserted).toContain('annotation firebreak.dev/before was changed');
    expect(changed).toContain(`networkpolicy/${namespace}/allow-all allows its traffic`);
    const card = await until('the card', 120_000, async () => {
      const shown = JSON.stringify((await service.cardOf(workload)).blocks);
      return shown.includes('only partly applied') && shown;
    });
    // What allows it is shown under Details, and in the thread.
    expect(card).not.toContain('allow-all');
    await until('the thread', 120_000, () =>
      service.slack.world.messages.some(({ text }) => text?.includes('allow-all allows its traffic')),
    );
  });

  test('who closes the hole again sees it reported intact', async () => {
    await call(tenant, 'DELETE', policies('allow-all'));
    const state = await service.stateWhen(
      'whole again',
      workload,
      120_000,
      (now) => quarantine(now)?.state === 'unverified' && lines(now, 'containment.whole').length > 0,
    );
    expect(lines(state, 'containment.whole')).toHaveLength(1);
  });

  test('who deletes the deny policy sees it restored at once', async () => {
    const began = Date.now();
    await call(tenant, 'DELETE', policies(names.standingPolicy));
    await until('the policy', 120_000, async () => {
      const { status } = await callKubernetes({ access: admin, path: policies(names.standingPolicy) });
      return status === 200;
    });
    process.stdout.write(`the standing policy is back after ${Date.now() - began} ms\n`);
  });

  test('who removes every mark at once sees it quarantined again while the incident holds its lease', async () => {
    const before = await metadata();
    await call(tenant, 'PATCH', pod(), {
      metadata: {
        labels: { [names.quarantineLabel]: null, [names.incidentLabel]: null },
        annotations: { [names.beforeAnnotation]: null, [names.stepAnnotation]: null, [names.incidentAnnotation]: null },
      },
    });
    await until('all of it again', 120_000, async () => {
      const { labels, annotations } = await metadata();
      const { [names.beforeAnnotation]: note } = annotations ?? {};
      return JSON.stringify(labels) === JSON.stringify(before.labels) && note === before.annotations?.[names.beforeAnnotation];
    });
  });

  test(`who takes every mark off: ${playedBack.deleted.what}`, async () => {
    const before = await metadata();
    await service.deleteRun(workload);
    await call(tenant, 'PATCH', pod(), {
      metadata: {
        labels: { [names.quarantineLabel]: null, [names.incidentLabel]: null },
        annotations: { [names.beforeAnnotation]: null, [names.stepAnnotation]: null, [names.incidentAnnotation]: null },
      },
    });
    // An incident that started again, and contained it itself, would write another note.
    const note = await until('a note', 120_000, async () => (await metadata()).annotations?.[names.beforeAnnotation]);
    expect(note).toBe(before.annotations?.[names.beforeAnnotation]);
  });

  test('who deletes it is reported, and so is what opens it until it is gone', async () => {
    await call(tenant, 'PATCH', pod(), { metadata: { finalizers: ['example.com/not-yet'] } });
    await call(tenant, 'DELETE', pod());
    const state = await service.stateWhen('the line', workload, 120_000, (now) => lines(now, 'containment.gone').length > 0);
    await call(tenant, 'POST', policies(), { metadata: { name: 'late' }, spec: { podSelector: {}, ingress: [{}] } });
    await service.stateWhen('what opens it', workload, 120_000, (now) =>
      lines(now, 'containment.changed').some(({ text }) => text.includes(`networkpolicy/${namespace}/late allows its traffic`)),
    );
    await call(tenant, 'PATCH', pod(), { metadata: { finalizers: null } });
    expect(lines(state, 'containment.gone')).toHaveLength(1);
  });
});

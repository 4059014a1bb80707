import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { isolateNamespaceImplementation } from '../../../../activities/actions/containment/isolate-namespace.ts';
import { quarantinePodImplementation } from '../../../../activities/actions/containment/quarantine-pod.ts';
import { drainNodeImplementation } from '../../../../activities/actions/nodes/drain-node.ts';
import { deleteWorkloadImplementation } from '../../../../activities/actions/workloads/delete-workload.ts';
import { scaleToZeroImplementation } from '../../../../activities/actions/workloads/scale-to-zero.ts';
import { ContainmentFirst } from '../../../../activities/chokepoint/containment-first.ts';
import { quarantinePod } from '../../../../core/actions/index.ts';
import type { Alert } from '../../../../core/alert/alert.ts';
import { authenticState, quarantineLabels } from '../../../../core/cluster/before-state.ts';
import { names } from '../../../../core/cluster/labels.ts';
import { incidentIdOf, type Subject } from '../../../../core/incident/incident.ts';
import { pathOf } from '../../../../integrations/kubernetes/client.ts';
import { podRecord } from '../../../../integrations/kubernetes/watch/projection.ts';
import { playbooks } from '../../../../playbooks/index.ts';
import { ContainedPods } from '../../../../service/cell/contained-pods.ts';
import { HeadStarts } from '../../../../service/cell/head-starts.ts';
import { assessedAs } from '../../../fixtures/assessed.ts';
import { testPlatform } from '../../../platform.ts';
import { ownNode } from '../../actions/eradication-table.ts';
import { cellKey, openCluster, resolved, stepContext } from '../parts/cluster.ts';

const platform = await testPlatform();

let cluster: Awaited<ReturnType<typeof openCluster>>;
beforeAll(async () => {
  cluster = await openCluster(platform.kubeconfig);
});
afterAll(() => cluster.close());

const parts = () => ({ api: cluster.api, view: cluster.view, cellKey, pollMs: 50, unendedMs: 2_000 });
const quarantine = () => quarantinePodImplementation(parts());
const isHeld = async (namespace: string, name: string): Promise<boolean> => {
  const { uid, annotations } = podRecord(await cluster.pod(namespace, name));
  return authenticState({ text: annotations[names.beforeAnnotation], podUid: uid, key: cellKey }) !== undefined;
};

/** The policies' names are known in advance, and admission may not be applied. */
describe('a policy that a tenant creates under the name of one of ours', () => {
  const policiesIn = (namespace: string, name?: string) =>
    pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace, ...(name !== undefined && { name }) });
  const open = { podSelector: {}, ingress: [{}], egress: [{}], policyTypes: ['Ingress', 'Egress'] };
  const made = async (finalizers: readonly string[]) => {
    const namespace = await platform.freshNamespace();
    const [action, context, input] = [isolateNamespaceImplementation(parts()), stepContext(), { namespace }];
    const plan = await action.plan(input, context);
    const name = plan.blastRadius.flatMap((target) => target.split('networkpolicy/')[1]?.split('/')[1] ?? []).at(0) ?? '';
    const labels = { [names.managedByLabel]: 'firebreak' };
    await cluster.post(policiesIn(namespace), { metadata: { name, labels, finalizers }, spec: open });
    return { namespace, action, context, input, name };
  };

  test('is replaced by ours, which the undo removes', async () => {
    const { namespace, action, context, input, name } = await made([]);
    const output = await action.apply(input, context);
    expect(await action.verify(output, context)).toMatchObject({ state: 'unverified' });
    expect(await action.undo({ input, key: context.key }, context)).toMatchObject({ state: 'undone' });
    await expect(cluster.get(policiesIn(namespace, name))).rejects.toMatchObject({ code: 'FB_ERR_NOT_FOUND' });
  });

  test('is named when finalizers keep it', async () => {
    const { namespace, action, context, input, name } = await made(['example.com/keep']);
    await expect(action.apply(input, context)).rejects.toMatchObject({
      code: 'FB_ERR_API_REFUSED',
      detail: `somebody else created networkpolicy/${namespace}/${name}, and finalizers keep it: example.com/keep`,
    });
    await cluster.api.json({
      method: 'PATCH',
      patch: 'merge',
      path: policiesIn(namespace, name),
      body: { metadata: { finalizers: null } },
      what: 'let it go',
    });
    await action.apply(input, context);
  });
});

/** Anyone who creates a pod or its template writes its labels, including ours. */
describe('the quarantine label that a tenant writes', () => {
  test.each([
    ['with a value of its own', () => ({ [names.quarantineLabel]: 'no' })],
    ['as the cell would', (incident: string) => quarantineLabels(incident)],
  ])('does not keep a pod from a head start, and is not restored: %s', async (_, labelsOf) => {
    const namespace = await platform.freshNamespace();
    const subject: Subject = { kind: 'workload', cluster: 'lab', namespace, ownerKind: 'Pod', name: 'cart' };
    const incident = incidentIdOf(subject);
    const metadata = { labels: { app: 'cart', ...labelsOf(incident) } };
    const pod = resolved(await cluster.makePod(namespace, 'cart', { metadata }));
    const alert: Alert = {
      id: 'a'.repeat(32),
      sensor: 'falco',
      rule: 'Drop and execute new binary in container',
      severity: 'critical',
      time: new Date().toISOString(),
      title: '',
      cluster: 'lab',
      observables: [],
      tags: [],
      mitre: [],
      pod,
      workload: { kind: 'Pod', namespace, name: 'cart' },
      assessment: assessedAs('contain'),
    };
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-beforehand-'));
    const headStarts = new HeadStarts({
      chokepoint: {
        apply: async ({ key, incident: { id } }, given) => {
          const context = { ...given, key, incident: id };
          const planned = await quarantine().plan({ pod }, context);
          const { name: action, effect, reach } = quarantinePod;
          const output = await quarantine().apply({ pod }, context);
          return { plan: { ...planned, action, effect, reach, inputDigest: '' }, output };
        },
      },
      playbooksOf: () => playbooks,
      view: cluster.view,
      cellKey,
      pods: new ContainedPods(folder),
      first: new ContainmentFirst(),
      log: pino({ level: 'silent' }),
    });
    const request = { alert, subject, receivedAt: new Date().toISOString() };
    expect(headStarts.wants(request)).toBe(true);
    expect(await headStarts.begin(request, Promise.resolve())).toBe('contained');
    await headStarts.stop();
    rmSync(folder, { recursive: true });
    expect(await isHeld(namespace, 'cart')).toBe(true);
    const given = await quarantine().undo({ input: { pod }, key: 'x' }, stepContext({ incident }));
    expect(given).toMatchObject({ state: 'undone' });
    expect((await cluster.pod(namespace, 'cart')).metadata?.labels).toEqual({ app: 'cart' });
  });

  test('does not keep a pod on a drained node', async () => {
    const namespace = await platform.freshNamespace();
    const { node, end } = await ownNode(cluster, namespace);
    for (const [name, value] of [
      ['with-another', 'no'],
      ['with-ours', 'active'],
    ])
      await cluster.makePod(namespace, name ?? '', {
        metadata: { labels: { [names.quarantineLabel]: value } },
        spec: { nodeName: node },
      });
    const held = resolved(await cluster.makePod(namespace, 'held', { spec: { nodeName: node } }));
    await quarantine().apply({ pod: held }, stepContext());
    const drain = drainNodeImplementation({ ...parts(), isProtected: () => false });
    const context = stepContext();
    const output = await drain.apply({ node: { name: node } }, context);
    expect(output.evicted.map(({ name }) => name).sort()).toEqual(['with-another', 'with-ours']);
    expect(output.left).toEqual([{ pod: `pod/${namespace}/held`, reason: 'it is quarantined: it is evidence' }]);
    await end();
  });

  test('does not hide a pod when its workload is deleted', async () => {
    const namespace = await platform.freshNamespace();
    const pods = await cluster.makeDeployment(namespace, 'cart', { replicas: 2 });
    const [kept] = pods.map(resolved);
    if (!kept) throw new Error('two replicas were asked for');
    const metadata = { labels: { [names.quarantineLabel]: 'no' }, finalizers: ['example.com/keep'] };
    await cluster.patchPod(namespace, kept.name, metadata);
    const workload = { kind: 'Deployment' as const, namespace, name: 'cart' };
    const partial = { state: 'partial', missing: [`pod/${namespace}/${kept.name} is kept by its finalizers: example.com/keep`] };
    const [zero, deletion, context] = [scaleToZeroImplementation(parts()), deleteWorkloadImplementation(parts()), stepContext()];
    const scaled = await zero.apply({ workload, suspect: kept }, context);
    expect(await zero.verify(scaled, context)).toMatchObject(partial);
    const deleted = await deletion.apply({ workload, suspect: kept }, context);
    expect(await deletion.verify(deleted, context)).toMatchObject(partial);
    await cluster.patchPod(namespace, kept.name, { finalizers: null });
  });

  test('does not hide a pod that uses the network of its node', async () => {
    const namespace = await platform.freshNamespace();
    await cluster.makePod(namespace, 'outside', {
      metadata: { labels: { [names.quarantineLabel]: 'active' } },
      spec: { hostNetwork: true },
    });
    const [isolation, context] = [isolateNamespaceImplementation(parts()), stepContext()];
    const output = await isolation.apply({ namespace }, context);
    expect(await isolation.verify(output, context)).toMatchObject({
      state: 'partial',
      missing: [`pod/${namespace}/outside`],
    });
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { revokeServiceAccountImplementation } from '../../../activities/actions/secrets/revoke-service-account.ts';
import { scaleToZeroImplementation } from '../../../activities/actions/workloads/scale-to-zero.ts';
import { suspendCronJobImplementation } from '../../../activities/actions/workloads/suspend-cron-job.ts';
import { suspendRolloutImplementation } from '../../../activities/actions/workloads/suspend-rollout.ts';
import type { LandedSteps } from '../../../activities/memory/landed-steps.ts';
import type { CellActivities } from '../../../core/action/step.ts';
import { actions, revokeServiceAccount, scaleToZero, suspendCronJob, suspendRollout } from '../../../core/actions/index.ts';
import { noteAnnotation } from '../../../core/cluster/object-note.ts';
import type { IncidentNote } from '../../../core/incident/incident.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { fieldOf, type ObjectJson } from '../../../integrations/kubernetes/objects.ts';
import { ContainedPods } from '../../../service/cell/contained-pods.ts';
import { HeldObjects } from '../../../service/cell/containment/held-objects.ts';
import type { ReleaseSaid } from '../../../service/cell/containment/held-resources.ts';
import { HoldContainment } from '../../../service/cell/containment/hold-containment.ts';
import { openKnowledge } from '../../../service/cell/pools/durable-memory.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, openCluster, stepContext } from './parts/cluster.ts';
import { RevertingController } from './parts/reverting-controller.ts';

const platform = await testPlatform();
const log = pino({ level: 'silent' });

let cluster: Awaited<ReturnType<typeof openCluster>>;
let namespace: string;
beforeAll(async () => {
  cluster = await openCluster(platform.kubeconfig);
});
afterAll(() => cluster.close());

/** What the cell does about held objects, with a folder from which a second cell can continue. */
class Cell {
  readonly notes: (IncidentNote & { readonly incident: string })[] = [];
  /** What each incident says about what it holds, if it says anything. */
  readonly said = new Map<string, ReleaseSaid | Error>();
  readonly #folder = mkdtempSync(join(tmpdir(), 'firebreak-held-'));
  #ends: (() => Promise<void>)[] = [];
  #landed: LandedSteps | undefined;

  start(): HoldContainment {
    const knowledge = openKnowledge(join(this.#folder, 'memory'), log);
    const pods = new ContainedPods(join(this.#folder, 'contained'));
    const hold = new HoldContainment({
      chokepoint: { apply: () => Promise.reject(new Error('nothing is taken again here')) },
      view: cluster.view,
      cellKey,
      pods,
      objects: new HeldObjects({ api: cluster.api, cellKey, actions, keeper: knowledge.heldObjects }),
      landed: knowledge.landed,
      denyTier: () => undefined,
      exceptions: {},
      note: async (incident, note) => void this.notes.push({ ...note, incident }),
      log,
      everyMs: 200,
      unclearMs: 1_000,
    });
    hold.ask(async (incident): Promise<ReleaseSaid> => {
      const said = this.said.get(incident) ?? 'not released';
      if (said instanceof Error) throw said;
      return said;
    });
    this.#landed = knowledge.landed;
    hold.start();
    this.#ends = [() => hold.stop(), () => pods.close(), () => knowledge.close()];
    return hold;
  }

  async stop(): Promise<void> {
    for (const end of this.#ends.splice(0)) await end();
  }

  async end(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The chokepoint of this cell has undone this step. */
  gaveBack(step: string): void {
    const done = { key: step, incident: { id: '', run: '' }, action: '', input: {} };
    this.#landed?.noteDone(done, {}, Date.now());
    this.#landed?.gaveBack(step, Date.now());
  }

  get own(): readonly IncidentNote[] {
    return this.notes.filter(({ about }) => about.includes(`/${namespace}/`));
  }

  told(text: string): Promise<IncidentNote & { readonly incident: string }> {
    return eventually(`a line: ${text}`, async () =>
      this.notes.find((note) => note.about.includes(`/${namespace}/`) && note.text.includes(text)),
    );
  }
}

let cell: Cell;
afterEach(() => cell.end());
const begin = async (): Promise<HoldContainment> => {
  namespace = await platform.freshNamespace();
  cell = new Cell();
  return cell.start();
};

const parts = () => ({ api: cluster.api, view: cluster.view, cellKey });
const at = (group: string, resource: string, name?: string): string =>
  pathOf({ group, resource, namespace, ...(name !== undefined && { name }) });
const change = (path: string, body: object) =>
  cluster.api.json({ method: 'PATCH', patch: 'merge', path, body, what: 'change by hand' });
const context = (n: number) => stepContext({ incident: `incident/test/${namespace}/Deployment/cart${n}` });

describe('an object that an action holds', () => {
  test.each([
    ['suspendRollout', { paused: false }, 'spec.paused was changed from true to absent', 0],
    ['scaleToZero', { replicas: 3 }, 'spec.replicas was changed from 0 to 3', 1],
    ['scaleToZero, through its scale', { replicas: 3 }, 'spec.replicas was changed from 0 to 3', 2],
  ])('is reported when somebody changes it: %s', async (action, spec, what, n) => {
    await begin();
    const [pod] = await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
    const deployment = { namespace, name: 'cart' };
    const { name = '', uid = '' } = pod?.metadata ?? {};
    if (action === suspendRollout.name) await suspendRolloutImplementation(parts()).apply({ deployment }, context(n));
    else
      await scaleToZeroImplementation(parts()).apply(
        { workload: { kind: 'Deployment', ...deployment }, suspect: { namespace, name, uid } },
        context(n),
      );
    await change(`${at('apps', 'deployments', 'cart')}${n === 2 ? '/scale' : ''}`, { spec });
    expect(await cell.told(what)).toMatchObject({
      kind: 'containment.changed',
      about: `deployment/${namespace}/cart`,
      incident: context(n).incident,
    });
  });

  test('is not fought over: a controller that reverts it every three seconds is reported by its field manager', async () => {
    await begin();
    const [pod] = await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
    const { name = '', uid = '' } = pod?.metadata ?? {};
    const workload = { kind: 'Deployment', namespace, name: 'cart' } as const;
    const action = scaleToZeroImplementation(parts());
    const output = await action.apply({ workload, suspect: { namespace, name, uid } }, context(0));
    const replicasOf = (object: ObjectJson) => fieldOf(object, ['spec', 'replicas']);
    const path = at('apps', 'deployments', 'cart');
    const toPutBack = (object: ObjectJson) => (replicasOf(object) === 1 ? undefined : { spec: { replicas: 1 } });
    const controller = new RevertingController({ api: cluster.api, path, toPutBack });
    try {
      const told = 'spec.replicas was changed from 0 to 1 by argocd-controller';
      await cell.told(told);
      const looks = controller.looks + 3;
      await eventually('its next looks', async () => controller.looks >= looks);
      expect([controller.times, replicasOf(await cluster.get(path)), cell.own.length]).toEqual([1, 1, 1]);
      await expect(action.verify(output, context(0))).rejects.toMatchObject({ code: 'FB_ERR_DRIFTED' });
    } finally {
      await controller.stop();
    }
  });

  test('is intact again once it is as it was left, and is reported once per change', async () => {
    await begin();
    await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
    await suspendRolloutImplementation(parts()).apply({ deployment: { namespace, name: 'cart' } }, context(0));
    const path = at('apps', 'deployments', 'cart');
    await change(path, { spec: { paused: false } });
    await cell.told('spec.paused was changed');
    await change(path, { metadata: { labels: { more: 'yes' } } });
    await change(path, { spec: { paused: true } });
    expect(await cell.told('is back as suspendRollout left it')).toMatchObject({ kind: 'containment.whole' });
    expect(cell.own).toHaveLength(2);
  });

  test('is reported when it is run by hand anyway: by a Job from it, and by one that only runs the same', async () => {
    await begin();
    const containers = [{ name: 'main', image: 'shop/report:1' }];
    const template = { spec: { restartPolicy: 'Never', containers } };
    const spec = { schedule: '0 3 1 1 *', jobTemplate: { spec: { template } } };
    const { metadata } = await cluster.post<ObjectJson>(at('batch', 'cronjobs'), { metadata: { name: 'report' }, spec });
    const from = { apiVersion: 'batch/v1', kind: 'CronJob', name: 'report', uid: metadata.uid, controller: true };
    const job = (name: string, over: { readonly metadata?: object; readonly template?: object } = {}) =>
      cluster.post(at('batch', 'jobs'), { metadata: { name, ...over.metadata }, spec: { template, ...over } });
    const manual = { annotations: { 'cronjob.kubernetes.io/instantiate': 'manual' }, ownerReferences: [from] };
    await job('before', { metadata: manual });
    await eventually('its pod', () => [...cluster.view.pods(namespace)].length === 1);
    // The API server's times have a resolution of seconds.
    await sleep(1_100);
    await suspendCronJobImplementation(parts()).apply({ cronJob: { namespace, name: 'report' } }, context(0));
    await job('other', { template: { spec: { ...template.spec, containers: [{ name: 'main', image: 'shop/other:1' }] } } });
    await job('manual', { metadata: manual });
    expect(await cell.told('of job manual was created since, and runs what the suspension should have stopped')).toMatchObject({
      kind: 'containment.changed',
      about: `cronjob/${namespace}/report`,
      incident: context(0).incident,
    });
    await job('bare');
    const { text } = await cell.told('of job bare was created since');
    expect(text).toContain('of job manual');
    expect(cell.own.filter((note) => /of job (before|other)/.test(note.text))).toEqual([]);
    expect(cell.own).toHaveLength(2);
  });

  test('is reported when its note is removed or edited, even while the cell was stopped', async () => {
    await begin();
    const spec = {
      schedule: '0 3 * * *',
      jobTemplate: {
        spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'shop/cart:1' }] } } },
      },
    };
    await cluster.post(at('batch', 'cronjobs'), { metadata: { name: 'nightly' }, spec });
    await suspendCronJobImplementation(parts()).apply({ cronJob: { namespace, name: 'nightly' } }, context(0));
    const annotation = noteAnnotation(suspendCronJob.name);
    const path = at('batch', 'cronjobs', 'nightly');
    await change(path, { metadata: { annotations: { [annotation]: '{}' } } });
    await cell.told(`annotation ${annotation} was changed`);
    await cell.stop();
    await change(path, { metadata: { annotations: { [annotation]: null } }, spec: { suspend: false } });
    cell.start();
    expect(await cell.told(`annotation ${annotation} was removed; spec.suspend was changed`)).toMatchObject({
      about: `cronjob/${namespace}/nightly`,
    });
  });

  test('is reported when it is deleted', async () => {
    await begin();
    await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
    await suspendRolloutImplementation(parts()).apply({ deployment: { namespace, name: 'cart' } }, context(0));
    await cluster.api.json({ method: 'DELETE', path: at('apps', 'deployments', 'cart'), what: 'delete by hand' });
    await cell.told('is no longer as suspendRollout left it: it is gone');
  });

  test.each([
    ['RoleBinding', 'rolebindings'],
    ['ClusterRoleBinding', 'clusterrolebindings'],
  ])(
    'is reported when somebody grants its account rights by a new %s, even after the old one is gone',
    async (kind, resource) => {
      await begin();
      const serviceAccount = { namespace, name: 'cart' };
      await cluster.post(pathOf({ resource: 'serviceaccounts', namespace }), { metadata: { name: 'cart' } });
      const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
      const subjects = [{ kind: 'ServiceAccount', ...serviceAccount }];
      const bindings = at('rbac.authorization.k8s.io', 'rolebindings');
      for (const name of ['reads', 'writes']) await cluster.post(bindings, { metadata: { name }, roleRef, subjects });
      await revokeServiceAccountImplementation(parts()).apply({ serviceAccount }, context(0));
      for (const name of ['reads', 'writes'])
        await cluster.api.json({ method: 'DELETE', path: `${bindings}/${name}`, what: 'delete by hand' });
      await cell.told(`rolebinding/${namespace}/reads is no longer as revokeServiceAccount left it: it is gone`);
      const place = { group: 'rbac.authorization.k8s.io', resource, ...(kind === 'RoleBinding' && { namespace }) };
      const name = `again-${namespace}`;
      await cluster.post(pathOf(place), { metadata: { name }, roleRef, subjects });
      const target = kind === 'RoleBinding' ? `rolebinding/${namespace}/${name}` : `clusterrolebinding/${name}`;
      expect(await cell.told(`${target} grants rights to ${namespace}/cart again`)).toMatchObject({
        kind: 'containment.changed',
        incident: context(0).incident,
      });
      await cluster.api.json({ method: 'DELETE', path: pathOf({ ...place, name }), what: 'delete by hand' });
      await eventually('that it is gone again', () => cell.own.at(-1)?.text.endsWith('left it: it is gone'));
      await cluster.post(bindings, { metadata: { name: 'writes' }, roleRef, subjects });
      await cell.told(`rolebinding/${namespace}/writes grants rights to ${namespace}/cart again`);
    },
  );

  test('is reported when somebody grants its account rights through a group, but not for those it already had', async () => {
    await begin();
    const serviceAccount = { namespace, name: 'cart' };
    await cluster.post(pathOf({ resource: 'serviceaccounts', namespace }), { metadata: { name: 'cart' } });
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
    const own = [{ kind: 'ServiceAccount', ...serviceAccount }];
    const group = [{ apiGroup: roleRef.apiGroup, kind: 'Group', name: `system:serviceaccounts:${namespace}` }];
    const bindings = at(roleRef.apiGroup, 'rolebindings');
    // Anybody may write on their own bindings what the API server writes on its own.
    const labels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
    await cluster.post(bindings, { metadata: { name: 'reads' }, roleRef, subjects: own });
    await cluster.post(bindings, { metadata: { name: 'before', labels }, roleRef, subjects: group });
    const action = revokeServiceAccountImplementation(parts());
    const output = await action.apply({ serviceAccount }, context(0));
    expect(await action.verify(output, context(0))).toMatchObject({
      state: 'partial',
      missing: expect.arrayContaining([`rolebinding/${namespace}/before`]),
    });
    await cluster.post(bindings, { metadata: { name: 'again', labels }, roleRef, subjects: group });
    const { text } = await cell.told(`rolebinding/${namespace}/again grants rights to ${namespace}/cart again`);
    expect(text).not.toContain('/before');
  });

  test.each<[string, ReleaseSaid | Error]>([
    ['is gone, or knows nothing of it', 'not released'],
    ['keeps saying that it is releasing it', 'being released'],
    ['cannot be asked', new Error('Temporal is away')],
  ])('is reported when it loses its note and its incident %s', async (_, said) => {
    await begin();
    cell.said.set(context(0).incident, said);
    await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
    await suspendRolloutImplementation(parts()).apply({ deployment: { namespace, name: 'cart' } }, context(0));
    const annotation = noteAnnotation(suspendRollout.name);
    await change(at('apps', 'deployments', 'cart'), {
      metadata: { annotations: { [annotation]: null } },
      spec: { paused: false },
    });
    await cell.told(`annotation ${annotation} was removed; spec.paused was changed`);
  });

  test('is not reported when its incident says that another replica has released it', async () => {
    await begin();
    const [given, held] = [context(0), context(1)];
    cell.said.set(given.incident, 'released');
    const action = suspendRolloutImplementation(parts());
    for (const [name, own] of [['cart', given] as const, ['till', held] as const]) {
      await cluster.makeDeployment(namespace, name, { replicas: 1 });
      const deployment = { namespace, name };
      await action.apply({ deployment }, own);
      await action.undo({ input: { deployment }, key: own.key }, own);
    }
    expect(await cell.told('is no longer as suspendRollout left it')).toMatchObject({ about: `deployment/${namespace}/till` });
    expect(cell.own).toHaveLength(1);
  });

  test('is not reported while its incident releases it', async () => {
    const hold = await begin();
    const action = revokeServiceAccountImplementation(parts());
    const serviceAccount = { namespace, name: 'cart' };
    await cluster.post(pathOf({ resource: 'serviceaccounts', namespace }), { metadata: { name: 'cart' } });
    for (const name of ['reads', 'writes'])
      await cluster.post(at('rbac.authorization.k8s.io', 'rolebindings'), {
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
        subjects: [{ kind: 'ServiceAccount', ...serviceAccount }],
      });
    const [given, own] = [{ serviceAccount }, context(0)];
    await action.apply(given, own);
    await change(at('rbac.authorization.k8s.io', 'rolebindings', 'reads'), {
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'eve' }],
    });
    await cell.told(`rolebinding/${namespace}/reads is no longer as revokeServiceAccount left it`);
    await change(at('rbac.authorization.k8s.io', 'rolebindings', 'reads'), { subjects: null });
    await cell.told('is back as');
    const undo = hold.givingBack({
      undoStep: () => action.undo({ input: given, key: own.key }, own),
    } as unknown as CellActivities).undoStep;
    expect(
      await undo({
        call: { action: revokeServiceAccount.name, incident: { id: own.incident } },
        reason: { kind: 'step-failed' },
      } as Parameters<typeof undo>[0]),
    ).toMatchObject({ state: 'undone' });
    cell.gaveBack(own.key);
    // What another incident holds is reported after it: nothing was reported of the earlier undo.
    await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
    await suspendRolloutImplementation(parts()).apply({ deployment: { namespace, name: 'cart' } }, context(1));
    await change(at('apps', 'deployments', 'cart'), { spec: { paused: false } });
    await cell.told('spec.paused');
    expect(cell.own).toHaveLength(3);
  });
});

test('an object that has lost its note but is still as the step left it is not called released', async () => {
  await begin();
  const [given, own] = [{ deployment: { namespace, name: 'cart' } }, context(0)];
  await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
  const action = suspendRolloutImplementation(parts());
  const output = await action.apply(given, own);
  const annotation = noteAnnotation(suspendRollout.name);
  await change(at('apps', 'deployments', 'cart'), { metadata: { annotations: { [annotation]: null } } });
  const undo = () => action.undo({ input: given, output, key: own.key }, own);
  expect(await undo()).toMatchObject({
    state: 'drifted',
    difference: [expect.stringMatching(`^annotation ${annotation} was removed, and spec.paused is still true`)],
  });
  // From a cell that does not remember the step: in doubt the object stays held.
  expect(await action.undo({ input: given, isForgotten: true, key: own.key }, own)).toMatchObject({ state: 'drifted' });
  // By hand, as `firebreak release --offline` does it too.
  await change(at('apps', 'deployments', 'cart'), { spec: { paused: false } });
  expect(await undo()).toMatchObject({ state: 'already' });
});

test('an account gets back all of its bindings or none, even if somebody removed the note from one', async () => {
  await begin();
  const action = revokeServiceAccountImplementation(parts());
  const [serviceAccount, own] = [{ namespace, name: 'cart' }, context(0)];
  await cluster.post(pathOf({ resource: 'serviceaccounts', namespace }), { metadata: { name: 'cart' } });
  const group = 'rbac.authorization.k8s.io';
  const subject = { kind: 'ServiceAccount', ...serviceAccount };
  for (const name of ['reads', 'writes'])
    await cluster.post(at(group, 'rolebindings'), {
      metadata: { name },
      roleRef: { apiGroup: group, kind: 'ClusterRole', name: 'view' },
      subjects: [subject],
    });
  const output = await action.apply({ serviceAccount }, own);
  const annotation = noteAnnotation(revokeServiceAccount.name);
  await change(at(group, 'rolebindings', 'writes'), { metadata: { annotations: { [annotation]: null } } });
  const undo = () => action.undo({ input: { serviceAccount }, output, key: own.key }, own);
  const subjectsOf = async (name: string) => {
    const path = at(group, 'rolebindings', name);
    return (await cluster.api.json<{ readonly subjects?: readonly object[] }>({ method: 'GET', path, what: 'look' })).subjects;
  };
  expect(await undo()).toMatchObject({
    state: 'drifted',
    difference: [expect.stringMatching(`^rolebinding/${namespace}/writes: annotation ${annotation} was removed`)],
  });
  expect([await subjectsOf('reads'), await subjectsOf('writes')]).toEqual([undefined, undefined]);
  await change(at(group, 'rolebindings', 'writes'), { subjects: [subject] });
  expect(await undo()).toMatchObject({ state: 'undone', detail: `it is back in rolebinding/${namespace}/reads` });
  expect(await subjectsOf('reads')).toMatchObject([subject]);
});

test('an account whose bindings have all lost their notes is not called released', async () => {
  await begin();
  const action = revokeServiceAccountImplementation(parts());
  const [serviceAccount, own] = [{ namespace, name: 'cart' }, context(0)];
  await cluster.post(pathOf({ resource: 'serviceaccounts', namespace }), { metadata: { name: 'cart' } });
  const group = 'rbac.authorization.k8s.io';
  const subject = { kind: 'ServiceAccount', ...serviceAccount };
  const names = ['reads', 'writes'];
  for (const name of names)
    await cluster.post(at(group, 'rolebindings'), {
      metadata: { name },
      roleRef: { apiGroup: group, kind: 'ClusterRole', name: 'view' },
      subjects: [subject],
    });
  const output = await action.apply({ serviceAccount }, own);
  const annotation = noteAnnotation(revokeServiceAccount.name);
  for (const name of names) await change(at(group, 'rolebindings', name), { metadata: { annotations: { [annotation]: null } } });
  const undo = () => action.undo({ input: { serviceAccount }, output, key: own.key }, own);
  expect(await undo()).toMatchObject({
    state: 'drifted',
    difference: names.map((name) =>
      expect.stringMatching(`^rolebinding/${namespace}/${name}: annotation ${annotation} was removed`),
    ),
  });
  // Nor if somebody has a note of their own on another binding, which nobody can read.
  await cluster.post(at(group, 'rolebindings'), {
    metadata: { name: 'mine', annotations: { [annotation]: '{}' } },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name: 'view' },
    subjects: [],
  });
  expect(await action.undo({ input: { serviceAccount }, isForgotten: true, key: own.key }, own)).toMatchObject({
    state: 'drifted',
    difference: expect.arrayContaining([
      expect.stringMatching(/^no binding names the account/),
      expect.stringMatching(`^rolebinding/${namespace}/mine: annotation ${annotation} cannot be read`),
    ]),
  });
  await cluster.api.json({ method: 'DELETE', path: at(group, 'rolebindings', 'mine'), what: 'delete it' });
  // What is restored by hand, or deleted, is no longer held.
  await change(at(group, 'rolebindings', 'reads'), { subjects: [subject] });
  await cluster.api.json({ method: 'DELETE', path: at(group, 'rolebindings', 'writes'), what: 'delete it' });
  expect(await undo()).toMatchObject({ state: 'already' });
});

test('every kind that an action holds can be listed and watched', () => {
  expect([suspendRollout, scaleToZero].every(({ holds = [] }) => holds.length > 0)).toBe(true);
  for (const { holds = [], rights } of actions)
    for (const { apiGroup, resource } of holds)
      expect(rights).toContainEqual({ apiGroup, resource, verbs: expect.arrayContaining(['get', 'list', 'watch']) });
});

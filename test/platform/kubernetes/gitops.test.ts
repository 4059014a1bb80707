import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { suspendCronJobImplementation } from '../../../activities/actions/workloads/suspend-cron-job.ts';
import { suspendRolloutImplementation } from '../../../activities/actions/workloads/suspend-rollout.ts';
import type { Pausing } from '../../../core/action/pausing.ts';
import { actions } from '../../../core/actions/index.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import type { ObjectJson } from '../../../integrations/kubernetes/objects.ts';
import { findContainments } from '../../../service/offline/containments.ts';
import { rbacManifests } from '../../../service/rbac/manifests.ts';
import { pausers } from '../../../service/rbac/pausing-manifests.ts';
import { callKubernetes, readAccess } from '../../../tools/platform/kubernetes/kubernetes-api.ts';
import { comparable } from '../../comparable.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, openCluster, stepContext } from './parts/cluster.ts';
import { type PoolAccounts, poolAccounts } from './parts/pool-accounts.ts';
import { RevertingController } from './parts/reverting-controller.ts';

const platform = await testPlatform();
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const own = 'firebreak-gitops-test';
const skip = 'argocd.argoproj.io/skip-reconcile';
const kinds = [
  ['argoproj.io', 'v1alpha1', 'applications', 'Application'],
  ['kustomize.toolkit.fluxcd.io', 'v1', 'kustomizations', 'Kustomization'],
  ['helm.toolkit.fluxcd.io', 'v2', 'helmreleases', 'HelmRelease'],
] as const;

let cluster: Awaited<ReturnType<typeof openCluster>>;
let namespace: string;
const controllers: RevertingController[] = [];
beforeAll(async () => {
  cluster = await openCluster(platform.kubeconfig);
  for (const kind of kinds) await define(kind);
});
platform.cleanUp(async () => {
  for (const [group, , plural] of kinds)
    await callKubernetes({
      access: readAccess(platform.kubeconfig),
      path: `${definitions}/${plural}.${group}`,
      method: 'DELETE',
    });
});
afterEach(async () => {
  for (const one of controllers.splice(0)) await one.stop();
});
afterAll(() => cluster.close());

/** Defines the kinds as far as they matter here: the API server does not look at their contents. */
async function define([group, version, plural, kind]: (typeof kinds)[number]): Promise<void> {
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  await cluster.post(definitions, {
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, singular: kind.toLowerCase(), kind },
      versions: [{ name: version, served: true, storage: true, schema: { openAPIV3Schema: open } }],
    },
  });
  await eventually(
    `${plural}`,
    async () => (await cluster.get<object>(pathOf({ group, version, resource: plural })).catch(() => undefined)) ?? false,
  );
}

const at = (kind: (typeof kinds)[number], name?: string): string => {
  const [group, version, resource] = kind;
  return pathOf({ group, version, resource, namespace, ...(name !== undefined && { name }) });
};
const [applications, kustomizations, helmReleases] = kinds;
const read = (path: string) => cluster.get<ObjectJson & { readonly spec?: { readonly [field: string]: unknown } }>(path);
const workload = (name: string) => pathOf({ group: 'apps', resource: 'deployments', namespace, name });
const change = (path: string, body: object) =>
  cluster.api.json({
    method: 'PATCH',
    patch: 'merge',
    path,
    query: { fieldManager: 'kubectl-edit' },
    body,
    what: 'change by hand',
  });

const rollout = (pausing: Pausing | undefined) => suspendRolloutImplementation({ api: cluster.api, cellKey, pausing });
const context = (step: string) => stepContext({ incident: `incident/test/${namespace}/Deployment/cart`, key: step });
const inputOf = (name: string) => ({ deployment: { namespace, name } });
const argocd = () => ({ argocd: { namespace } });

/** Creates an application that declares Deployments, and lists them. */
async function makeApplication(names: readonly string[], over: object = {}): Promise<string> {
  const resources = names.map((name) => ({ group: 'apps', version: 'v1', kind: 'Deployment', namespace, name }));
  await cluster.post(at(applications), {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name: 'shop', annotations: { 'notes.example.com/team': 'cart' }, ...over },
    spec: { destination: { server: 'https://kubernetes.default.svc' }, syncPolicy: { automated: { selfHeal: true } } },
    status: { resources },
  });
  return at(applications, 'shop');
}

async function makeDeclared(name: string, metadata?: object): Promise<void> {
  await cluster.makeDeployment(namespace, name, { replicas: 1 });
  const annotations = { 'argocd.argoproj.io/tracking-id': `shop:apps/Deployment:${namespace}/${name}` };
  await change(workload(name), { metadata: metadata ?? { annotations } });
}

/** Creates the Flux object that declares a Deployment of this name, and lists it. */
async function makeFluxed(kind: (typeof kinds)[number], name: string): Promise<string> {
  const [group, version, , called] = kind;
  await cluster.post(at(kind), {
    apiVersion: `${group}/${version}`,
    kind: called,
    metadata: { name: 'shop', annotations: { 'notes.example.com/team': 'cart' } },
    spec: { interval: '1m' },
    status: { inventory: { entries: [{ id: `${namespace}_${name}_apps_Deployment`, v: 'v1' }] } },
  });
  return at(kind, 'shop');
}
const fluxMarks = (group: string) => ({
  labels: { [`${group}.toolkit.fluxcd.io/name`]: 'shop', [`${group}.toolkit.fluxcd.io/namespace`]: namespace },
});

/** Simulates Argo CD, which unpauses the Deployment unless it is told to leave the application alone. */
function startArgoCd(application: string): RevertingController {
  const controller = new RevertingController({
    api: cluster.api,
    path: workload('cart'),
    toPutBack: ({ spec }) => (JSON.stringify(spec).includes('"paused":true') ? { spec: { paused: false } } : undefined),
    isPaused: async () => (await read(application)).metadata.annotations?.[skip] === 'true',
  });
  controllers.push(controller);
  return controller;
}
const looksAgain = (controller: RevertingController, times: number) => {
  const before = controller.looks;
  return eventually('its next looks', async () => controller.looks >= before + times);
};

describe('what Argo CD declares', () => {
  test('is held against a controller that reverts every three seconds, and is then restored exactly', async () => {
    namespace = await platform.freshNamespace();
    const application = await makeApplication(['cart']);
    await makeDeclared('cart');
    const controller = startArgoCd(application);
    const before = { application: comparable(await read(application)), cart: comparable(await read(workload('cart'))) };
    const action = rollout(argocd());
    const plan = await action.plan(inputOf('cart'), context('one'));
    expect(plan).toMatchObject({
      reach: 'namespace',
      blastRadius: [`application/${namespace}/shop`, `deployment/${namespace}/cart`],
      notes: expect.arrayContaining([`The Argo CD application ${namespace}/shop owns it, and will put it back.`]),
    });
    const output = await action.apply(inputOf('cart'), context('one'));
    await looksAgain(controller, 2);
    expect([controller.times, (await read(workload('cart'))).spec?.paused]).toEqual([0, true]);
    expect((await read(application)).metadata.annotations).toMatchObject({ [skip]: 'true' });
    // An interrupted step continues under the approved plan, and pauses once.
    expect(await action.plan(inputOf('cart'), context('one'))).toEqual(plan);
    expect(await action.apply(inputOf('cart'), context('one'))).toEqual(output);
    const asked: string[] = [];
    const allow = async (notes: readonly { readonly object: string }[]) => void asked.push(...notes.map(({ object }) => object));
    const undone = await action.undo({ input: inputOf('cart'), output, key: 'one', allow }, context('one'));
    expect(undone).toMatchObject({ state: 'undone', detail: expect.stringContaining('is no longer paused') });
    expect(asked.sort()).toEqual([`application/${namespace}/shop`, `deployment/${namespace}/cart`]);
    expect(comparable(await read(application))).toEqual(before.application);
    expect(comparable(await read(workload('cart')))).toEqual(before.cart);
    expect(await action.undo({ input: inputOf('cart'), output, key: 'one' }, context('one'))).toMatchObject({ state: 'already' });
  });

  // As in its documentation: https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
  test.each([
    [
      'the annotation with an informational label, of one of several Argo CDs',
      () => ({
        labels: { 'app.kubernetes.io/instance': 'shop' },
        annotations: {
          'argocd.argoproj.io/tracking-id': `shop:apps/Deployment:${namespace}/cart`,
          'argocd.argoproj.io/installation-id': 'first',
        },
      }),
      {},
    ],
    [
      'the usual label, alongside a chart’s annotations for Argo CD',
      () => ({
        labels: { 'app.kubernetes.io/instance': 'shop', 'app.kubernetes.io/managed-by': 'Helm' },
        annotations: { 'argocd.argoproj.io/sync-wave': '1' },
      }),
      {},
    ],
    [
      'the usual label, of an application in another namespace',
      () => ({ labels: { 'app.kubernetes.io/instance': `${namespace}_shop` } }),
      { namespace: 'argocd' },
    ],
    ['the label of its documentation', () => ({ labels: { 'argocd.argoproj.io/instance': 'shop' } }), {}],
    ['a custom label', () => ({ labels: { 'example.com/application': 'shop' } }), { instanceLabel: 'example.com/application' }],
  ])('is found by %s', async (_, metadata, over) => {
    namespace = await platform.freshNamespace();
    await makeApplication(['cart']);
    await makeDeclared('cart', metadata());
    const plan = await rollout({ argocd: { namespace, ...over } }).plan(inputOf('cart'), context('one'));
    expect(plan.notes).toContain(`The Argo CD application ${namespace}/shop owns it, and will put it back.`);
    expect(plan.blastRadius).toContain(`application/${namespace}/shop`);
  });

  test.each([
    ['Argo CD', async () => ({ path: await makeApplication(['cart']), mark: undefined, pausing: argocd() })],
    [
      'Flux',
      async () => {
        await makeFluxed(kustomizations, 'cart');
        return { path: workload('cart'), mark: fluxMarks('kustomize'), pausing: { flux: true } };
      },
    ],
  ])('is paused even though its annotations leave no room for the note, and the plan says so: %s', async (_, make) => {
    namespace = await platform.freshNamespace();
    await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
    const { path, mark, pausing } = await make();
    await change(workload('cart'), {
      metadata: mark ?? { annotations: { 'argocd.argoproj.io/tracking-id': `shop:apps/Deployment:${namespace}/cart` } },
    });
    await change(path, { metadata: { annotations: { 'notes.example.com/full': 'x'.repeat(261_000) } } });
    const action = rollout(pausing);
    const plan = await action.plan(inputOf('cart'), context('one'));
    expect(plan.notes.filter((note) => note.includes('1 annotation is removed and not restored.'))).toHaveLength(1);
    const output = await action.apply(inputOf('cart'), context('one'));
    expect(output.paused).toBeDefined();
    expect(await action.plan(inputOf('cart'), context('one'))).toEqual(plan);
    expect(await action.undo({ input: inputOf('cart'), output, key: 'one' }, context('one'))).toMatchObject({ state: 'undone' });
    expect((await read(workload('cart'))).spec?.paused).toBeUndefined();
  });

  test('is paused for as long as any of its workloads is held, whichever is released first', async () => {
    namespace = await platform.freshNamespace();
    const application = await makeApplication(['cart', 'pay']);
    for (const name of ['cart', 'pay']) await makeDeclared(name);
    const before = comparable(await read(application));
    const action = rollout(argocd());
    for (const name of ['cart', 'pay']) await action.apply(inputOf(name), context(name));
    expect(await action.undo({ input: inputOf('cart'), key: 'cart' }, context('cart'))).toMatchObject({
      detail: expect.stringContaining('stays paused for another step'),
    });
    expect((await read(application)).metadata.annotations).toMatchObject({ [skip]: 'true' });
    await action.undo({ input: inputOf('pay'), key: 'pay' }, context('pay'));
    expect(comparable(await read(application))).toEqual(before);
  });

  test('is left as people set it, before or meanwhile', async () => {
    namespace = await platform.freshNamespace();
    const application = await makeApplication(['cart']);
    await makeDeclared('cart');
    const action = rollout(argocd());
    await action.apply(inputOf('cart'), context('one'));
    await change(application, { metadata: { annotations: { [skip]: 'false' } } });
    await action.undo({ input: inputOf('cart'), key: 'one' }, context('one'));
    expect((await read(application)).metadata.annotations).toEqual({ 'notes.example.com/team': 'cart', [skip]: 'false' });
    // Argo CD accepts more than one word for true.
    await change(application, { metadata: { annotations: { [skip]: 'True' } } });
    expect((await action.plan(inputOf('cart'), context('two'))).notes.join()).toContain('is already paused');
    await action.apply(inputOf('cart'), context('two'));
    await action.undo({ input: inputOf('cart'), key: 'two' }, context('two'));
    expect((await read(application)).metadata.annotations).toEqual({ 'notes.example.com/team': 'cart', [skip]: 'True' });
  });

  test.each([
    ['does not list it', [], {}, 'does not say that this is its own'],
    [
      'is made by an ApplicationSet',
      ['cart'],
      { ownerReferences: [{ apiVersion: 'argoproj.io/v1alpha1', kind: 'ApplicationSet', name: 'all', uid: 'u' }] },
      'ApplicationSet all made it',
    ],
  ])('is not paused when the application that its marks name %s', async (_, listed, over, why) => {
    namespace = await platform.freshNamespace();
    const application = await makeApplication(listed, over);
    await makeDeclared('cart');
    const plan = await rollout(argocd()).plan(inputOf('cart'), context('one'));
    expect(plan.notes.join()).toContain(why);
    expect(plan.blastRadius).toEqual([`deployment/${namespace}/cart`]);
    await rollout(argocd()).apply(inputOf('cart'), context('one'));
    expect((await read(application)).metadata.annotations).not.toHaveProperty([skip]);
  });

  test('is also restored by the release command, from the cluster alone', async () => {
    namespace = await platform.freshNamespace();
    const application = await makeApplication(['cart']);
    await makeDeclared('cart');
    const before = comparable(await read(application));
    await rollout(argocd()).apply(inputOf('cart'), context('one'));
    const found = await findContainments({ api: cluster.api, namespace, cellKey });
    expect(found.map(({ target, action }) => [target, action])).toEqual([
      [`deployment/${namespace}/cart`, 'suspendRollout'],
      [`application/${namespace}/shop`, 'pause'],
    ]);
    // The Deployment's controller may write its status in between: then the release is requested again.
    await eventually('all is given back', async () => {
      const left = await findContainments({ api: cluster.api, namespace, cellKey });
      for (const one of left) await one.release(false).catch(() => undefined);
      return left.length === 0;
    });
    expect(comparable(await read(application))).toEqual(before);
  });
});

describe('what Flux declares', () => {
  test.each([
    ['a kustomization leaves this one object alone', 'kustomize', kustomizations, undefined],
    ['a Helm release is suspended as a whole', 'helm', helmReleases, 'namespace'],
  ] as const)('is held, and given back exactly: %s', async (_, group, kind, reach) => {
    namespace = await platform.freshNamespace();
    await makeFluxed(kind, 'cart');
    await makeDeclared('cart', fluxMarks(group));
    const all = async () => [comparable(await read(at(kind, 'shop'))), comparable(await read(workload('cart')))];
    const before = await all();
    const action = rollout({ flux: true });
    const plan = await action.plan(inputOf('cart'), context('one'));
    expect(plan.reach).toBe(reach);
    await action.apply(inputOf('cart'), context('one'));
    expect((await read(workload('cart'))).metadata.annotations?.['kustomize.toolkit.fluxcd.io/reconcile']).toBe(
      group === 'kustomize' ? 'disabled' : undefined,
    );
    expect((await read(at(kind, 'shop'))).spec?.suspend).toBe(group === 'helm' ? true : undefined);
    expect(await action.plan(inputOf('cart'), context('one'))).toEqual(plan);
    await action.undo({ input: inputOf('cart'), key: 'one' }, context('one'));
    expect(await all()).toEqual(before);
  });
});

describe('what Flux declares but leaves alone', () => {
  test.each([
    ['reconcile', 'Disabled'],
    ['ssa', 'Ignore'],
  ])('stays that way, with a mark in any letter case: %s %s', async (mark, value) => {
    namespace = await platform.freshNamespace();
    await makeFluxed(kustomizations, 'cart');
    const annotations = { [`kustomize.toolkit.fluxcd.io/${mark}`]: value };
    await makeDeclared('cart', { ...fluxMarks('kustomize'), annotations });
    const plan = await rollout({ flux: true }).plan(inputOf('cart'), context('one'));
    expect(plan.notes.join()).toContain('is already paused');
  });
});

describe('the account of the cell, with what `actions.gitops` adds', () => {
  let accounts: PoolAccounts;
  beforeAll(async () => {
    const manifests = rbacManifests({ actions, namespace: own, gitops: pausers }).values();
    accounts = await poolAccounts({ kubeconfig: platform.kubeconfig, manifests, own, pools: ['cell'] });
  });
  afterAll(() => accounts.remove());

  const asked = async (path: string, body: object): Promise<string> => {
    const { status, text } = await callKubernetes({ access: accounts.accessOf('cell'), method: 'PATCH', path, body });
    return status < 300 ? 'ok' : `${status} ${JSON.parse(text).message}`;
  };
  let tried = 0;
  const refused = (path: string, body: (n: number) => object, why: string) =>
    eventually(`it is refused: ${why}`, async () => {
      tried += 1;
      return (await asked(path, body(tried))).includes(why);
    });

  test('pauses and resumes, and may change nothing else in an application or a Helm release', async () => {
    namespace = await platform.freshNamespace();
    const application = await makeApplication(['cart']);
    const release = await makeFluxed(helmReleases, 'pay');
    await makeDeclared('cart');
    await makeDeclared('pay', fluxMarks('helm'));
    const nothingElse = 'Firebreak may change annotations of an application, nothing else';
    await refused(application, (n) => ({ spec: { source: { repoURL: `https://attacker.example.com/${n}` } } }), nothingElse);
    await refused(release, (n) => ({ spec: { values: { n } } }), 'Firebreak may suspend and resume a Helm release');
    for (const body of [
      { operation: { sync: {} } },
      { metadata: { labels: { a: 'b' } } },
      { metadata: { finalizers: ['a.example.com/b'] } },
    ])
      expect([body, await asked(application, body)]).toEqual([body, expect.stringContaining(nothingElse)]);
    expect(await asked(application, { metadata: { annotations: { 'argocd.argoproj.io/refresh': 'hard' } } })).toContain(
      'no annotations of an application but its own and the one that pauses it',
    );
    const before = [comparable(await read(application)), comparable(await read(release))];
    const action = suspendRolloutImplementation({ api: accounts.as('cell').api, cellKey, pausing: { ...argocd(), flux: true } });
    for (const name of ['cart', 'pay']) {
      const output = await action.apply(inputOf(name), context(name));
      expect(output.paused).toBeDefined();
      expect(await action.undo({ input: inputOf(name), output, key: name }, context(name))).toMatchObject({ state: 'undone' });
    }
    expect([comparable(await read(application)), comparable(await read(release))]).toEqual(before);
  });

  test('makes Flux leave a workload alone only where it may read what Flux declares', async () => {
    namespace = await platform.freshNamespace();
    await cluster.makeDeployment(namespace, 'cart', { replicas: 1 });
    const disabled = { metadata: { annotations: { 'kustomize.toolkit.fluxcd.io/reconcile': 'disabled' } } };
    expect(await asked(workload('cart'), disabled)).toBe('ok');
    await change(workload('cart'), { metadata: { annotations: { 'kustomize.toolkit.fluxcd.io/reconcile': null } } });
    const binding = pathOf({ group: 'rbac.authorization.k8s.io', resource: 'clusterrolebindings', name: 'firebreak-cell-flux' });
    await change(binding, { subjects: null });
    await change(workload('cart'), { metadata: fluxMarks('kustomize') });
    const action = suspendRolloutImplementation({ api: accounts.as('cell').api, cellKey, pausing: { flux: true } });
    const said = async () => (await action.plan(inputOf('cart'), context('one'))).notes.join();
    await eventually('the missing right', async () => (await said()).includes('does not allow us to get kustomizations'));
    await refused(
      workload('cart'),
      (n) => ({ metadata: { annotations: { 'kustomize.toolkit.fluxcd.io/reconcile': `disabled-${n}` } } }),
      'Firebreak may change no annotations of a workload but its own',
    );
  });
});

test('nothing is looked up or paused unless the configuration says so, nor anything that cannot be found', async () => {
  namespace = await platform.freshNamespace();
  const application = await makeApplication(['cart']);
  await makeDeclared('cart');
  const plan = await rollout(undefined).plan(inputOf('cart'), context('one'));
  expect(plan.notes).toContain('It is managed by Argo CD application shop, which may take this back.');
  await rollout(undefined).apply(inputOf('cart'), context('one'));
  expect((await read(application)).metadata.annotations).not.toHaveProperty([skip]);
  const cronJobs = suspendCronJobImplementation({ api: cluster.api, cellKey, pausing: argocd() });
  await expect(cronJobs.plan({ cronJob: { namespace, name: 'none' } }, context('two'))).rejects.toMatchObject({
    code: 'FB_ERR_NOT_FOUND',
  });
});

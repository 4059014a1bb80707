import { beforeAll, describe, expect, test } from '@jest/globals';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { cordonNodeImplementation } from '../../../activities/actions/nodes/cordon-node.ts';
import { drainNodeImplementation } from '../../../activities/actions/nodes/drain-node.ts';
import { revokeServiceAccountImplementation } from '../../../activities/actions/secrets/revoke-service-account.ts';
import { rotateSecretImplementation } from '../../../activities/actions/secrets/rotate-secret.ts';
import { hardenWorkloadImplementation } from '../../../activities/actions/workloads/harden-workload.ts';
import { restartWorkloadImplementation } from '../../../activities/actions/workloads/restart-workload.ts';
import { rollbackWorkloadImplementation } from '../../../activities/actions/workloads/rollback-workload.ts';
import { scaleToZeroImplementation } from '../../../activities/actions/workloads/scale-to-zero.ts';
import { suspendCronJobImplementation } from '../../../activities/actions/workloads/suspend-cron-job.ts';
import { suspendRolloutImplementation } from '../../../activities/actions/workloads/suspend-rollout.ts';
import type { ActionImplementation, StepContext } from '../../../core/action/action.ts';
import { actions as all } from '../../../core/actions/index.ts';
import { quarantineLabels } from '../../../core/cluster/before-state.ts';
import { names } from '../../../core/cluster/labels.ts';
import { notesOn } from '../../../core/cluster/object-note.ts';
import { isObject } from '../../../core/text/plain-json.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import type { ObjectJson } from '../../../integrations/kubernetes/objects.ts';
import { rbacManifests } from '../../../service/rbac/manifests.ts';
import { testPlatform } from '../../platform.ts';
import { asTemporal, cellKey, resolved, stepContext, until } from '../kubernetes/parts/cluster.ts';
import { type PoolAccounts, poolAccounts } from '../kubernetes/parts/pool-accounts.ts';
import { ownNode, rolledDeployment } from './eradication-table.ts';

const platform = await testPlatform();
const own = 'firebreak-room-test';

let accounts: PoolAccounts;
beforeAll(async () => {
  const manifests = rbacManifests({ actions: all, namespace: own }).values();
  accounts = await poolAccounts({ kubeconfig: platform.kubeconfig, manifests, own, pools: ['cell', 'secrets'] });
  await inForce();
});
platform.cleanUp(() => accounts.remove());

const small = { 'notes.example.com/team': 'cart' };
/** As much as the API server accepts. */
const full = { ...small, 'notes.example.com/full': 'x'.repeat(262_000) };
const cell = () => ({ api: accounts.as('cell').api, view: accounts.as('cell').view, cellKey });
const at = (group: string, resource: string, namespace?: string, name?: string): string =>
  pathOf({ group, resource, ...(namespace !== undefined && { namespace }), ...(name !== undefined && { name }) });
const changeAs = (who: Pick<PoolAccounts['admin'], 'api'>, path: string, body: object) =>
  who.api.json({ method: 'PATCH', patch: 'merge', path, body, what: 'change by hand' });
const change = (path: string, body: object) => changeAs(accounts.admin, path, body);
/** Returns `ok`, or the status of the refusal. */
const askedAsCell = (path: string, annotations: object) =>
  changeAs(accounts.as('cell'), path, { metadata: { annotations } }).then(
    () => 'ok',
    (error) => error.status,
  );
/** Without a node's taints, which its controller writes at some point. */
const fieldsOf = ({ spec, subjects }: ObjectJson) => [isObject(spec) ? { ...spec, taints: undefined } : spec, subjects];
const read = (path: string) => accounts.admin.get<ObjectJson>(path);

/** Waits until the policies on what the cell may change are in force, which takes a moment after they are created. */
async function inForce(): Promise<void> {
  const namespace = await platform.freshNamespace();
  await accounts.admin.makeDeployment(namespace, 'cart', { replicas: 1 });
  await accounts.admin.makePod(namespace, 'cart');
  const { node, end } = await ownNode(accounts.admin, namespace);
  const paths = [
    at('', 'pods', namespace, 'cart'),
    at('', 'nodes', undefined, node),
    at('apps', 'deployments', namespace, 'cart'),
  ];
  let tried = 0;
  for (const path of paths)
    await until(async () => ((await askedAsCell(path, { 'notes.example.com/try': `${++tried}` })) === 422 ? true : undefined));
  await end();
}

interface Scene {
  readonly path: string;
  plan(context: StepContext): ReturnType<ActionImplementation<unknown, unknown>['plan']>;
  done(context: StepContext): Promise<{ readonly state: string }>;
  undone(context: StepContext): Promise<{ readonly state: string; readonly detail: string } | undefined>;
  end?(): Promise<void>;
}

function sceneOf<Input, Output>(
  path: string,
  action: ActionImplementation<Input, Output>,
  input: Input,
  end?: () => Promise<void>,
): Scene {
  return {
    path,
    plan: (context) => action.plan(input, context),
    done: async (context) => action.verify(await action.apply(input, context), context),
    undone: async (context) => action.undo?.({ input, key: context.key }, context),
    ...(end && { end }),
  };
}

async function deployed(namespace: string) {
  const [pod] = await accounts.admin.makeDeployment(namespace, 'cart', { replicas: 1 });
  if (!pod) throw new Error('one replica was asked for');
  const workload = { kind: 'Deployment' as const, namespace, name: 'cart' };
  return { path: at('apps', 'deployments', namespace, 'cart'), workload, suspect: resolved(pod) };
}

const scenes: Readonly<Record<string, (namespace: string) => Promise<Scene>>> = {
  async suspendRollout(namespace) {
    const { path } = await deployed(namespace);
    return sceneOf(path, suspendRolloutImplementation(cell()), { deployment: { namespace, name: 'cart' } });
  },
  async scaleToZero(namespace) {
    const { path, workload, suspect } = await deployed(namespace);
    return sceneOf(path, scaleToZeroImplementation({ ...cell(), pollMs: 50 }), { workload, suspect });
  },
  async suspendCronJob(namespace) {
    const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'shop/report:1' }] } };
    const path = at('batch', 'cronjobs', namespace);
    await accounts.admin.post(path, {
      metadata: { name: 'report' },
      spec: { schedule: '0 4 1 1 *', jobTemplate: { spec: { template } } },
    });
    return sceneOf(`${path}/report`, suspendCronJobImplementation(cell()), { cronJob: { namespace, name: 'report' } });
  },
  async cordonNode(namespace) {
    const { node, end } = await ownNode(accounts.admin, namespace);
    return sceneOf(at('', 'nodes', undefined, node), cordonNodeImplementation(cell()), { node }, end);
  },
  async revokeServiceAccount(namespace) {
    const serviceAccount = { namespace, name: 'default' };
    const path = at('rbac.authorization.k8s.io', 'rolebindings', namespace);
    await accounts.admin.post(path, {
      metadata: { name: 'viewers' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'ServiceAccount', ...serviceAccount }],
    });
    return sceneOf(`${path}/viewers`, revokeServiceAccountImplementation(cell()), { serviceAccount });
  },
};
const marking: typeof scenes = {
  async drainNode(namespace) {
    const { node, end } = await ownNode(accounts.admin, namespace);
    const drain = drainNodeImplementation({ ...cell(), isProtected: () => false, pollMs: 50 });
    return sceneOf(at('', 'nodes', undefined, node), drain, { node: { name: node } }, end);
  },
  async hardenWorkload(namespace) {
    const { path, workload, suspect } = await deployed(namespace);
    return sceneOf(path, hardenWorkloadImplementation({ ...cell(), pollMs: 50 }), { workload, suspect });
  },
  async rollbackWorkload(namespace) {
    await rolledDeployment(accounts.admin, namespace);
    const [suspect] = await accounts.admin.pods(namespace);
    const rollback = rollbackWorkloadImplementation({ api: accounts.as('secrets').api, pollMs: 50 });
    const workload = { kind: 'Deployment', namespace, name: 'cart' };
    const path = at('apps', 'deployments', namespace, 'cart');
    return sceneOf(path, rollback, { workload, suspect: resolved(suspect ?? {}) });
  },
};

describe('room for notes, with each pool’s own account', () => {
  test.each(Object.entries(scenes))(
    'is made on an object whose annotations are full, and the plan says so: %s',
    async (_, make) => {
      const scene = await make(await platform.freshNamespace());
      await change(scene.path, { metadata: { annotations: full } });
      const before = await read(scene.path);
      const context = stepContext();
      const plan = await scene.plan(context);
      expect(plan.notes.join(' ')).toContain(
        'has too many annotations to leave room for the note: 1 annotation is removed and not restored.',
      );
      await scene.done(context);
      const { metadata } = await read(scene.path);
      expect(metadata.annotations).toMatchObject(small);
      expect(metadata.annotations).not.toHaveProperty(['notes.example.com/full']);
      expect(await scene.plan(context)).toEqual(plan);
      expect(await scene.undone(context)).toMatchObject({ state: 'undone' });
      const after = await read(scene.path);
      const { 'notes.example.com/full': _full, ...kept } = before.metadata.annotations ?? {};
      expect(after.metadata.annotations).toEqual(kept);
      expect(fieldsOf(after)).toEqual(fieldsOf(before));
      await scene.end?.();
    },
  );

  test.each(Object.entries(marking))('is made when a step only marks what it changes: %s', async (_, make) => {
    const scene = await make(await platform.freshNamespace());
    await change(scene.path, { metadata: { annotations: full } });
    const context = stepContext();
    expect((await scene.plan(context)).notes.join(' ')).toContain('1 annotation is removed and not restored.');
    expect(await scene.done(context)).toMatchObject({ state: 'verified' });
    const { annotations } = (await read(scene.path)).metadata;
    expect(annotations).toMatchObject(small);
    expect(annotations).not.toHaveProperty(['notes.example.com/full']);
    await scene.end?.();
  });

  test('is not made by removing another step’s notes, however much is stored under such names', async () => {
    const namespace = await platform.freshNamespace();
    const { path, workload, suspect } = await deployed(namespace);
    const rollout = suspendRolloutImplementation(cell());
    const [input, first, second] = [{ deployment: { namespace, name: 'cart' } }, stepContext(), stepContext()];
    await rollout.apply(input, first);
    const junk = Object.fromEntries(
      ['x', 'pause-x', 'cordon-node'].map((name) => [`firebreak.dev/before-${name}`, 'x'.repeat(80_000)]),
    );
    await change(path, { metadata: { annotations: junk } });
    const zero = scaleToZeroImplementation({ ...cell(), pollMs: 50 });
    const output = await zero.apply({ workload, suspect }, second);
    const { annotations = {}, uid } = (await read(path)).metadata;
    const notes = notesOn({ annotations, object: `deployment/${namespace}/cart`, uid, key: cellKey });
    expect([...notes.values()].map(({ action, lost }) => [action, lost])).toEqual([
      ['scaleToZero', 3],
      ['suspendRollout', undefined],
    ]);
    expect(await zero.undo({ input: { workload, suspect }, output, key: second.key }, second)).toMatchObject({
      state: 'undone',
      detail: expect.stringContaining('3 annotations removed to make room for its note are not restored'),
    });
    expect(await rollout.undo({ input, key: first.key }, first)).toMatchObject({ state: 'undone' });
    expect((await accounts.admin.deployment(namespace, 'cart')).spec).toMatchObject({ replicas: 1 });
  });

  test('is made for a new note even if somebody put back an old one, of a hold that is over', async () => {
    const namespace = await platform.freshNamespace();
    const { path, workload, suspect } = await deployed(namespace);
    const zero = scaleToZeroImplementation({ ...cell(), pollMs: 50 });
    const input = { workload, suspect };
    const [first, second] = [stepContext({ incident: 'incident/test/first' }), stepContext({ incident: 'incident/test/second' })];
    const output = await zero.apply(input, first);
    const name = 'firebreak.dev/before-scale-to-zero';
    const { [name]: note } = (await read(path)).metadata.annotations ?? {};
    expect(await zero.undo({ input, output, key: first.key }, first)).toMatchObject({ state: 'undone' });
    await change(path, { metadata: { annotations: { [name]: note } }, spec: { replicas: 2 } });
    expect(await zero.apply(input, second)).toMatchObject({ replicasBefore: 2 });
    expect(await zero.undo({ input, key: second.key }, second)).toMatchObject({ state: 'undone' });
    expect((await accounts.admin.deployment(namespace, 'cart')).spec).toMatchObject({ replicas: 2 });
  });

  const tiny = (count: number): readonly string[] => Array.from({ length: count }, (_, n) => n.toString(36).padStart(4, '0'));
  test.each<[string, object]>([
    ['long', { annotations: full }],
    ['under our names', { annotations: { ...small, 'firebreak.dev/full': 'x'.repeat(262_000) } }],
    ['of characters of four bytes', { annotations: { ...small, 'notes.example.com/full': '😀'.repeat(65_000) } }],
    ['many', { annotations: { ...small, ...Object.fromEntries(tiny(5_000).map((name) => [name, ''])) } }],
    [
      'many, and so are its labels',
      {
        annotations: { ...small, 'notes.example.com/some': 'x'.repeat(110_000) },
        labels: Object.fromEntries(tiny(17_000).map((name) => [name, ''])),
      },
    ],
  ])('is made on a pod whose annotations are %s', async (what, metadata) => {
    const namespace = await platform.freshNamespace();
    const name = what.replaceAll(/\W+/g, '-');
    // Without this, the managed fields would take up as much space again.
    const made = resolved(await accounts.admin.makePod(namespace, name, { metadata: { ...metadata, managedFields: [{}] } }));
    const context = stepContext();
    const quarantine = quarantinePodImplementation(cell());
    await asTemporal(() => quarantine.apply({ pod: made }, context));
    const held = await accounts.admin.pod(namespace, name);
    expect(held.metadata?.labels).toEqual(quarantineLabels(context.incident));
    await asTemporal(() => quarantine.undo({ input: { pod: made }, key: context.key }, context));
    expect((await accounts.admin.pod(namespace, name)).metadata?.annotations).toMatchObject(small);
  });

  test('is enough for a binding with thousands of subjects, and for a hundred bindings with long names', async () => {
    const namespace = await platform.freshNamespace();
    const path = at('rbac.authorization.k8s.io', 'rolebindings', namespace);
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
    const serviceAccount = { namespace, name: 'default' };
    const account = { kind: 'ServiceAccount', ...serviceAccount };
    const users = Array.from({ length: 3_000 }, (_, n) => ({
      kind: 'User',
      apiGroup: roleRef.apiGroup,
      name: `somebody-of-the-${n}th-department`,
    }));
    const subjects = [account, ...users.slice(0, 2_000), account, ...users.slice(2_000)];
    await accounts.admin.post(path, { metadata: { name: 'large' }, roleRef, subjects });
    const long = Array.from({ length: 100 }, (_, n) => `${'n'.repeat(240)}${n}`);
    for (const name of long) await accounts.admin.post(path, { metadata: { name }, roleRef, subjects: [account] });
    const action = revokeServiceAccountImplementation(cell());
    const [input, context] = [{ serviceAccount }, stepContext()];
    await action.plan(input, context);
    const output = await action.apply(input, context);
    expect(await action.verify(output, context)).toMatchObject({ state: 'applied' });
    expect((await read(`${path}/large`)).subjects).toEqual(users);
    expect(await action.apply(input, context)).toEqual(output);
    expect(await action.undo({ input, output, key: context.key }, context)).toMatchObject({ state: 'undone' });
    expect((await read(`${path}/large`)).subjects).toEqual(subjects);
    expect((await read(`${path}/${long[0]}`)).subjects).toEqual([account]);
  });

  test('is made only by removing, and only there: the cell neither changes others’ annotations nor removes them elsewhere', async () => {
    const namespace = await platform.freshNamespace();
    const { path } = await deployed(namespace);
    await change(path, { metadata: { annotations: small } });
    expect(await askedAsCell(path, { 'notes.example.com/team': null })).toBe(422);
    await change(path, { metadata: { annotations: full } });
    expect(await askedAsCell(path, { 'notes.example.com/full': null, 'notes.example.com/team': 'other' })).toBe(422);
    expect(await askedAsCell(path, { 'notes.example.com/full': null, [names.stepAnnotation]: 'step' })).toBe('ok');
  });
});

test('a restart says in its plan that the pod template has no room for its mark: others’ annotations there are not removed', async () => {
  const namespace = await platform.freshNamespace();
  const [pod] = await accounts.admin.makeDeployment(namespace, 'cart', { replicas: 1 });
  const annotations = { 'notes.example.com/full': 'x'.repeat(262_100) };
  const path = at('apps', 'deployments', namespace, 'cart');
  await change(path, { spec: { template: { metadata: { annotations } } } });
  const input = { workload: { kind: 'Deployment' as const, namespace, name: 'cart' }, suspect: resolved(pod ?? {}) };
  const restart = restartWorkloadImplementation({ api: accounts.as('cell').api, pollMs: 100 });
  await expect(restart.plan(input, stepContext())).rejects.toMatchObject({
    code: 'FB_ERR_REFUSED',
    detail: expect.stringMatching(/are \d+ bytes too large to add the mark of a restart: remove some from the template/),
  });
  await change(path, { spec: { template: { metadata: { annotations: { 'notes.example.com/full': 'x' } } } } });
  expect(await restart.plan(input, stepContext())).toMatchObject({ target: { name: `deployment/${namespace}/cart` } });
});

test('a rotation says in its plan which workload it skips because the pod template has no room for the mark', async () => {
  const namespace = await platform.freshNamespace();
  await accounts.admin.post(at('', 'secrets', namespace), { metadata: { name: 'db' }, stringData: { password: 'x'.repeat(40) } });
  const envFrom = [{ secretRef: { name: 'db' } }];
  const [pod] = await accounts.admin.makeDeployment(namespace, 'web', { replicas: 1 });
  await accounts.admin.makeDeployment(namespace, 'pay', {
    replicas: 0,
    spec: { containers: [{ name: 'main', image: 'shop/pay:1', envFrom }] },
  });
  const path = at('apps', 'deployments', namespace, 'pay');
  const noted = (bytes: number) =>
    change(path, { spec: { template: { metadata: { annotations: { 'notes.example.com/full': 'x'.repeat(bytes) } } } } });
  const rotate = rotateSecretImplementation({ api: accounts.as('secrets').api, pollMs: 100 });
  const input = { suspect: resolved(pod ?? {}), secrets: ['db'] };
  await noted(262_100);
  const { notes, blastRadius } = await rotate.plan(input, stepContext());
  expect(notes.join('\n')).toMatch(
    /Deployment pay \(the annotations of its pod template are \d+ bytes too large to add the mark of a rotation: .*\) also uses db, and keeps the old value/,
  );
  expect(blastRadius).not.toContain(`deployment/${namespace}/pay`);
  await noted(1);
  expect((await rotate.plan(input, stepContext())).blastRadius).toContain(`deployment/${namespace}/pay`);
});

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { snapshotPodStateImplementation } from '../../../activities/actions/evidence/snapshot-pod-state.ts';
import { revokeServiceAccountImplementation } from '../../../activities/actions/secrets/revoke-service-account.ts';
import { rotateSecretImplementation } from '../../../activities/actions/secrets/rotate-secret.ts';
import { deletePodImplementation } from '../../../activities/actions/workloads/delete-pod.ts';
import { heldKinds } from '../../../core/action/action.ts';
import { actions as all, quarantinePod, revokeTokens } from '../../../core/actions/index.ts';
import { names } from '../../../core/cluster/labels.ts';
import { eventsOf } from '../../../core/cluster/object-event.ts';
import { hasRight } from '../../../integrations/kubernetes/access-review.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../../integrations/kubernetes/client-error.ts';
import { EventWriter } from '../../../integrations/kubernetes/object-events.ts';
import { claimedByLease, doneByLease } from '../../../integrations/kubernetes/run-claims.ts';
import { HeldObjects } from '../../../service/cell/containment/held-objects.ts';
import { findOnPath } from '../../../service/parts/command.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { shippedActions } from '../../../service/rbac/enabled.ts';
import { rbacManifests } from '../../../service/rbac/manifests.ts';
import { missingRights } from '../../../service/rbac/missing.ts';
import { kubernetesProgram } from '../../../tools/platform/kubernetes/kubelab-binary.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, resolved, stepContext, until } from './parts/cluster.ts';
import { folderEvidence } from './parts/evidence.ts';
import { type Cluster, type PoolAccounts, poolAccounts } from './parts/pool-accounts.ts';

const platform = await testPlatform();
const shipped = shippedActions();
/** Everything that a cell may be given, which admission must narrow; for the other pools, what the shipped playbooks need. */
const actions = all.filter((action) => action.pool === 'cell' || shipped.includes(action));
const own = 'firebreak-rbac-test';
const folder = mkdtempSync(join(tmpdir(), 'firebreak-rbac-'));

describe('the rights that the declarations ask for', () => {
  let accounts: PoolAccounts;
  let admin: Cluster;
  beforeAll(async () => {
    const manifests = rbacManifests({ actions, namespace: own, cells: 2 }).values();
    accounts = await poolAccounts({ kubeconfig: platform.kubeconfig, manifests, own, pools: ['cell', 'secrets'] });
    admin = accounts.admin;
  });
  afterAll(async () => {
    await accounts.remove();
    rmSync(folder, { recursive: true });
  });
  const as = (pool: string): Cluster => accounts.as(pool);

  test('are enough for the cell to watch everything that actions hold, and to see an account regain its rights', async () => {
    const namespace = await platform.freshNamespace();
    const { api } = as('cell');
    const cells = actions.filter(({ pool }) => pool === 'cell');
    for (const { apiGroup: group, resource } of heldKinds(cells))
      for (const verb of ['get', 'list', 'watch'])
        expect([verb, resource, await hasRight({ api, right: { group, resource, verb } })]).toEqual([verb, resource, true]);
    const changed = new Set<string>();
    const objects = new HeldObjects({ api, cellKey, actions: cells });
    objects.start((key) => changed.add(key));
    try {
      const serviceAccount = { namespace, name: 'cart' };
      const group = 'rbac.authorization.k8s.io';
      const bindings = pathOf({ group, resource: 'rolebindings', namespace });
      const binding = {
        roleRef: { apiGroup: group, kind: 'ClusterRole', name: 'view' },
        subjects: [{ kind: 'ServiceAccount', ...serviceAccount }],
      };
      await admin.post(pathOf({ resource: 'serviceaccounts', namespace }), { metadata: { name: 'cart' } });
      await admin.post(bindings, { metadata: { name: 'reads' }, ...binding });
      await revokeServiceAccountImplementation({ api, cellKey }).apply({ serviceAccount }, stepContext());
      const key = `revokeServiceAccount rolebinding/${namespace}/reads`;
      await until(async () => changed.has(key));
      expect(await objects.look(key)).toMatchObject({ state: 'there', difference: [] });
      changed.clear();
      await admin.post(bindings, { metadata: { name: 'again' }, ...binding });
      await until(async () => changed.has(key));
      const difference = [`rolebinding/${namespace}/again grants rights to ${namespace}/cart again`];
      expect(await objects.look(key)).toMatchObject({ state: 'there', difference });
    } finally {
      await objects.stop();
    }
  });

  test('are narrowed by admission: the cell labels pods and writes the one policy, but changes no image and opens nothing', async () => {
    const namespace = await platform.freshNamespace();
    const { name = '' } = resolved(await admin.makePod(namespace, 'cart', { metadata: { annotations: { owner: 'team' } } }));
    const { api } = as('cell');
    const policies = pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace });
    const patch = (body: object) =>
      api.json({ method: 'PATCH', patch: 'strategic', path: pathOf({ resource: 'pods', namespace, name }), body, what: 'try' });
    const create = (policy: string, spec: object) =>
      api.json({ method: 'POST', path: policies, body: { metadata: { name: policy }, spec }, what: 'try' });
    let tried = 0;
    // The API server takes a moment to enforce a new admission policy. Uses another image each time: an attempt that got through would make the next one no change.
    const denied = async () =>
      (
        await patch({ spec: { containers: [{ name: 'main', image: `attacker/miner:${++tried}` }] } }).then(
          () => undefined,
          (error) => error,
        )
      )?.status;
    await until(async () => ((await denied()) === 422 ? true : undefined), 45_000);
    // Each kind has its own admission policy.
    const status = (attempt: Promise<unknown>): Promise<unknown> =>
      attempt.then(
        () => undefined,
        (error) => error.status,
      );
    const policyDenied = () => status(create(`try-${++tried}`, { podSelector: {}, policyTypes: ['Ingress'] }));
    await until(async () => ((await policyDenied()) === 422 ? true : undefined), 45_000);
    const standing = { podSelector: { matchLabels: { [names.quarantineLabel]: 'active' } }, policyTypes: ['Ingress', 'Egress'] };
    const dnsPorts = [{ protocol: 'UDP', port: 53 }];
    const dnsServers = [
      {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
        podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
      },
    ];
    const tries: readonly (() => Promise<unknown>)[] = [
      () => patch({ metadata: { annotations: { owner: 'nobody' } } }),
      () => patch({ metadata: { annotations: { owner: null } } }),
      () => patch({ metadata: { finalizers: ['firebreak.dev/stay'] } }),
      () => create('mine', { podSelector: {}, policyTypes: ['Ingress'] }),
      () => create('firebreak-quarantine', { podSelector: {}, ingress: [{}] }),
      () => create('firebreak-isolate-x', { podSelector: {}, ingress: [{}] }),
      () => create('firebreak-quarantine', { ...standing, ingress: [{ from: [{ namespaceSelector: {} }] }] }),
      () => create('firebreak-quarantine', { ...standing, ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.1/32' } }] }] }),
      () => create('firebreak-quarantine', { ...standing, egress: [{ to: dnsServers }] }),
      () => create('firebreak-quarantine', { ...standing, egress: [{ to: dnsServers, ports: [{ port: 443 }] }] }),
      () => create('firebreak-quarantine', { ...standing, egress: [{ to: dnsServers, ports: [{ port: 53, endPort: 60 }] }] }),
      () =>
        create('firebreak-quarantine', { ...standing, egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0' } }], ports: dnsPorts }] }),
      () => create('firebreak-quarantine', { ...standing, egress: [{ ports: dnsPorts }] }),
      () => api.json({ method: 'DELETE', path: `${policies}/tenants-own`, what: 'try' }),
    ];
    await admin.post(policies, { metadata: { name: 'tenants-own' }, spec: { podSelector: {} } });
    for (const attempt of tries) await expect(attempt()).rejects.toMatchObject({ status: 422 });
    const spares = { matchExpressions: [{ key: names.quarantineLabel, operator: 'NotIn', values: ['active'] }] };
    await admin.makeDeployment(namespace, 'web', { replicas: 1 });
    const deployment = (body: object) =>
      api.json({
        method: 'PATCH',
        patch: 'merge',
        path: pathOf({ group: 'apps', resource: 'deployments', namespace, name: 'web' }),
        body,
        what: 'try',
      });
    const labelDenied = () => status(deployment({ metadata: { labels: { x: `y${++tried}` } } }));
    await until(async () => ((await labelDenied()) === 422 ? true : undefined), 45_000);
    for (const body of [
      { spec: { template: { spec: { serviceAccountName: 'admin' } } } },
      { metadata: { labels: { x: 'y' } } },
      { metadata: { annotations: { owner: 'nobody' } } },
      { spec: { strategy: { type: 'Recreate', rollingUpdate: null } } },
      { spec: { minReadySeconds: 900 } },
      { spec: { template: { metadata: { annotations: { owner: 'nobody' } } } } },
    ])
      await expect(deployment(body)).rejects.toMatchObject({ status: 422 });
    await deployment({ spec: { template: { metadata: { annotations: { 'firebreak.dev/restarted-by': 'x' } } } } });
    await deployment({ spec: { paused: true }, metadata: { annotations: { 'firebreak.dev/x': 'y' } } });
    await create('firebreak-isolate-x', { podSelector: spares, policyTypes: ['Ingress'], ingress: [{}] });
    await api.json({ method: 'DELETE', path: `${policies}/firebreak-isolate-x`, what: 'try' });
    await patch({
      metadata: { labels: { x: 'y' }, annotations: { 'firebreak.dev/step': 'x', 'karpenter.sh/do-not-disrupt': 'true' } },
    });
    await patch({ metadata: { annotations: { 'karpenter.sh/do-not-disrupt': null } } });
    const pod = await admin.pod(namespace, name);
    expect(pod.metadata?.annotations).toEqual({ owner: 'team', 'firebreak.dev/step': 'x' });
  });

  test('let the cell remove an account from a binding and restore that one, and grant a role to nobody else', async () => {
    const namespace = await platform.freshNamespace();
    const { api } = as('cell');
    const rbac = 'rbac.authorization.k8s.io';
    const bindings = pathOf({ group: rbac, resource: 'rolebindings', namespace });
    const [victim, thief] = ['victim', 'thief'].map((name) => ({ kind: 'ServiceAccount', name, namespace }));
    const bind = (name: string) =>
      admin.post(bindings, {
        metadata: { name },
        roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'admin' },
        subjects: [victim],
      });
    await bind('admins');
    const patch = (subjects: readonly unknown[] | null, revoked: string | null | undefined, name = 'admins') =>
      api.json({
        method: 'PATCH',
        patch: 'merge',
        path: `${bindings}/${name}`,
        body: {
          ...(subjects !== undefined && { subjects }),
          ...(revoked !== undefined && { metadata: { annotations: { [names.revokedAnnotation]: revoked } } }),
        },
        what: 'try',
      });
    let tries = 0;
    // A separate binding for each try: if the thief got into one before the policy was in force, trying again would be no change.
    const refused = async () => {
      tries += 1;
      await bind(`try-${tries}`);
      return patch([victim, thief], undefined, `try-${tries}`).then(
        () => undefined,
        (error) => (error.status === 422 ? true : undefined),
      );
    };
    await until(refused, 45_000);
    await expect(patch([victim], `${namespace}/thief`)).rejects.toMatchObject({ status: 422 });
    await patch(null, `${namespace}/victim`);
    await expect(patch([thief], undefined)).rejects.toMatchObject({ status: 422 });
    await expect(patch(null, `${namespace}/thief`)).rejects.toMatchObject({ status: 422 });
    await patch([victim], null);
  });

  test('are enough for the cell to quarantine, keep evidence, release and delete', async () => {
    const namespace = await platform.freshNamespace();
    const { api, view } = as('cell');
    const input = { pod: resolved(await admin.makePod(namespace, 'cart', { metadata: { labels: { app: 'cart' } } })) };
    const context = stepContext();
    const exceptions = {
      dns: { namespace: 'kube-system', podLabels: { 'k8s-app': 'kube-dns' }, addresses: ['169.254.20.10/32'] },
      forensics: { namespace: 'forensics' },
    };
    const excepting = quarantinePodImplementation({ api, view, cellKey, exceptions });
    expect((await excepting.apply(input, context)).policyCreated).toBe(true);
    const quarantine = quarantinePodImplementation({ api, view, cellKey });
    await quarantine.plan(input, context);
    const output = await quarantine.apply(input, context);
    expect(output.policyCreated).toBe(true);
    expect(await quarantine.verify(output, context)).toMatchObject({ state: 'unverified' });
    const snapshot = snapshotPodStateImplementation({ api, ...(await folderEvidence(folder)) });
    expect(await snapshot.verify(await snapshot.apply(input, context), context)).toMatchObject({ state: 'verified' });
    expect(await quarantine.undo({ input, key: context.key }, context)).toMatchObject({ state: 'undone' });
    const deletion = deletePodImplementation({ api });
    await deletion.plan(input, context);
    expect(await deletion.verify(await deletion.apply(input, context), context)).toMatchObject({ state: 'verified' });
  });

  test('are enough for the secrets pool to rotate', async () => {
    const namespace = await platform.freshNamespace();
    await admin.post(pathOf({ resource: 'secrets', namespace }), { metadata: { name: 'db' }, stringData: { password: 'x' } });
    const [pod] = await admin.makeDeployment(namespace, 'cart', {
      replicas: 1,
      spec: { containers: [{ name: 'main', image: 'shop/cart:1', envFrom: [{ secretRef: { name: 'db' } }] }] },
    });
    if (!pod) throw new Error('one replica was asked for');
    const context = stepContext();
    await quarantinePodImplementation({ api: admin.api, view: admin.view, cellKey }).apply({ pod: resolved(pod) }, context);
    const rotation = rotateSecretImplementation({ api: as('secrets').api, pollMs: 100 });
    const input = { suspect: resolved(pod) };
    await rotation.plan(input, context);
    const output = await rotation.apply(input, context);
    expect(output.rotated).toHaveLength(1);
    expect(await rotation.verify(output, context)).toMatchObject({ state: 'verified' });
  });

  test('go no further: the cell reads no Secret, the secrets pool changes no pod and watches nothing, nobody execs', async () => {
    const namespace = await platform.freshNamespace();
    const { name = '' } = resolved(await admin.makePod(namespace, 'cart'));
    const tries: readonly (readonly [string, 'GET' | 'PATCH' | 'DELETE' | 'POST', string])[] = [
      ['cell', 'GET', pathOf({ resource: 'secrets', namespace })],
      ['cell', 'POST', pathOf({ resource: 'pods', namespace, name, subresource: 'exec' })],
      ['secrets', 'PATCH', pathOf({ resource: 'pods', namespace, name })],
      ['secrets', 'DELETE', pathOf({ resource: 'pods', namespace, name })],
      ['secrets', 'GET', pathOf({ resource: 'secrets', namespace })],
      ['secrets', 'GET', `${pathOf({ resource: 'pods' })}?watch=true&timeoutSeconds=1`],
      ['secrets', 'GET', pathOf({ resource: 'nodes' })],
      ['secrets', 'GET', pathOf({ group: 'apps', resource: 'replicasets' })],
    ];
    for (const [pool, method, path] of tries) {
      const call = as(pool).api.json({ method, path, what: 'try', ...(method === 'PATCH' && { patch: 'merge', body: {} }) });
      const error = await call.catch((caught: unknown) => caught);
      expect([pool, method, path, error instanceof KubernetesError && error.status]).toEqual([pool, method, path, 403]);
    }
  });

  test('that are missing are named, with the actions that need them', async () => {
    expect(await missingRights({ api: as('cell').api, pool: 'cell', actions, namespace: own })).toEqual([]);
    expect(
      await missingRights({ api: as('secrets').api, pool: 'secrets', actions: [...actions, revokeTokens], namespace: own }),
    ).toEqual(
      expect.arrayContaining([
        { right: 'delete pods', neededBy: ['revokeTokens'] },
        { right: 'list secrets', neededBy: ['revokeTokens'] },
      ]),
    );
    const asSecrets = await missingRights({ api: as('secrets').api, pool: 'cell', actions, namespace: own });
    expect(asSecrets).toContainEqual({ right: 'patch pods', neededBy: expect.arrayContaining(['quarantinePod']) });
    expect(asSecrets).toContainEqual({ right: 'get pods/log', neededBy: ['collectLogs', 'snapshotPodState'] });
  });

  test('let one of two cells claim a scheduled run, even after a restart', async () => {
    const { api } = as('cell');
    expect(await missingRights({ api, pool: 'cell', actions: [], namespace: own, cells: 2 })).toEqual([]);
    const claimAs = (holder: string) => claimedByLease({ api, namespace: own, cluster: 'lab', holder });
    const both = await Promise.allSettled(['one', 'other'].map((holder) => claimAs(holder)('rotate', 1_000)));
    const won = both.map((claim) => claim.status === 'fulfilled' && claim.value);
    expect(won.filter(Boolean)).toHaveLength(1);
    const [winner, loser] = won[0] ? (['one', 'other'] as const) : (['other', 'one'] as const);
    expect(await claimAs(winner)('rotate', 1_000)).toBe(true);
    expect(await claimAs(loser)('rotate', 1_000)).toBe(false);
    expect(await claimAs(loser)('rotate', 2_000)).toBe(true);
    expect(await claimAs(winner)('rotate', 2_000)).toBe(false);
    expect(await claimAs(winner)('rotate', 1_000)).toBe(false);
    expect(await claimAs(winner)('drill', 1_000)).toBe(true);
  });

  test('let cells tell each other what they have done and with what result', async () => {
    const { api } = as('cell');
    const [cart, web] = ['incident/lab/shop/Deployment/cart', 'incident/lab/shop/Deployment/web'];
    let now = Date.now();
    const of = (holder: string, cellKey = Buffer.alloc(32, 1)) =>
      doneByLease({ api, namespace: own, holder, cellKey, now: () => now });
    const [one, other, stranger] = [of('one'), of('other'), of('stranger', Buffer.alloc(32, 2))];
    expect(await one.doneBefore(cart, 'remove')).toBeUndefined();
    await one.done(cart, 'remove', { pod: 'cart-1' });
    await one.done(cart, 'remove', { pod: 'another' });
    expect(await other.doneBefore(cart, 'remove')).toEqual({ output: { pod: 'cart-1' } });
    expect(await other.doneBefore(cart, 'drain')).toBeUndefined();
    expect(await other.doneBefore(web, 'remove')).toBeUndefined();
    await other.done(cart, 'drain', { evicted: 'x'.repeat(2_000) });
    expect(await one.doneBefore(cart, 'drain')).toEqual({});
    // Without the key one can claim that it was done, but not with which result.
    await stranger.done(cart, 'evict', { pod: 'cart-1' });
    expect(await one.doneBefore(cart, 'evict')).toEqual({});
    expect(await one.doneBefore(cart, 'remove')).toEqual({ output: { pod: 'cart-1' } });
    now += 31 * 86_400_000;
    await other.done(cart, 'restart', {});
    expect(await one.doneBefore(cart, 'remove')).toBeUndefined();
  });

  test('are enough to store the answers of the largest number of steps in an incident', async () => {
    const { api } = as('cell');
    let now = Date.now();
    const incident = 'incident/lab/shop/Deployment/full';
    const cell = doneByLease({ api, namespace: own, holder: 'one', cellKey: Buffer.alloc(32, 1), now: () => now });
    const output = { said: 'x'.repeat(1_980) };
    for (let index = 0; index <= 100; index += 1, now += 1) await cell.done(incident, `step ${index}`, output);
    expect(await cell.doneBefore(incident, 'step 0')).toBeUndefined();
    expect(await cell.doneBefore(incident, 'step 1')).toEqual({ output });
    expect(await cell.doneBefore(incident, 'step 100')).toEqual({ output });
  });

  test('are enough to tell a pod’s owner once, by an Event that kubectl describe shows, and as nobody else', async () => {
    const namespace = await platform.freshNamespace();
    const { name, uid } = resolved(await admin.makePod(namespace, 'cart'));
    const { api } = as('cell');
    const words = { groups: ['oncall'], contact: '#security', titleOf: () => 'Contain a pod that ran a binary' };
    const [event] = eventsOf(
      {
        action: quarantinePod,
        outcome: 'done',
        incident: `incident/lab/${namespace}/Pod/cart`,
        key: 'k',
        objects: [{ name: `pod/${namespace}/${name}` }],
        playbook: 'dropped',
        terms: { severity: 'critical', reach: 'pod', lease: { durationMs: 60_000, onExpiry: 'renew' } },
      },
      words,
      Date.now(),
    );
    if (!event) throw new Error('there is no Event');
    const dropped: unknown[] = [];
    const pauses = { firstMs: 0, againMs: [], reportMs: 60_000 };
    const write = async (reporter: string) => {
      const writer = new EventWriter({ api, reporter, instance: 'cell-0', dropped: (one) => dropped.push(one), pauses });
      writer.write(() => [event, event]);
      await writer.idle();
      writer.stop();
    };
    await write('cell');
    expect(dropped).toEqual([]);
    const program = (await kubernetesProgram('kubectl', () => {})) ?? findOnPath('kubectl');
    if (program === undefined) throw new Error('there is no kubectl');
    const kubectl = spawn(program, ['--kubeconfig', platform.kubeconfig, '-n', namespace, 'describe', 'pod', name]);
    const described = await text(kubectl.stdout);
    const lines = described.split('\n').filter((line) => line.includes('Quarantined'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /Warning +Quarantined +\S+ +firebreak\.dev\/cell +Firebreak did this: Quarantine the pod\. Why: Contain a pod/,
    );
    expect(lines[0]).toContain('Ask: oncall (#security).');
    const path = pathOf({ group: 'events.k8s.io', resource: 'events', namespace });
    const { items } = await admin.get<{ items: { metadata: { name: string }; regarding: { uid?: string } }[] }>(path);
    expect(items.filter(({ metadata }) => metadata.name === event.name)).toMatchObject([{ regarding: { uid } }]);
    // The API server takes a moment to enforce a new admission policy. An attempt that got through is the Event that is there.
    const forged = () =>
      api
        .json({
          method: 'POST',
          path,
          body: {
            metadata: { generateName: 'forged-' },
            eventTime: new Date().toISOString().replace('Z', '000Z'),
            reportingController: 'kubelet',
            reportingInstance: 'node-1',
            action: 'Killing',
            reason: 'Killing',
            type: 'Normal',
            regarding: { apiVersion: 'v1', kind: 'Pod', namespace, name },
          },
          what: 'try',
        })
        .then(
          () => undefined,
          (error) => error.status,
        );
    await until(async () => ((await forged()) === 422 ? true : undefined), 45_000);
  });

  test('are what deploy/rbac contains', () => {
    for (const [name, manifest] of rbacManifests({ actions: shipped, namespace: 'firebreak' }))
      expect(readFileSync(join(projectRoot(), 'deploy', 'rbac', name), 'utf8')).toBe(manifest);
  });
});

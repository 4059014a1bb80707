import { beforeAll, describe, expect, test } from '@jest/globals';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { hardenWorkloadImplementation } from '../../../activities/actions/workloads/harden-workload.ts';
import { rollbackWorkloadImplementation } from '../../../activities/actions/workloads/rollback-workload.ts';
import { tools } from '../../../core/actions/in-container-rights.ts';
import { actions as all } from '../../../core/actions/index.ts';
import { names } from '../../../core/cluster/labels.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { rbacManifests } from '../../../service/rbac/manifests.ts';
import { callKubernetes, readAccess } from '../../../tools/platform/kubernetes/kubernetes-api.ts';
import { testPlatform } from '../../platform.ts';
import { cellKey, resolved, stepContext, until } from './parts/cluster.ts';
import { type PoolAccounts, poolAccounts } from './parts/pool-accounts.ts';

const platform = await testPlatform();
const own = 'firebreak-admission-test';
const closed = 'firebreak-admission-closed';
const rbacGroup = 'rbac.authorization.k8s.io';
const toolsImage = `images.internal/firebreak-tools@sha256:${'0'.repeat(64)}`;

let accounts: PoolAccounts;
beforeAll(async () => {
  const pinned = { toolsImage, closedNamespaces: [closed], uploads: 'https://10.20.0.5:9443' };
  const manifests = rbacManifests({ actions: all, namespace: own, pinned }).values();
  const pools = ['cell', 'secrets', 'forensics'];
  accounts = await poolAccounts({ kubeconfig: platform.kubeconfig, manifests, own, pools });
  await accounts.admin.post('/api/v1/namespaces', { metadata: { name: closed } });
});
platform.cleanUp(async () => {
  await callKubernetes({ access: readAccess(platform.kubeconfig), path: `/api/v1/namespaces/${closed}`, method: 'DELETE' });
  await accounts.remove();
});

/** Makes one call with a token of the pool. Returns `ok`, or why the API server refused it. */
async function asked(pool: string, method: 'PATCH' | 'POST' | 'DELETE', path: string, body?: object): Promise<string> {
  const { status, text } = await callKubernetes({ access: accounts.accessOf(pool), method, path, ...(body && { body }) });
  if (status >= 200 && status < 300) return 'ok';
  return `${status} ${JSON.parse(text).message}`;
}

/** A policy is enforced a moment after it was created. */
function inForce(attempt: () => Promise<string>): Promise<string> {
  return until(async () => {
    const answer = await attempt();
    return answer.startsWith('422 ') ? answer : undefined;
  }, 45_000);
}

const hardened = {
  spec: {
    initContainers: [{ name: 'init', image: 'shop/init:1' }],
    containers: [
      {
        name: 'main',
        image: 'shop/cart:1',
        securityContext: {
          privileged: true,
          capabilities: { add: ['NET_ADMIN'], drop: ['CHOWN'] },
          seccompProfile: { type: 'Unconfined' },
        },
      },
      { name: 'side', image: 'shop/side:1', env: [{ name: 'A', value: 'b' }] },
    ],
  },
  replicas: 1,
};
const templatePath = (namespace: string, name = 'cart') => pathOf({ group: 'apps', resource: 'deployments', namespace, name });

describe("admission narrows what RBAC cannot, on the API server with each pool's own token", () => {
  test('the cell hardens a pod template and undoes that, and changes nothing else in it', async () => {
    const namespace = await platform.freshNamespace();
    const [pod] = await accounts.admin.makeDeployment(namespace, 'cart', hardened);
    const template = async () => (await accounts.admin.deployment(namespace, 'cart')).spec?.template;
    const before = await template();
    const [main, side] = before?.spec?.containers ?? [];
    let tried = 0;
    const change = (spec: object, annotations: object = {}) =>
      asked('cell', 'PATCH', templatePath(namespace), { metadata: { annotations }, spec: { template: { spec } } });
    const image = await inForce(() => change({ containers: [{ ...main, image: `attacker/miner:${++tried}` }, side] }));
    expect(image).toContain(
      'Firebreak may change the security fields of a pod template, and nothing else of what a workload runs',
    );
    await accounts.admin.api.json({
      method: 'PATCH',
      patch: 'merge',
      path: templatePath(namespace),
      body: { spec: { template: { spec: before?.spec } } },
      what: 'set the scene again',
    });
    const nothingElse = expect.stringContaining('nothing else of what a workload runs');
    for (const spec of [
      { containers: [{ ...main, command: ['sh'] }, side] },
      { containers: [main, { ...side, env: [{ name: 'A', value: 'c' }] }] },
      { containers: [main] },
      { containers: [main, side, { name: 'third', image: 'attacker/miner:1' }] },
      { hostNetwork: true },
      { serviceAccountName: 'admin' },
      { volumes: [{ name: 'root', hostPath: { path: '/' } }] },
    ])
      expect([spec, await change(spec)]).toEqual([spec, nothingElse]);
    const onlyTake = expect.stringContaining(
      'Firebreak may only remove rights from a pod template, or restore those that it removed',
    );
    const sideWith = (securityContext: object) => ({ containers: [main, { ...side, securityContext }] });
    for (const spec of [
      sideWith({ privileged: true }),
      sideWith({ capabilities: { add: ['SYS_ADMIN'] } }),
      sideWith({ runAsUser: 0 }),
      sideWith({ seLinuxOptions: { type: 'spc_t' } }),
      { securityContext: { seccompProfile: { type: 'Unconfined' } } },
      { hostUsers: true },
      { automountServiceAccountToken: true },
    ])
      expect([spec, await change(spec)]).toEqual([spec, onlyTake]);
    const lie = { [names.hardenedFromAnnotation]: 'side/true/-/-/-/-/-//' };
    expect(await change({}, lie)).toContain('Firebreak may note only what the security fields of a pod template really were');
    expect(await template()).toEqual(before);

    // No second pod may be created, and the first may not go before that: the rollout does not become ready, and the hardening is reverted.
    await accounts.admin.post(pathOf({ resource: 'resourcequotas', namespace }), {
      metadata: { name: 'one' },
      spec: { hard: { pods: '1' } },
    });
    const input = { workload: { kind: 'Deployment', namespace, name: 'cart' }, suspect: resolved(pod ?? {}) };
    const cell = () => ({ api: accounts.as('cell').api, view: accounts.as('cell').view });
    const hardening = (rollMs: number) =>
      hardenWorkloadImplementation({ ...cell(), appArmorOnEveryNode: true, pollMs: 100, rollMs });
    await hardening(1_000).plan(input, stepContext());
    await expect(hardening(1_000).apply(input, stepContext())).rejects.toMatchObject({
      detail: expect.stringContaining('its old fields were restored'),
    });
    expect(await template()).toEqual(before);
    await accounts.admin.api.json({
      method: 'DELETE',
      path: pathOf({ resource: 'resourcequotas', namespace, name: 'one' }),
      what: 'let it roll',
    });
    const step = stepContext();
    const output = await hardening(20_000).apply(input, step);
    expect(await hardening(20_000).verify(output, step)).toMatchObject({ state: 'verified' });
    // It may only restore what was there, in its place.
    expect(await change(sideWith({ privileged: true }))).toEqual(onlyTake);
  });

  test('the secrets pool points pod templates at other Secrets, and changes nothing else in them except in a marked rollback', async () => {
    const namespace = await platform.freshNamespace();
    const secret = (name: string) => ({ name: 'PASSWORD', valueFrom: { secretKeyRef: { name, key: 'password' } } });
    await accounts.admin.makeDeployment(namespace, 'cart', {
      replicas: 1,
      spec: {
        containers: [{ name: 'main', image: 'shop/cart:1', env: [secret('db'), { name: 'A', value: 'b' }] }],
        volumes: [{ name: 'keys', secret: { secretName: 'db' } }],
      },
    });
    const main = (await accounts.admin.deployment(namespace, 'cart')).spec?.template?.spec?.containers?.[0];
    const change = (spec: object, more: object = {}) =>
      asked('secrets', 'PATCH', templatePath(namespace), { ...more, spec: { template: { spec } } });
    let tried = 0;
    const image = await inForce(() => change({ containers: [{ ...main, image: `attacker/miner:${++tried}` }] }));
    expect(image).toContain('Firebreak may change which Secrets a pod template names, and nothing else of what a workload runs');
    for (const spec of [
      { containers: [{ ...main, image: 'shop/cart:1', command: ['sh'] }] },
      { containers: [{ ...main, image: 'shop/cart:1', env: [secret('db'), { name: 'LD_PRELOAD', value: 'x' }] }] },
      { containers: [{ ...main, image: 'shop/cart:1', securityContext: { privileged: true } }] },
      { volumes: [{ name: 'keys', secret: null, hostPath: { path: '/' } }] },
      { hostPID: true },
    ])
      expect([spec, await change(spec)]).toEqual([spec, expect.stringContaining('nothing else of what a workload runs')]);
    const now = (await accounts.admin.deployment(namespace, 'cart')).spec?.template?.spec?.containers?.[0];
    expect(
      await change({
        containers: [{ ...now, env: [secret('db-2'), { name: 'A', value: 'b' }] }],
        volumes: [{ name: 'keys', secret: { secretName: 'db-2' } }],
      }),
    ).toBe('ok');
    expect(await asked('secrets', 'PATCH', templatePath(namespace), { spec: { replicas: 0 } })).toContain('nothing else of it');
    const token = (name: string) =>
      asked('secrets', 'POST', pathOf({ resource: 'secrets', namespace }), {
        metadata: { name, annotations: { 'kubernetes.io/service-account.name': 'default' } },
        type: 'kubernetes.io/service-account-token',
      });
    expect(await inForce(() => token(`token-${++tried}`))).toContain('only Secrets of the types that it rotates');

    const [suspect] = await accounts.admin.pods(namespace);
    const step = stepContext();
    const rollback = rollbackWorkloadImplementation({ api: accounts.as('secrets').api, pollMs: 100 });
    const input = { workload: { kind: 'Deployment', namespace, name: 'cart' }, suspect: resolved(suspect ?? {}) };
    expect(await rollback.verify(await rollback.apply(input, step), step)).toMatchObject({ state: 'verified' });
  });

  test('the secrets pool creates and deletes only Secrets of the types that it rotates, and none in protected namespaces', async () => {
    const namespace = await platform.freshNamespace();
    const place = (where: string, name?: string) => pathOf({ resource: 'secrets', namespace: where, ...(name && { name }) });
    let tried = 0;
    const make = (where: string, type?: string, more: object = {}) =>
      asked('secrets', 'POST', place(where), { metadata: { name: `made-${++tried}` }, ...(type && { type }), ...more });
    const notRotated = expect.stringContaining('only Secrets of the types that it rotates');
    await inForce(() => make(namespace, 'bootstrap.kubernetes.io/token'));
    for (const type of [
      'bootstrap.kubernetes.io/token',
      'helm.sh/release.v1',
      'kubernetes.io/dockercfg',
      'kubernetes.io/ssh-auth',
      'x',
    ])
      expect([type, await make(namespace, type, { stringData: { '.dockercfg': '{}', 'ssh-privatekey': 'x' } })]).toEqual([
        type,
        notRotated,
      ]);
    for (const type of [undefined, 'Opaque', 'kubernetes.io/basic-auth'])
      expect([type, await make(namespace, type, { stringData: { username: 'a', password: 'b' } })]).toEqual([type, 'ok']);
    const token = { 'token-id': 'abcdef', 'token-secret': '0123456789abcdef', 'usage-bootstrap-authentication': 'true' };
    const bootstrap = { metadata: { name: 'bootstrap-token-abcdef' }, type: 'bootstrap.kubernetes.io/token', stringData: token };
    for (const body of [bootstrap, { metadata: { name: 'harmless' } }])
      expect(await asked('secrets', 'POST', place('kube-system'), body)).toContain('nothing in kube-system');
    for (const where of [own, closed]) {
      expect([where, await make(where)]).toEqual([where, expect.stringContaining('Firebreak may rotate nothing in')]);
      await accounts.admin.post(place(where), { metadata: { name: 'kept' } });
      expect(await asked('secrets', 'DELETE', place(where, 'kept'))).toContain('Firebreak may rotate nothing in');
    }
    await accounts.admin.post(place(namespace), { metadata: { name: 'release' }, type: 'helm.sh/release.v1' });
    expect(await asked('secrets', 'DELETE', place(namespace, 'release'))).toEqual(notRotated);
    const of = { 'kubernetes.io/service-account.name': 'default' };
    await accounts.admin.post(place(namespace), {
      metadata: { name: 'token', annotations: of },
      type: 'kubernetes.io/service-account-token',
    });
    expect(await asked('secrets', 'DELETE', place(namespace, 'token'))).toBe('ok');
  });

  test('the forensics pool adds only the configured tools, in no protected namespace, and runs nothing else', async () => {
    const namespace = await platform.freshNamespace();
    for (const where of [namespace, own, closed]) await accounts.admin.makePod(where, 'cart');
    const at = (subresource: string, where: string) => pathOf({ resource: 'pods', namespace: where, name: 'cart', subresource });
    const container = {
      name: 'firebreak-tools-1',
      image: toolsImage,
      command: [tools.program, 'wait', '-seconds', '9'],
      targetContainerName: 'main',
      securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
    };
    const add = (more: object = {}, where = namespace) =>
      asked('forensics', 'PATCH', at('ephemeralcontainers', where), {
        spec: { ephemeralContainers: [{ ...container, ...more }] },
      });
    const other = `images.internal/firebreak-tools@sha256:${'1'.repeat(64)}`;
    expect(await inForce(() => add({ image: other }))).toContain(
      `Firebreak may add only its own tools to a pod: ${tools.program} from ${toolsImage}, without privilege, volumes and environment`,
    );
    const onlyTools = expect.stringContaining('Firebreak may add only its own tools to a pod');
    for (const more of [
      { image: 'images.internal/firebreak-tools:latest' },
      { command: ['sh'] },
      { securityContext: { readOnlyRootFilesystem: true, privileged: true } },
      { env: [{ name: 'LD_PRELOAD', value: 'x' }] },
    ])
      expect([more, await add(more)]).toEqual([more, onlyTools]);
    const staysOut = expect.stringContaining(`Firebreak looks into no container in ${own}, ${closed}`);
    for (const where of [own, closed]) expect([where, await add({}, where)]).toEqual([where, staysOut]);
    expect(await add()).toBe('ok');

    // A plain POST does not ask for a stream: what admission allows is refused afterwards, and nothing is run.
    const exec = (query: string, where = namespace, subresource = 'exec') =>
      asked('forensics', 'POST', `${at(subresource, where)}?${query}`);
    const ours = `container=firebreak-tools-1&command=${tools.program}&command=version&stdout=true`;
    expect(await inForce(() => exec('container=main&command=sh&stdout=true'))).toContain(
      `Firebreak may run only ${tools.program}, in a container or a pod of its own`,
    );
    expect(await exec('container=firebreak-tools-1&command=sh&command=-c&stdout=true')).toContain('Firebreak may run only');
    for (const where of [own, closed]) expect([where, await exec(ours, where)]).toEqual([where, staysOut]);
    expect(await exec(ours)).toMatch(/^400 .*[Uu]pgrade/);
    const sending = (...words: readonly string[]) => exec([ours, ...words].join('&command='));
    expect(await sending('-upload', 'https://10.20.0.5:9443/uploads/0')).toMatch(/^400 .*[Uu]pgrade/);
    for (const words of [
      ['-upload', 'https://10.20.0.50:9443/uploads/0'],
      ['-upload=HTTPS://evil.example:443/'],
      ['--upload', 'https://10.20.0.5:9443@evil.example/'],
    ])
      expect([words, await sending(...words)]).toEqual([
        words,
        expect.stringContaining('Its tools may send only to https://10.20.0.5:9443'),
      ]);
    for (const subresource of ['attach', 'portforward'])
      expect(await exec('container=main&stdin=true', namespace, subresource)).toContain('403 ');
  });

  test('a tenant cannot change labels, notes or policies of a quarantine, but the cell and administrators can', async () => {
    const namespace = await platform.freshNamespace();
    const { admin } = accounts;
    const mine = { labels: { app: 'cart' }, annotations: { owner: 'shop' } };
    const pod = resolved(await admin.makePod(namespace, 'cart', { metadata: mine }));
    const tenant = { kind: 'ServiceAccount', name: 'firebreak-tenant', namespace: own };
    const give = (name: string, roleRef: object) =>
      admin.post(pathOf({ group: rbacGroup, resource: 'rolebindings', namespace }), {
        metadata: { name },
        roleRef: { apiGroup: rbacGroup, ...roleRef },
        subjects: [tenant],
      });
    await admin.post(pathOf({ resource: 'serviceaccounts', namespace: own }), { metadata: { name: tenant.name } });
    await give('tenant', { kind: 'ClusterRole', name: 'edit' });
    await accounts.add('tenant');
    const { api, view } = accounts.as('cell');
    const quarantine = quarantinePodImplementation({ api, view, cellKey });
    const context = stepContext();
    await quarantine.apply({ pod }, context);
    const path = pathOf({ resource: 'pods', namespace, name: 'cart' });
    const patch = (metadata: object) => asked('tenant', 'PATCH', path, { metadata });
    const label = (value: string | null) => patch({ labels: { [names.quarantineLabel]: value } });
    const refusal = await inForce(async () => {
      const answer = await label('off');
      if (answer === 'ok') await admin.patchPod(namespace, 'cart', { labels: { [names.quarantineLabel]: 'active' } });
      return answer;
    });
    expect(refusal).toContain(
      'The pod is quarantined, and its labels with it: people release it through Firebreak, or who may release quarantines.firebreak.dev',
    );
    for (const metadata of [
      { labels: { [names.quarantineLabel]: null } },
      { labels: { app: 'cart' } },
      { labels: { [names.incidentLabel]: 'other' } },
      { labels: null },
    ])
      expect([metadata, await patch(metadata)]).toEqual([metadata, refusal]);
    const notes = expect.stringContaining('and what Firebreak has noted on it stays');
    for (const annotations of [
      { [names.beforeAnnotation]: '{}' },
      { [names.beforeAnnotation]: null },
      { [names.incidentAnnotation]: 'other' },
      { 'firebreak.dev/of-mine': 'x' },
      { 'karpenter.sh/do-not-disrupt': null },
    ])
      expect([annotations, await patch({ annotations })]).toEqual([annotations, notes]);
    // They may still change what does not belong to the quarantine.
    expect(await patch({ annotations: { owner: 'else' } })).toBe('ok');
    expect(await patch({ annotations: { owner: 'shop' } })).toBe('ok');

    const policies = (name?: string) =>
      pathOf({ group: 'networking.k8s.io', resource: 'networkpolicies', namespace, ...(name !== undefined && { name }) });
    const ours = expect.stringContaining('The policy is what a quarantine of Firebreak consists of');
    const open = { podSelector: {}, ingress: [{}], egress: [{}], policyTypes: ['Ingress', 'Egress'] };
    expect(await asked('tenant', 'PATCH', policies(names.standingPolicy), { spec: { egress: [{}] } })).toEqual(ours);
    expect(await asked('tenant', 'DELETE', policies(names.standingPolicy))).toEqual(ours);
    expect(await asked('tenant', 'DELETE', policies())).toEqual(ours);
    expect(await asked('tenant', 'POST', policies(), { metadata: { name: 'firebreak-isolate-1' }, spec: open })).toEqual(ours);
    expect(await asked('tenant', 'POST', policies(), { metadata: { name: 'open' }, spec: open })).toBe('ok');
    expect(await asked('tenant', 'DELETE', policies('open'))).toBe('ok');
    expect(await quarantine.undo({ input: { pod }, key: context.key }, context)).toMatchObject({ state: 'undone' });

    const again = stepContext();
    await quarantine.apply({ pod }, again);
    await admin.post(pathOf({ group: rbacGroup, resource: 'roles', namespace }), {
      metadata: { name: 'releases' },
      rules: [{ apiGroups: ['firebreak.dev'], resources: ['quarantines'], verbs: ['release'] }],
    });
    await give('releases', { kind: 'Role', name: 'releases' });
    await until(async () => ((await label(null)) === 'ok' ? true : undefined));
  });

  test('the cluster can still manage a quarantined pod: its status, its owners, its end, and that of its namespace', async () => {
    const namespace = await platform.freshNamespace();
    const { admin } = accounts;
    const made = await admin.makeDeployment(namespace, 'cart', { replicas: 2 });
    const [first, second] = made.map((one) => resolved(one));
    if (!first || !second) throw new Error('two pods are needed');
    const { api, view } = accounts.as('cell');
    const quarantine = quarantinePodImplementation({ api, view, cellKey });
    for (const pod of [first, second]) await quarantine.apply({ pod }, stepContext());
    // Its ReplicaSet releases it.
    await until(async () => ((await admin.pod(namespace, first.name)).metadata?.ownerReferences ? undefined : true));
    const status = { conditions: [{ type: 'Ready', status: 'False', reason: 'Tried' }] };
    await admin.api.json({
      method: 'PATCH',
      patch: 'merge',
      path: pathOf({ resource: 'pods', namespace, name: first.name, subresource: 'status' }),
      body: { status },
      what: 'say how it is',
    });
    await admin.api.json({ method: 'DELETE', path: pathOf({ resource: 'pods', namespace, name: first.name }), what: 'end it' });
    await admin.api.json({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}`, what: 'end all of it' });
    const access = readAccess(platform.kubeconfig);
    await until(async () => {
      const { status: answer } = await callKubernetes({ access, path: `/api/v1/namespaces/${namespace}` });
      return answer === 404 ? true : undefined;
    }, 90_000);
  });
});

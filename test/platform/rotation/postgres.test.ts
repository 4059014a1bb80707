import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { rotateSecretImplementation } from '../../../activities/actions/secrets/rotate-secret.ts';
import type { RotationProvider, RotationRule } from '../../../core/action/rotation.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { postgresRole } from '../../../integrations/postgres-role/role.ts';
import { testPlatform } from '../../platform.ts';
import { oldPassword, type ShopRoles, startShopRoles } from '../../postgres/shop-roles.ts';
import { findPostgres } from '../../suites.mjs';
import { Killed, recorded } from '../actions/recorder.ts';
import { openCluster, resolved, until } from '../kubernetes/parts/cluster.ts';
import { killedEverywhere } from './killed-rotation.ts';
import { quarantinedSuspect } from './quarantined-suspect.ts';

const platform = await testPlatform();
const isHere = findPostgres() !== undefined;
const onPostgres = isHere ? describe : describe.skip;
const title = 'rotating a PostgreSQL password with everything that uses it';

onPostgres(isHere ? title : `${title} (skipped: initdb and postgres are not on this machine)`, () => {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let shop: ShopRoles;
  beforeAll(async () => {
    [cluster, shop] = await Promise.all([openCluster(platform.kubeconfig), startShopRoles()]);
  });
  beforeEach(() => shop.reset());
  afterAll(async () => {
    await cluster.close();
    await shop.stop();
  });
  const { signal } = new AbortController();
  const roles = (names: readonly string[]): RotationProvider =>
    postgresRole({ url: shop.rotator, roles: names, keys: { password: 'password', username: 'username', urls: [] } });
  const action = (namespace: string, provider: RotationProvider, api: KubernetesApi = cluster.api) => {
    const rules: readonly RotationRule[] = [{ namespace, secret: 'db', provider }];
    return rotateSecretImplementation({ api, pollMs: 100, rules });
  };
  const refused = async (user: string, password: string): Promise<boolean> => {
    const answer = await shop.login(user, password);
    if (answer instanceof Client) await answer.end();
    return answer === '28P01';
  };

  /** Creates a suspect in quarantine, and one more workload of each kind that uses the Secret. */
  const makeShop = async (data: Readonly<Record<string, string>> = {}) => {
    const namespace = await platform.freshNamespace();
    await cluster.post(pathOf({ resource: 'secrets', namespace }), {
      metadata: { name: 'db' },
      stringData: { username: 'shop_a', password: oldPassword, host: 'db.shop', ...data },
    });
    return { namespace, ...(await quarantinedSuspect(cluster, { namespace, signal })) };
  };

  const secretsIn = async (namespace: string): Promise<readonly string[]> => {
    const path = pathOf({ resource: 'secrets', namespace });
    const { items } = await cluster.get<{ items: { metadata: { name: string } }[] }>(path);
    return items.map(({ metadata }) => metadata.name);
  };

  test('create, roll, verify, revoke: the old login is refused, the new one works, and the output contains no value', async () => {
    const { namespace, input, context } = await makeShop();
    const provider = roles(['shop_a', 'shop_b']);
    const rotation = action(namespace, provider);
    const plan = await rotation.plan(input, context);
    expect(plan.notes.join(' ')).toContain('the old value of db works until all have rolled');
    const output = await rotation.apply(input, context);
    const verification = await rotation.verify(output, context);
    expect(verification).toMatchObject({ state: 'verified', detail: expect.stringContaining('the old one ended') });
    const next = await cluster.secretValues(namespace, output.rotated[0]?.newName ?? '');
    expect(next).toMatchObject({ username: 'shop_b', host: 'db.shop' });
    expect(await refused('shop_a', oldPassword)).toBe(true);
    expect(await refused('shop_b', next.password ?? '')).toBe(false);
    const said = JSON.stringify([plan, output, verification]);
    for (const value of [oldPassword, next.password ?? '']) expect(said).not.toContain(value);

    await shop.login('shop_b', next.password ?? '').then((client) => (client instanceof Client ? client.end() : undefined));
    expect(await rotation.apply(input, context)).toEqual(output);
    expect(await refused('shop_b', next.password ?? '')).toBe(false);
  });

  test('the successor is rotated in turn, back to the first role', async () => {
    const { namespace, input, context } = await makeShop();
    const provider = roles(['shop_a', 'shop_b']);
    const first = await action(namespace, provider).apply(input, context);
    const name = first.rotated[0]?.newName ?? '';
    const again = { ...context, run: 'another-run', key: `${context.key}/again` };
    const second = await action(namespace, provider).apply({ ...input, secrets: [name] }, again);
    expect(second.rotated).toMatchObject([{ secret: name, newName: expect.stringMatching(/^db-fb/) }]);
    const [before, after] = [
      await cluster.secretValues(namespace, name),
      await cluster.secretValues(namespace, second.rotated[0]?.newName ?? ''),
    ];
    expect([before.username, after.username]).toEqual(['shop_b', 'shop_a']);
    expect(await refused('shop_b', before.password ?? '')).toBe(true);
    expect(await refused('shop_a', after.password ?? '')).toBe(false);
  });

  test('after a confirmed theft, the old value is revoked before anything rolls', async () => {
    const { namespace, input, context } = await makeShop();
    const provider = roles(['shop_a']);
    const stolen = { ...input, revokeFirst: true };
    const api = recorded(cluster.api);
    api.loseAt(1, 'call');
    const rotation = action(namespace, provider, api);
    expect((await rotation.plan(stolen, context)).notes.join(' ')).toContain('is ended first');
    await expect(rotation.apply(stolen, context)).rejects.toThrow(Killed);
    expect(await refused('shop_a', oldPassword)).toBe(true);
    api.revive();
    const output = await rotation.apply(stolen, context);
    expect(await rotation.verify(output, context)).toMatchObject({ state: 'verified' });
    const next = await cluster.secretValues(namespace, output.rotated[0]?.newName ?? '');
    expect(await refused('shop_a', next.password ?? '')).toBe(false);
  });

  test.each(['fresh', 'activate', 'accepts', 'revoke'] as const)(
    'has one effect when the process dies before or after the call to %s',
    async (call) => {
      const { namespace, input, context } = await makeShop();
      const provider = roles(['shop_a', 'shop_b']);
      for (const moment of ['before', 'after'] as const) {
        const dying: RotationProvider = {
          ...provider,
          [call]: async (what: never, until: AbortSignal, step: string) => {
            if (moment === 'after' && call !== 'accepts') await provider[call](what, until, step);
            throw new Error(`killed, and the canary ${oldPassword} is in what it says`);
          },
        };
        const error: unknown = await action(namespace, dying)
          .apply(input, context)
          .catch((caught: unknown) => caught);
        expect(error).toMatchObject({ code: 'FB_ERR_INTERNAL' });
        expect(String(error)).not.toContain(oldPassword);
      }
      const output = await action(namespace, provider).apply(input, context);
      expect(await action(namespace, provider).verify(output, context)).toMatchObject({ state: 'verified' });
      expect([...(await secretsIn(namespace))].sort()).toEqual(['db', output.rotated[0]?.newName]);
      expect((await cluster.deployment(namespace, 'cart')).metadata?.generation).toBe(2);
      expect(await refused('shop_a', oldPassword)).toBe(true);
    },
  );

  test.each([{ roles: ['shop_a', 'shop_b'] }, { roles: ['shop_a'] }])(
    'has one effect when processes are killed between all the calls: roles $roles',
    async ({ roles: turns }) => {
      const { namespace, input, context } = await makeShop();
      const { kubeconfig } = platform;
      const deaths = await killedEverywhere({ kubeconfig, input, context, postgres: { url: shop.rotator, roles: turns } });
      const statement = 'a statement in PostgreSQL';
      expect(deaths.map((death) => death.replace(namespace, 'NS'))).toEqual([
        'before create secrets in NS',
        'create secrets in NS',
        statement,
        'patch deployments in NS',
        ...(turns.length === 2 ? [statement] : []),
      ]);
      const output = await action(namespace, roles(turns)).apply(input, context);
      expect(await action(namespace, roles(turns)).verify(output, context)).toMatchObject({ state: 'verified' });
      expect([...(await secretsIn(namespace))].sort()).toEqual(['db', output.rotated[0]?.newName]);
      expect((await cluster.deployment(namespace, 'cart')).metadata?.generation).toBe(2);
      expect(await refused('shop_a', oldPassword)).toBe(true);
      const next = await cluster.secretValues(namespace, output.rotated[0]?.newName ?? '');
      expect(await refused(turns.at(-1) ?? '', next.password ?? '')).toBe(false);
    },
  );

  test('a value that the server rejects, or of another role, rolls nothing', async () => {
    const planted = await makeShop({ password: 'planted' });
    const rotation = action(planted.namespace, roles(['shop_a', 'shop_b']));
    expect(await rotation.apply(planted.input, planted.context)).toMatchObject({
      rotated: [],
      refused: [{ secret: 'db', reason: expect.stringContaining('does not accept its value') }],
    });
    const other = await makeShop({ username: 'pay', password: 'pay' });
    expect(await action(other.namespace, roles(['shop_a', 'shop_b'])).plan(other.input, other.context)).toMatchObject({
      changes: [],
      notes: [expect.stringContaining('not one of the configured roles'), 'Nothing is rotated.'],
    });
    expect(await refused('shop_a', oldPassword)).toBe(false);
  });

  test('every kind of consumer is found: those with a template are rolled, all others are named', async () => {
    const { namespace, spec, input, context } = await makeShop();
    const template = (app: string) => ({ metadata: { labels: { app } }, spec });
    const make = (group: string, resource: string, name: string, body: object) =>
      cluster.post(pathOf({ group, resource, namespace }), { metadata: { name }, spec: body });
    const selector = (app: string) => ({ selector: { matchLabels: { app } }, template: template(app) });
    const job = { template: { spec: { ...spec, restartPolicy: 'OnFailure' } } };
    await Promise.all([
      make('apps', 'statefulsets', 'orders', { serviceName: 'orders', replicas: 1, ...selector('orders') }),
      make('apps', 'daemonsets', 'agent', selector('agent')),
      make('apps', 'statefulsets', 'slow', { serviceName: 's', updateStrategy: { type: 'OnDelete' }, ...selector('slow') }),
      make('apps', 'replicasets', 'bare', { replicas: 1, ...selector('bare') }),
      make('batch', 'cronjobs', 'report', { schedule: '0 4 1 1 *', jobTemplate: { spec: job } }),
      make('networking.k8s.io', 'ingresses', 'web', {
        tls: [{ secretName: 'db', hosts: ['shop.example.com'] }],
        defaultBackend: { service: { name: 'web', port: { number: 80 } } },
      }),
      cluster.post(pathOf({ resource: 'serviceaccounts', namespace }), {
        metadata: { name: 'puller' },
        imagePullSecrets: [{ name: 'db' }],
      }),
    ]);
    await cluster.makePod(namespace, 'alone', { spec });
    await until(async () => {
      const running = (await cluster.pods(namespace)).filter(({ status }) => status?.phase === 'Running');
      return ['orders-0', 'bare-'].every((prefix) => running.some(({ metadata }) => metadata?.name?.startsWith(prefix)))
        ? true
        : undefined;
    });
    const rotation = action(namespace, roles(['shop_a', 'shop_b']));
    const { notes } = await rotation.plan(input, context);
    for (const left of ['StatefulSet slow (its update strategy', 'ReplicaSet bare', 'Pod alone'])
      expect(notes.filter((note) => note.startsWith(left))).toHaveLength(1);
    for (const left of ['Ingress web (TLS)', 'ServiceAccount puller'])
      expect(notes).toContain(`${left} also uses db, and keeps the old value, which is then refused.`);
    const output = await rotation.apply(input, context);
    expect(output.rotated[0]?.consumers).toEqual([
      `deployment/${namespace}/cart`,
      `statefulset/${namespace}/orders`,
      `daemonset/${namespace}/agent`,
      `cronjob/${namespace}/report`,
    ]);
    expect(await rotation.verify(output, context)).toMatchObject({ state: 'verified' });
    const report = await cluster.get(pathOf({ group: 'batch', resource: 'cronjobs', namespace, name: 'report' }));
    expect(JSON.stringify(report)).toContain(`"secretRef":{"name":"${output.rotated[0]?.newName}"}`);
  });

  test('refuses while the suspect’s account may read the new value', async () => {
    const { namespace, input, context } = await makeShop();
    await cluster.post(pathOf({ group: 'rbac.authorization.k8s.io', resource: 'rolebindings', namespace }), {
      metadata: { name: 'readers' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' },
      subjects: [{ kind: 'ServiceAccount', name: 'default', namespace }],
    });
    const rotation = action(namespace, roles(['shop_a', 'shop_b']));
    await until(async () => {
      const { notes } = await rotation.plan(input, context);
      return notes.some((note) => note.includes('account default may get Secrets here')) || undefined;
    });
    expect(await rotation.apply(input, context)).toMatchObject({ rotated: [], refused: [{ secret: 'db' }] });
    expect(await refused('shop_a', oldPassword)).toBe(false);
  });

  test('refuses while an account whose token Secret the suspect mounts may read the new value', async () => {
    const { namespace, spec, context } = await makeShop();
    const secrets = pathOf({ resource: 'secrets', namespace });
    await cluster.post(pathOf({ resource: 'serviceaccounts', namespace }), { metadata: { name: 'deployer' } });
    await cluster.post(secrets, {
      metadata: { name: 'deployer-token', annotations: { 'kubernetes.io/service-account.name': 'deployer' } },
      type: 'kubernetes.io/service-account-token',
    });
    const volumes = [{ name: 'token', secret: { secretName: 'deployer-token' } }];
    const more = { spec: { ...spec, volumes, automountServiceAccountToken: false } };
    const input = { suspect: resolved(await cluster.makePod(namespace, 'suspect', more)), secrets: ['db'] };
    const rotation = action(namespace, roles(['shop_a', 'shop_b']));
    expect((await rotation.plan(input, context)).notes.join(' ')).not.toContain('is not rotated');
    await cluster.post(pathOf({ group: 'rbac.authorization.k8s.io', resource: 'rolebindings', namespace }), {
      metadata: { name: 'deployers' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
      subjects: [{ kind: 'ServiceAccount', name: 'deployer', namespace }],
    });
    const why = 'account deployer, whose token the suspect has from the Secret deployer-token, may get Secrets here';
    await until(async () => (await rotation.plan(input, context)).notes.some((note) => note.includes(why)) || undefined);
    expect(await rotation.apply(input, context)).toMatchObject({ rotated: [], refused: [{ secret: 'db' }] });
    expect(await refused('shop_a', oldPassword)).toBe(false);
    const path = `${secrets}/deployer-token`;
    await cluster.api.json({ method: 'DELETE', path, what: 'end the token, as revokeTokens does' });
    expect(await rotation.apply(input, context)).toMatchObject({ rotated: [{ secret: 'db' }], refused: [] });
  });
});

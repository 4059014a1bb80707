import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { rotateSecretImplementation } from '../../../activities/actions/rotate-secret.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { readSecret } from '../../../integrations/kubernetes/secrets.ts';
import { postgresRole } from '../../../integrations/postgres-role/role.ts';
import { Vault } from '../../../integrations/vault/client.ts';
import { vaultKv } from '../../../integrations/vault/kv.ts';
import { startVaultFake, type VaultFake } from '../../fakes/vault/server.ts';
import { testPlatform } from '../../platform.ts';
import { oldPassword, type ShopRoles, startShopRoles } from '../../postgres/shop-roles.ts';
import { findPostgres } from '../../suites.mjs';
import { openCluster, resolved, stepContext, until } from '../kubernetes/cluster.ts';
import { externalSecretController, externalSecrets, installWriterKinds } from './writers.ts';

const platform = await testPlatform();
const isHere = findPostgres() !== undefined;
const onPostgres = isHere ? describe : describe.skip;
const title = 'a PostgreSQL password that is kept in Vault and read by External Secrets';
const policy = {
  'secret/data/shop/db': ['read', 'create', 'update'],
  'secret/metadata/shop/db': ['read'],
  'secret/destroy/shop/db': ['update'],
} as const;

onPostgres(isHere ? title : `${title} (skipped: initdb and postgres are not on this machine)`, () => {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let shop: ShopRoles;
  let fake: VaultFake;
  beforeAll(async () => {
    [cluster, shop, fake] = await Promise.all([
      openCluster(platform.kubeconfig),
      startShopRoles(),
      startVaultFake({ token: 'token', policy }),
    ]);
    await installWriterKinds(cluster);
  });
  afterAll(async () => {
    await cluster.close();
    await Promise.all([shop.stop(), fake.stop()]);
  });
  const signal = AbortSignal.timeout(120_000);
  const login = async (user = '', password = ''): Promise<string> => {
    const answer = await shop.login(user, password);
    if (!(answer instanceof Client)) return answer;
    await answer.end();
    return 'taken';
  };

  test.each([false, true])('is rotated in all three places, revoked first: %s', async (revokeFirst) => {
    await shop.reset();
    fake.put('shop/db', { user: 'shop_a', pass: oldPassword });
    const namespace = await platform.freshNamespace();
    const controller = externalSecretController({
      cluster,
      namespace,
      read: () => ({ username: String(fake.get('shop/db')?.user), password: String(fake.get('shop/db')?.pass) }),
    });
    await cluster.post(pathOf({ ...externalSecrets, namespace }), {
      apiVersion: 'external-secrets.io/v1',
      kind: 'ExternalSecret',
      metadata: { name: 'db' },
      spec: { secretStoreRef: { kind: 'SecretStore', name: 'vault' }, dataFrom: [{ extract: { key: 'shop/db' } }] },
    });
    const read = async () => {
      const { data = {} } = (await readSecret({ api: cluster.api, namespace, name: 'db', signal })) ?? {};
      return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
    };
    await until(async () => ((await read()).password === oldPassword ? true : undefined));
    const bystander = resolved(await cluster.makePod(namespace, 'suspect'));
    const source = postgresRole({
      url: shop.rotator,
      roles: ['shop_a', 'shop_b'],
      keys: { password: 'password', username: 'username', urls: [] },
    });
    const provider = vaultKv({
      vault: new Vault({ address: fake.url, token: 'token' }),
      mount: 'secret',
      path: 'shop/db',
      properties: { username: 'user', password: 'pass' },
      source,
    });
    const rules = [{ namespace, secret: 'db', provider, stored: ['username', 'password'] }];
    const rotation = rotateSecretImplementation({ api: cluster.api, pollMs: 50, rules });
    const input = { suspect: bystander, secrets: ['db'], revokeFirst };
    const context = stepContext({ signal });
    const output = await rotation.apply(input, context);
    expect(await rotation.verify(output, context)).toMatchObject({ state: 'verified' });
    const now = await read();
    expect(fake.get('shop/db')).toEqual({ user: 'shop_b', pass: now.password });
    expect([await login('shop_a', oldPassword), await login(now.username, now.password)]).toEqual(['28P01', 'taken']);
    expect(await rotation.apply(input, context)).toEqual(output);
    expect(await read()).toEqual(now);
    await controller.stop();
  });
});

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { rotateSecretImplementation } from '../../../activities/actions/secrets/rotate-secret.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { postgresRole } from '../../../integrations/postgres-role/role.ts';
import { Vault } from '../../../integrations/vault/client.ts';
import { vaultKv } from '../../../integrations/vault/kv.ts';
import { testPlatform } from '../../platform.ts';
import { oldPassword, type ShopRoles, startShopRoles } from '../../postgres/shop-roles.ts';
import { startedOrWhyNot } from '../../started-or-why-not.ts';
import { findPostgres } from '../../suites.mjs';
import { documentedPolicy, fieldAt, startVault, type VaultServer } from '../../vault-server.ts';
import { openCluster, resolved, stepContext, until } from '../kubernetes/parts/cluster.ts';
import { externalSecretController, externalSecrets, installWriterKinds } from './writers.ts';

const platform = await testPlatform();
const vault = await startedOrWhyNot(startVault);
const title = 'a PostgreSQL password that is stored in OpenBao and read by External Secrets';

if (typeof vault === 'string') describe.skip(`${title} (skipped: ${vault})`, () => test('is not tried', () => {}));
else if (!findPostgres())
  describe.skip(`${title} (skipped: initdb and postgres are not on this machine)`, () => test('is not tried', () => {}));
else describe(title, () => inVault(vault));

function inVault(server: VaultServer): void {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let shop: ShopRoles;
  let token = '';
  beforeAll(async () => {
    [cluster, shop, token] = await Promise.all([
      openCluster(platform.kubeconfig),
      startShopRoles(),
      server.tokenWith(documentedPolicy),
    ]);
    await installWriterKinds(cluster);
  });
  afterAll(async () => {
    await cluster.close();
    await shop.stop();
  });
  const kept = async (): Promise<{ readonly user: string; readonly pass: string }> => {
    const data = fieldAt(await server.admin('GET', 'secret/data/shop/api'), 'data', 'data');
    return { user: String(fieldAt(data, 'user')), pass: String(fieldAt(data, 'pass')) };
  };
  const { signal } = new AbortController();
  const login = async (user = '', password = ''): Promise<string> => {
    const answer = await shop.login(user, password);
    if (!(answer instanceof Client)) return answer;
    await answer.end();
    return 'taken';
  };

  test.each([false, true])('is rotated in all three places, revoked first: %s', async (revokeFirst) => {
    await shop.reset();
    await server.admin('PUT', 'secret/data/shop/api', { data: { user: 'shop_a', pass: oldPassword } });
    const namespace = await platform.freshNamespace();
    const controller = externalSecretController({
      cluster,
      namespace,
      read: async () => {
        const { user, pass } = await kept();
        return { username: user, password: pass };
      },
    });
    await cluster.post(pathOf({ ...externalSecrets, namespace }), {
      apiVersion: 'external-secrets.io/v1',
      kind: 'ExternalSecret',
      metadata: { name: 'db' },
      spec: { secretStoreRef: { kind: 'SecretStore', name: 'vault' }, dataFrom: [{ extract: { key: 'shop/api' } }] },
    });
    const read = () => cluster.secretValues(namespace, 'db');
    await until(async () => ((await read()).password === oldPassword ? true : undefined));
    const bystander = resolved(await cluster.makePod(namespace, 'suspect'));
    const source = postgresRole({
      url: shop.rotator,
      roles: ['shop_a', 'shop_b'],
      keys: { password: 'password', username: 'username', urls: [] },
    });
    const provider = vaultKv({
      vault: new Vault({ address: server.url, token }),
      mount: 'secret',
      path: 'shop/api',
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
    expect(await kept()).toEqual({ user: 'shop_b', pass: now.password });
    expect([await login('shop_a', oldPassword), await login(now.username, now.password)]).toEqual(['28P01', 'taken']);
    expect(await rotation.apply(input, context)).toEqual(output);
    expect(await read()).toEqual(now);
    await controller.stop();
  });
}

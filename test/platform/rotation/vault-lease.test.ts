import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { rotateSecretImplementation } from '../../../activities/actions/secrets/rotate-secret.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { Vault } from '../../../integrations/vault/client.ts';
import { vaultLease } from '../../../integrations/vault/lease.ts';
import { testPlatform } from '../../platform.ts';
import { type PostgresServer, startPostgres } from '../../postgres-server.ts';
import { startedOrWhyNot } from '../../started-or-why-not.ts';
import type { Login } from '../../suites/vault-providers.ts';
import { findPostgres } from '../../suites.mjs';
import { documentedPolicy, startVault, type VaultServer } from '../../vault-server.ts';
import { openCluster, resolved, stepContext } from '../kubernetes/parts/cluster.ts';
import { isAccepted, lend, lendFrom } from '../vault/lending.ts';
import { killedEverywhere } from './killed-rotation.ts';

const platform = await testPlatform();
const vault = await startedOrWhyNot(startVault);
const title = 'a PostgreSQL login leased by OpenBao, with everything that uses it';

if (typeof vault === 'string') describe.skip(`${title} (skipped: ${vault})`, () => test('is not tried', () => {}));
else if (!findPostgres())
  describe.skip(`${title} (skipped: initdb and postgres are not on this machine)`, () => test('is not tried', () => {}));
else describe(title, () => lentBy(vault));

function lentBy(server: VaultServer): void {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let database: PostgresServer;
  let token = '';
  beforeAll(async () => {
    [cluster, database, token] = await Promise.all([
      openCluster(platform.kubeconfig),
      startPostgres(),
      server.tokenWith(documentedPolicy),
    ]);
    await lendFrom(server, database);
  });
  afterAll(async () => {
    await cluster.close();
    await database.stop();
  });
  const { signal } = new AbortController();

  /** Creates a suspect, and a Deployment whose Secret holds a login leased from OpenBao. */
  const scene = async () => {
    const namespace = await platform.freshNamespace();
    const old = await lend(server, 'shop');
    await cluster.post(pathOf({ resource: 'secrets', namespace }), { metadata: { name: 'db' }, stringData: { ...old } });
    const spec = { containers: [{ name: 'main', image: 'shop/cart:1', envFrom: [{ secretRef: { name: 'db' } }] }] };
    await cluster.makeDeployment(namespace, 'cart', { replicas: 1, spec });
    const suspect = resolved(await cluster.makePod(namespace, 'suspect', { spec }));
    const keys = { username: 'username', password: 'password' };
    const provider = vaultLease({ vault: new Vault({ address: server.url, token }), path: 'database/creds/shop', keys });
    const rules = [{ namespace, secret: 'db', provider }];
    const rotation = rotateSecretImplementation({ api: cluster.api, pollMs: 50, rules });
    return { namespace, old, input: { suspect }, rotation, context: stepContext({ signal }) };
  };
  const loginIn = async (namespace: string, name: string): Promise<Login> => {
    const { username = '', password = '' } = await cluster.secretValues(namespace, name);
    return { username, password };
  };

  test.each([false, true])(
    'is replaced: the old login is refused and the new one accepted; revoked first: %s',
    async (revokeFirst) => {
      const { namespace, old, input, rotation, context } = await scene();
      expect(await isAccepted(database, old)).toBe(true);
      const output = await rotation.apply({ ...input, revokeFirst }, context);
      expect(await rotation.verify(output, context)).toMatchObject({ state: 'verified' });
      const next = await loginIn(namespace, output.rotated[0]?.newName ?? '');
      expect([await isAccepted(database, old), await isAccepted(database, next)]).toEqual([false, true]);
      expect(await rotation.apply({ ...input, revokeFirst }, context)).toEqual(output);
      expect(await isAccepted(database, next)).toBe(true);
    },
  );

  test('is replaced once when processes are killed between all the calls, and lost leases end', async () => {
    const { namespace, old, input, rotation, context } = await scene();
    const { kubeconfig } = platform;
    await server.admin('PUT', 'sys/leases/revoke-prefix/database/creds/shop', {});
    const mine = await lend(server, 'shop');
    const deaths = await killedEverywhere({ kubeconfig, input, context, vaultLease: { address: server.url, token } });
    expect(deaths.map((death) => death.replace(namespace, 'NS'))).toEqual([
      'before create secrets in NS',
      'create secrets in NS',
      'patch deployments in NS',
      'write sys/leases/revoke in Vault',
      'write sys/leases/revoke in Vault',
    ]);
    const output = await rotation.apply(input, context);
    expect(await rotation.verify(output, context)).toMatchObject({ state: 'verified' });
    const next = await loginIn(namespace, output.rotated[0]?.newName ?? '');
    expect(await Promise.all([old, mine, next].map((login) => isAccepted(database, login)))).toEqual([false, false, true]);
    expect((await cluster.deployment(namespace, 'cart')).metadata?.generation).toBe(2);
  });
}

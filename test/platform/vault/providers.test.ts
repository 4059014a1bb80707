import { afterAll, beforeAll, describe, test } from '@jest/globals';
import { Vault } from '../../../integrations/vault/client.ts';
import { type PostgresServer, startPostgres } from '../../postgres-server.ts';
import { startedOrWhyNot } from '../../started-or-why-not.ts';
import { vaultKvSuite, vaultLeaseSuite } from '../../suites/vault-providers.ts';
import { findPostgres } from '../../suites.mjs';
import { documentedPolicy, fieldAt, startVault, type VaultServer } from '../../vault-server.ts';
import { isAccepted, lend, lendFrom } from './lending.ts';

const started = await startedOrWhyNot(startVault);

if (typeof started === 'string') describe.skip(`OpenBao (skipped: ${started})`, () => test('is not tried', () => {}));
else onVault(started);

function onVault(server: VaultServer): void {
  let token = '';
  beforeAll(async () => {
    token = await server.tokenWith(documentedPolicy);
  });
  const vault = () => new Vault({ address: server.url, token });

  describe('OpenBao’s KV engine, with the policy of the docs', () =>
    vaultKvSuite(() => ({
      vault,
      put: async (path, data) => void (await server.admin('PUT', `secret/data/${path}`, { data })),
      get: async (path) => fieldAt(await server.admin('GET', `secret/data/${path}`), 'data', 'data'),
      async versions(path) {
        const all = fieldAt(await server.admin('GET', `secret/metadata/${path}`), 'data', 'versions');
        const states = Object.values(all ?? {});
        return { all: states.length, readable: states.filter((state) => fieldAt(state, 'destroyed') === false).length };
      },
    })));

  const isHere = findPostgres() !== undefined;
  const onPostgres = isHere ? describe : describe.skip;
  const title = 'OpenBao’s database engine, with the policy of the docs';
  onPostgres(isHere ? title : `${title} (skipped: initdb and postgres are not on this machine)`, () => {
    let database: PostgresServer;
    beforeAll(async () => {
      database = await startPostgres();
      await lendFrom(server, database);
    });
    afterAll(() => database.stop());
    vaultLeaseSuite(() => ({
      vault,
      lend: (role) => lend(server, role),
      accepts: (login) => isAccepted(database, login),
    }));
  });
}

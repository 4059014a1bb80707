import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Credential } from '../../../core/action/rotation.ts';
import { Vault } from '../../../integrations/vault/client.ts';
import { vaultKv } from '../../../integrations/vault/kv.ts';
import { vaultLease } from '../../../integrations/vault/lease.ts';
import { startVaultFake, type VaultFake } from '../../fakes/vault/server.ts';
import { vaultKvSuite, vaultLeaseSuite } from '../../suites/vault-providers.ts';

const { signal } = new AbortController();
const token = 'token-canary';
const oldValue = 'old-value-canary';
/** The policy that docs/rotation.md asks for, and no more. */
const policy = {
  'secret/data/shop/api': ['read', 'create', 'update'],
  'secret/metadata/shop/api': ['read'],
  'secret/destroy/shop/api': ['update'],
  'database/creds/shop': ['read'],
  'sys/leases/lookup/database/creds/shop/': ['list', 'sudo'],
  'sys/leases/revoke': ['update'],
  'sys/leases/revoke-prefix/database/creds/shop': ['update', 'sudo'],
} as const;

describe('Vault, as its API is documented', () => {
  let fake: VaultFake;
  beforeEach(async () => {
    fake = await startVaultFake({ token, policy });
  });
  afterEach(() => fake.stop());
  const vault = (own = token) => new Vault({ address: `${fake.url}/`, token: own });
  const kv = () => vaultKv({ vault: vault(), mount: 'secret', path: 'shop/api', properties: { password: 'db_password' } });
  const lease = () =>
    vaultLease({ vault: vault(), path: 'database/creds/shop', keys: { username: 'username', password: 'password' } });
  const old: Credential = { values: { username: 'shop', password: oldValue } };

  vaultKvSuite(() => ({
    vault,
    put: async (path, data) => fake.put(path, data),
    get: async (path) => fake.get(path),
    versions: async (path) => fake.versions(path),
  }));
  vaultLeaseSuite(() => ({ vault, lend: async (role) => fake.lend(role), accepts: async (login) => fake.accepts(login) }));

  test('no error contains a token, a value or what Vault said', async () => {
    fake.put('shop/api', { db_password: oldValue });
    const next: Credential = { values: { password: 'new-value-canary' } };
    const failing = kv();
    const errors: unknown[] = [];
    const note = (work: Promise<unknown>) =>
      work.then(
        () => expect('it').toBe('refused'),
        (error) => void errors.push(error),
      );
    fake.inject({ method: 'PUT', path: /destroy|data/, what: 'fail', status: 500, times: 1 });
    await note(failing.activate({ old, next }, signal));
    fake.inject({ method: 'GET', path: /leases/, what: 'fail', status: 503, times: 1 });
    await note(lease().ended({ old, next }, signal));
    const stranger = vault('stranger-canary');
    await note(
      vaultKv({ vault: stranger, mount: 'secret', path: 'shop/api', properties: { password: 'x' } }).accepts(next, signal),
    );
    expect(errors).toMatchObject([{ code: 'FB_ERR_UNAVAILABLE' }, { code: 'FB_ERR_UNAVAILABLE' }, { code: 'FB_ERR_REFUSED' }]);
    expect(errors.map((error) => `${String(error)} ${JSON.stringify(error)}`).join('\n')).not.toContain('canary');
  });
});

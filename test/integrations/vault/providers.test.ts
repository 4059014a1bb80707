import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Credential } from '../../../core/rotation.ts';
import { Vault } from '../../../integrations/vault/client.ts';
import { vaultKv } from '../../../integrations/vault/kv.ts';
import { vaultLease } from '../../../integrations/vault/lease.ts';
import { startVaultFake, type VaultFake } from '../../fakes/vault/server.ts';

const signal = AbortSignal.timeout(30_000);
const token = 'token-canary';
const oldValue = 'old-value-canary';
/** What docs/rotation.md asks for, and no more. */
const policy = {
  'secret/data/shop/db': ['read', 'create', 'update'],
  'secret/metadata/shop/db': ['read'],
  'secret/destroy/shop/db': ['update'],
  'database/creds/shop': ['read'],
  'sys/leases/lookup/database/creds/shop/': ['list', 'sudo'],
  'sys/leases/revoke': ['update'],
  'sys/leases/revoke-prefix/database/creds/shop': ['update', 'sudo'],
} as const;

describe('Vault', () => {
  let fake: VaultFake;
  beforeEach(async () => {
    fake = await startVaultFake({ token, policy });
  });
  afterEach(() => fake.stop());
  const vault = (own = token) => new Vault({ address: `${fake.url}/`, token: own });
  const kv = () => vaultKv({ vault: vault(), mount: 'secret', path: 'shop/db', properties: { password: 'db_password' } });
  const lease = () =>
    vaultLease({ vault: vault(), path: 'database/creds/shop', keys: { username: 'username', password: 'password' } });
  const old: Credential = { values: { username: 'shop', password: oldValue } };

  test('KV: a new version over the one that was read, what else is in it kept; the older ones destroyed at the end', async () => {
    fake.put('shop/db', { db_password: 'older-canary', host: 'db' });
    fake.put('shop/db', { db_password: oldValue, host: 'db' });
    const provider = kv();
    const next = await provider.fresh(old, signal, 'step');
    expect(await provider.accepts(next, signal)).toBe(false);
    for (let times = 0; times < 2; times += 1) await provider.activate({ old, next }, signal);
    expect(fake.get('shop/db')).toEqual({ db_password: next.values.password, host: 'db' });
    expect([await provider.accepts(next, signal), await provider.ended({ old, next }, signal)]).toEqual([true, false]);
    await provider.revoke({ old }, signal);
    expect(await provider.ended({ old, next }, signal)).toBe(false);
    for (let times = 0; times < 2; times += 1) await provider.revoke({ old, next }, signal);
    expect(await provider.ended({ old, next }, signal)).toBe(true);
    expect(fake.calls.filter((call) => call === 'PUT /v1/secret/data/shop/db')).toHaveLength(1);
    expect(fake.calls.filter((call) => call === 'PUT /v1/secret/destroy/shop/db')).toHaveLength(1);
  });

  test('KV: what somebody else writes meanwhile is not lost, and is not destroyed as if it were ours', async () => {
    fake.put('shop/db', { db_password: oldValue });
    const provider = kv();
    const next = await provider.fresh(old, signal, 'step');
    const raced = vault();
    const read = raced.read.bind(raced);
    let races = 1;
    raced.read = async (path, until) => {
      const answer = await read(path, until);
      if (path.includes('/data/') && races-- === 0) fake.put('shop/db', { db_password: oldValue, host: 'new' });
      return answer;
    };
    await vaultKv({ vault: raced, mount: 'secret', path: 'shop/db', properties: { password: 'db_password' } }).activate(
      { old, next },
      signal,
    );
    expect(fake.get('shop/db')).toEqual({ db_password: next.values.password, host: 'new' });
    fake.put('shop/db', { db_password: 'by-hand' });
    await expect(provider.revoke({ old, next }, signal)).rejects.toMatchObject({ code: 'FB_ERR_DRIFTED' });
  });

  test('leases: the new one is read, then all others of the path end; one that was lent and lost in a crash too', async () => {
    const stolen = fake.lend('shop');
    const other = fake.lend('pay');
    const provider = lease();
    const lost = await provider.fresh(old, signal, 'step');
    const next = await provider.fresh(old, signal, 'step');
    await provider.activate({ old, next }, signal);
    expect([await provider.accepts(next, signal), await provider.ended({ old, next }, signal)]).toEqual([true, false]);
    for (let times = 0; times < 2; times += 1) await provider.revoke({ old, next }, signal);
    expect(await provider.ended({ old, next }, signal)).toBe(true);
    const loginOf = ({ values }: Credential) => ({ username: values.username ?? '', password: values.password ?? '' });
    expect([stolen, loginOf(lost), loginOf(next), other].map((login) => fake.accepts(login))).toEqual([false, false, true, true]);
    await expect(provider.revoke({ old, next: old }, signal)).rejects.toMatchObject({ code: 'FB_ERR_DRIFTED' });
    expect(fake.accepts(loginOf(next))).toBe(true);
  });

  test('leases: before there is a new one, all of the path end', async () => {
    const [stolen, other] = [fake.lend('shop'), fake.lend('pay')];
    await lease().revoke({ old }, signal);
    expect([fake.accepts(stolen), fake.accepts(other)]).toEqual([false, true]);
  });

  test('no error holds a token, a value or what Vault said', async () => {
    fake.put('shop/db', { db_password: oldValue });
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
      vaultKv({ vault: stranger, mount: 'secret', path: 'shop/db', properties: { password: 'x' } }).accepts(next, signal),
    );
    expect(errors).toMatchObject([{ code: 'FB_ERR_UNAVAILABLE' }, { code: 'FB_ERR_UNAVAILABLE' }, { code: 'FB_ERR_REFUSED' }]);
    expect(errors.map((error) => `${String(error)} ${JSON.stringify(error)}`).join('\n')).not.toContain('canary');
  });
});

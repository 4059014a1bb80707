import { expect, test } from '@jest/globals';
import type { Credential } from '../../core/action/rotation.ts';
import type { Vault } from '../../integrations/vault/client.ts';
import { vaultKv } from '../../integrations/vault/kv.ts';
import { vaultLease } from '../../integrations/vault/lease.ts';

export interface Login {
  readonly username: string;
  readonly password: string;
}

interface VaultScene {
  /** Has a token with the policy in docs/rotation.md. */
  vault(): Vault;
  /** Writes a version, as an administrator. */
  put(path: string, data: Readonly<Record<string, string>>): Promise<void>;
  /** Returns the newest version. */
  get(path: string): Promise<unknown>;
  /** Returns how many versions there are, and how many of them can be read. */
  versions(path: string): Promise<{ readonly all: number; readonly readable: number }>;
}

interface LeaseScene {
  vault(): Vault;
  /** Leases a credential to somebody else. */
  lend(role: string): Promise<Login>;
  /** Returns whether the database accepts this login. */
  accepts(login: Login): Promise<boolean>;
}

const { signal } = new AbortController();
const step = '0f'.repeat(16);
const path = 'shop/api';
const oldValue = 'old-value-canary';
const old: Credential = { values: { username: 'shop', password: oldValue } };

/** What the KV engine guarantees to a rotation, at `secret/shop/api`. */
export function vaultKvSuite(scene: () => VaultScene): void {
  const kv = (vault = scene().vault()) => vaultKv({ vault, mount: 'secret', path, properties: { password: 'db_password' } });

  test('KV: a new version over the one that was read, what else is in it kept; the older ones destroyed at the end', async () => {
    const { put, get, versions } = scene();
    await put(path, { db_password: 'older-canary', host: 'db' });
    await put(path, { db_password: oldValue, host: 'db' });
    const before = await versions(path);
    const provider = kv();
    const next = await provider.fresh(old, signal, step);
    expect([await provider.accepts(old, signal), await provider.accepts(next, signal)]).toEqual([true, false]);
    for (let times = 0; times < 2; times += 1) await provider.activate({ old, next }, signal);
    expect(await get(path)).toEqual({ db_password: next.values.password, host: 'db' });
    expect([await provider.accepts(next, signal), await provider.ended({ old, next }, signal)]).toEqual([true, false]);
    await provider.revoke({ old }, signal);
    expect(await provider.ended({ old, next }, signal)).toBe(false);
    for (let times = 0; times < 2; times += 1) await provider.revoke({ old, next }, signal);
    expect(await provider.ended({ old, next }, signal)).toBe(true);
    expect(await versions(path)).toEqual({ all: before.all + 1, readable: 1 });
  });

  test('KV: what somebody else writes meanwhile is not lost, and is not destroyed as if it were ours', async () => {
    const { put, get, vault } = scene();
    await put(path, { db_password: oldValue });
    const provider = kv();
    const next = await provider.fresh(old, signal, step);
    const raced = vault();
    const read = raced.read.bind(raced);
    let races = 1;
    raced.read = async (place, until) => {
      const answer = await read(place, until);
      if (place.includes('/data/') && races-- === 0) await put(path, { db_password: oldValue, host: 'new' });
      return answer;
    };
    await kv(raced).activate({ old, next }, signal);
    expect(await get(path)).toEqual({ db_password: next.values.password, host: 'new' });
    await put(path, { db_password: 'by-hand' });
    await expect(provider.revoke({ old, next }, signal)).rejects.toMatchObject({ code: 'FB_ERR_DRIFTED' });
  });
}

/** What the database engine guarantees to a rotation, at `database/creds/shop`. */
export function vaultLeaseSuite(scene: () => LeaseScene): void {
  const lease = () =>
    vaultLease({
      vault: scene().vault(),
      path: 'database/creds/shop',
      keys: { username: 'username', password: 'password' },
    });
  const loginOf = ({ values }: Credential): Login => ({
    username: values.username ?? '',
    password: values.password ?? '',
  });
  const taken = (logins: readonly Login[]) => Promise.all(logins.map((login) => scene().accepts(login)));

  test('leases: the new one is read, then all others of the path end; one that was lent and lost in a crash too', async () => {
    const [stolen, other] = [await scene().lend('shop'), await scene().lend('pay')];
    const provider = lease();
    const lost = await provider.fresh(old, signal, step);
    const next = await provider.fresh(old, signal, step);
    await provider.activate({ old, next }, signal);
    expect([await provider.accepts(next, signal), await provider.ended({ old, next }, signal)]).toEqual([true, false]);
    expect(await taken([stolen, loginOf(lost), loginOf(next), other])).toEqual([true, true, true, true]);
    for (let times = 0; times < 2; times += 1) await provider.revoke({ old, next }, signal);
    expect(await provider.ended({ old, next }, signal)).toBe(true);
    expect(await taken([stolen, loginOf(lost), loginOf(next), other])).toEqual([false, false, true, true]);
    await expect(provider.revoke({ old, next: old }, signal)).rejects.toMatchObject({ code: 'FB_ERR_DRIFTED' });
    expect(await taken([loginOf(next)])).toEqual([true]);
  });

  test('leases: before there is a new one, all of the path end', async () => {
    const [stolen, other] = [await scene().lend('shop'), await scene().lend('pay')];
    await lease().revoke({ old }, signal);
    expect(await taken([stolen, other])).toEqual([false, true]);
  });
}

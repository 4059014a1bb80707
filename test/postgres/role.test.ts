import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import type { Credential } from '../../core/action/rotation.ts';
import { postgresRole, scramVerifier } from '../../integrations/postgres-role/role.ts';
import { findPostgres } from '../suites.mjs';
import { oldPassword, type ShopRoles, startShopRoles } from './shop-roles.ts';

const isHere = findPostgres() !== undefined;
const onPostgres = isHere ? describe : describe.skip;
const title = 'rotating the password of a PostgreSQL role';
const { signal } = new AbortController();

test('the verifier is what RFC 5803 gives for a known password and salt', () => {
  // https://www.rfc-editor.org/rfc/rfc7677#section-3: user `user`, password `pencil`
  expect(scramVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'))).toBe(
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  );
});

onPostgres(isHere ? title : `${title} (skipped: initdb and postgres are not on this machine)`, () => {
  let shop: ShopRoles | undefined;
  const open: Client[] = [];
  beforeAll(async () => {
    shop = await startShopRoles();
  });
  beforeEach(() => roles().reset());
  afterAll(async () => {
    await Promise.allSettled(open.map((client) => client.end()));
    await shop?.stop();
  });
  const roles = (): ShopRoles => {
    if (!shop) throw new Error('the server has not started');
    return shop;
  };
  const keys = { password: 'password', username: 'username', urls: ['DATABASE_URL'] };
  const pair = () => postgresRole({ url: roles().rotator, roles: ['shop_a', 'shop_b'], keys });
  const single = () => postgresRole({ url: roles().rotator, roles: ['shop_a'], keys: { password: 'password', urls: [] } });
  const old: Credential = {
    values: {
      username: 'shop_a',
      password: oldPassword,
      DATABASE_URL: `postgres://shop_a:${oldPassword}@db.shop:5432/shop?sslmode=require`,
    },
  };
  const session = async (user: string, password: string): Promise<Client> => {
    const client = await roles().login(user, password);
    if (typeof client === 'string') throw new Error(`the login is refused: ${client}`);
    open.push(client);
    return client;
  };
  const isOpen = async (client: Client): Promise<boolean> => {
    try {
      await client.query('SELECT 1');
      return true;
    } catch {
      return false;
    }
  };
  const loginOf = (credential: Credential) =>
    roles().login(credential.values.username ?? 'shop_a', credential.values.password ?? '');

  test('two roles take turns: both work until the old one is revoked with its sessions, and nobody else’s sessions end', async () => {
    const provider = pair();
    const [thief, other] = [await session('shop_a', oldPassword), await session('pay', 'pay')];
    const next = await provider.fresh(old, signal, 'step');
    expect(next.values).toMatchObject({ username: 'shop_b', password: expect.stringMatching(/^[\w-]{32}$/) });
    expect(next.values.DATABASE_URL).toBe(`postgres://shop_b:${next.values.password}@db.shop:5432/shop?sslmode=require`);
    expect([await provider.accepts(old, signal), await provider.accepts(next, signal)]).toEqual([true, false]);

    await provider.activate({ old, next }, signal);
    await provider.activate({ old, next }, signal);
    expect([await provider.accepts(old, signal), await provider.accepts(next, signal)]).toEqual([true, true]);
    expect([await isOpen(thief), await provider.ended({ old, next }, signal)]).toEqual([true, false]);

    await provider.revoke({ old, next }, signal);
    await provider.revoke({ old, next }, signal);
    expect(await loginOf(old)).toBe('28P01');
    expect(await loginOf(next)).toBeInstanceOf(Client);
    expect([await isOpen(thief), await isOpen(other)]).toEqual([false, true]);
    expect(await provider.ended({ old, next }, signal)).toBe(true);
  });

  test('with one role, the new password ends the old one and its sessions at once', async () => {
    const provider = single();
    const thief = await session('shop_a', oldPassword);
    const next = await provider.fresh(old, signal, 'step');
    await provider.activate({ old, next }, signal);
    expect(await loginOf(old)).toBe('28P01');
    expect(await isOpen(thief)).toBe(false);
    const consumer = await session('shop_a', next.values.password ?? '');
    await provider.activate({ old, next }, signal);
    await provider.revoke({ old, next }, signal);
    expect(await isOpen(consumer)).toBe(true);
    expect(await provider.ended({ old, next }, signal)).toBe(true);
  });

  test.each([
    ['one role', single],
    ['two roles', pair],
  ])('with %s, the old password can be ended before there is a new one', async (_, make) => {
    const provider = make();
    const thief = await session('shop_a', oldPassword);
    await provider.revoke({ old }, signal);
    expect([await loginOf(old), await isOpen(thief)]).toEqual(['28P01', false]);
    await roles().reset();
    await provider.revoke({ old: { values: { ...old.values, password: 'planted' } } }, signal);
    expect(await loginOf(old)).toBe('28P01');
    const next = await provider.fresh(old, signal, 'step');
    await provider.activate({ old, next }, signal);
    expect(await provider.accepts(next, signal)).toBe(true);
  });

  test('neither the server’s log of every statement nor any error contains a password', async () => {
    const provider = pair();
    const next = await provider.fresh(old, signal, 'step');
    await provider.activate({ old, next }, signal);
    await provider.revoke({ old, next }, signal);
    const log = readFileSync(roles().server.logFile, 'utf8');
    expect(log).toContain('ALTER ROLE "shop_b" PASSWORD');
    for (const value of [next.values.password, oldPassword]) expect(log).not.toContain(value);

    const gone = postgresRole({ url: 'postgres://rotator:rotator-canary@127.0.0.1:1/shop', roles: ['shop_a'], keys });
    const stranger = postgresRole({ url: roles().rotator, roles: ['firebreak'], keys: { password: 'password', urls: [] } });
    for (const [what, code] of [
      [() => gone.accepts(next, signal), 'FB_ERR_UNAVAILABLE'],
      [() => stranger.activate({ old, next }, signal), 'FB_ERR_REFUSED'],
    ] as const) {
      const error: unknown = await what().catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code });
      for (const value of [next.values.password, oldPassword, 'rotator-canary']) expect(String(error)).not.toContain(value);
    }
  });

  test('a Secret of another role is refused', () => {
    expect(pair().whyNot({ values: { username: 'pay', password: 'pay' } })).toContain('not one of the configured roles');
    expect(pair().whyNot({ values: { username: 'shop_a' } })).toContain('it has no key password');
    expect(pair().whyNot(old)).toBeUndefined();
  });
});

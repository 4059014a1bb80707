import {
  CreateAccessKeyCommand,
  DeleteAccessKeyCommand,
  ListAccessKeysCommand,
  UpdateAccessKeyCommand,
} from '@aws-sdk/client-iam';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Credential, RotationProvider } from '../../../core/action/rotation.ts';
import { awsAccessKey } from '../../../integrations/aws/access-key.ts';
import { type AccessKeyLogin, Aws, type WebIdentity } from '../../../integrations/aws/client.ts';
import { type AwsServer, documentedPolicy, region, startAws } from '../../aws-server.ts';
import { startedOrWhyNot } from '../../started-or-why-not.ts';
import { type AwsFront, startAwsFront } from './front.ts';

const started = await startedOrWhyNot(startAws);

if (typeof started === 'string') describe.skip(`AWS access keys (skipped: ${started})`, () => test('are not tried', () => {}));
else onAws(started);

function onAws(server: AwsServer): void {
  describe('AWS access keys', () => {
    const { signal } = new AbortController();
    const [step, other] = ['0f'.repeat(16), '1f'.repeat(16)];
    let front: AwsFront;
    let login: AccessKeyLogin;
    let user = '';
    let users = 0;
    let old: Credential;
    beforeEach(async () => {
      front = await startAwsFront({ url: server.url });
      login ??= await server.keyWith(documentedPolicy);
      users += 1;
      user = `shop-${users}`;
      old = credentialOf(await server.userWithKey(user, '/shop/'));
    });
    afterEach(() => front.stop());

    const awsWith = (as: AccessKeyLogin | WebIdentity = login) =>
      new Aws({ region, login: as, endpoints: { iam: front.url, sts: front.url } });
    const provider = (aws = awsWith(), withinMs = 5_000): RotationProvider =>
      awsAccessKey({
        aws,
        user,
        keys: { accessKeyId: 'id', secretAccessKey: 'secret', files: ['credentials'] },
        settle: { withinMs, everyMs: 10, times: 2 },
      });
    const idsNow = async (): Promise<readonly string[]> => {
      const { AccessKeyMetadata: keys = [] } = await server.admin.send(new ListAccessKeysCommand({ UserName: user }));
      return keys.map(({ AccessKeyId: id = '', Status: status }) => (status === 'Active' ? id : `${id} (inactive)`)).sort();
    };
    const idOf = ({ values }: Credential): string => values.id ?? '';
    const asAdmin = async (): Promise<Credential> => {
      const { AccessKey: key } = await server.admin.send(new CreateAccessKeyCommand({ UserName: user }));
      return credentialOf({ accessKeyId: key?.AccessKeyId ?? '', secretAccessKey: key?.SecretAccessKey ?? '' });
    };
    const whole = async (of: RotationProvider = provider(), before = old): Promise<Credential> => {
      const next = await of.fresh(before, signal, step);
      await of.activate({ old: before, next }, signal);
      await of.revoke({ old: before, next }, signal);
      return next;
    };

    test('a new key is created and accepted, then the old one disabled and deleted; both calls can be repeated', async () => {
      const of = provider();
      expect([of.whyNot(old), await of.whyNotNow?.(old, { step, revokeFirst: false, signal })]).toEqual([undefined, undefined]);
      const next = await of.fresh(old, signal, step);
      for (let times = 0; times < 2; times += 1) await of.activate({ old, next }, signal);
      expect(await idsNow()).toEqual([idOf(old), idOf(next)].sort());
      expect(await Promise.all([old, next].map((one) => of.accepts(one, signal)))).toEqual([true, true]);
      expect(await of.ended({ old, next }, signal)).toBe(false);
      for (let times = 0; times < 2; times += 1) await of.revoke({ old, next }, signal);
      expect(await idsNow()).toEqual([idOf(next)]);
      expect([await of.accepts(old, signal), await of.ended({ old, next }, signal)]).toEqual([false, true]);
      expect(front.calls.filter((call) => ['CreateAccessKey', 'UpdateAccessKey', 'DeleteAccessKey'].includes(call))).toEqual([
        'CreateAccessKey',
        'UpdateAccessKey',
        'DeleteAccessKey',
      ]);
      // The next rotation of the same key, later.
      const third = await provider().fresh(next, signal, other);
      expect(await idsNow()).toEqual([idOf(next), idOf(third)].sort());
    });

    test('the new id and secret are written into a credentials file as well', async () => {
      const file = (of: Credential) =>
        `[default]\naws_access_key_id = ${idOf(of)}\naws_secret_access_key = ${of.values.secret ?? ''}\nregion = here\n`;
      const before: Credential = { values: { ...old.values, credentials: file(old) } };
      const next = await provider().fresh(before, signal, step);
      expect(next.values.credentials).toBe(file(next));
    });

    test('IAM is eventually consistent: a new key is awaited until it works, an old one until it is refused', async () => {
      front.lag(3);
      const next = await whole();
      expect(await idsNow()).toEqual([idOf(next)]);
      expect(await provider().ended({ old, next }, signal)).toBe(true);
      const impatient = provider(awsWith(), 0);
      front.lag(10);
      const another = await provider().fresh(next, signal, other);
      await expect(impatient.activate({ old: next, next: another }, signal)).rejects.toMatchObject({
        code: 'FB_ERR_UNAVAILABLE',
        detail: expect.stringContaining('AWS does not accept the new key'),
      });
      expect((await idsNow()).length).toBe(2);
    });

    test.each(['CreateAccessKey', 'UpdateAccessKey', 'DeleteAccessKey', 'TagUser', 'ListAccessKeys', 'GetCallerIdentity'])(
      'a call of %s that succeeds, but whose answer is lost, has one effect',
      async (action) => {
        const of = provider();
        const tries = async <T>(work: () => Promise<T>): Promise<T> => {
          for (let left = 3; ; left -= 1)
            try {
              return await work();
            } catch (error) {
              expect(error).toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
              if (left === 0) throw error;
            }
        };
        front.loseNext(action);
        const next = await tries(() => of.fresh(old, signal, step));
        await tries(() => of.activate({ old, next }, signal));
        expect(await idsNow()).toEqual([idOf(old), idOf(next)].sort());
        await tries(() => of.revoke({ old, next }, signal));
        expect(await idsNow()).toEqual([idOf(next)]);
        expect(await of.accepts(next, signal)).toBe(true);
      },
    );

    test('a key that was created but never stored is deleted and replaced, even if lists show it late', async () => {
      const lost = await provider().fresh(old, signal, step);
      const next = await provider().fresh(old, signal, step);
      expect(await idsNow()).toEqual([idOf(old), idOf(next)].sort());
      expect(idOf(lost)).not.toBe(idOf(next));

      front.staleLists(1);
      await expect(provider().fresh(old, signal, step)).rejects.toMatchObject({
        code: 'FB_ERR_UNAVAILABLE',
        detail: expect.stringContaining('AWS now has two keys'),
      });
      const kept = await provider().fresh(old, signal, step);
      expect(await idsNow()).toEqual([idOf(old), idOf(kept)].sort());
    });

    test('a key that somebody else created meanwhile, and uses, is not deleted', async () => {
      await provider().fresh(old, signal, step);
      const [first = ''] = (await idsNow()).filter((id) => id !== idOf(old));
      await server.admin.send(new DeleteAccessKeyCommand({ UserName: user, AccessKeyId: first }));
      const theirs = await asAdmin();
      expect(await provider().accepts(theirs, signal)).toBe(true);
      await expect(provider().fresh(old, signal, step)).rejects.toMatchObject({
        code: 'FB_ERR_REFUSED',
        detail: expect.stringContaining('somebody else created it'),
      });
      expect(await idsNow()).toEqual([idOf(old), idOf(theirs)].sort());
    });

    test('with two keys, refuses and names the other one’s id, active or not; a leftover of our own rotation is deleted', async () => {
      const theirs = await asAdmin();
      const why = (of: Credential, revokeFirst = false) => provider().whyNotNow?.(of, { step, revokeFirst, signal });
      expect(await why(old)).toBe(
        `the user ${user} has two access keys, and AWS does not allow a third: delete ${idOf(theirs)}, which is active, if nobody needs it`,
      );
      const disable = (of: Credential) =>
        server.admin.send(new UpdateAccessKeyCommand({ UserName: user, AccessKeyId: idOf(of), Status: 'Inactive' }));
      await disable(theirs);
      expect(await why(old)).toContain(`delete ${idOf(theirs)} if nobody needs it`);
      await expect(provider().fresh(old, signal, step)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
      expect(await why(old, true)).toBeUndefined();
      expect(await idsNow()).toEqual([`${idOf(theirs)} (inactive)`, idOf(old)].sort());

      await server.admin.send(new DeleteAccessKeyCommand({ UserName: user, AccessKeyId: idOf(theirs) }));
      front.failNext('DeleteAccessKey', 403, 'AccessDenied');
      const next = await provider().fresh(old, signal, step);
      await provider().activate({ old, next }, signal);
      await expect(provider().revoke({ old, next }, signal)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
      expect(await idsNow()).toEqual([`${idOf(old)} (inactive)`, idOf(next)].sort());
      expect(await why(next)).toBeUndefined();
      const third = await provider().fresh(next, signal, other);
      expect(await idsNow()).toEqual([idOf(next), idOf(third)].sort());
    });

    test('revoked first: the old key is removed before there is a new one, and every later attempt recovers', async () => {
      const theirs = await asAdmin();
      const of = provider();
      for (let times = 0; times < 2; times += 1) await of.revoke({ old }, signal);
      expect(await idsNow()).toEqual([idOf(theirs)]);
      expect(await of.whyNotNow?.(old, { step, revokeFirst: true, signal })).toBeUndefined();
      await of.fresh(old, signal, step);
      await of.revoke({ old }, signal);
      const next = await of.fresh(old, signal, step);
      await of.activate({ old, next }, signal);
      await of.revoke({ old, next }, signal);
      expect(await idsNow()).toEqual([idOf(next), idOf(theirs)].sort());
      expect(await of.ended({ old, next }, signal)).toBe(true);
    });

    test('no other rotation begins while one creates a key', async () => {
      await provider().fresh(old, signal, step);
      const asked = { step: other, revokeFirst: false, signal };
      expect(await provider().whyNotNow?.(old, asked)).toContain(`another rotation of the user ${user} has started`);
      await expect(provider().fresh(old, signal, other)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
    });

    test('a key of another user is not rotated, whatever it gives access to', async () => {
      const elsewhere = credentialOf(await server.userWithKey(`pay-${user}`));
      const why = (of: Credential) => provider().whyNotNow?.(of, { step, revokeFirst: false, signal });
      expect(await why(elsewhere)).toBe(`${idOf(elsewhere)} is not an access key of the user ${user}`);
      expect(await provider().accepts(elsewhere, signal)).toBe(false);
      expect(await provider().accepts({ values: { ...old.values, secret: 'another' } }, signal)).toBe(false);
      expect(provider().whyNot({ values: { id: idOf(old) } })).toBe('it has no key secret');
      expect(provider().whyNot({ values: { id: 'ASIAIOSFODNN7EXAMPLE', secret: 'x' } })).toContain('temporary');
      expect(provider(awsWith(credentialLogin(old))).whyNot(old)).toContain('Firebreak itself');
    });

    test('the old key is not revoked when the new one is gone', async () => {
      const next = await provider().fresh(old, signal, step);
      await provider().activate({ old, next }, signal);
      await server.admin.send(new DeleteAccessKeyCommand({ UserName: user, AccessKeyId: idOf(next) }));
      await expect(provider().revoke({ old, next }, signal)).rejects.toMatchObject({ code: 'FB_ERR_DRIFTED' });
      expect(await idsNow()).toEqual([idOf(old)]);
    });
  });
}

function credentialOf({ accessKeyId, secretAccessKey }: AccessKeyLogin): Credential {
  return { values: { id: accessKeyId, secret: secretAccessKey } };
}

function credentialLogin({ values }: Credential): AccessKeyLogin {
  return { accessKeyId: values.id ?? '', secretAccessKey: values.secret ?? '' };
}

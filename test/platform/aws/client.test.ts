import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type AccessKeyLogin, Aws, type WebIdentity } from '../../../integrations/aws/client.ts';
import { type AwsServer, documentedPolicy, region, startAws } from '../../aws-server.ts';
import { startedOrWhyNot } from '../../started-or-why-not.ts';
import { type AwsFront, startAwsFront } from './front.ts';

const started = await startedOrWhyNot(startAws);

if (typeof started === 'string') describe.skip(`asking AWS (skipped: ${started})`, () => test('is not tried', () => {}));
else onAws(started);

function onAws(server: AwsServer): void {
  describe('asking AWS', () => {
    const { signal } = new AbortController();
    const user = 'shop-cart';
    let front: AwsFront | undefined;
    let login: AccessKeyLogin;
    beforeAll(async () => {
      [login] = await Promise.all([server.keyWith(documentedPolicy), server.userWithKey(user)]);
    });
    afterEach(() => front?.stop());
    const ask = (url: string, as: AccessKeyLogin | WebIdentity = login) =>
      new Aws({ region, login: as, endpoints: { iam: url, sts: url } });

    test('no error contains a secret or what AWS said, and temporary failures are retried', async () => {
      front = await startAwsFront({ url: server.url });
      const { url } = front;
      const errors: unknown[] = [];
      const note = (work: Promise<unknown>) =>
        work.then(
          () => errors.push('none'),
          (error) => errors.push(error),
        );
      front.failNext('CreateAccessKey', 400, 'Throttling');
      await note(ask(url).createKey(user, signal));
      front.failNext('CreateAccessKey', 500, 'ServiceFailure');
      await note(ask(url).createKey(user, signal));
      await note(ask(url, { ...login, secretAccessKey: 'canary' }).keysOf(user, signal));
      const powerless = await server.keyWith({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }],
      });
      await note(ask(url, powerless).keysOf(user, signal));
      await note(ask(url).keysOf('nobody', signal));
      expect(errors).toMatchObject([
        { code: 'FB_ERR_UNAVAILABLE', detail: 'AWS, create an access key: Throttling' },
        { code: 'FB_ERR_UNAVAILABLE', detail: 'AWS, create an access key: ServiceFailure' },
        { code: 'FB_ERR_REFUSED', detail: 'AWS, list access keys: SignatureDoesNotMatch' },
        { code: 'FB_ERR_REFUSED', detail: 'AWS, list access keys: AccessDenied' },
        { code: 'FB_ERR_REFUSED', detail: 'AWS, list access keys: NoSuchEntity' },
      ]);
      const said = errors.map((error) => `${String(error)} ${JSON.stringify(error)}`).join('\n');
      for (const value of ['canary', login.secretAccessKey]) expect(said).not.toContain(value);
    });

    test('a key is created once even if the answer is lost; a list is requested again', async () => {
      front = await startAwsFront({ url: server.url });
      front.loseNext('ListAccessKeys');
      const before = await ask(front.url).keysOf(user, signal);
      front.loseNext('CreateAccessKey');
      await expect(ask(front.url).createKey(user, signal)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
      expect(await ask(front.url).keysOf(user, signal)).toHaveLength(before.length + 1);
      expect(front.calls).toEqual(['ListAccessKeys', 'ListAccessKeys', 'CreateAccessKey', 'ListAccessKeys']);
    });

    test('a role is assumed once for all calls, with the account’s token as it is in the file at that time', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'firebreak-token-'));
      const tokenFile = join(folder, 'token');
      const seen: (string | null)[] = [];
      front = await startAwsFront({
        url: server.url,
        assume: async (token, pass) => {
          seen.push(token);
          await server.check(false);
          try {
            return await pass();
          } finally {
            await server.check(true);
          }
        },
      });
      try {
        const roleArn = await server.roleWith(documentedPolicy);
        await server.userWithKey('shop-role');
        const aws = ask(front.url, { roleArn, tokenFile });
        await expect(aws.keysOf('shop-role', signal)).rejects.toMatchObject({
          code: 'FB_ERR_UNAVAILABLE',
          detail: expect.stringContaining(tokenFile),
        });
        writeFileSync(tokenFile, 'token-of-the-account\n');
        const made = await aws.createKey('shop-role', signal);
        expect((await aws.keysOf('shop-role', signal)).map(({ id }) => id)).toContain(made.accessKeyId);
        expect(await aws.whoIs(made, signal)).toMatch(/:user\/shop-role$/);
        expect(seen).toEqual(['token-of-the-account']);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });
}

import { ListAccessKeysCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { rotateSecretImplementation } from '../../../activities/actions/secrets/rotate-secret.ts';
import { awsAccessKey } from '../../../integrations/aws/access-key.ts';
import { type AccessKeyLogin, Aws, type AwsOptions } from '../../../integrations/aws/client.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { type AwsServer, awsShape, documentedPolicy, region, startAws } from '../../aws-server.ts';
import { testPlatform } from '../../platform.ts';
import { startedOrWhyNot } from '../../started-or-why-not.ts';
import { type AwsFront, startAwsFront } from '../aws/front.ts';
import { openCluster } from '../kubernetes/parts/cluster.ts';
import { killedEverywhere } from './killed-rotation.ts';
import { quarantinedSuspect } from './quarantined-suspect.ts';

const platform = await testPlatform();
const started = await startedOrWhyNot(startAws);
const title = 'rotating an AWS access key with everything that uses it';

if (typeof started === 'string') describe.skip(`${title} (skipped: ${started})`, () => test('is not tried', () => {}));
else onAws(started);

function onAws(server: AwsServer): void {
  describe(title, () => {
    let cluster: Awaited<ReturnType<typeof openCluster>>;
    let front: AwsFront;
    let login: AccessKeyLogin;
    beforeAll(async () => {
      cluster = await openCluster(platform.kubeconfig);
      [front, login] = await Promise.all([startAwsFront({ url: server.url }), server.keyWith(documentedPolicy)]);
    });
    afterAll(async () => {
      await cluster.close();
      await front.stop();
    });
    const { signal } = new AbortController();
    const options = (): AwsOptions => ({ region, login, endpoints: { iam: front.url, sts: front.url } });
    const action = (namespace: string, user: string) => {
      const provider = awsAccessKey({ aws: new Aws(options()), user, ...awsShape });
      return rotateSecretImplementation({ api: cluster.api, pollMs: 100, rules: [{ namespace, secret: 'db', provider }] });
    };
    const valuesOf = async (namespace: string, name: string): Promise<AccessKeyLogin> => {
      const values = await cluster.secretValues(namespace, name);
      const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = values;
      return { accessKeyId, secretAccessKey };
    };
    const keysOf = async (user: string): Promise<readonly unknown[]> => {
      const { AccessKeyMetadata: keys = [] } = await server.admin.send(new ListAccessKeysCommand({ UserName: user }));
      return keys.map(({ AccessKeyId: id }) => id);
    };
    const isAccepted = async (key: AccessKeyLogin): Promise<boolean> =>
      (await new Aws(options()).whoIs(key, signal)) !== undefined;

    /** Creates a suspect in quarantine, and its replacement. */
    const makeShop = async (user: string) => {
      const namespace = await platform.freshNamespace();
      const old = await server.userWithKey(user);
      await cluster.post(pathOf({ resource: 'secrets', namespace }), {
        metadata: { name: 'db' },
        stringData: { AWS_ACCESS_KEY_ID: old.accessKeyId, AWS_SECRET_ACCESS_KEY: old.secretAccessKey, AWS_REGION: region },
      });
      return { namespace, old, ...(await quarantinedSuspect(cluster, { namespace, signal })) };
    };

    test.each([false, true])(
      'the old key is refused, the new one accepted, and no value leaks; revoked first: %s',
      async (revokeFirst) => {
        const user = `shop-uploads-${revokeFirst}`;
        const { namespace, old, input: suspect, context } = await makeShop(user);
        const input = { ...suspect, revokeFirst };
        const rotation = action(namespace, user);
        const plan = await rotation.plan(input, context);
        expect(plan.notes.join(' ')).toContain(
          revokeFirst ? 'the old value of db is ended first' : 'the old value of db works until all have rolled',
        );
        const output = await rotation.apply(input, context);
        const verification = await rotation.verify(output, context);
        expect(verification).toMatchObject({ state: 'verified', detail: expect.stringContaining('the old one ended') });
        const next = await valuesOf(namespace, output.rotated[0]?.newName ?? '');
        expect([await isAccepted(old), await isAccepted(next)]).toEqual([false, true]);
        expect(await keysOf(user)).toEqual([next.accessKeyId]);
        const said = JSON.stringify([plan, output, verification]);
        for (const { secretAccessKey } of [old, next]) expect(said).not.toContain(secretAccessKey);
        expect(await rotation.apply(input, context)).toEqual(output);
        expect(await keysOf(user)).toEqual([next.accessKeyId]);
      },
    );

    test('a user with another key is not rotated, and the plan says which key is in the way', async () => {
      const { namespace, input, context } = await makeShop('shop-two');
      const theirs = await server.anotherKey('shop-two');
      const { changes, notes } = await action(namespace, 'shop-two').plan(input, context);
      expect(changes).toEqual([]);
      expect(notes.join(' ')).toContain(`delete ${theirs.accessKeyId}, which is active, if nobody needs it`);
    });

    test.each([false, true])(
      'has one effect when processes are killed between all the calls; revoked first: %s',
      async (revokeFirst) => {
        const user = `shop-killed-${revokeFirst}`;
        const { namespace, old, input: suspect, context } = await makeShop(user);
        const input = { ...suspect, revokeFirst };
        const { kubeconfig } = platform;
        const deaths = await killedEverywhere({ kubeconfig, input, context, aws: { ...options(), user } });
        const ended = ['disable a key in AWS', 'delete a key in AWS'];
        expect(deaths.map((death) => death.replace(namespace, 'NS'))).toEqual([
          `before tag ${revokeFirst ? 'ended' : 'making'} in AWS`,
          ...(revokeFirst ? ['tag ended in AWS', ...ended] : []),
          'tag making in AWS',
          'make a key in AWS',
          'delete a key in AWS',
          'create secrets in NS',
          'tag made in AWS',
          'patch deployments in NS',
          ...(revokeFirst ? [] : ended),
        ]);
        const rotation = action(namespace, user);
        const output = await rotation.apply(input, context);
        expect(await rotation.verify(output, context)).toMatchObject({ state: 'verified' });
        const next = await valuesOf(namespace, output.rotated[0]?.newName ?? '');
        expect(await keysOf(user)).toEqual([next.accessKeyId]);
        expect([await isAccepted(old), await isAccepted(next)]).toEqual([false, true]);
        expect((await cluster.deployment(namespace, 'cart')).metadata?.generation).toBe(2);
      },
    );
  });
}

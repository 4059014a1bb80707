import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { verifyImageImplementation } from '../../../activities/actions/verify-image.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { type RegistryServer, startRegistryServer } from '../../../tools/platform/registry-server.ts';
import { testPlatform } from '../../platform.ts';
import { openFront } from '../../registry/front.ts';
import { type Published, Publisher } from '../../registry/publisher.ts';
import { KeySigner } from '../../registry/signer.ts';
import { openCluster, resolved, stepContext } from '../kubernetes/parts/cluster.ts';

const platform = await testPlatform();
const user = { name: 'puller', password: 'pull-me' };

describe('verifyImage, on a pod of the real API server and a registry that requires a password', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-images-'));
  const ours = new KeySigner();
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let registry: RegistryServer;
  let front: Awaited<ReturnType<typeof openFront>>;
  let signed: Published;
  let unsigned: Published;

  beforeAll(async () => {
    cluster = await openCluster(platform.kubeconfig);
    registry = await startRegistryServer({ stateDir: folder });
    front = await openFront(registry.host, user);
    const publisher = new Publisher(registry.host, 'shop/cart');
    signed = await publisher.image('signed', 'v1');
    unsigned = await publisher.image('unsigned', 'v2');
    await publisher.oldSignature(signed.digest, [ours.layer(signed.digest)]);
  });
  afterAll(async () => {
    await cluster.close();
    await front.close();
    await registry.stop();
    rmSync(folder, { recursive: true });
  });

  const action = (repositories: readonly string[]) =>
    verifyImageImplementation({
      api: cluster.api,
      trust: {
        rules: [{ repositories, keys: [{ name: 'cosign.pub', pem: ours.publicPem }], keyless: [], predicateTypes: [] }],
        registries: [{ host: front.host, ca: front.ca }],
        withinMs: 60_000,
      },
    });
  const pullSecret = (namespace: string, name: string, password: string) =>
    cluster.post(pathOf({ resource: 'secrets', namespace }), {
      metadata: { name },
      type: 'kubernetes.io/dockerconfigjson',
      stringData: {
        '.dockerconfigjson': JSON.stringify({
          auths: { [`https://${front.host}`]: { auth: Buffer.from(`${user.name}:${password}`).toString('base64') } },
        }),
      },
    });
  /** Creates a pod with these containers, and their digests as the kubelet would report them. */
  const runs = async (
    namespace: string,
    images: readonly { readonly tag: string; readonly digest: string }[],
    spec: object = {},
  ) => {
    const image = (tag: string) => `${front.host}/shop/cart:${tag}`;
    const containers = images.map(({ tag }, at) => ({ name: `c${at}`, image: image(tag) }));
    const pod = await cluster.makePod(namespace, 'cart', { spec: { containers, ...spec } });
    const containerStatuses = images.map(({ tag, digest }, at) => ({
      name: `c${at}`,
      image: image(tag),
      imageID: `${front.host}/shop/cart@${digest}`,
      ready: true,
      restartCount: 0,
      state: { running: {} },
    }));
    await cluster.api.json({
      method: 'PATCH',
      patch: 'merge',
      path: pathOf({ resource: 'pods', namespace, name: 'cart', subresource: 'status' }),
      body: { status: { containerStatuses } },
      what: 'report as the kubelet',
    });
    return resolved(pod);
  };

  test('uses the pull secret of the pod, and reports the worst of several images', async () => {
    const namespace = await platform.freshNamespace();
    await pullSecret(namespace, 'pull', user.password);
    const images = [
      { tag: 'v1', digest: signed.digest },
      { tag: 'v2', digest: unsigned.digest },
    ];
    const pod = await runs(namespace, images, { imagePullSecrets: [{ name: 'missing' }, { name: 'pull' }] });
    const { apply, verify, plan } = action([`${front.host}/shop/*`]);
    expect(await plan({ pod }, stepContext())).toMatchObject({
      changes: [],
      target: { name: `pod/${namespace}/cart`, uid: pod.uid },
    });
    const output = await apply({ pod }, stepContext());
    expect(output).toMatchObject({
      signature: 'unsigned',
      images: [
        { container: 'c0', signature: 'signed', by: [expect.stringContaining('cosign.pub')] },
        { container: 'c1', signature: 'unsigned', digest: unsigned.digest },
      ],
    });
    expect(await verify(output, stepContext())).toMatchObject({
      state: 'verified',
      detail: expect.stringContaining('signed by the key'),
    });
    expect(await apply({ pod, container: 'c0' }, stepContext())).toMatchObject({
      signature: 'signed',
      images: [{ container: 'c0' }],
    });
    await expect(apply({ pod, container: 'c9' }, stepContext())).rejects.toMatchObject({ code: 'FB_ERR_NOT_FOUND' });
  });

  test('uses the pull secret of the account, and reveals no password', async () => {
    const namespace = await platform.freshNamespace();
    await pullSecret(namespace, 'pull', user.password);
    await cluster.post(pathOf({ resource: 'serviceaccounts', namespace }), {
      metadata: { name: 'cart' },
      imagePullSecrets: [{ name: 'pull' }],
    });
    const pod = await runs(namespace, [{ tag: 'v1', digest: signed.digest }], { serviceAccountName: 'cart' });
    const output = await action([`${front.host}/shop/cart`]).apply({ pod }, stepContext());
    expect(output).toMatchObject({ signature: 'signed' });
    expect(JSON.stringify(output)).not.toContain(user.password);
  });

  test('contacts no registry that is not configured, and reads no Secret for it', async () => {
    const namespace = await platform.freshNamespace();
    const pod = await runs(namespace, [{ tag: 'v1', digest: signed.digest }], { imagePullSecrets: [{ name: 'pull' }] });
    front.seen.splice(0);
    const output = await action(['registry.example.com/shop/*']).apply({ pod }, stepContext());
    expect(output).toMatchObject({ signature: 'unknown', images: [{ reason: expect.stringContaining('trusts nobody for') }] });
    expect(await action([]).verify(output, stepContext())).toMatchObject({ state: 'unverified' });
    expect(front.seen).toEqual([]);
  });

  test('reports unknown with a wrong password, and once the registry is gone', async () => {
    const namespace = await platform.freshNamespace();
    await pullSecret(namespace, 'pull', 'wrong');
    const pod = await runs(namespace, [{ tag: 'v2', digest: unsigned.digest }], { imagePullSecrets: [{ name: 'pull' }] });
    const { apply } = action([`${front.host}/shop/*`]);
    expect(await apply({ pod }, stepContext())).toMatchObject({ signature: 'unknown' });
    await registry.stop();
    expect(await apply({ pod }, stepContext())).toMatchObject({ signature: 'unknown' });
  });
});

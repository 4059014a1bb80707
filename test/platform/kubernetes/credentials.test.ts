import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { listReachableSecretsImplementation } from '../../../activities/actions/secrets/list-reachable-secrets.ts';
import { revokeTokensImplementation } from '../../../activities/actions/secrets/revoke-tokens.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { testPlatform } from '../../platform.ts';
import { openCluster, resolved, stepContext, until } from './parts/cluster.ts';

const platform = await testPlatform();

describe('what the credentials of a pod reach, and how they end', () => {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  beforeAll(async () => {
    cluster = await openCluster(platform.kubeconfig);
  });
  afterAll(() => cluster.close());

  const context = () => stepContext({ signal: AbortSignal.timeout(120_000) });

  test('what a pod could read is found in its spec, through RBAC and indirectly, and never a value', async () => {
    const namespace = await platform.freshNamespace();
    const canary = 'the-value-of-the-secret';
    for (const name of ['db', 'mail', 'other'])
      await cluster.post(pathOf({ resource: 'secrets', namespace }), { metadata: { name }, stringData: { password: canary } });
    await cluster.post(pathOf({ resource: 'serviceaccounts', namespace }), { metadata: { name: 'cart' } });
    const rbac = (resource: string) => pathOf({ group: 'rbac.authorization.k8s.io', resource, namespace });
    await cluster.post(rbac('roles'), {
      metadata: { name: 'cart' },
      rules: [
        { apiGroups: [''], resources: ['secrets'], resourceNames: ['mail'], verbs: ['get'] },
        { apiGroups: [''], resources: ['pods'], verbs: ['create'] },
      ],
    });
    await cluster.post(rbac('rolebindings'), {
      metadata: { name: 'cart' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'cart' },
      subjects: [{ kind: 'ServiceAccount', name: 'cart', namespace }],
    });
    await cluster.makePod(namespace, 'mailer', {
      spec: { containers: [{ name: 'main', image: 'shop/mail:1', envFrom: [{ secretRef: { name: 'mail' } }] }] },
    });
    const pod = resolved(
      await cluster.makePod(namespace, 'cart', {
        spec: {
          serviceAccountName: 'cart',
          containers: [
            {
              name: 'main',
              image: 'shop/cart:1',
              env: [{ name: 'P', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }],
              envFrom: [{ secretRef: { name: 'smtp' } }],
            },
          ],
          imagePullSecrets: [{ name: 'registry' }],
          volumes: [
            { name: 'v', secret: { secretName: 'db' } },
            { name: 'p', projected: { sources: [{ secret: { name: 'tls' } }] } },
            { name: 'd', csi: { driver: 'disk', nodePublishSecretRef: { name: 'disk' } } },
          ],
        },
      }),
    );
    const action = listReachableSecretsImplementation({ api: cluster.api, view: cluster.view });
    const output = await until(async () => {
      const found = await action.apply({ pod }, context());
      return found.detours.length > 0 ? found : undefined;
    });
    expect(output.account).toBe(`system:serviceaccount:${namespace}:cart`);
    expect(output.secrets).toEqual([
      { secret: `secret/${namespace}/db`, ways: ['in its environment', 'mounted as a volume'] },
      { secret: `secret/${namespace}/disk`, ways: [expect.stringContaining('to mount a volume: not in the container')] },
      { secret: `secret/${namespace}/mail`, ways: ['by RBAC: get this Secret'] },
      { secret: `secret/${namespace}/registry`, ways: [expect.stringContaining('to pull its image: not in the container')] },
      { secret: `secret/${namespace}/smtp`, ways: ['all of it in its environment'] },
      { secret: `secret/${namespace}/tls`, ways: ['mounted in a projected volume'] },
    ]);
    expect(output.detours).toEqual([`create pods in ${namespace}: a pod of its own can mount any Secret there`]);
    expect(output.wide).toEqual([]);
    // Other suites create namespaces in the same cluster, which may exceed the number that is asked about.
    const unknown = output.unknown.filter((one) => !one.includes('namespaces were asked about'));
    expect(unknown).toEqual([expect.stringContaining('another account'), expect.stringContaining('no pod names')]);
    expect(JSON.stringify(output)).not.toContain(canary);
  });

  const isAccepted = async (token: string): Promise<boolean> => {
    const review = await cluster.post<{ status: { authenticated?: boolean } }>(
      pathOf({ group: 'authentication.k8s.io', resource: 'tokenreviews' }),
      { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } },
    );
    return review.status.authenticated === true;
  };

  test('the tokens of the pod and of a Secret are refused once those are gone; an unbound one stays valid, as the plan says', async () => {
    const namespace = await platform.freshNamespace();
    await cluster.post(pathOf({ resource: 'serviceaccounts', namespace }), { metadata: { name: 'cart' } });
    await cluster.post(pathOf({ resource: 'secrets', namespace }), {
      metadata: { name: 'cart-token', annotations: { 'kubernetes.io/service-account.name': 'cart' } },
      type: 'kubernetes.io/service-account-token',
    });
    const pod = resolved(await cluster.makePod(namespace, 'cart', { spec: { serviceAccountName: 'cart' } }));
    await cluster.makePod(namespace, 'deploys', { spec: { volumes: [{ name: 'v', secret: { secretName: 'cart-token' } }] } });
    const request = async (spec: object): Promise<string> => {
      const path = pathOf({ resource: 'serviceaccounts', namespace, name: 'cart', subresource: 'token' });
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
      return (await cluster.post<{ status: { token: string } }>(path, body)).status.token;
    };
    const ofSecret = await until(async () => {
      const path = pathOf({ resource: 'secrets', namespace, name: 'cart-token' });
      const { data } = await cluster.get<{ data?: { token?: string } }>(path);
      return data?.token && Buffer.from(data.token, 'base64').toString();
    });
    const { name, uid } = pod;
    const ofPod = await request({ boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } });
    const unbound = await request({});
    const taken = () => Promise.all([ofSecret, ofPod, unbound].map(isAccepted));
    expect(await taken()).toEqual([true, true, true]);

    const revoke = revokeTokensImplementation({ api: cluster.api, pollMs: 50 });
    const input = { pod, account: 'cart', ways: ['legacySecrets' as const, 'pod' as const] };
    const { notes } = await revoke.plan(input, context());
    expect(notes.join('\n')).toContain('pods that mount one cannot start again: deploys');
    expect(notes.join('\n')).toContain('Tokens that were issued for cart without being bound to this pod stay valid');
    const step = context();
    expect(await revoke.verify(await revoke.apply(input, step), step)).toMatchObject({ state: 'verified' });
    // The API server caches its verdict on a token for some seconds.
    await until(async () => ((await taken()).slice(0, 2).includes(true) ? undefined : true), 30_000);
    expect(await taken()).toEqual([false, false, true]);
  });

  test('a token of the account is refused once it is revoked; the account keeps its settings', async () => {
    const namespace = await platform.freshNamespace();
    await cluster.post(pathOf({ resource: 'serviceaccounts', namespace }), {
      metadata: { name: 'cart', labels: { team: 'shop' }, annotations: { 'cloud/role': 'reader' } },
      imagePullSecrets: [{ name: 'registry' }],
      automountServiceAccountToken: false,
    });
    const pod = resolved(await cluster.makePod(namespace, 'cart', { spec: { serviceAccountName: 'cart' } }));
    await cluster.makePod(namespace, 'sibling', { spec: { serviceAccountName: 'cart' } });
    const tokenPath = pathOf({ resource: 'serviceaccounts', namespace, name: 'cart', subresource: 'token' });
    const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
    const { status } = await cluster.post<{ status: { token: string } }>(tokenPath, request);
    expect(await isAccepted(status.token)).toBe(true);
    const revoke = revokeTokensImplementation({ api: cluster.api, pollMs: 50 });
    const input = { pod, account: `system:serviceaccount:${namespace}:cart`, ways: ['account' as const] };
    const plan = await revoke.plan(input, context());
    expect(plan).toMatchObject({ reach: 'namespace' });
    expect(plan.notes.join('\n')).toContain('sibling');
    const step = context();
    expect(await revoke.verify(await revoke.apply(input, step), step)).toMatchObject({ state: 'verified' });
    // The API server caches its verdict on a token for some seconds.
    await until(async () => ((await isAccepted(status.token)) ? undefined : true), 30_000);
    const { items } = await cluster.get<{ items: { metadata: { name: string; labels?: object; annotations?: object } }[] }>(
      pathOf({ resource: 'serviceaccounts', namespace }),
    );
    expect(items.map(({ metadata }) => metadata.name).sort()).toEqual(['cart', 'default']);
    expect(items.find(({ metadata }) => metadata.name === 'cart')).toMatchObject({
      metadata: { labels: { team: 'shop' }, annotations: { 'cloud/role': 'reader' } },
      imagePullSecrets: [{ name: 'registry' }],
      automountServiceAccountToken: false,
    });
    expect(await cluster.hasPod(namespace, 'cart')).toBe(true);
  });
});

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { rotateSecretImplementation } from '../../../activities/actions/secrets/rotate-secret.ts';
import { names } from '../../../core/cluster/labels.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { secretUses } from '../../../integrations/kubernetes/watch/projection.ts';
import { readSecret, type SecretJson, whyNotRotate } from '../../../integrations/kubernetes/workloads/secrets.ts';
import { testPlatform } from '../../platform.ts';
import { killedEverywhere } from '../rotation/killed-rotation.ts';
import { cellKey, openCluster, resolved, stepContext, until } from './parts/cluster.ts';

const platform = await testPlatform();

describe('rotating the secrets that a pod could read', () => {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  beforeAll(async () => {
    cluster = await openCluster(platform.kubeconfig);
  });
  afterAll(() => cluster.close());

  const { signal } = new AbortController();
  const oldValue = 'old-value-canary';
  const action = (api: KubernetesApi = cluster.api) => rotateSecretImplementation({ api, pollMs: 100 });
  const makeSecret = (namespace: string, name: string, more: object = {}) =>
    cluster.post<SecretJson>(pathOf({ resource: 'secrets', namespace }), {
      metadata: { name },
      stringData: { password: oldValue, token: 'x'.repeat(40) },
      ...more,
    });

  /** Creates a shop whose Deployments use one Secret in every possible way, and a quarantined pod of one of them. */
  const makeShop = async () => {
    const namespace = await platform.freshNamespace();
    await makeSecret(namespace, 'db');
    await makeSecret(namespace, 'helm', { metadata: { name: 'helm', labels: { 'app.kubernetes.io/managed-by': 'Helm' } } });
    const [suspect] = await cluster.makeDeployment(namespace, 'cart', {
      replicas: 1,
      spec: {
        initContainers: [{ name: 'init', image: 'shop/init:1', envFrom: [{ secretRef: { name: 'db' } }] }],
        containers: [
          {
            name: 'main',
            image: 'shop/cart:1',
            env: [{ name: 'P', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }],
            envFrom: [{ secretRef: { name: 'helm' } }],
          },
        ],
        volumes: [
          { name: 'v', secret: { secretName: 'db' } },
          { name: 'p', projected: { sources: [{ secret: { name: 'db' } }] } },
        ],
      },
    });
    await cluster.makeDeployment(namespace, 'pay', {
      replicas: 2,
      spec: { containers: [{ name: 'main', image: 'shop/pay:1', envFrom: [{ secretRef: { name: 'db' } }] }] },
    });
    await cluster.makeDeployment(namespace, 'web', { replicas: 1 });
    if (!suspect) throw new Error('one replica was asked for');
    const context = stepContext({ signal });
    await quarantinePodImplementation({ api: cluster.api, view: cluster.view, cellKey }).apply(
      { pod: resolved(suspect) },
      context,
    );
    await until(async () =>
      (await cluster.pods(namespace)).filter(({ status }) => status?.phase === 'Running').length === 5 ? true : undefined,
    );
    return { namespace, input: { suspect: resolved(suspect) }, context: { ...context, key: `${context.key}/rotate` } };
  };
  const secretsOf = async (namespace: string, deployment: string): Promise<readonly string[]> => {
    const spec = (await cluster.deployment(namespace, deployment)).spec?.template.spec;
    return spec ? [...new Set(secretUses(spec).map(({ name }) => name))].sort() : [];
  };

  test('does what the plan says: fresh values under a new name, every consumer rolled, the suspect left with the old', async () => {
    const { namespace, input, context } = await makeShop();
    const webBefore = (await cluster.deployment(namespace, 'web')).metadata?.generation;
    const plan = await action().plan(input, context);
    const output = await action().apply(input, context);
    const [rotated] = output.rotated;
    if (!rotated) throw new Error('one Secret was to be rotated');
    expect(plan.target).toEqual({ name: `pod/${namespace}/${input.suspect.name}`, uid: input.suspect.uid });
    expect(plan.changes.map(({ target }) => target)).toEqual([
      `secret/${namespace}/${rotated.newName}`,
      `deployment/${namespace}/cart`,
      `deployment/${namespace}/pay`,
    ]);
    expect(rotated.consumers).toEqual([`deployment/${namespace}/cart`, `deployment/${namespace}/pay`]);
    expect(output.refused).toEqual([{ secret: 'helm', reason: expect.stringContaining('managed by Helm') }]);
    expect(await secretsOf(namespace, 'cart')).toEqual([rotated.newName, 'helm']);
    expect(await secretsOf(namespace, 'pay')).toEqual([rotated.newName]);
    expect((await cluster.deployment(namespace, 'web')).metadata?.generation).toBe(webBefore);

    const [before, after] = [
      await readSecret({ api: cluster.api, namespace, name: 'db', signal }),
      await readSecret({ api: cluster.api, namespace, name: rotated.newName, signal }),
    ];
    expect(Buffer.from(before?.data?.password ?? '', 'base64').toString()).toBe(oldValue);
    expect(Object.keys(after?.data ?? {})).toEqual(['password', 'token']);
    expect(Buffer.from(after?.data?.password ?? '', 'base64').toString()).toMatch(/^[\w-]{24}$/);
    expect(Buffer.from(after?.data?.token ?? '', 'base64').toString()).toMatch(/^[\w-]{48}$/);
    expect(after?.metadata?.annotations).toMatchObject({
      [names.rotatedFromAnnotation]: 'db',
      [names.stepAnnotation]: context.key,
    });
    expect(JSON.stringify([plan, output])).not.toContain(oldValue);
    for (const value of Object.values(after?.data ?? {}))
      expect(JSON.stringify([plan, output])).not.toContain(Buffer.from(value, 'base64').toString());

    const suspect = await cluster.pod(namespace, input.suspect.name);
    expect(suspect.metadata?.uid).toBe(input.suspect.uid);
    expect(suspect.spec && secretUses(suspect.spec).map(({ name }) => name)).not.toContain(rotated.newName);
    expect(await action().verify(output, context)).toMatchObject({
      state: 'partial',
      missing: [expect.stringContaining('secret/')],
    });
    expect(await action().plan(input, context)).toEqual(plan);
    const generations = async () =>
      Promise.all(['cart', 'pay'].map(async (name) => (await cluster.deployment(namespace, name)).metadata?.generation));
    const settled = await generations();
    expect(await action().apply(input, context)).toEqual(output);
    expect(await generations()).toEqual(settled);
  });

  test('resumes wherever a process is killed, with one new Secret and one rollout per Deployment', async () => {
    const { namespace, input, context } = await makeShop();
    const plan = await action().plan(input, context);
    expect(await action().started(input, context)).toBe(false);
    const deaths = await killedEverywhere({ kubeconfig: platform.kubeconfig, input, context });
    expect(deaths.map((death) => death.replace(namespace, 'NS'))).toEqual([
      'before create secrets in NS',
      'create secrets in NS',
      'patch deployments in NS',
      'patch deployments in NS',
    ]);
    expect(await action().started(input, context)).toBe(true);
    expect(await action().plan(input, context)).toEqual(plan);
    const output = await action().apply(input, context);
    expect(await action().verify(output, context)).toMatchObject({ missing: [expect.stringContaining('helm')] });
    const made = (await cluster.get<{ items: SecretJson[] }>(pathOf({ resource: 'secrets', namespace }))).items;
    expect(made.filter(({ metadata }) => metadata?.annotations?.[names.rotatedFromAnnotation])).toHaveLength(1);
    expect((await cluster.deployment(namespace, 'cart')).metadata?.generation).toBe(2);
    expect((await cluster.deployment(namespace, 'pay')).metadata?.generation).toBe(2);
  });

  test('refuses a Secret that somebody planted under the new name', async () => {
    const { namespace, input, context } = await makeShop();
    const newName = (await action().plan(input, context)).changes[0]?.target.split('/')[2] ?? '';
    await makeSecret(namespace, newName);
    await expect(action().apply(input, context)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
    expect(await secretsOf(namespace, 'pay')).toEqual(['db']);
  });

  test.each([
    ['a ServiceAccount token', { type: 'kubernetes.io/service-account-token' }, 'ServiceAccount token'],
    ['a registry login', { type: 'kubernetes.io/dockerconfigjson' }, 'its type is'],
    ['one of Argo CD', { metadata: { annotations: { 'argocd.argoproj.io/tracking-id': 'x' } } }, 'Argo CD'],
    ['one of Flux', { metadata: { labels: { 'kustomize.toolkit.fluxcd.io/name': 'x' } } }, 'Flux'],
    [
      'one of External Secrets',
      { metadata: { ownerReferences: [{ kind: 'ExternalSecret', name: 'x', uid: 'x', apiVersion: 'v1' }] } },
      'External Secrets (ExternalSecret x): rotate it at the provider first',
    ],
    ['one of cert-manager', { metadata: { annotations: { 'cert-manager.io/certificate-name': 'x' } } }, 'cert-manager'],
    [
      'a sealed one',
      { metadata: { ownerReferences: [{ kind: 'SealedSecret', name: 'x', uid: 'x', apiVersion: 'v1' }] } },
      'Sealed Secrets (SealedSecret x): seal a new value',
    ],
    [
      'a certificate, whose type would have been the lesser reason',
      { type: 'kubernetes.io/tls', metadata: { annotations: { 'cert-manager.io/certificate-name': 'x' } } },
      'so that the key is replaced too',
    ],
    ['an empty one', { data: {} }, 'empty'],
  ])('refuses %s with the reason', (_, secret, reason) => {
    expect(whyNotRotate({ type: 'Opaque', data: { a: 'b' }, ...secret })).toContain(reason);
    expect(whyNotRotate({ type: 'Opaque', data: { a: 'b' }, immutable: true })).toBeUndefined();
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { rotateSecretImplementation } from '../../../activities/actions/secrets/rotate-secret.ts';
import { deletePodImplementation } from '../../../activities/actions/workloads/delete-pod.ts';
import type { RotationRule } from '../../../core/action/rotation.ts';
import { rotateSecret } from '../../../core/actions/index.ts';
import { names } from '../../../core/cluster/labels.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import type { ObjectJson } from '../../../integrations/kubernetes/objects.ts';
import { certificateIn } from '../../../integrations/kubernetes/workloads/secret-writers.ts';
import { readSecret } from '../../../integrations/kubernetes/workloads/secrets.ts';
import { Vault } from '../../../integrations/vault/client.ts';
import { vaultKv } from '../../../integrations/vault/kv.ts';
import { startVaultFake, type VaultFake } from '../../fakes/vault/server.ts';
import { testPlatform } from '../../platform.ts';
import { accountWith } from '../actions/accounts.ts';
import { openCluster, resolved, stepContext, until } from '../kubernetes/parts/cluster.ts';
import { killedEverywhere } from './killed-rotation.ts';
import {
  type Controller,
  certificateController,
  certificates,
  externalSecretController,
  externalSecrets,
  installWriterKinds,
} from './writers.ts';

const platform = await testPlatform();
const token = 'token-canary';
const oldValue = 'old-value-canary';
const policy = {
  'secret/data/shop/db': ['read', 'create', 'update'],
  'secret/metadata/shop/db': ['read'],
  'secret/destroy/shop/db': ['update'],
} as const;
type Input = Parameters<ReturnType<typeof rotateSecretImplementation>['apply']>[0];

describe('Secrets that somebody else writes', () => {
  let cluster: Awaited<ReturnType<typeof openCluster>>;
  let fake: VaultFake;
  const running: Controller[] = [];
  beforeAll(async () => {
    [cluster, fake] = await Promise.all([openCluster(platform.kubeconfig), startVaultFake({ token, policy })]);
    await installWriterKinds(cluster);
  });
  beforeEach(() => fake.put('shop/db', { password: oldValue, host: 'db.shop' }));
  afterAll(async () => {
    await Promise.all(running.map((controller) => controller.stop()));
    await cluster.close();
    await fake.stop();
  });
  const { signal } = new AbortController();
  const action = (namespace: string, options: { api?: KubernetesApi; stored?: boolean; writeMs?: number } = {}) => {
    const { api = cluster.api, stored = true, writeMs = 10_000 } = options;
    const vault = new Vault({ address: fake.url, token });
    const provider = vaultKv({ vault, mount: 'secret', path: 'shop/db', properties: { password: 'password' } });
    const rules: readonly RotationRule[] = [{ namespace, secret: 'db', provider, ...(stored && { stored: ['password'] }) }];
    return rotateSecretImplementation({ api, pollMs: 50, rules, writeMs });
  };

  /** Creates a Secret with its writer, a workload that uses it, and a suspect that used it and is gone unless `stays`. */
  const scene = async (secret: 'db' | 'tls', stays = false) => {
    const namespace = await platform.freshNamespace();
    const place = { ...(secret === 'db' ? externalSecrets : certificates), namespace };
    const specs = {
      db: { secretStoreRef: { kind: 'SecretStore', name: 'vault' }, dataFrom: [{ extract: { key: 'shop/db' } }] },
      tls: {
        secretName: 'tls',
        dnsNames: ['shop.example.com'],
        issuerRef: { name: 'ca' },
        privateKey: { rotationPolicy: 'Always' },
      },
    };
    await cluster.post(pathOf(place), {
      apiVersion: `${place.group}/${place.version}`,
      kind: secret === 'db' ? 'ExternalSecret' : 'Certificate',
      metadata: { name: secret },
      spec: specs[secret],
    });
    const writer = (kind: Parameters<typeof certificateController>[0]['issuer'] = 'issues'): Controller => {
      const read = () => textsIn(fake.get('shop/db'));
      const controller =
        secret === 'db'
          ? externalSecretController({ cluster, namespace, read })
          : certificateController({ cluster, namespace, issuer: kind });
      running.push(controller);
      return controller;
    };
    const first = writer();
    const read = () => readSecret({ api: cluster.api, namespace, name: secret, signal });
    await until(async () => ((await read()) ? true : undefined));
    await until(async () => {
      const { status } = await cluster.get<ObjectJson & { status?: object }>(pathOf({ ...place, name: secret }));
      return status;
    });
    await first.stop();
    const spec = {
      containers: [{ name: 'main', image: 'shop/cart:1' }],
      volumes: [{ name: 'v', secret: { secretName: secret } }],
    };
    await cluster.makeDeployment(namespace, 'cart', { replicas: 1, spec });
    const suspect = resolved(await cluster.makePod(namespace, 'suspect', { spec }));
    if (!stays) {
      const path = pathOf({ resource: 'pods', namespace, name: 'suspect' });
      await cluster.api.json({ method: 'DELETE', path, body: { gracePeriodSeconds: 0 }, what: 'end the suspect' });
    }
    const input: Input = { suspect, secrets: [secret] };
    return { namespace, place: { ...place, name: secret }, writer, read, input, context: stepContext({ signal }) };
  };
  const textsIn = (data: object | undefined): Readonly<Record<string, string>> | undefined =>
    data && Object.fromEntries(Object.entries(data).map(([key, value]) => [key, String(value)]));
  const passwordIn = async (read: () => ReturnType<typeof readSecret>): Promise<string> =>
    Buffer.from((await read())?.data?.password ?? '', 'base64').toString();
  const generation = async (namespace: string) => (await cluster.deployment(namespace, 'cart')).metadata?.generation;
  const secretsIn = async (namespace: string): Promise<readonly string[]> => {
    const { items } = await cluster.get<{ items: ObjectJson[] }>(pathOf({ resource: 'secrets', namespace }));
    return items.map(({ metadata }) => metadata.name);
  };

  test('External Secrets: the provider first, then a refresh that is read back, then the rollout; nothing is left behind', async () => {
    const { namespace, place, writer, read, input, context } = await scene('db');
    const controller = writer();
    const plan = await action(namespace).plan(input, context);
    expect(plan.changes.map(({ target }) => target.replace(/-fb.*/, '-fb…'))).toEqual([
      `secret/${namespace}/db-fb…`,
      `externalsecret/${namespace}/db`,
      `deployment/${namespace}/cart`,
    ]);
    const output = await action(namespace).apply(input, context);
    const verification = await action(namespace).verify(output, context);
    expect(verification).toMatchObject({ state: 'verified' });
    const value = await passwordIn(read);
    expect(value).toMatch(/^[\w-]{32}$/);
    expect(fake.get('shop/db')).toEqual({ password: value, host: 'db.shop' });
    expect(await secretsIn(namespace)).toEqual(['db']);
    expect(await generation(namespace)).toBe(2);
    const said = JSON.stringify([plan, output, verification, await cluster.get(pathOf(place))]);
    for (const canary of [value, oldValue]) expect(said).not.toContain(canary);

    expect(await action(namespace).apply(input, context)).toEqual(output);
    expect([await generation(namespace), await passwordIn(read), controller.written()]).toEqual([2, value, 1]);
    await controller.stop();
  });

  test('External Secrets: one effect, wherever a process is killed', async () => {
    const { namespace, writer, read, input, context } = await scene('db');
    const controller = writer();
    const before = fake.calls.filter((call) => call === 'PUT /v1/secret/data/shop/db').length;
    const { kubeconfig } = platform;
    const deaths = await killedEverywhere({ kubeconfig, input, context, vault: { address: fake.url, token } });
    expect(deaths.map((death) => death.replace(namespace, 'NS'))).toEqual([
      'before create secrets in NS',
      'create secrets in NS',
      'write secret/data/shop/db in Vault',
      'patch externalsecrets in NS',
      'patch deployments in NS',
      'write secret/destroy/shop/db in Vault',
      'delete secrets in NS',
    ]);
    const output = await action(namespace).apply(input, context);
    expect(await action(namespace).verify(output, context)).toMatchObject({ state: 'verified' });
    expect(fake.calls.filter((call) => call === 'PUT /v1/secret/data/shop/db')).toHaveLength(before + 1);
    expect([await generation(namespace), controller.written(), await secretsIn(namespace)]).toEqual([2, 1, ['db']]);
    expect(fake.get('shop/db')?.password).toBe(await passwordIn(read));
    await controller.stop();
  });

  test('External Secrets: one effect, even if Vault’s answers are lost', async () => {
    const { namespace, writer, read, input, context } = await scene('db');
    const controller = writer();
    const writes = () => fake.calls.filter((call) => call.startsWith('PUT ')).length;
    const before = writes();
    for (const path of [/data/, /destroy/]) fake.inject({ method: 'PUT', path, what: 'then-reset' });
    // It finds at once that the new version exists; only the next try finds that the old ones are destroyed.
    await expect(action(namespace).apply(input, context)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    const output = await action(namespace).apply(input, context);
    expect(await action(namespace).verify(output, context)).toMatchObject({ state: 'verified' });
    expect([writes() - before, controller.written(), await secretsIn(namespace)]).toEqual([2, 1, ['db']]);
    expect(fake.get('shop/db')?.password).toBe(await passwordIn(read));
    await controller.stop();
  });

  test('External Secrets: a value that Vault no longer has is not rotated', async () => {
    const { namespace, input, context } = await scene('db');
    fake.put('shop/db', { password: 'rotated-by-hand', host: 'db.shop' });
    const { notes, changes } = await action(namespace).plan(input, context);
    expect([changes, notes.join(' ')]).toEqual([[], expect.stringContaining('does not accept its value')]);
  });

  test('External Secrets: a controller that never answers, or that cannot read, is a failure, and nothing rolls', async () => {
    const { namespace, input, context } = await scene('db');
    const failing = action(namespace, { writeMs: 500 });
    await expect(failing.apply(input, context)).rejects.toThrow(
      `externalsecret/${namespace}/db has not read the new value: nothing answered`,
    );
    const controller = externalSecretController({ cluster, namespace, read: () => undefined });
    await until(async () => {
      const error: unknown = await failing.apply(input, context).catch((caught: unknown) => caught);
      expect(String(error)).not.toContain(oldValue);
      return String(error).includes('SecretSyncedError') || undefined;
    });
    await controller.stop();
    expect(await generation(namespace)).toBe(1);
  });

  test('cert-manager: reissued on a new key, its users rolled, and the old certificate’s expiry reported', async () => {
    const { namespace, writer, read, input, context } = await scene('tls');
    const before = certificateIn((await read()) ?? {});
    const controller = writer();
    const plan = await action(namespace).plan(input, context);
    expect(plan.notes).toContain(
      `The old certificate in tls is valid until ${before?.ends}, unless its issuer revokes it: a new one does not end it.`,
    );
    const output = await action(namespace).apply(input, context);
    expect(output.rotated).toMatchObject([{ secret: 'tls', newName: 'tls', writer: 'Certificate', validUntil: before?.ends }]);
    const after = certificateIn((await read()) ?? {});
    expect(after?.publicKey).not.toBe(before?.publicKey);
    expect(await action(namespace).verify(output, context)).toMatchObject({
      state: 'partial',
      missing: [expect.stringContaining(`the old certificate is valid until ${before?.ends}`)],
    });
    expect(await action(namespace).apply(input, context)).toEqual(output);
    expect([await generation(namespace), controller.written()]).toEqual([2, 1]);
    await controller.stop();
  });

  test('cert-manager: one new certificate, wherever a process is killed', async () => {
    const { namespace, writer, input, context } = await scene('tls');
    const controller = writer();
    const deaths = await killedEverywhere({ kubeconfig: platform.kubeconfig, input, context });
    expect(deaths.map((death) => death.replace(namespace, 'NS'))).toEqual([
      'before patch certificates in NS',
      'patch certificates in NS',
      'patch certificates/status in NS',
      'patch deployments in NS',
    ]);
    await action(namespace).apply(input, context);
    expect([await generation(namespace), controller.written()]).toEqual([2, 1]);
    await controller.stop();
  });

  test.each([
    ['keeps the key', 'was issued again with the same key'],
    ['fails', 'was not issued: Failed'],
  ] as const)('cert-manager: an issuer that %s is a failure, and nothing rolls', async (issuer, reason) => {
    const { namespace, place, writer, input, context } = await scene('tls');
    const controller = writer(issuer);
    // The controller's own key is the first of its life: the certificate is moved to it beforehand.
    if (issuer === 'keeps the key') await onOwnKey(place, controller);
    await expect(action(namespace).apply(input, context)).rejects.toThrow(reason);
    expect(await generation(namespace)).toBe(1);
    await controller.stop();
  });
  const onOwnKey = async (place: Parameters<typeof pathOf>[0], controller: Controller): Promise<void> => {
    await cluster.api.json({
      method: 'PATCH',
      patch: 'merge',
      path: pathOf({ ...place, subresource: 'status' }),
      body: { status: { revision: 0 } },
      what: 'begin again for a test',
    });
    await until(async () => (controller.written() === 1 ? true : undefined));
  };

  test.each(['db', 'tls'] as const)('%s is rotated with exactly the declared rights', async (secret) => {
    const { namespace, writer, input, context } = await scene(secret);
    const controller = writer();
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-rights-'));
    const { kubeconfig } = platform;
    const { rights } = rotateSecret;
    const account = await accountWith({ admin: cluster, kubeconfig, folder, namespace, name: 'secrets', rights });
    const rotation = action(namespace, { api: account.api });
    // A new binding takes a moment to take effect in the API server.
    await until(async () => (await rotation.plan(input, context).catch(() => undefined)) && true);
    const output = await rotation.apply(input, context);
    expect(output.refused).toEqual([]);
    expect(await rotation.verify(output, context)).toMatchObject({ state: secret === 'db' ? 'verified' : 'partial' });
    await Promise.all([controller.stop(), account.remove()]);
    rmSync(folder, { recursive: true });
  });

  test('cert-manager: nobody answers', async () => {
    const { namespace, input, context } = await scene('tls');
    await expect(action(namespace, { writeMs: 500 }).apply(input, context)).rejects.toThrow('was not issued in time');
    expect(await generation(namespace)).toBe(1);
  });

  test.each(['db', 'tls'] as const)(
    '%s is renewed under its own name once the suspect that uses it is deleted, not before',
    async (secret) => {
      const { namespace, place, writer, input, context } = await scene(secret, true);
      const { suspect } = input;
      const reason = expect.stringMatching(/^the suspect pod uses it.*delete the pod first$/);
      const first = await action(namespace).apply({ suspect }, context);
      expect(first).toMatchObject({ rotated: [], refused: [{ secret, reason }] });
      const { metadata } = await cluster.get<ObjectJson>(pathOf(place));
      expect(metadata.annotations?.[names.rotatedByAnnotation]).toBeUndefined();

      // As the playbook continues: the pod is deleted, and what was refused is planned again under its name.
      const deletion = deletePodImplementation({ api: cluster.api });
      await deletion.verify(await deletion.apply({ pod: suspect }, context), context);
      const left: Input = { suspect, secrets: first.refused.map((one) => one.secret) };
      const again = { ...context, key: `${context.key}/again` };
      expect((await action(namespace).plan(left, again)).changes).not.toEqual([]);
      const controller = writer();
      const output = await action(namespace).apply(left, again);
      expect(output).toMatchObject({ rotated: [{ secret }], refused: [] });
      expect((await action(namespace).verify(output, again)).state).toBe(secret === 'db' ? 'verified' : 'partial');
      await controller.stop();
    },
  );

  test('a suspect that is gone is only skipped when people have named the Secrets', async () => {
    const { namespace, input, context } = await scene('db');
    await expect(action(namespace).plan({ suspect: input.suspect }, context)).rejects.toMatchObject({ code: 'FB_ERR_NOT_FOUND' });
  });

  test.each([
    ['ExternalSecret without a store that we can write', 'db', {}, false, 'rotate it at the provider first'],
    ['ExternalSecret that never refreshes', 'db', { refreshPolicy: 'CreatedOnce' }, true, 'it never refreshes'],
    ['ExternalSecret of another Secret', 'db', { target: { name: 'other' } }, true, 'writes another Secret'],
    ['Certificate that keeps its key', 'tls', { privateKey: { rotationPolicy: 'Never' } }, true, 'the stolen key'],
    ['Certificate of another Secret', 'tls', { secretName: 'other' }, true, 'writes another Secret'],
  ] as const)('an %s is refused', async (_, secret, spec, stored, reason) => {
    const { namespace, place, input, context } = await scene(secret);
    await cluster.api.json({ method: 'PATCH', patch: 'merge', path: pathOf(place), body: { spec }, what: 'change for a test' });
    const { notes, changes } = await action(namespace, { stored }).plan(input, context);
    expect([changes, notes.join(' ')]).toEqual([[], expect.stringContaining(reason)]);
  });
});

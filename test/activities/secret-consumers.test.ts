import { describe, expect, test } from '@jest/globals';
import { type Consumer, type NamespaceUsers, usersOf } from '../../activities/actions/secrets/secret-consumers.ts';
import type { PodJson } from '../../integrations/kubernetes/watch/projection.ts';

const main = { name: 'main', image: 'shop/cart:1' };
const pod = (name: string, more: PodJson = {}): PodJson => ({
  spec: { containers: [{ ...main, envFrom: [{ secretRef: { name: 'db' } }] }] },
  ...more,
  metadata: { name, uid: name, ...more.metadata },
});
const owned = (kind: string, labels: Readonly<Record<string, string>> = {}) => ({
  labels,
  ownerReferences: [{ apiVersion: 'v1', kind, name: 'owner', uid: 'owner', controller: true }],
});
const usersIn = (pods: readonly PodJson[], more: Partial<NamespaceUsers> = {}): ReturnType<typeof usersOf> => {
  const titles = new Set(more.workloads?.map(({ ref }) => `${ref.kind} ${ref.name}`));
  const users = { workloads: [], titles, ingresses: [], accounts: [], ...more, pods };
  return usersOf({ users, secrets: new Set(['db']), suspectUid: 'suspect', key: 'the-step' });
};

describe('users of a Secret', () => {
  test.each<readonly [string, PodJson, readonly string[]]>([
    ['a bare pod', pod('alone'), ['Pod alone']],
    ['a pod of a Job', pod('a', { metadata: owned('Job') }), ['Job owner']],
    ['a pod of an unknown kind', pod('a', { metadata: owned('Rollout') }), ['Rollout owner']],
    ['a pod of a bare ReplicaSet', pod('a', { metadata: owned('ReplicaSet') }), ['ReplicaSet owner']],
    [
      'a pod of a Deployment, which is rolled itself',
      pod('a', { metadata: owned('ReplicaSet', { 'pod-template-hash': 'x' }) }),
      [],
    ],
    ['the suspect', pod('suspect'), []],
    ['a pod that has ended', pod('a', { status: { phase: 'Succeeded' } }), []],
    ['an image pull', pod('a', { spec: { containers: [main], imagePullSecrets: [{ name: 'db' }] } }), ['Pod a']],
    ...[
      { csi: { driver: 'store', nodePublishSecretRef: { name: 'db' } } },
      { azureFile: { shareName: 's', secretName: 'db' } },
      { rbd: { image: 'i', monitors: [], secretRef: { name: 'db' } } },
    ].map(
      (source) =>
        [
          `what mounts a volume: ${Object.keys(source)}`,
          pod('a', { spec: { containers: [main], volumes: [{ name: 'v', ...source }] } }),
          ['Pod a'],
        ] as const,
    ),
    [
      'an ephemeral container',
      pod('a', {
        spec: {
          containers: [main],
          ephemeralContainers: [{ ...main, env: [{ name: 'P', valueFrom: { secretKeyRef: { name: 'db', key: 'p' } } }] }],
        },
      }),
      ['Pod a'],
    ],
    [
      'a projected volume',
      pod('a', { spec: { containers: [main], volumes: [{ name: 'v', projected: { sources: [{ secret: { name: 'db' } }] } }] } }),
      ['Pod a'],
    ],
    ['nobody', pod('a', { spec: { containers: [main] } }), []],
  ])('%s', (_, one, left) => {
    expect(usersIn([one])).toMatchObject({ left, rolled: [], readers: [] });
  });

  test('a workload whose pod template has no room for the restart mark keeps the old value, and this is reported', () => {
    const spec = { containers: [{ ...main, envFrom: [{ secretRef: { name: 'db' } }] }] };
    const consumer = (bytes: number): Consumer => ({
      ref: { kind: 'Deployment', group: 'apps', resource: 'deployments', namespace: 'shop', name: 'cart' },
      object: { metadata: { name: 'cart', uid: 'cart', resourceVersion: '1' }, spec: {} },
      template: { metadata: { annotations: { note: 'x'.repeat(bytes) } }, spec },
      at: '/spec/template',
      rolls: true,
    });
    const [full, small] = [262_130, 1].map((bytes) => usersIn([], { workloads: [consumer(bytes)] }));
    expect(full).toMatchObject({
      rolled: [],
      left: [
        expect.stringMatching(
          /^Deployment cart \(the annotations of its pod template are \d+ bytes too large to add the mark of a rotation/,
        ),
      ],
    });
    expect(small).toMatchObject({ rolled: [{ rolls: true }], left: [] });
  });

  test('an Ingress and a ServiceAccount are named, but only if they use this Secret', () => {
    const ingresses = ['db', 'tls'].map((secretName) => ({ metadata: { name: secretName }, spec: { tls: [{ secretName }] } }));
    const accounts = ['db', 'other'].map((name) => ({ metadata: { name }, imagePullSecrets: [{ name }] }));
    expect(usersIn([], { ingresses, accounts }).readers).toEqual(['Ingress db (TLS)', 'ServiceAccount db']);
  });
});

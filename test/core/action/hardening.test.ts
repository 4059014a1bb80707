import { expect, test } from '@jest/globals';
import { type HardenedSpec, harden, hardeningBefore, hardenings, unharden } from '../../../core/action/hardening.ts';

const bare: HardenedSpec = { containers: [{ name: 'main', image: 'shop/cart:1' }], volumes: [] };

test('a workload gets every setting that it lacks', () => {
  expect(harden(bare)).toEqual({
    volumes: [],
    hostUsers: false,
    automountServiceAccountToken: false,
    securityContext: {
      seccompProfile: { type: 'RuntimeDefault' },
      appArmorProfile: { type: 'RuntimeDefault' },
      runAsNonRoot: true,
    },
    containers: [
      {
        name: 'main',
        image: 'shop/cart:1',
        securityContext: { capabilities: { drop: ['ALL'] }, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
      },
    ],
  });
});

test('looser settings are removed; stricter or allowed ones stay', () => {
  const loose: HardenedSpec = {
    hostNetwork: true,
    securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'own.json' }, fsGroup: 1 },
    containers: [
      {
        name: 'main',
        securityContext: {
          privileged: true,
          runAsNonRoot: false,
          seccompProfile: { type: 'Unconfined' },
          appArmorProfile: { type: 'Unconfined' },
          capabilities: { add: ['SYS_ADMIN', 'NET_BIND_SERVICE'] },
        },
      },
    ],
    initContainers: [{ name: 'init' }],
  };
  const hardened = harden(loose);
  expect(hardened.hostUsers).toBeUndefined();
  expect(hardened.securityContext).toMatchObject({ seccompProfile: { type: 'Localhost' }, fsGroup: 1 });
  expect(hardened.containers?.[0]?.securityContext).toEqual({
    privileged: false,
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
    appArmorProfile: { type: 'RuntimeDefault' },
    capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
  });
  expect(hardened.initContainers?.[0]?.securityContext).toMatchObject({ allowPrivilegeEscalation: false });
  expect(harden(hardened)).toEqual(hardened);
  expect(unharden(hardened, hardeningBefore(loose))).toEqual(loose);
});

test('exempt fields are left alone, and later changes survive when the fields are restored', () => {
  expect(unharden(harden(bare, [...hardenings]), hardeningBefore(bare))).toEqual(bare);
  expect(harden(bare, ['readOnlyRoot']).containers?.[0]?.securityContext).not.toHaveProperty('readOnlyRootFilesystem');
  const since = { ...harden(bare), priority: 1, containers: [...(harden(bare).containers ?? []), { name: 'sidecar' }] };
  expect(unharden(since, hardeningBefore(bare))).toEqual({
    ...bare,
    priority: 1,
    containers: [...(bare.containers ?? []), { name: 'sidecar' }],
  });
});

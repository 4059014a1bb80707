import { describe, expect, test } from '@jest/globals';
import { type HardenedSpec, harden } from '../../../core/action/hardening.ts';
import {
  hardeningCommand,
  type LookedAtSpec,
  type Posture,
  postureFindings,
  postureLevel,
  postureLines,
} from '../../../core/cluster/posture.ts';

const restricted = {
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
  seccompProfile: { type: 'RuntimeDefault' },
};
const idsOf = (spec: LookedAtSpec) => postureFindings(spec).map(({ id }) => id);
const levelOf = (spec: LookedAtSpec) => postureLevel(postureFindings(spec));

describe('the posture of a pod', () => {
  test('meets “restricted” if each container does', () => {
    const spec = { containers: [{ name: 'app', securityContext: restricted }] };
    expect(levelOf(spec)).toBe('restricted');
    expect(idsOf(spec)).toEqual(['apparmor-unset', 'writable-root', 'host-users']);
  });

  test('has no finding at all once everything is hardened', () => {
    expect(idsOf(harden({ containers: [{ name: 'app' }], initContainers: [{ name: 'init' }] }))).toEqual([]);
  });

  test('meets “baseline” if nothing is set', () => {
    const spec = { containers: [{ name: 'app' }] };
    expect(levelOf(spec)).toBe('baseline');
    expect(idsOf(spec)).toEqual([
      ...['privilege-escalation', 'root', 'kept-capabilities', 'seccomp-unset'],
      ...['apparmor-unset', 'writable-root', 'host-users'],
    ]);
  });

  test.each<[string, LookedAtSpec]>([
    ['privileged', { containers: [{ name: 'app', securityContext: { ...restricted, privileged: true } }] }],
    ['host-pid', { hostPID: true }],
    ['host-ipc', { hostIPC: true }],
    ['host-network', { hostNetwork: true }],
    ['host-path', { volumes: [{ name: 'root', hostPath: { path: '/' } }] }],
    ['host-port', { containers: [{ name: 'app', ports: [{ hostPort: 80 }] }] }],
    ['added-capabilities', { containers: [{ name: 'app', securityContext: { capabilities: { add: ['SYS_ADMIN'] } } }] }],
    ['seccomp-off', { securityContext: { seccompProfile: { type: 'Unconfined' } }, containers: [{ name: 'app' }] }],
    ['apparmor-off', { containers: [{ name: 'app', securityContext: { appArmorProfile: { type: 'Unconfined' } } }] }],
  ])('meets no profile with %s', (id, spec) => {
    expect(idsOf(spec)).toContain(id);
    expect(levelOf(spec)).toBe('privileged');
  });

  test('prefers a container’s own settings to the pod’s, and names the containers', () => {
    const spec: LookedAtSpec = {
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        { name: 'app', securityContext: { runAsNonRoot: false } },
        { name: 'side', securityContext: { runAsUser: 0 } },
        { name: 'third' },
      ],
    };
    expect(postureFindings(spec).find(({ id }) => id === 'root')?.containers).toEqual(['app', 'side']);
    expect(idsOf(spec)).not.toContain('seccomp-unset');
  });

  test('is written in short lines', () => {
    const findings = postureFindings({ hostPID: true, containers: [{ name: 'app', securityContext: restricted }] });
    const posture: Posture = {
      at: '2026-06-01T10:00:00.000Z',
      of: 'pod/shop/cart-1',
      level: 'privileged',
      findings,
      account: { name: 'shop/cart', hasToken: true, may: ['read the Secrets of its namespace'] },
      proposal: { workload: 'deployment/shop/cart', changes: ['hostUsers is added: false'], command: 'kubectl …' },
      unknown: ['the rest'],
    };
    expect(postureLines(posture)).toEqual([
      'pod/shop/cart-1 meets no Pod Security profile: it can see the processes of its node.',
      'Can see the processes of its node: not baseline, CIS 5.2.3.',
      'Sets no AppArmor profile (app).',
      'Can write to its image’s file system (app).',
      'Has no user namespace: root in it is root on its node.',
      'The service account shop/cart may read the Secrets of its namespace, and the pod has its token.',
      'To harden deployment/shop/cart: hostUsers is added: false.',
      'To try it without changing anything: kubectl …',
      'Not known: the rest.',
    ]);
  });
});

describe('the command that hardens a workload', () => {
  const workload = { kind: 'Deployment', namespace: 'shop', name: 'cart' };
  const patchIn = (command = ''): unknown => JSON.parse(/--patch '(.*)'$/.exec(command)?.[1] ?? 'null');

  test('sends the fields that differ, and removes added capabilities', () => {
    const spec: HardenedSpec = {
      securityContext: { runAsNonRoot: true, fsGroup: 3 },
      containers: [{ name: 'app', securityContext: { capabilities: { add: ['SYS_ADMIN'] }, readOnlyRootFilesystem: true } }],
    };
    const command = hardeningCommand(workload, spec);
    expect(command).toMatch(/^kubectl --namespace shop patch deployment cart --dry-run=server --output yaml --patch '\{/);
    expect(patchIn(command)).toEqual({
      spec: {
        template: {
          spec: {
            hostUsers: false,
            automountServiceAccountToken: false,
            securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
            containers: [
              { name: 'app', securityContext: { capabilities: { add: null, drop: ['ALL'] }, allowPrivilegeEscalation: false } },
            ],
          },
        },
      },
    });
  });

  test('does not exist if nothing is missing', () => {
    expect(hardeningCommand(workload, harden({ containers: [{ name: 'app' }] }))).toBeUndefined();
  });

  test('contains nothing that would end its quotes in a shell', () => {
    const spec: HardenedSpec = { containers: [{ name: 'app', securityContext: { seLinuxOptions: { level: "'; rm -rf /" } } }] };
    expect(hardeningCommand(workload, spec)?.split("'")).toHaveLength(3);
  });
});

import { describe, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import { mitreIds } from '../../../core/alert/mitre.ts';
import { actKindOf } from '../../../core/assessment/act-kind.ts';
import { ruleConfidence } from '../../../core/assessment/rule-confidence.ts';
import { withDefaultSeverity } from '../../../core/rules/default-severity.ts';

const alertOf = (over: Partial<Alert>): Alert => ({
  id: '0'.repeat(32),
  sensor: 'tetragon',
  rule: 'bpf',
  severity: 'unknown',
  time: '2026-11-27T09:00:00Z',
  title: 'something',
  cluster: 'lab',
  observables: [],
  tags: [],
  mitre: mitreIds(over.tags ?? []),
  ...over,
});
const severityOf = (over: Partial<Alert>) => withDefaultSeverity(alertOf(over)).severity;

describe('an alert without a severity', () => {
  test.each([
    ['monitor-kernel-modules', [], 'high'],
    ['cve-2024-3094-xz-ssh', [], 'high'],
    ['sys-pivot-root', [], 'high'],
    ['privileges-raise', [], 'medium'],
    ['bpf', [], 'medium'],
    ['tcp-listen', [], 'low'],
    ['raw-syscalls', [], 'info'],
    ['syscalls', ['hook:sys_ptrace'], 'high'],
    ['syscalls', ['hook:sys_mount'], 'medium'],
    ['our-own-policy', [], 'low'],
    ['our-own-policy', ['T1611'], 'high'],
    ['our-own-policy', ['observability.T1059'], 'medium'],
    ['our-own-policy', ['enforced', 'sigkill'], 'medium'],
  ])('of Tetragon’s policy %s %j is %s', (rule, tags, severity) => expect(severityOf({ rule, tags })).toBe(severity));

  const path = (value: string) => [{ type: 'path' as const, value }];
  test.each([
    ['hook:__x64_sys_setns', {}, 'high', 'escape'],
    ['hook:security_kernel_read_file', { process: { name: 'insmod' } }, 'critical', 'kernel'],
    ['hook:security_kernel_read_file', {}, 'high', 'kernel'],
    ['hook:security_file_permission', { observables: path('/sys/fs/cgroup/rdma/x/release_agent') }, 'critical', 'escape'],
    ['hook:security_file_permission', { observables: path('/proc/sys/kernel/core_pattern') }, 'high', 'escape'],
    ['hook:fd_install', { observables: path('/run/containerd/containerd.sock') }, 'high', 'escape'],
    ['hook:security_file_permission', { observables: path('/etc/shadow') }, 'medium', 'credentials'],
    ['hook:security_file_permission', { observables: path('/etc/hosts') }, 'low', 'file-access'],
    ['hook:fd_install', { observables: path('/etc/shadow'), process: { exe: '/etc/shadow' } }, 'low', 'file-access'],
  ] as const)('of Tetragon’s own policy at %s with %j is %s and about %s', (hook, over, severity, act) => {
    expect(severityOf({ rule: 'our-own-policy', tags: [hook], ...over })).toBe(severity);
    expect(actKindOf(alertOf({ rule: 'our-own-policy', tags: [hook], ...over }))).toBe(act);
  });

  test.each([
    ['tetragon', 'process_exec', 'xmrig', 'high'],
    ['inspektor-gadget', 'trace_exec', 'xmrig', 'high'],
    ['inspektor-gadget', 'trace_exec', 'nsenter', 'medium'],
    ['inspektor-gadget', 'trace_exec', 'bash', 'unknown'],
    ['inspektor-gadget', 'trace_init_module', 'x', 'high'],
  ])('of %s about %s of %s is %s', (sensor, rule, name, severity) =>
    expect(severityOf({ sensor, rule, process: { name } })).toBe(severity),
  );

  test('of KubeArmor comes from the file, too', () =>
    expect(severityOf({ sensor: 'kubearmor', rule: 'our-own', severity: 'info', observables: path('/run/docker.sock') })).toBe(
      'high',
    ));

  test.each(['process_exec', 'process_exit'])('of Tetragon’s %s stays without one: no policy asked for it', (rule) =>
    expect(severityOf({ rule })).toBe('unknown'),
  );

  test.each([
    ['ksp-mitre-kinsing-cryptomining-malware-block', [], 'high'],
    ['ksp-block-sub-processes-of-netcat', [], 'high'],
    ['hsp-mitre-ptrace-syscall', [], 'high'],
    ['our-own', ['MITRE_T1611_escape_to_host'], 'high'],
    ['ksp-config-server-private-keys', [], 'medium'],
    ['DefaultPosture', [], 'medium'],
    ['our-own', ['MITRE_T1552_unsecured_credentials'], 'medium'],
    ['ksp-audit-cis-nginx-2.3.4', ['CIS'], 'low'],
    ['our-own', [], 'low'],
  ])('of KubeArmor’s policy %s %j is %s, even if KubeArmor gives its lowest', (rule, tags, severity) => {
    expect(severityOf({ sensor: 'kubearmor', rule, tags })).toBe(severity);
    expect(severityOf({ sensor: 'kubearmor', rule, tags, severity: 'info' })).toBe(severity);
  });

  test('is never made critical: a name alone triggers nothing automatic', () => {
    const names = ['malware-cve-2026-1-escape-ptrace', 'critical', 'emergency'];
    for (const sensor of ['tetragon', 'kubearmor'])
      for (const rule of names) expect(severityOf({ sensor, rule, tags: ['T1611', 'enforced'] })).not.toBe('critical');
  });
});

describe('how sure a policy is', () => {
  const sureOf = (over: Partial<Alert>) => ruleConfidence(withDefaultSeverity(alertOf(over))).confidence;
  test.each([
    [
      { rule: 'x', tags: ['hook:security_file_permission'], observables: [{ type: 'path', value: '/tmp/cg/release_agent' }] },
      'sure',
    ],
    [{ rule: 'x', tags: ['hook:__x64_sys_setns'] }, 'likely'],
    [{ rule: 'x', tags: [] }, 'weak'],
    [{ rule: 'tcp-listen' }, 'weak'],
    [{ sensor: 'kubearmor', rule: 'ksp-block-netcat', severity: 'high' }, 'likely'],
    [{ sensor: 'kubearmor', rule: 'hsp-cis-1', severity: 'medium', tags: ['CIS'] }, 'weak'],
    [{ rule: 'process_exec' }, 'weak'],
    [{ rule: 'process_exec', process: { name: 'xmrig' } }, 'likely'],
  ] as const)('%j is %s', (over, confidence) => expect(sureOf(over)).toBe(confidence));
});

describe('a severity', () => {
  test.each([
    ['tetragon', 'critical'],
    ['tetragon', 'info'],
    ['kubearmor', 'low'],
    ['kubearmor', 'critical'],
    ['falco', 'unknown'],
  ] as const)('that %s gave (%s) stays', (sensor, severity) =>
    expect(severityOf({ sensor, severity, rule: 'monitor-kernel-modules' })).toBe(severity),
  );
});

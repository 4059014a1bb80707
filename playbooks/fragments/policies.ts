import { type Match, regex } from '../../core/playbook/match.ts';

/**
 * The subject of a policy, judged by its name, its tags and the function it hooks. Users write Tetragon and KubeArmor policies themselves, so no list of names
 * would stay valid: keywords are used instead. The first matching kind counts, so that each alert belongs to one playbook.
 */
interface Kind {
  readonly of: string;
  /** For KubeArmor policies: matched in the name or a tag. */
  readonly kubearmor?: string;
  /** For Tetragon policies: matched in the name. */
  readonly tetragon?: string;
  /** Kernel functions at which Tetragon caught it. */
  readonly hooks?: string;
}

const kinds = [
  { of: 'miner', kubearmor: 'crypto-?min|\\bminer|mining|kinsing|xmrig|xanthe|sysrv', tetragon: 'miner|xmrig' },
  {
    of: 'binary',
    kubearmor: 'malware|virus|trojan|fileless|botinger|rename-utilities|deobfuscate|hidden-files',
    tetragon: 'exec-elf|^lsm$|drop',
  },
  {
    of: 'escape',
    kubearmor: 'escape|docker|dirtypipe|cve-2022-0185|\\bmount|umount|t1611|t1610',
    tetragon: 'escape|pivot-root|user-namespace|overlayfs|release.agent',
    hooks: 'sys_mount|sys_pivot_root|create_user_ns|security_sb_mount',
  },
  {
    of: 'kernel',
    kubearmor: 'kernel-?mod|modules-and-ext|kmod|\\bbpf',
    tetragon: 'kernel-modules|^bpf',
    hooks: 'kernel_module|kernel_read_file|init_module|module_sections|free_module|bpf_check|security_bpf',
  },
  {
    of: 'injection',
    kubearmor: 'ptrace|proc-mem|process-injection|ld-?preload|shared-object|memory-protection',
    tetragon: 'ptrace|inject',
    hooks: 'sys_ptrace|process_vm_writev',
  },
  {
    of: 'reverse-shell',
    kubearmor: 'netcat|reverse-?shell|remote-code-exec-in|bpfdoor|backdoor|pydoc',
    tetragon: 'reverse|shell',
  },
  {
    of: 'privilege',
    kubearmor: 'sudo|set[ug]id|polkit|privilege|gid-uid|cap-net|t1548|fchmod|chmod|chown|-su$|newgrp|chacl|chcon',
    tetragon: 'privilege|setuid|creds|credentials|capability',
    hooks: 'setuid|setgid|setreuid|setresuid|commit_creds|cap_capable|security_capset',
  },
  {
    of: 'destruction',
    kubearmor: 'log-clear|clear-system-log|deletion|removal-of-log|history|impair|utmp|log-file-del|t1070|auditd|audit-log|time',
    tetragon: 'clock-settime|unlink|history',
    hooks: 'sys_clock_settime',
  },
  {
    of: 'persistence',
    kubearmor:
      'cron|scheduled|rc-?scripts|systemd|bash-profile|shell-config|bash-config|autostart|create-?account|account|user|passwd|boot|t1037|t1543|t1053|binary-dir|bin-dir|monitored-dir|root-certificate|system-image|startup|pam|xz-utils|dev-dir|chsh|chfn|chage|external-remote',
    tetragon: 'xz-ssh|cron|authorized',
  },
  {
    of: 'credentials',
    kubearmor:
      'credential|private-?key|password|dump|shadow|htpasswd|env-config|token|cryptograh|truststore|certificates|pki|t1552|kdb',
  },
  { of: 'kubernetes-api', kubearmor: 'k8s-client|kubectl|kubernetes|admin-conf|controller-manager|scheduler|etcd|k8s' },
  {
    of: 'network',
    kubearmor:
      'network|discovery|scanning|\\bdns|icmp|tcp|udp|telnet|rsh|ftp|ssh|t1046|t1057|t1082|t1087|remote-access|iptable|system-information|user-discovery|krb5',
    tetragon: 'connect|egress|network|tcp|udp|dns|datagram|^accept$|listen|xmit|^url$|rawsock',
    hooks: 'tcp_connect|dev_queue_xmit|security_socket|ip_output|udp_sendmsg',
  },
  { of: 'tools', kubearmor: 'package|\\bpip|npm|software|repos|install|cm-11|cm-7|wp-cli|compiler' },
  { of: 'exfiltration', kubearmor: 'remote-copy|file-transfer|transfer|non-application|exfil', tetragon: 'exfil' },
  {
    of: 'application',
    kubearmor: 'cve-|\\brce|remote-code|traversal|spring4shell|struts|laravel|virus|exploit|pickle|disclos|redos|\\bxss',
  },
  { of: 'shell', kubearmor: 'shell|bash-spawn|interactive', tetragon: '^tty' },
  {
    of: 'file',
    kubearmor: 'config|\\.conf|file|cache|access|directory|logs?\\b|block|restrict|data|git|debug|info',
    tetragon: 'file|passwd|openat|^sys-write|symlink|enforce-security|^write',
    hooks: 'security_file|sys_openat|sys_linkat|sys_symlinkat|fd_install',
  },
  {
    of: 'hardening',
    kubearmor: 'zero-trust|stig|\\bcis|nist|pci-dss|hardening|mitre',
    tetragon: 'syscalls|ksys|loader|rawtp|stack-trace|sample|probe|usdt|lseek|example|override',
  },
] as const satisfies readonly Kind[];

type PolicyKind = (typeof kinds)[number]['of'];

function matchesOf({ kubearmor, tetragon, hooks }: Kind): readonly Match[] {
  const words = (pattern: string) => regex(pattern, { ignoreCase: true });
  return [
    ...(kubearmor === undefined ? [] : [{ sensor: 'kubearmor', any: [{ rule: words(kubearmor) }, { tag: words(kubearmor) }] }]),
    ...(tetragon === undefined ? [] : [{ sensor: 'tetragon', rule: words(tetragon), not: { rule: regex('^process_') } }]),
    ...(hooks === undefined ? [] : [{ sensor: 'tetragon', tag: regex(`^hook:.*(?:${hooks})`) }]),
  ];
}

/**
 * Alerts of Tetragon's and KubeArmor's policies of this kind, and of no earlier kind, from medium upwards: lower ones belong to `ticket-policy-violation`,
 * which asks nobody.
 */
export function policiesAbout(kind: Exclude<PolicyKind, 'shell' | 'file' | 'hardening'>): Match {
  return { severity: ['critical', 'high', 'medium'], ...aboutOnly(kind) };
}

function aboutOnly(kind: PolicyKind): Match {
  const at = kinds.findIndex(({ of }) => of === kind);
  const before = kinds.slice(0, at).flatMap(matchesOf);
  // The sensor is checked first: for most alerts nothing else has to be.
  const own = { sensor: ['kubearmor', 'tetragon'], any: kinds.slice(at, at + 1).flatMap(matchesOf) };
  return before.length === 0 ? own : { ...own, not: { any: before } };
}

/** Policies that harden or observe, of any severity, and all others below medium. */
export const lesserPolicies: readonly Match[] = [
  aboutOnly('shell'),
  aboutOnly('file'),
  aboutOnly('hardening'),
  { sensor: ['kubearmor', 'tetragon'], severity: ['low', 'info'], any: kinds.flatMap(matchesOf) },
];

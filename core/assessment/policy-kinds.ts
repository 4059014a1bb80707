import type { Alert } from '../alert/alert.ts';
import { linearPattern } from '../text/linear-pattern.ts';
import type { ActKind } from './rules/act-kinds.ts';

/**
 * What a policy is about, judged by its name, its tags and the function it hooks. Users write Tetragon and KubeArmor policies themselves, so no list of names
 * would stay valid: keywords are used instead. The first kind that fits counts.
 */
interface PolicyWords {
  readonly kind: ActKind;
  /** For KubeArmor policies: matched in the name or a tag. */
  readonly kubearmor?: string;
  /** For Tetragon policies: matched in the name. */
  readonly tetragon?: string;
  /** Kernel functions at which Tetragon caught it. */
  readonly hooks?: string;
}

const kinds: readonly PolicyWords[] = [
  { kind: 'miner', kubearmor: 'crypto-?min|\\bminer|mining|kinsing|xmrig|xanthe|sysrv', tetragon: 'miner|xmrig' },
  {
    kind: 'new-binary',
    kubearmor: 'malware|virus|trojan|fileless|botinger|rename-utilities|deobfuscate|hidden-files',
    tetragon: 'exec-elf|^lsm$|drop',
  },
  {
    kind: 'escape',
    kubearmor: 'escape|docker|dirtypipe|cve-2022-0185|\\bmount|umount|t1611|t1610',
    tetragon: 'escape|pivot-root|user-namespace|overlayfs|release.agent',
    hooks: 'sys_mount|sys_pivot_root|create_user_ns|security_sb_mount',
  },
  {
    kind: 'kernel',
    kubearmor: 'kernel-?mod|modules-and-ext|kmod|\\bbpf',
    tetragon: 'kernel-modules|^bpf',
    hooks: 'kernel_module|kernel_read_file|init_module|module_sections|free_module|bpf_check|security_bpf',
  },
  {
    kind: 'injection',
    kubearmor: 'ptrace|proc-mem|process-injection|ld-?preload|shared-object|memory-protection',
    tetragon: 'ptrace|inject',
    hooks: 'sys_ptrace|process_vm_writev',
  },
  {
    kind: 'reverse-shell',
    kubearmor: 'netcat|reverse-?shell|remote-code-exec-in|bpfdoor|backdoor|pydoc',
    tetragon: 'reverse|shell',
  },
  {
    kind: 'privilege',
    kubearmor: 'sudo|set[ug]id|polkit|privilege|gid-uid|cap-net|t1548|fchmod|chmod|chown|-su$|newgrp|chacl|chcon',
    tetragon: 'privilege|setuid|creds|credentials|capability',
    hooks: 'setuid|setgid|setreuid|setresuid|commit_creds|cap_capable|security_capset',
  },
  {
    kind: 'destruction',
    kubearmor: 'log-clear|clear-system-log|deletion|removal-of-log|history|impair|utmp|log-file-del|t1070|auditd|audit-log|time',
    tetragon: 'clock-settime|unlink|history',
    hooks: 'sys_clock_settime',
  },
  {
    kind: 'persistence',
    kubearmor:
      'cron|scheduled|rc-?scripts|systemd|bash-profile|shell-config|bash-config|autostart|create-?account|account|user|passwd|boot|t1037|t1543|t1053|binary-dir|bin-dir|monitored-dir|root-certificate|system-image|startup|pam|xz-utils|dev-dir|chsh|chfn|chage|external-remote',
    tetragon: 'xz-ssh|cron|authorized',
  },
  {
    kind: 'credentials',
    kubearmor:
      'credential|private-?key|password|dump|shadow|htpasswd|env-config|token|cryptograh|truststore|certificates|pki|t1552|kdb',
  },
  { kind: 'kubernetes-api', kubearmor: 'k8s-client|kubectl|kubernetes|admin-conf|controller-manager|scheduler|etcd|k8s' },
  {
    kind: 'network',
    kubearmor:
      'network|discovery|scanning|\\bdns|icmp|tcp|udp|telnet|rsh|ftp|ssh|t1046|t1057|t1082|t1087|remote-access|iptable|system-information|user-discovery|krb5',
    tetragon: 'connect|egress|network|tcp|udp|dns|datagram|^accept$|listen|xmit|^url$|rawsock',
    hooks: 'tcp_connect|dev_queue_xmit|security_socket|ip_output|udp_sendmsg',
  },
  { kind: 'tools', kubearmor: 'package|\\bpip|npm|software|repos|install|cm-11|cm-7|wp-cli|compiler' },
  { kind: 'exfiltration', kubearmor: 'remote-copy|file-transfer|transfer|non-application|exfil', tetragon: 'exfil' },
  {
    kind: 'application',
    kubearmor: 'cve-|\\brce|remote-code|traversal|spring4shell|struts|laravel|virus|exploit|pickle|disclos|redos|\\bxss',
  },
  { kind: 'shell', kubearmor: 'shell|bash-spawn|interactive', tetragon: '^tty' },
  {
    kind: 'file-access',
    kubearmor: 'config|\\.conf|file|cache|access|directory|logs?\\b|block|restrict|data|git|debug|info',
    tetragon: 'file|passwd|openat|^sys-write|symlink|enforce-security|^write',
    hooks: 'security_file|sys_openat|sys_linkat|sys_symlinkat|fd_install',
  },
  {
    kind: 'hardening',
    kubearmor: 'zero-trust|stig|\\bcis|nist|pci-dss|hardening|mitre',
    tetragon: 'syscalls|ksys|loader|rawtp|stack-trace|sample|probe|usdt|lseek|example|override',
  },
];

type Fits = (alert: { readonly sensor?: string; readonly rule?: string; readonly tags?: readonly string[] }) => boolean;

const tests: readonly { readonly kind: ActKind; readonly fits: Fits }[] = kinds.map(({ kind, kubearmor, tetragon, hooks }) => {
  const [ofArmor, ofPolicy] = [kubearmor, tetragon].map((words) =>
    words === undefined ? undefined : linearPattern(words, { ignoreCase: true }),
  );
  const ofHook = hooks === undefined ? undefined : linearPattern(`^hook:.*(?:${hooks})`, { ignoreCase: false });
  return {
    kind,
    fits: ({ sensor, rule = '', tags = [] }) => {
      if (sensor === 'kubearmor') return ofArmor !== undefined && [rule, ...tags].some((text) => ofArmor.matches(text));
      const isNamed = ofPolicy !== undefined && !rule.startsWith('process_') && ofPolicy.matches(rule);
      return isNamed || (ofHook !== undefined && tags.some((tag) => ofHook.matches(tag)));
    },
  };
});

/** Policies are few and fire often. A sender of ever new names makes this start over, not grow. */
const judged = new Map<string, ActKind | undefined>();
const mostJudged = 2_000;

/** What the policy of a Tetragon or KubeArmor alert is about. */
export function policyKind({ sensor, rule, tags = [] }: Partial<Alert>): ActKind | undefined {
  const key = [sensor, rule, ...tags].join('\n');
  if (judged.has(key)) return judged.get(key);
  const kind = tests.find(({ fits }) =>
    fits({ ...(sensor !== undefined && { sensor }), ...(rule !== undefined && { rule }), tags }),
  )?.kind;
  if (judged.size >= mostJudged) judged.clear();
  judged.set(key, kind);
  return kind;
}

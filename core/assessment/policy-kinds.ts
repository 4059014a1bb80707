import type { Alert } from '../alert/alert.ts';
import { atLeast } from '../alert/severity.ts';
import { observedIn } from '../rules/observed-acts.ts';
import { linearPattern } from '../text/linear-pattern.ts';
import type { ActKind } from './rules/act-kinds.ts';
import type { RuleJudgement } from './rules/rule-judgement.ts';

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
    hooks: 'sys_mount|sys_pivot_root|sys_setns|sys_unshare|create_new_namespaces|create_user_ns|security_sb_mount',
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

/** Kinds that a policy has if nothing graver is named: then hook and arguments tell more. */
const vague: ReadonlySet<ActKind | undefined> = new Set([undefined, 'shell', 'file-access', 'hardening']);

/** What a Tetragon or KubeArmor alert is about: by its policy, and where that is vague, by hook and arguments. */
export function policyKind(alert: Partial<Alert>): ActKind | undefined {
  const named = namedKind(alert);
  return vague.has(named) ? (observedIn(alert)?.act ?? named) : named;
}

/** People who look for a fault do such things, too. */
const debugging: ReadonlySet<ActKind | undefined> = new Set(['shell', 'network', 'tools', 'injection', 'file-access']);

/** How sure an alert of a user's policy is. */
export function policyJudgement(alert: Pick<Alert, 'severity'> & Partial<Alert>): RuleJudgement {
  const observed = observedIn(alert);
  const act = policyKind(alert);
  const shared = { ...(act && { act }), ...(debugging.has(act) && { isDebugging: true }) };
  if (observed) {
    const source = 'the kernel’s hook and its arguments';
    const isLikely = atLeast(alert.severity, 'medium');
    return { ...shared, confidence: observed.isSure ? 'sure' : isLikely ? 'likely' : 'weak', why: observed.why, source };
  }
  const source = 'the policy’s name, tags and severity';
  if (act === undefined || act === 'hardening' || act === 'file-access') {
    const why = 'a policy that hardens or observes: ordinary work hits it, too';
    return { ...shared, confidence: atLeast(alert.severity, 'high') ? 'likely' : 'weak', why, source };
  }
  const isLikely = atLeast(alert.severity, 'medium');
  return { ...shared, confidence: isLikely ? 'likely' : 'weak', why: `a policy about ${aboutWords[act]}`, source };
}

const aboutWords: Readonly<Record<ActKind, string>> = {
  miner: 'mining',
  'new-binary': 'programs that do not belong there; installers bring some, too',
  escape: 'escapes to the node; agents of the node do such things, too',
  kernel: 'changes of the kernel; drivers and agents make some',
  injection: 'one process in another; debuggers do it, too',
  'reverse-shell': 'shells over the network',
  privilege: 'more rights for a process; servers change their user when they start',
  destruction: 'traces and data that are deleted; clean-up jobs do it, too',
  persistence: 'what survives a restart; package scripts write it, too',
  credentials: 'keys and passwords; backups and scanners read them, too',
  'kubernetes-api': 'the Kubernetes API; operators use it all day',
  network: 'connections and network tools; people use them to look for faults',
  tools: 'installed tools; people and images that install at start do it, too',
  exfiltration: 'data that is copied away; backups do it, too',
  application: 'an application that is exploited',
  shell: 'shells; people open them to look for faults',
  'file-access': 'files; ordinary work reads and writes them',
  hardening: 'hardening; ordinary work hits it, too',
};

/** What the policy is about by its words and its hook. */
function namedKind({ sensor, rule, tags = [] }: Partial<Alert>): ActKind | undefined {
  const key = [sensor, rule, ...tags].join('\n');
  if (judged.has(key)) return judged.get(key);
  const kind = tests.find(({ fits }) =>
    fits({ ...(sensor !== undefined && { sensor }), ...(rule !== undefined && { rule }), tags }),
  )?.kind;
  if (judged.size >= mostJudged) judged.clear();
  judged.set(key, kind);
  return kind;
}

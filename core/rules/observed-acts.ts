import type { Alert } from '../alert/alert.ts';
import type { Severity } from '../alert/severity.ts';
import type { ActKind } from '../assessment/rules/act-kinds.ts';

/** What a kernel hook and its arguments say, whatever the policy is called. */
interface ObservedAct {
  readonly act: ActKind;
  readonly severity: Severity;
  /** Nothing in a pod needs it. */
  readonly isSure?: true;
  readonly why: string;
}

interface Sign extends ObservedAct {
  /** Function that caught it. */
  readonly hook?: RegExp;
  /** A path among its arguments. */
  readonly path?: RegExp;
  readonly program?: RegExp;
}

const moduleHook = /init_module|kernel_read_file|kernel_module_request|module_sections|free_module/;

/** The first that fits. What is common in many pods (a capability that is checked, a connection) is left to the policy. */
const signs: readonly Sign[] = [
  {
    path: /(?:^|\/)release_agent$/,
    act: 'escape',
    severity: 'critical',
    isSure: true,
    why: 'release_agent runs a command as root on the node; nothing in a pod needs it',
  },
  {
    path: /^\/proc\/(?:sys\/kernel\/core_pattern|sysrq-trigger)$/,
    act: 'escape',
    severity: 'high',
    why: 'it runs a program on the node, or stops the node; few node agents touch it',
  },
  {
    path: /(?:^|\/)(?:docker|containerd|crio|cri-dockerd)\.sock$/,
    act: 'escape',
    severity: 'high',
    why: 'the runtime’s socket gives root on the node; build and monitoring pods use it',
  },
  {
    hook: moduleHook,
    program: /^(?:insmod|modprobe|kmod)$/,
    act: 'kernel',
    severity: 'critical',
    why: 'a program in a pod loads a kernel module; only drivers do so, and those are few',
  },
  {
    hook: moduleHook,
    act: 'kernel',
    severity: 'high',
    why: 'the kernel loads a module or asks for one; only drivers cause it from a pod',
  },
  {
    hook: /pivot_root|sys_setns/,
    act: 'escape',
    severity: 'high',
    why: 'it enters another namespace, as an escape does; container runtimes do it, too',
  },
  {
    hook: /sys_ptrace|process_vm_writev/,
    act: 'injection',
    severity: 'high',
    why: 'one process controls another; debuggers such as strace do it',
  },
  {
    hook: /sys_unshare|create_user_ns|create_new_namespaces/,
    act: 'escape',
    severity: 'medium',
    why: 'it is a step of many escapes; sandboxes of browsers and builders do it, too',
  },
  {
    hook: /sys_mount|security_sb_mount|sys_move_mount/,
    act: 'escape',
    severity: 'medium',
    why: 'a pod that mounts may reach the disk of its node; storage drivers do it',
  },
  {
    hook: /bpf_check|security_bpf/,
    act: 'kernel',
    severity: 'medium',
    why: 'few pods load eBPF programs: network, security and tracing agents',
  },
  { path: /^\/etc\/ld\.so\.preload$/, act: 'injection', severity: 'high', why: 'it puts code into each program that starts' },
  {
    path: /^\/etc\/g?shadow-?$|\/\.ssh\/(?:id_[a-z0-9]+|authorized_keys)$|^\/etc\/kubernetes\/pki\/|\/\.aws\/credentials$|\/\.kube\/config$/,
    act: 'credentials',
    severity: 'medium',
    why: 'keys and password files are read by package scripts and backups, too',
  },
  {
    path: /^\/etc\/cron(?:tab$|\.)|^\/var\/spool\/cron\/|^\/etc\/sudoers/,
    act: 'persistence',
    severity: 'medium',
    why: 'it survives a restart of the program; package scripts do it, too',
  },
];

/** What hook, arguments and program of a Tetragon or KubeArmor alert say; undefined if only the policy can tell. */
export function observedIn({ tags = [], observables = [], process }: Partial<Alert>): ObservedAct | undefined {
  const hook = tags.find((tag) => tag.startsWith('hook:'))?.slice('hook:'.length) ?? '';
  // The program itself is among the paths.
  const paths = observables.flatMap(({ type, value }) => (type === 'path' && value !== process?.exe ? [value] : []));
  const program = process?.name ?? '';
  return signs.find(
    (sign) =>
      (sign.hook === undefined || sign.hook.test(hook)) &&
      (sign.path === undefined || paths.some((path) => sign.path?.test(path))) &&
      (sign.program === undefined || sign.program.test(program)),
  );
}

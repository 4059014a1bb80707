import { type HardenedSpec, type Hardening, harden } from '../action/hardening.ts';
import type { TargetName } from '../action/plan.ts';
import type { IncidentRef } from '../incident/incident.ts';
import { canonicalJson } from '../text/digest.ts';
import { isObject } from '../text/plain-json.ts';

/** Pod Security level of a pod: https://kubernetes.io/docs/concepts/security/pod-security-standards/. `privileged` meets neither of the other two. */
const postureLevels = ['privileged', 'baseline', 'restricted'] as const;
type PostureLevel = (typeof postureLevels)[number];

/** One thing that a pod is allowed to do. */
export interface PostureFinding {
  readonly id: string;
  /** The Pod Security profile that forbids it: `restricted` also forbids everything that `baseline` forbids. Absent: neither. */
  readonly against?: 'baseline' | 'restricted';
  /** Check of the CIS Kubernetes Benchmark v2.0.1, by the number that https://github.com/aquasecurity/kube-bench has for it (`cfg/cis-2.0`). */
  readonly cis?: string;
  readonly text: string;
  /** The containers it applies to; absent: the pod. */
  readonly containers?: readonly string[];
}

/** What the cell is asked about: the workload of an incident, preferably by the pod that the alert names. */
export interface AskedPosture {
  readonly incident: IncidentRef;
  readonly pod?: { readonly namespace: string; readonly name: string; readonly uid: string };
}

/** What a pod was allowed to do when its incident opened, according to the API server. It decides nothing. */
export interface Posture {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** The pod that was read. */
  readonly of: TargetName;
  readonly level: PostureLevel;
  readonly findings: readonly PostureFinding[];
  /** The account whose token the pod has, or could have. */
  readonly account?: {
    readonly name: string;
    readonly hasToken: boolean;
    /** What it may do, according to the API server itself. */
    readonly may: readonly string[];
  };
  /** What `hardenWorkload` would change. */
  readonly proposal?: HardeningProposal;
  /** What could not be determined, in words. */
  readonly unknown: readonly string[];
}

export interface HardeningProposal {
  readonly workload: TargetName;
  /** Fields that differ, as the API server would store them. */
  readonly changes: readonly string[];
  /** For trying out: it changes nothing while it says `--dry-run=server`. */
  readonly command?: string;
}

/** The checked parts of a pod's spec. */
export interface LookedAtSpec extends HardenedSpec {
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly hostUsers?: boolean;
  readonly automountServiceAccountToken?: boolean;
  readonly serviceAccountName?: string;
  readonly volumes?: readonly { readonly name?: string; readonly hostPath?: unknown }[];
}

/** Capabilities that "baseline" allows to be added. */
const baselineCapabilities: ReadonlySet<unknown> = new Set([
  ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE', 'SETFCAP', 'SETGID'],
  ...['SETPCAP', 'SETUID', 'SYS_CHROOT'],
]);
const mostContainers = 10;

type Context = Readonly<Record<string, unknown>>;
interface LookedAtContainer {
  readonly name: string;
  readonly securityContext?: Context;
  readonly ports?: unknown;
}

type Rule = Omit<PostureFinding, 'containers'> &
  (
    | { readonly pod: (spec: LookedAtSpec) => boolean }
    | { readonly container: (container: LookedAtContainer, spec: LookedAtSpec) => boolean }
  );

const rules: readonly Rule[] = [
  {
    id: 'privileged',
    against: 'baseline',
    cis: '5.2.2',
    text: 'runs privileged',
    container: ({ securityContext }) => securityContext?.privileged === true,
  },
  {
    id: 'host-pid',
    against: 'baseline',
    cis: '5.2.3',
    text: 'can see the processes of its node',
    pod: ({ hostPID }) => hostPID === true,
  },
  { id: 'host-ipc', against: 'baseline', cis: '5.2.4', text: 'shares its node’s IPC', pod: ({ hostIPC }) => hostIPC === true },
  {
    id: 'host-network',
    against: 'baseline',
    cis: '5.2.5',
    text: 'uses its node’s network',
    pod: ({ hostNetwork }) => hostNetwork === true,
  },
  {
    id: 'host-path',
    against: 'baseline',
    cis: '5.2.11',
    text: 'mounts folders of its node',
    pod: ({ volumes = [] }) => volumes.some(({ hostPath }) => hostPath !== undefined),
  },
  { id: 'host-port', against: 'baseline', cis: '5.2.12', text: 'uses ports of its node', container: hasHostPort },
  {
    id: 'added-capabilities',
    against: 'baseline',
    cis: '5.2.9',
    text: 'has capabilities that baseline does not allow',
    container: (one) => listIn(one, 'add').some((name) => !baselineCapabilities.has(name)),
  },
  {
    id: 'seccomp-off',
    against: 'baseline',
    cis: '5.6.2',
    text: 'has seccomp turned off',
    container: (one, spec) => profileIn('seccompProfile', one, spec) === 'Unconfined',
  },
  {
    id: 'apparmor-off',
    against: 'baseline',
    text: 'has AppArmor turned off',
    container: (one, spec) => profileIn('appArmorProfile', one, spec) === 'Unconfined',
  },
  {
    id: 'privilege-escalation',
    against: 'restricted',
    cis: '5.2.6',
    text: 'may gain privileges',
    container: ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false,
  },
  {
    id: 'root',
    against: 'restricted',
    cis: '5.2.7',
    text: 'may run as root',
    container: (one, spec) => mayBeRoot(one.securityContext, spec.securityContext),
  },
  {
    id: 'kept-capabilities',
    against: 'restricted',
    cis: '5.2.9',
    text: 'keeps the default capabilities of the runtime',
    container: (one) => !listIn(one, 'drop').includes('ALL') || listIn(one, 'add').some((name) => name !== 'NET_BIND_SERVICE'),
  },
  {
    id: 'seccomp-unset',
    against: 'restricted',
    cis: '5.6.2',
    text: 'sets no seccomp profile',
    container: (one, spec) => profileIn('seccompProfile', one, spec) === undefined,
  },
  {
    id: 'apparmor-unset',
    text: 'sets no AppArmor profile',
    container: (one, spec) => profileIn('appArmorProfile', one, spec) === undefined,
  },
  {
    id: 'writable-root',
    text: 'can write to its image’s file system',
    container: ({ securityContext }) => securityContext?.readOnlyRootFilesystem !== true,
  },
  {
    id: 'host-users',
    text: 'has no user namespace: root in it is root on its node',
    pod: ({ hostUsers }) => hostUsers !== false,
  },
];

/** Returns every rule, and what breaks it: for all containers except ephemeral ones, which people add later. */
export function postureResults(
  spec: LookedAtSpec,
): readonly { readonly rule: Omit<PostureFinding, 'containers'>; readonly finding?: PostureFinding }[] {
  const containers: readonly LookedAtContainer[] = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  return rules.map((one) => {
    const { id, against, cis, text } = one;
    const rule = { id, ...(against && { against }), ...(cis !== undefined && { cis }), text };
    if ('pod' in one) return one.pod(spec) ? { rule, finding: rule } : { rule };
    const found = containers.filter((container) => one.container(container, spec)).map(({ name }) => name);
    return found.length > 0 ? { rule, finding: { ...rule, containers: found.slice(0, mostContainers) } } : { rule };
  });
}

export function postureFindings(spec: LookedAtSpec): readonly PostureFinding[] {
  return postureResults(spec).flatMap(({ finding }) => finding ?? []);
}

/** Returns the strictest profile that it meets. */
export function postureLevel(findings: readonly Pick<PostureFinding, 'against'>[]): PostureLevel {
  if (findings.some(({ against }) => against === 'baseline')) return 'privileged';
  return findings.some(({ against }) => against === 'restricted') ? 'baseline' : 'restricted';
}

const levelTexts: Readonly<Record<PostureLevel, string>> = {
  privileged: 'meets no Pod Security profile',
  baseline: 'meets the Pod Security profile “baseline”',
  restricted: 'meets the Pod Security profile “restricted”',
};

/** Returns short lines for people; the first one summarises everything. */
export function postureLines({ of, level, findings, account, proposal, unknown }: Posture): readonly string[] {
  const against = findings.filter((one) => one.against !== undefined);
  const many =
    against.length === 0
      ? ''
      : `: it ${against
          .slice(0, 4)
          .map(({ text }) => text)
          .join(', ')}${against.length > 4 ? ' and more' : ''}`;
  return [
    `${of} ${levelTexts[level]}${many}.`,
    ...findings.map(findingText),
    ...(account ? [accountText(account)] : []),
    ...(proposal ? [`To harden ${proposal.workload}: ${proposal.changes.join('; ')}.`] : []),
    ...(proposal?.command === undefined ? [] : [`To try it without changing anything: ${proposal.command}`]),
    ...(unknown.length === 0 ? [] : [`Not known: ${unknown.join('; ')}.`]),
  ];
}

export function findingText({ text, against, cis, containers }: PostureFinding): string {
  const rule = [...(against ? [`not ${against}`] : []), ...(cis === undefined ? [] : [`CIS ${cis}`])].join(', ');
  const where = containers ? ` (${containers.join(', ')})` : '';
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${where}${rule === '' ? '' : `: ${rule}`}.`;
}

function accountText({ name, hasToken, may }: NonNullable<Posture['account']>): string {
  const can = may.length === 0 ? 'has none of the rights that were checked' : `may ${may.join(', ')}`;
  return `The service account ${name} ${can}${hasToken ? ', and the pod has its token' : '; the pod does not have its token'}.`;
}

/**
 * Returns a command that gives a template everything it lacks: a strategic merge patch of the fields that differ, without an AppArmor profile, which not every
 * node has. Undefined if it lacks nothing.
 */
export function hardeningCommand(
  workload: { readonly kind: string; readonly namespace: string; readonly name: string },
  spec: HardenedSpec,
  leave: readonly Hardening[] = ['appArmor'],
): string | undefined {
  const hardened = harden(spec, leave);
  const fields = {
    ...differing(spec, hardened, ['hostUsers', 'automountServiceAccountToken']),
    ...contextOf(spec.securityContext, hardened.securityContext),
    ...containersOf('containers', spec, hardened),
    ...containersOf('initContainers', spec, hardened),
  };
  if (Object.keys(fields).length === 0) return undefined;
  const patch = JSON.stringify({ spec: { template: { spec: fields } } });
  const { kind, namespace, name } = workload;
  // Safe without escaping: names of objects and containers have no quotes, and everything else is ours.
  return `kubectl --namespace ${namespace} patch ${kind.toLowerCase()} ${name} --dry-run=server --output yaml --patch '${patch}'`;
}

function containersOf(
  field: 'containers' | 'initContainers',
  from: HardenedSpec,
  to: HardenedSpec,
): Readonly<Record<string, unknown>> {
  const changed = (to[field] ?? []).flatMap(({ name, securityContext }) => {
    const before = from[field]?.find((one) => one.name === name)?.securityContext;
    const context = contextOf(before, securityContext);
    return Object.keys(context).length === 0 ? [] : [{ name, ...context }];
  });
  return changed.length === 0 ? {} : { [field]: changed };
}

function contextOf(from: Context | undefined, to: Context | undefined): Readonly<Record<string, unknown>> {
  const keys = Object.keys(to ?? {});
  const changed: Record<string, unknown> = differing(from ?? {}, to ?? {}, keys);
  const { capabilities } = changed;
  // A merge would keep the added capabilities.
  if (isObject(capabilities) && capabilities.add === undefined) changed.capabilities = { add: null, ...capabilities };
  return Object.keys(changed).length === 0 ? {} : { securityContext: changed };
}

function differing(from: Context, to: Context, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    keys.filter((key) => canonicalJson(from[key] ?? null) !== canonicalJson(to[key] ?? null)).map((key) => [key, to[key]]),
  );
}

function listIn({ securityContext }: LookedAtContainer, field: 'add' | 'drop'): readonly unknown[] {
  const capabilities = securityContext?.capabilities;
  const list = isObject(capabilities) ? capabilities[field] : undefined;
  return Array.isArray(list) ? list : [];
}

/** The container's own setting takes precedence over the pod's. */
function profileIn(
  field: 'seccompProfile' | 'appArmorProfile',
  { securityContext }: LookedAtContainer,
  spec: LookedAtSpec,
): unknown {
  const profile = securityContext?.[field] ?? spec.securityContext?.[field];
  return isObject(profile) ? profile.type : undefined;
}

function mayBeRoot(own: Context | undefined, pod: Context | undefined): boolean {
  const user = own?.runAsUser ?? pod?.runAsUser;
  if (user === 0) return true;
  return (own?.runAsNonRoot ?? pod?.runAsNonRoot) !== true;
}

function hasHostPort({ ports }: LookedAtContainer): boolean {
  return (
    Array.isArray(ports) &&
    ports.some((port: unknown) => isObject(port) && typeof port.hostPort === 'number' && port.hostPort > 0)
  );
}

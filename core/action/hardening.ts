import { isObject } from '../text/plain-json.ts';

/**
 * Which of Pod Security's "restricted" settings a workload can be given, and a little more.
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/
 */
export const hardenings = [
  'dropCapabilities',
  'seccomp',
  'appArmor',
  'noPrivilegeEscalation',
  'readOnlyRoot',
  'runAsNonRoot',
  'userNamespace',
  'noToken',
] as const;
export type Hardening = (typeof hardenings)[number];

type Fields = Readonly<Record<string, unknown>>;

interface Container extends Fields {
  readonly name: string;
  readonly securityContext?: Fields;
}

/** The parts of a pod template's spec that are hardened. */
export interface HardenedSpec extends Fields {
  readonly containers?: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly securityContext?: Fields;
}

/** Previous values of the touched fields: absent ones are null. */
interface HardeningBefore {
  readonly pod: {
    readonly securityContext: Fields | null;
    readonly hostUsers: boolean | null;
    readonly automountServiceAccountToken: boolean | null;
  };
  /** Security contexts by the container's name, which is unique in a pod. */
  readonly containers: Readonly<Record<string, Fields | null>>;
}

/** Adds every hardening that the spec lacks, except those left out. Processes, images and volumes stay as they are. */
export function harden(spec: HardenedSpec, leave: readonly Hardening[] = []): HardenedSpec {
  const does = (one: Hardening): boolean => !leave.includes(one);
  const each = (list: readonly Container[] | undefined) =>
    list?.map((container) => ({ ...container, securityContext: hardenContainer(container.securityContext ?? {}, does) }));
  return {
    ...spec,
    ...(spec.containers && { containers: each(spec.containers) ?? [] }),
    ...(spec.initContainers && { initContainers: each(spec.initContainers) ?? [] }),
    securityContext: {
      ...spec.securityContext,
      ...(does('seccomp') && profileOf('seccompProfile', spec.securityContext, true)),
      ...(does('appArmor') && profileOf('appArmorProfile', spec.securityContext, true)),
      ...(does('runAsNonRoot') && { runAsNonRoot: true }),
    },
    // A pod that shares a namespace of its node cannot have its own users.
    ...(does('userNamespace') && !sharesWithNode(spec) && { hostUsers: false }),
    ...(does('noToken') && { automountServiceAccountToken: false }),
  };
}

function sharesWithNode({ hostNetwork, hostPID, hostIPC }: HardenedSpec): boolean {
  return hostNetwork === true || hostPID === true || hostIPC === true;
}

function hardenContainer(context: Fields, does: (one: Hardening) => boolean): Fields {
  return {
    ...context,
    ...(does('dropCapabilities') && { capabilities: { drop: ['ALL'], ...keptCapabilities(context.capabilities) } }),
    ...(does('seccomp') && profileOf('seccompProfile', context, false)),
    ...(does('appArmor') && profileOf('appArmorProfile', context, false)),
    // A privileged container has every right, whatever else is set.
    ...(does('noPrivilegeEscalation') && {
      allowPrivilegeEscalation: false,
      ...(context.privileged === true && { privileged: false }),
    }),
    ...(does('readOnlyRoot') && { readOnlyRootFilesystem: true }),
    ...(does('runAsNonRoot') && context.runAsNonRoot !== undefined && { runAsNonRoot: true }),
  };
}

/** The only capability that "restricted" allows to be added. */
function keptCapabilities(capabilities: unknown): Fields {
  const added = isObject(capabilities) && Array.isArray(capabilities.add) ? capabilities.add : [];
  return added.includes('NET_BIND_SERVICE') ? { add: ['NET_BIND_SERVICE'] } : {};
}

/** The workload's own profile is at least as strict; none, or `Unconfined`, is not. */
function profileOf(field: 'seccompProfile' | 'appArmorProfile', context: Fields | undefined, always: boolean): Fields {
  const profile = context?.[field];
  const type = isObject(profile) ? profile.type : undefined;
  if (type === 'Localhost' || type === 'RuntimeDefault' || (type === undefined && !always)) return {};
  return { [field]: { type: 'RuntimeDefault' } };
}

export function hardeningBefore(spec: HardenedSpec): HardeningBefore {
  const all = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  const { securityContext = null, hostUsers, automountServiceAccountToken } = spec;
  return {
    pod: { securityContext, hostUsers: flag(hostUsers), automountServiceAccountToken: flag(automountServiceAccountToken) },
    containers: Object.fromEntries(all.map(({ name, securityContext: context }) => [name, context ?? null])),
  };
}

/** The touched fields, one line for the pod and one for each container. CEL cannot parse JSON: admission compares these lines with what it sees. */
export function hardenedFieldsText(spec: HardenedSpec): string {
  const types = (context: Fields | undefined): readonly unknown[] =>
    [context?.seccompProfile, context?.appArmorProfile].map((profile) => (isObject(profile) ? profile.type : undefined));
  const texts = (values: readonly unknown[]): string => values.map((value) => String(value ?? '-')).join('/');
  const { securityContext: pod, hostUsers, automountServiceAccountToken: token } = spec;
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name, securityContext: context }) => {
    const { privileged, allowPrivilegeEscalation, readOnlyRootFilesystem, runAsNonRoot, capabilities } = context ?? {};
    const { add, drop } = isObject(capabilities) ? capabilities : {};
    const flags = [privileged, allowPrivilegeEscalation, readOnlyRootFilesystem, runAsNonRoot, ...types(context)];
    return texts([name, ...flags, ...[add, drop].map((list) => (Array.isArray(list) ? list.join(',') : ''))]);
  });
  return [texts(['/', hostUsers, token, pod?.runAsNonRoot, ...types(pod)]), ...containers].join('\n');
}

/** Restores exactly the touched fields; any other changes since then stay. */
export function unharden(spec: HardenedSpec, before: HardeningBefore): HardenedSpec {
  const each = (list: readonly Container[] | undefined) =>
    list?.map((container) =>
      container.name in before.containers
        ? withFields(container, { securityContext: before.containers[container.name] })
        : container,
    );
  const restored = withFields(spec, before.pod);
  return {
    ...restored,
    ...(spec.containers && { containers: each(spec.containers) ?? [] }),
    ...(spec.initContainers && { initContainers: each(spec.initContainers) ?? [] }),
  };
}

/** null and undefined remove a field. */
function withFields<T extends Fields>(object: T, fields: Fields): T {
  const kept = Object.entries({ ...object, ...fields }).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(kept) as T;
}

function flag(value: unknown): boolean | null {
  return typeof value === 'boolean' ? value : null;
}

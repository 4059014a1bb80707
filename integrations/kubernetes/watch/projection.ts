import type {
  V1Container,
  V1ContainerStatus,
  V1Ingress,
  V1NetworkPolicy,
  V1ObjectMeta,
  V1Pod,
  V1PodSpec,
  V1Probe,
  V1ResourceRequirements,
  V1Service,
  V1Volume,
} from '@kubernetes/client-node';
import { doNotDisrupt, names } from '../../../core/cluster/labels.ts';
import type { ContainerRecord, OwnerRef, PodRecord, PolicyRecord, RestartedContainer } from '../../../core/cluster/pod-record.ts';
import { digestOf } from '../../../core/text/digest.ts';
import { isObject } from '../../../core/text/plain-json.ts';
import { crowdingIn } from '../annotation-room.ts';

/** Kubernetes objects as in the API's JSON: times are strings, not `Date`s. */
export type Jsonify<T> = T extends Date ? string : T extends object ? { [K in keyof T]: Jsonify<T[K]> } : T;
export type PodJson = Jsonify<V1Pod>;

export const mirrorAnnotation = 'kubernetes.io/config.mirror';

const keptOnPods: ReadonlySet<string> = new Set([
  ...Object.keys(doNotDisrupt),
  names.incidentAnnotation,
  names.stepAnnotation,
  names.beforeAnnotation,
]);

/** The pod without environment, arguments and managed fields: less than a kilobyte per pod is kept. */
export function podRecord(pod: PodJson): PodRecord {
  const { metadata = {}, spec, status } = pod;
  const statuses = [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ];
  const restarts = statuses.reduce((sum, { restartCount }) => sum + (restartCount ?? 0), 0);
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? []), ...(spec?.ephemeralContainers ?? [])];
  const claims = claimsOf(metadata.name ?? '', spec ?? {});
  const otherNetworks = otherNetworksOf(metadata.annotations ?? {});
  const crowding = crowdingIn(metadata.annotations ?? {}, (name) => keptOnPods.has(name));
  return {
    uid: metadata.uid ?? '',
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    labels: metadata.labels ?? {},
    annotations: Object.fromEntries(
      Object.entries(metadata.annotations ?? {}).filter(
        ([key]) => key === mirrorAnnotation || key in doNotDisrupt || key.startsWith('firebreak.dev/'),
      ),
    ),
    ...(crowding.length > 0 && { crowding }),
    owners: ownersOf(metadata),
    resourceVersion: metadata.resourceVersion ?? '',
    createdAt: metadata.creationTimestamp ?? '',
    deleting: metadata.deletionTimestamp !== undefined,
    ...(metadata.deletionTimestamp !== undefined && { endsAt: metadata.deletionTimestamp }),
    phase: status?.phase ?? 'Unknown',
    ...(status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') && { ready: true }),
    ...(spec?.nodeName && { node: spec.nodeName }),
    hostNetwork: spec?.hostNetwork === true,
    ...(spec?.serviceAccountName && { serviceAccount: spec.serviceAccountName }),
    ...(containers.some(({ securityContext }) => securityContext?.privileged === true) && { privileged: true }),
    ...(hasHostAccess(spec) && { hostAccess: true }),
    ...(namesAppArmor(spec) && { appArmor: true }),
    ...(restarts > 0 && { restarts }),
    ...((spec?.restartPolicy === 'Never' || spec?.restartPolicy === 'OnFailure') && { restartPolicy: spec.restartPolicy }),
    containers: containers.map((container): ContainerRecord => {
      const found = statuses.find(({ name }) => name === container.name);
      const id = found?.containerID?.replace(/^[a-z-]+:\/\//, '');
      return {
        name: container.name,
        image: container.image ?? '',
        ...(id && { id }),
        ...(found?.imageID && { imageId: found.imageID }),
        ...('livenessProbe' in container && container.livenessProbe && { livenessSeconds: secondsOf(container.livenessProbe) }),
      };
    }),
    ...(spec && isMarked(metadata) && { endsBy: endsBy(spec), restarted: restartedIn(statuses) }),
    secrets: spec ? [...new Set(secretUses(spec).map(({ name }) => name))].sort() : [],
    ...(claims.length > 0 && { claims }),
    ...(otherNetworks.length > 0 && { otherNetworks }),
  };
}

function hasHostAccess(spec: PodJson['spec']): boolean {
  const { hostNetwork, hostPID, hostIPC, volumes = [] } = spec ?? {};
  return hostNetwork === true || hostPID === true || hostIPC === true || volumes.some(({ hostPath }) => hostPath !== undefined);
}

/** https://github.com/k8snetworkplumbingwg/multus-cni/blob/master/docs/how-to-use.md, and the standard that it follows. */
const networkAnnotations = ['k8s.v1.cni.cncf.io/networks', 'v1.multus-cni.io/default-network'] as const;

/** Matches names that the API server accepts; anything else is not a name, and may have any length. */
const networkName = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const mostNetworks = 5;

/**
 * What the pod uses that other pods of its namespace may use too, as `persistentvolumeclaim/data`, `resourceclaim/gpu`: sorted. The spec has named them since
 * the pod was created, and nobody can change them.
 */
function claimsOf(pod: string, { volumes = [], resourceClaims = [] }: Partial<Jsonify<V1PodSpec>>): readonly string[] {
  const claims = [
    ...volumes.flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
      // https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#persistentvolumeclaim-naming
      const claim = persistentVolumeClaim?.claimName ?? (ephemeral ? `${pod}-${name}` : undefined);
      return claim === undefined ? [] : [`persistentvolumeclaim/${claim}`];
    }),
    ...resourceClaims.flatMap(({ resourceClaimName }) => (resourceClaimName ? [`resourceclaim/${resourceClaimName}`] : [])),
  ];
  return [...new Set(claims)].sort();
}

/**
 * Names of the networks that the pod requests in addition to the cluster's: NetworkPolicies cover none of them. Anyone who may write the pod may write them
 * after its creation, when they have no effect: good enough to report, but not to decide by.
 */
function otherNetworksOf(annotations: Readonly<Record<string, string>>): readonly string[] {
  const named = networkAnnotations.flatMap((annotation) => networksIn(annotations[annotation] ?? ''));
  return [...new Set(named)].sort().slice(0, mostNetworks);
}

/** `macvlan`, `net/macvlan@eth1, other`, or a JSON list of `{ name, namespace }`. */
function networksIn(text: string): readonly string[] {
  const trimmed = text.trim();
  const asked = trimmed.startsWith('[') ? listed(trimmed) : trimmed.split(',');
  return asked.flatMap((one) => {
    const name = one.trim().split('@')[0]?.split('/').at(-1) ?? '';
    return networkName.test(name) ? [name] : [];
  });
}

function listed(text: string): readonly string[] {
  try {
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list)) return [];
    return list.flatMap((one) => (isObject(one) && typeof one.name === 'string' ? [one.name] : []));
  } catch {
    return [];
  }
}

function isMarked({ labels = {}, annotations = {} }: Jsonify<V1ObjectMeta>): boolean {
  return labels[names.quarantineLabel] !== undefined || annotations[names.beforeAnnotation] !== undefined;
}

/**
 * Resources may be resized in place, which can restart a container, and a deadline may be set later:
 * https://kubernetes.io/docs/concepts/workloads/pods/#pod-update-and-replacement
 */
function endsBy(spec: Jsonify<V1PodSpec>): Readonly<Record<string, string>> {
  const { activeDeadlineSeconds: deadline } = spec;
  const all = [...spec.containers, ...(spec.initContainers ?? [])];
  const given = all.flatMap(({ name, resources }) =>
    resources && (resources.limits || resources.requests)
      ? [[`what container ${name} is given`, resourcesText(resources)] as const]
      : [],
  );
  return { ...Object.fromEntries(given), ...(deadline !== undefined && { 'its deadline': `${deadline} s` }) };
}

/** Anyone who may write a pod's status may write a reason of any length. */
const longestReason = 100;

/**
 * https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodStatus: while a container waits to start, its last end is in `lastState` as
 * well.
 */
function restartedIn(statuses: readonly Jsonify<V1ContainerStatus>[]): Readonly<Record<string, RestartedContainer>> {
  const restarted = statuses.filter(({ restartCount }) => restartCount > 0);
  return Object.fromEntries(
    restarted.map(({ name, restartCount: times, lastState }) => {
      const { reason, exitCode } = lastState?.terminated ?? {};
      const ended = [
        ...(reason ? [reason.slice(0, longestReason)] : []),
        ...(exitCode === undefined ? [] : [`exit code ${exitCode}`]),
      ].join(', ');
      return [name, { times, ...(ended !== '' && { ended }) }];
    }),
  );
}

function resourcesText({ requests = {}, limits = {} }: Jsonify<V1ResourceRequirements>): string {
  const text = (kind: string, all: Readonly<Record<string, string>>) =>
    Object.keys(all)
      .sort()
      .map((name) => `${kind} ${name} ${all[name]}`);
  return [...text('requests', requests), ...text('limits', limits)].join(', ');
}

function namesAppArmor(spec: PodJson['spec']): boolean {
  return [spec, ...(spec?.containers ?? [])].some((one) => {
    const type = one?.securityContext?.appArmorProfile?.type;
    return type === 'RuntimeDefault' || type === 'Localhost';
  });
}

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes: the defaults are three failures, ten seconds apart. */
function secondsOf({ periodSeconds = 10, failureThreshold = 3 }: Jsonify<V1Probe>): number {
  return periodSeconds * failureThreshold;
}

export function ownersOf(metadata: Jsonify<V1ObjectMeta>): readonly OwnerRef[] {
  return (metadata.ownerReferences ?? []).map(({ kind, name, uid, controller }) => ({
    kind,
    name,
    uid,
    controller: controller === true,
  }));
}

export interface SecretUse {
  readonly name: string;
  readonly as: 'env' | 'envFrom' | 'volume' | 'projected' | 'imagePull' | 'mounting';
}

/** Whether only the kubelet uses the Secret, for itself: it is in no container. */
export function isOfKubelet({ as }: SecretUse): boolean {
  return as === 'imagePull' || as === 'mounting';
}

/** Every place in a pod's spec that names a Secret, including init and ephemeral containers. */
export function secretUses(spec: Jsonify<V1PodSpec>): readonly SecretUse[] {
  const uses: SecretUse[] = [];
  const add = (as: SecretUse['as'], name: string | undefined): void => {
    if (name) uses.push({ name, as });
  };
  const all: readonly Pick<Jsonify<V1Container>, 'env' | 'envFrom'>[] = [
    ...(spec.initContainers ?? []),
    ...(spec.containers ?? []),
    ...(spec.ephemeralContainers ?? []),
  ];
  for (const container of all) {
    for (const variable of container.env ?? []) add('env', variable.valueFrom?.secretKeyRef?.name);
    for (const source of container.envFrom ?? []) add('envFrom', source.secretRef?.name);
  }
  for (const volume of spec.volumes ?? []) {
    add('volume', volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) add('projected', source.secret?.name);
    add('mounting', mountedWith(volume));
  }
  for (const reference of spec.imagePullSecrets ?? []) add('imagePull', reference.name);
  return uses;
}

/**
 * The Secret with the login to the storage behind a volume, in the pod's own namespace:
 * https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/volume/
 */
export function mountedWith(volume: Jsonify<V1Volume>): string | undefined {
  const { azureFile, csi, flexVolume, iscsi, cephfs, rbd, cinder, scaleIO, storageos } = volume;
  const named = flexVolume ?? iscsi ?? cephfs ?? rbd ?? cinder ?? scaleIO ?? storageos;
  return azureFile?.secretName ?? csi?.nodePublishSecretRef?.name ?? named?.secretRef?.name;
}

/** https://kubernetes.io/docs/concepts/services-networking/network-policies/: without `policyTypes`, Ingress always applies, Egress if it has rules. */
export function policyRecord(policy: Jsonify<V1NetworkPolicy>): PolicyRecord {
  const { metadata = {}, spec } = policy;
  const types = spec?.policyTypes ?? (spec?.egress ? ['Ingress', 'Egress'] : ['Ingress']);
  const ingress = types.includes('Ingress') ? (spec?.ingress ?? []) : [];
  const egress = types.includes('Egress') ? (spec?.egress ?? []) : [];
  const notes = Object.entries(metadata.annotations ?? {}).filter(([key]) => key.startsWith('firebreak.dev/before-'));
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    ...(notes.length > 0 && {
      made: { uid: metadata.uid ?? '', notes: Object.fromEntries(notes), digest: digestOf({ spec }) },
    }),
    selector: spec?.podSelector ?? {},
    allows: ingress.length + egress.length > 0,
    allowsFromOutside: ingress.some(fromOutside),
    ...(egress.length > 0 && { egress }),
    specDigest: digestOf(spec ?? {}),
  };
}

/** The client's types call the field `_from`; on the wire it is `from`. A rule without peers admits everybody. */
function fromOutside(rule: object): boolean {
  const peers: unknown = Reflect.get(rule, 'from');
  if (!Array.isArray(peers) || peers.length === 0) return true;
  return peers.some((peer: unknown) => typeof peer === 'object' && peer !== null && 'ipBlock' in peer);
}

/** A Service's selector: who would lose a pod, and whether it is reachable from outside. */
export interface ServiceRecord {
  readonly namespace: string;
  readonly name: string;
  readonly selector: Readonly<Record<string, string>>;
  /** Through a node port, a load balancer or addresses of its own. */
  readonly external?: true;
}

export function serviceRecord({ metadata = {}, spec }: Jsonify<V1Service>): ServiceRecord {
  const { selector = {}, type, externalIPs = [] } = spec ?? {};
  const external = type === 'NodePort' || type === 'LoadBalancer' || externalIPs.length > 0;
  return { namespace: metadata.namespace ?? '', name: metadata.name ?? '', selector, ...(external && { external }) };
}

/** The Services in its namespace that an Ingress routes to. https://kubernetes.io/docs/concepts/services-networking/ingress/ */
export interface IngressRecord {
  readonly namespace: string;
  readonly name: string;
  readonly services: readonly string[];
}

export function ingressRecord({ metadata = {}, spec }: Jsonify<V1Ingress>): IngressRecord {
  const paths = (spec?.rules ?? []).flatMap(({ http }) => http?.paths ?? []);
  const backends = [spec?.defaultBackend, ...paths.map(({ backend }) => backend)];
  const services = new Set(backends.flatMap((backend) => backend?.service?.name ?? []));
  return { namespace: metadata.namespace ?? '', name: metadata.name ?? '', services: [...services] };
}

import type { V1Ingress, V1PodTemplateSpec, V1ServiceAccount } from '@kubernetes/client-node';
import { names, stepHash } from '../../../core/cluster/labels.ts';
import { whyNoRoomForMark } from '../../../integrations/kubernetes/annotation-room.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { listObjects, type ObjectRef } from '../../../integrations/kubernetes/objects.ts';
import {
  type Jsonify,
  mountedWith,
  ownersOf,
  type PodJson,
  secretUses,
} from '../../../integrations/kubernetes/watch/projection.ts';
import { controllerOf } from '../../../integrations/kubernetes/workloads/owners.ts';
import { type RollingObject, whyNotRoll } from '../../../integrations/kubernetes/workloads/rollout.ts';
import { secretReferences } from '../../../integrations/kubernetes/workloads/secret-references.ts';
import { workloadRef } from '../../../integrations/kubernetes/workloads/workloads.ts';

/** A workload whose pod template can be pointed at another Secret. */
export interface Consumer {
  readonly ref: ObjectRef;
  readonly object: RollingObject;
  readonly template: Jsonify<V1PodTemplateSpec>;
  /** Where the template is, as a JSON pointer. */
  readonly at: string;
  /** A CronJob does not roll: its next run uses the template as it is then. */
  readonly rolls: boolean;
}

/** Everything in a namespace that uses a Secret, or gives one to others. */
export interface NamespaceUsers {
  readonly workloads: readonly Consumer[];
  /** All workloads, with those that use none: `Deployment cart`. */
  readonly titles: ReadonlySet<string>;
  readonly pods: readonly PodJson[];
  readonly ingresses: readonly Jsonify<V1Ingress>[];
  readonly accounts: readonly Jsonify<V1ServiceAccount>[];
}

/** Kinds whose pod template we may change. */
export const templateKinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob'];

interface TemplateHolder extends RollingObject {
  readonly spec?: NonNullable<RollingObject['spec']> & {
    readonly template?: Jsonify<V1PodTemplateSpec> & Readonly<Record<string, unknown>>;
    readonly jobTemplate?: { readonly spec?: { readonly template?: Jsonify<V1PodTemplateSpec> } };
  };
}

export async function readUsers(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly signal: AbortSignal;
}): Promise<NamespaceUsers> {
  const { api, namespace, signal } = options;
  const titles = new Set<string>();
  const consumersOf = async (kind: string): Promise<readonly Consumer[]> => {
    const ref = workloadRef({ kind, namespace, name: '' });
    const named = ({ metadata }: TemplateHolder): ObjectRef => ({ ...ref, name: metadata.name });
    const keep = (object: TemplateHolder): boolean => {
      titles.add(titleOf(named(object)));
      const { spec } = consumerOf(named(object), object)?.template ?? {};
      return spec !== undefined && secretUses(spec).length > 0;
    };
    const found = await listObjects<TemplateHolder>({ api, ref, keep, signal });
    return found.flatMap((object) => consumerOf(named(object), object) ?? []);
  };
  const list = <T>(ref: Omit<ObjectRef, 'name' | 'kind' | 'namespace'>, keep?: (object: T) => boolean) =>
    listObjects<T>({ api, ref: { kind: '', namespace, ...ref }, ...(keep && { keep }), signal });
  const [workloads, pods, ingresses, accounts] = await Promise.all([
    Promise.all(templateKinds.map(consumersOf)),
    list<PodJson>({ resource: 'pods' }, ({ spec }) => spec !== undefined && secretUses(spec).length > 0),
    list<Jsonify<V1Ingress>>({ group: 'networking.k8s.io', resource: 'ingresses' }),
    list<Jsonify<V1ServiceAccount>>({ resource: 'serviceaccounts' }),
  ]);
  return { workloads: workloads.flat(), titles, pods, ingresses, accounts };
}

function titleOf({ kind, name }: ObjectRef): string {
  return `${kind} ${name}`;
}

/** The object as a user of Secrets; undefined if it has no pod template. */
export function consumerOf(ref: ObjectRef, object: TemplateHolder): Consumer | undefined {
  const rolls = ref.kind !== 'CronJob';
  const template = rolls ? object.spec?.template : object.spec?.jobTemplate?.spec?.template;
  return template && { ref, object, template, rolls, at: rolls ? '/spec/template' : '/spec/jobTemplate/spec/template' };
}

/** Who uses one of these names: what can be rolled, a description of what cannot and why, and what reads it by name whenever it needs it. */
export function usersOf(options: {
  readonly users: NamespaceUsers;
  readonly secrets: ReadonlySet<string>;
  readonly suspectUid: string;
  /** The key of the step. */
  readonly key: string;
}): { readonly rolled: readonly Consumer[]; readonly left: readonly string[]; readonly readers: readonly string[] } {
  const { users, secrets, suspectUid, key } = options;
  const mark = { name: names.rotatedByAnnotation, value: stepHash(key), of: 'a rotation' };
  const rolled: Consumer[] = [];
  const left = new Set<string>();
  const readers: string[] = [];
  for (const consumer of users.workloads) {
    const { ref, object, template } = consumer;
    const title = titleOf(ref);
    const { spec } = template;
    if (spec && secretReferences(spec).some(({ secret }) => secrets.has(secret))) {
      const whyNot = consumer.rolls ? whyNotRoll(ref.kind, object) : undefined;
      const why = whyNot ?? whyNoRoomForMark(template.metadata?.annotations ?? {}, mark);
      if (why === undefined) rolled.push(consumer);
      else left.add(`${title} (${why})`);
    }
    if (spec?.volumes?.some((volume) => secrets.has(mountedWith(volume) ?? ''))) left.add(`${title} (to mount a volume)`);
    if (spec?.imagePullSecrets?.some(({ name }) => secrets.has(name ?? ''))) left.add(`${title} (to pull its image)`);
  }
  for (const { metadata = {}, spec, status } of users.pods) {
    const isOver = status?.phase === 'Succeeded' || status?.phase === 'Failed';
    const uses = spec && secretUses(spec).some(({ name }) => secrets.has(name));
    if (!uses || isOver || metadata.uid === suspectUid) continue;
    const owner = controllerOf(ownersOf(metadata));
    const title = owner ? `${owner.kind} ${owner.name}` : `Pod ${metadata.name}`;
    const ofDeployment = owner?.kind === 'ReplicaSet' && metadata.labels?.['pod-template-hash'] !== undefined;
    if (!ofDeployment && !users.titles.has(title)) left.add(title);
  }
  for (const { metadata, spec } of users.ingresses)
    if (spec?.tls?.some(({ secretName }) => secrets.has(secretName ?? ''))) readers.push(`Ingress ${metadata?.name} (TLS)`);
  for (const { metadata, imagePullSecrets = [], secrets: listed = [] } of users.accounts)
    if ([...imagePullSecrets, ...listed].some(({ name }) => secrets.has(name ?? '')))
      readers.push(`ServiceAccount ${metadata?.name}`);
  return { rolled, left: [...left].sort(), readers: readers.sort() };
}

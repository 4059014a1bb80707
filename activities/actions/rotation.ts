import { randomBytes } from 'node:crypto';
import type { V1Deployment, V1DeploymentList, V1PodList } from '@kubernetes/client-node';
import type { StepContext } from '../../core/action.ts';
import type { RotateSecretInput } from '../../core/actions/rotate-secret.schema.ts';
import { digestOf } from '../../core/digest.ts';
import { type KubernetesApi, pathOf } from '../../integrations/kubernetes/client.ts';
import { controllerOf, otherWriter } from '../../integrations/kubernetes/owners.ts';
import { readSamePod } from '../../integrations/kubernetes/pods.ts';
import { type Json, ownersOf, type PodJson, secretUses } from '../../integrations/kubernetes/projection.ts';
import { secretReferences } from '../../integrations/kubernetes/secret-references.ts';
import { readSecret, type SecretJson, whyNotRotate } from '../../integrations/kubernetes/secrets.ts';

export type DeploymentJson = Json<V1Deployment>;

/** One Secret that gets a successor. `secret` holds values: it never leaves the activity. */
export interface Rotation {
  readonly name: string;
  readonly newName: string;
  readonly secret: SecretJson;
  readonly keys: readonly string[];
  /** Deployments that refer to the old or already to the new name. */
  readonly consumers: readonly string[];
  /** Others that use it and are not rolled: `StatefulSet db`. */
  readonly left: readonly string[];
}

export interface RotationWork {
  readonly suspect: PodJson;
  readonly rotations: readonly Rotation[];
  readonly refused: readonly { readonly secret: string; readonly reason: string }[];
  readonly deployments: readonly DeploymentJson[];
  /** Deployments that somebody else writes: `Deployment cart is managed by Helm`. */
  readonly warnings: readonly string[];
}

/** Reads everything that a rotation is about. The same before it has begun, in its middle, and after. */
export async function rotationWork(options: {
  readonly api: KubernetesApi;
  readonly input: RotateSecretInput;
  readonly context: StepContext;
}): Promise<RotationWork> {
  const { api, input, context } = options;
  const { signal } = context;
  const { namespace } = input.suspect;
  const [suspect, deploymentList, podList] = await Promise.all([
    readSamePod({ api, pod: input.suspect, signal }),
    api.json<Json<V1DeploymentList>>({
      method: 'GET',
      path: pathOf({ group: 'apps', resource: 'deployments', namespace }),
      what: `list deployments in ${namespace}`,
      signal,
    }),
    api.json<Json<V1PodList>>({
      method: 'GET',
      path: pathOf({ resource: 'pods', namespace }),
      what: `list pods in ${namespace}`,
      signal,
    }),
  ]);
  const deployments = deploymentList.items;
  const uses = suspect.spec ? secretUses(suspect.spec) : [];
  const names = [...new Set(input.secrets ?? uses.map(({ name }) => name))].sort();
  const refused: { secret: string; reason: string }[] = [];
  const rotations: Rotation[] = [];
  for (const name of names) {
    const onlyPulls = !input.secrets && uses.every((use) => use.name !== name || use.as === 'imagePull');
    const secret = onlyPulls ? undefined : await readSecret({ api, namespace, name, signal });
    const reason = onlyPulls
      ? 'it is a registry login: only the registry can give a new one'
      : secret
        ? whyNotRotate(secret)
        : 'it does not exist';
    if (reason !== undefined || !secret) {
      refused.push({ secret: name, reason: reason ?? 'it does not exist' });
      continue;
    }
    const newName = successorName({ name, context, suspectUid: input.suspect.uid, secretUid: secret.metadata?.uid ?? '' });
    const refersTo = (one: string): boolean => one === name || one === newName;
    rotations.push({
      name,
      newName,
      secret,
      keys: Object.keys(secret.data ?? {}).sort(),
      consumers: deployments.flatMap(({ metadata, spec }) => {
        const refers =
          spec?.template.spec && secretReferences(spec.template.spec).some((reference) => refersTo(reference.secret));
        return refers && metadata?.name ? [metadata.name] : [];
      }),
      left: othersUsing({ name, pods: podList.items, suspectUid: input.suspect.uid }),
    });
  }
  const rolled = new Set(rotations.flatMap(({ consumers }) => consumers));
  const warnings = deployments.flatMap(({ metadata, spec }) => {
    if (!metadata?.name || !rolled.has(metadata.name)) return [];
    const writer = otherWriter(metadata);
    return [
      ...(writer
        ? [`Deployment ${metadata.name} is managed by ${writer}, which may put the old name back: change it there too.`]
        : []),
      ...(spec?.paused ? [`Deployment ${metadata.name} is paused: it does not roll until it is resumed.`] : []),
    ];
  });
  return { suspect, rotations, refused, deployments, warnings };
}

const suffix = /-fb[0-9a-f]{10}$/;

/** The same for the same run, suspect and Secret, whenever it is asked; not to be guessed beforehand, since runs are random. */
function successorName(of: {
  readonly name: string;
  readonly context: StepContext;
  readonly suspectUid: string;
  readonly secretUid: string;
}): string {
  const { name, context, suspectUid, secretUid } = of;
  const hash = digestOf({ incident: context.incident, run: context.run, suspectUid, secretUid }).slice(0, 10);
  return `${name.replace(suffix, '').slice(0, 240)}-fb${hash}`;
}

/** Users of a Secret that no Deployment makes: they keep the old value until somebody rolls them. */
function othersUsing(options: {
  readonly name: string;
  readonly pods: readonly PodJson[];
  readonly suspectUid: string;
}): readonly string[] {
  const { name, pods, suspectUid } = options;
  const found = pods.flatMap(({ metadata = {}, spec }) => {
    if (metadata.uid === suspectUid || !spec || !secretUses(spec).some((use) => use.name === name)) return [];
    const owner = controllerOf(ownersOf(metadata));
    if (owner?.kind === 'ReplicaSet') return [];
    return [owner ? `${owner.kind} ${owner.name}` : `Pod ${metadata.name}`];
  });
  return [...new Set(found)].sort();
}

const lengths = [24, 32, 48, 64, 96, 128, 256, 512];

/** A fresh random text for each key, as long as the old value or the next usual length: base64 of base64url. */
export function freshValues(data: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(data).map(([key, old]) => {
      const before = Buffer.from(old, 'base64').length;
      const length = lengths.find((one) => one >= before) ?? 512;
      return [key, Buffer.from(randomBytes(length).toString('base64url').slice(0, length)).toString('base64')];
    }),
  );
}

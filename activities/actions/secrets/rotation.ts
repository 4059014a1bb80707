import type { StepContext } from '../../../core/action/action.ts';
import { firstName, type RotationRule, ruleFor } from '../../../core/action/rotation.ts';
import type { RotateSecretInput } from '../../../core/actions/secrets/rotate-secret.schema.ts';
import { hasCode } from '../../../core/errors.ts';
import { digestOf } from '../../../core/text/digest.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { readSamePod } from '../../../integrations/kubernetes/pods/pods.ts';
import { isOfKubelet, type PodJson, secretUses } from '../../../integrations/kubernetes/watch/projection.ts';
import { type SecretWriter, writerOf } from '../../../integrations/kubernetes/workloads/secret-writers.ts';
import { readSecret, type SecretJson, whyNotRotate } from '../../../integrations/kubernetes/workloads/secrets.ts';
import { otherWriter } from '../../../integrations/kubernetes/workloads/writers.ts';
import { credentialOf } from './provider-calls.ts';
import { type Consumer, type NamespaceUsers, readUsers, usersOf } from './secret-consumers.ts';
import { suspectAccess, type WhySuspectReads } from './suspect-access.ts';
import { whyNotInPlace } from './why-not-in-place.ts';
import { whyNotValid } from './why-not-valid.ts';

/** One Secret that gets a new value. `secret` contains values: it never leaves the activity. */
export interface SecretRotation {
  readonly name: string;
  /** The name that its users refer to afterwards: the successor's, or its own if something else rewrites it. */
  readonly newName: string;
  /** The Secret that this step creates; if something else writes the value, it exists only while the step runs. */
  readonly successor: string;
  readonly writer?: SecretWriter;
  readonly secret: SecretJson;
  /** Keys that get new values. */
  readonly keys: readonly string[];
  /** Workloads that refer to the old name or already to the new one. */
  readonly consumers: readonly Consumer[];
  /** Others that use it and are not rolled: `Job report`. */
  readonly left: readonly string[];
  /** Where the value is valid, if the configuration says so. */
  readonly rule?: RotationRule;
}

export interface RotationWork {
  readonly rotations: readonly SecretRotation[];
  readonly refused: readonly { readonly secret: string; readonly reason: string }[];
  /** Workloads that are managed by something else: `Deployment cart is managed by Helm`. */
  readonly warnings: readonly string[];
}

/** Reads everything that a rotation is about. The same before it has begun, midway, and after. */
export async function rotationWork(options: {
  readonly api: KubernetesApi;
  readonly rules: readonly RotationRule[];
  readonly input: RotateSecretInput;
  readonly context: StepContext;
}): Promise<RotationWork> {
  const { api, rules, input, context } = options;
  const { signal } = context;
  const { namespace } = input.suspect;
  const suspect = await readSuspect({ api, input, signal });
  const uses = suspect?.spec ? secretUses(suspect.spec) : [];
  const wanted = [...new Set(input.secrets ?? uses.map(({ name }) => name))].sort();
  const whySuspectReads = await suspectAccess({ api, namespace, suspect, named: input.secrets ?? [], signal });
  const refused: { secret: string; reason: string }[] = [];
  const rotations: SecretRotation[] = [];
  // In a large namespace that is megabytes: they are read for what is rotated only.
  let users: NamespaceUsers | undefined;
  for (const name of wanted) {
    const inContainer = input.secrets || uses.some((use) => use.name === name && !isOfKubelet(use));
    const secret = !inContainer ? undefined : await readSecret({ api, namespace, name, signal });
    const rule = ruleFor(rules, namespace, name);
    const writer = secret && writerOf(secret);
    const successor = successorName({ name, context, suspectUid: input.suspect.uid, secretUid: secret?.metadata?.uid ?? '' });
    const reason = !inContainer
      ? uses.some((use) => use.name === name && use.as === 'imagePull')
        ? 'it is a registry login: only the registry can issue a new one'
        : 'a volume is mounted with it: only its storage can issue a new one'
      : writer
        ? await whyNotInPlace({ api, input, suspect, whySuspectReads, secret, successor, writer, rule, context })
        : await whyNot({ api, input, whySuspectReads, secret, successor, rule, context });
    if (reason !== undefined || !secret) {
      refused.push({ secret: name, reason: reason ?? 'it does not exist' });
      continue;
    }
    const newName = writer ? name : successor;
    users ??= await readUsers({ api, namespace, signal });
    const { rolled, left, readers } = usersOf({
      users,
      secrets: new Set([name, newName]),
      suspectUid: input.suspect.uid,
      key: context.key,
    });
    const keys = Object.keys(secret.data ?? {}).sort();
    const renewed = rule && writer?.kind !== 'Certificate' ? keys.filter((key) => rule.provider.keys.includes(key)) : keys;
    rotations.push({
      name,
      newName,
      successor,
      secret,
      keys: renewed,
      consumers: writer ? rolled.filter(({ rolls }) => rolls) : rolled,
      left: writer ? left : [...left, ...readers],
      ...(rule && { rule }),
      ...(writer && { writer }),
    });
  }
  return { rotations, refused, warnings: warningsOf(rotations) };
}

/** Why this Secret cannot be rotated; undefined when it can. */
async function whyNot(options: {
  readonly api: KubernetesApi;
  readonly input: RotateSecretInput;
  readonly whySuspectReads: WhySuspectReads;
  readonly secret: SecretJson | undefined;
  readonly successor: string;
  readonly rule: RotationRule | undefined;
  readonly context: StepContext;
}): Promise<string | undefined> {
  const { api, input, whySuspectReads, secret, successor, rule, context } = options;
  if (!secret) return 'it does not exist';
  const reason =
    whyNotRotate(secret, { known: rule !== undefined }) ??
    rule?.provider.whyNot(credentialOf(secret)) ??
    (await whySuspectReads(successor));
  if (reason !== undefined || !rule) return reason;
  return whyNotValid({ api, secret, successor, rule, revokeFirst: input.revokeFirst === true, context });
}

/** The suspect; undefined if it is gone and people have named the Secrets. */
async function readSuspect(options: {
  readonly api: KubernetesApi;
  readonly input: RotateSecretInput;
  readonly signal: AbortSignal;
}): Promise<PodJson | undefined> {
  const { api, input, signal } = options;
  try {
    return await readSamePod({ api, pod: input.suspect, signal });
  } catch (error) {
    const isGone = hasCode(error, 'FB_ERR_NOT_FOUND', 'FB_ERR_TARGET_REPLACED');
    if (!isGone || !input.secrets) throw error;
    return undefined;
  }
}

function warningsOf(rotations: readonly SecretRotation[]): readonly string[] {
  const all = rotations.flatMap(({ consumers }) => consumers);
  const found = all.flatMap(({ ref, object }) => {
    const writer = otherWriter(object.metadata);
    return writer
      ? [`${ref.kind} ${ref.name} is managed by ${writer.named}, which may put the old name back: change it there too.`]
      : [];
  });
  return [...new Set(found)];
}

/** Always the same for the same run, suspect and Secret; cannot be guessed beforehand, since runs are random. */
function successorName(of: {
  readonly name: string;
  readonly context: StepContext;
  readonly suspectUid: string;
  readonly secretUid: string;
}): string {
  const { name, context, suspectUid, secretUid } = of;
  const hash = digestOf({ incident: context.incident, run: context.run, suspectUid, secretUid }).slice(0, 10);
  return `${firstName(name).slice(0, 240)}-fb${hash}`;
}

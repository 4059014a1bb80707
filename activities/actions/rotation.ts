import { randomBytes } from 'node:crypto';
import type { StepContext } from '../../core/action.ts';
import type { RotateSecretInput } from '../../core/actions/rotate-secret.schema.ts';
import { digestOf } from '../../core/digest.ts';
import { firstName, type RotationRule, ruleFor } from '../../core/rotation.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { otherWriter } from '../../integrations/kubernetes/owners.ts';
import { readSamePod } from '../../integrations/kubernetes/pods.ts';
import { type PodJson, secretUses } from '../../integrations/kubernetes/projection.ts';
import { readSecret, type SecretJson, whyNotRotate } from '../../integrations/kubernetes/secrets.ts';
import { credentialOf, mayBeTried } from './provider-calls.ts';
import { type Consumer, readUsers, usersOf } from './secret-consumers.ts';
import { whySuspectReads } from './suspect-access.ts';

/** One Secret that gets a successor. `secret` holds values: it never leaves the activity. */
export interface Rotation {
  readonly name: string;
  readonly newName: string;
  readonly secret: SecretJson;
  /** Those that get new values. */
  readonly keys: readonly string[];
  /** Workloads that refer to the old or already to the new name. */
  readonly consumers: readonly Consumer[];
  /** Others that use it and are not rolled: `Job report`. */
  readonly left: readonly string[];
  /** Where the value is valid, if the configuration says so. */
  readonly rule?: RotationRule;
}

export interface RotationWork {
  readonly suspect: PodJson;
  readonly rotations: readonly Rotation[];
  readonly refused: readonly { readonly secret: string; readonly reason: string }[];
  /** Workloads that somebody else writes: `Deployment cart is managed by Helm`. */
  readonly warnings: readonly string[];
}

/** Reads everything that a rotation is about. The same before it has begun, in its middle, and after. */
export async function rotationWork(options: {
  readonly api: KubernetesApi;
  readonly rules: readonly RotationRule[];
  readonly input: RotateSecretInput;
  readonly context: StepContext;
}): Promise<RotationWork> {
  const { api, rules, input, context } = options;
  const { signal } = context;
  const { namespace } = input.suspect;
  const [suspect, users] = await Promise.all([
    readSamePod({ api, pod: input.suspect, signal }),
    readUsers({ api, namespace, signal }),
  ]);
  const uses = suspect.spec ? secretUses(suspect.spec) : [];
  const wanted = [...new Set(input.secrets ?? uses.map(({ name }) => name))].sort();
  const refused: { secret: string; reason: string }[] = [];
  const rotations: Rotation[] = [];
  for (const name of wanted) {
    const onlyPulls = !input.secrets && uses.every((use) => use.name !== name || use.as === 'imagePull');
    const secret = onlyPulls ? undefined : await readSecret({ api, namespace, name, signal });
    const rule = ruleFor(rules, namespace, name);
    const newName = successorName({ name, context, suspectUid: input.suspect.uid, secretUid: secret?.metadata?.uid ?? '' });
    const reason = onlyPulls
      ? 'it is a registry login: only the registry can give a new one'
      : await whyNot({ api, input, suspect, secret, newName, rule, context });
    if (reason !== undefined || !secret) {
      refused.push({ secret: name, reason: reason ?? 'it does not exist' });
      continue;
    }
    const { rolled, left } = usersOf({ users, secrets: new Set([name, newName]), suspectUid: input.suspect.uid });
    const keys = Object.keys(secret.data ?? {}).sort();
    const renewed = rule ? keys.filter((key) => rule.provider.keys.includes(key)) : keys;
    rotations.push({ name, newName, secret, keys: renewed, consumers: rolled, left, ...(rule && { rule }) });
  }
  return { suspect, rotations, refused, warnings: warningsOf(rotations) };
}

/** Why this Secret cannot be rotated; undefined when it can. */
async function whyNot(options: {
  readonly api: KubernetesApi;
  readonly input: RotateSecretInput;
  readonly suspect: PodJson;
  readonly secret: SecretJson | undefined;
  readonly newName: string;
  readonly rule: RotationRule | undefined;
  readonly context: StepContext;
}): Promise<string | undefined> {
  const { api, input, suspect, secret, newName, rule, context } = options;
  const { signal } = context;
  if (!secret) return 'it does not exist';
  const old = credentialOf(secret);
  const reason =
    whyNotRotate(secret, { known: rule !== undefined }) ??
    rule?.provider.whyNot(old) ??
    (await whySuspectReads({ api, suspect, secret: newName, signal }));
  if (reason !== undefined || !rule || input.revokeFirst) return reason;
  // In the middle of this rotation the old value may be refused by now, rightly.
  if (await readSecret({ api, namespace: input.suspect.namespace, name: newName, signal })) return undefined;
  // One that is refused already was rotated before, or is not of this provider: nobody is rolled onto a guess.
  const isValid = await mayBeTried(rule.provider, () => rule.provider.accepts(old, signal));
  return isValid === false
    ? `${rule.provider.title} does not take its value: it was rotated already, or is another’s`
    : undefined;
}

function warningsOf(rotations: readonly Rotation[]): readonly string[] {
  const all = rotations.flatMap(({ consumers }) => consumers);
  const found = all.flatMap(({ ref, object }) => {
    const writer = otherWriter(object.metadata);
    return writer
      ? [`${ref.kind} ${ref.name} is managed by ${writer}, which may put the old name back: change it there too.`]
      : [];
  });
  return [...new Set(found)];
}

/** The same for the same run, suspect and Secret, whenever it is asked; not to be guessed beforehand, since runs are random. */
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

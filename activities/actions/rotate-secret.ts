import type { ActionImplementation, StepContext } from '../../core/action.ts';
import type { RotateSecretInput, RotateSecretOutput } from '../../core/actions/rotate-secret.schema.ts';
import { FirebreakError } from '../../core/errors.ts';
import { type Credential, type RotationProvider, type RotationRule, ruleFor } from '../../core/rotation.ts';
import { targetOf } from '../../integrations/kubernetes/objects.ts';
import { readPod } from '../../integrations/kubernetes/pods.ts';
import { secretUses } from '../../integrations/kubernetes/projection.ts';
import { readSecret } from '../../integrations/kubernetes/secrets.ts';
import { atProvider, credentialOf, dataWith } from './provider-calls.ts';
import type { RollingParts } from './rolled-out.ts';
import { rotationPlan } from './rotate-secret-plan.ts';
import { freshValues, type Rotation, type RotationWork, rotationWork } from './rotation.ts';
import { changeSecrets, mustHaveRolled, waitForConsumers } from './secret-rolling.ts';
import { makeSuccessor, readSuccessor } from './secret-successor.ts';

/** Gives Secrets a successor with new values; see the declaration in `core/actions/rotate-secret.ts`. */
export function rotateSecretImplementation(
  parts: RollingParts & {
    /** Which Secret is of which provider. */
    readonly rules?: readonly RotationRule[];
  },
): ActionImplementation<RotateSecretInput, RotateSecretOutput> {
  const { api, rules = [] } = parts;

  /** The new value is kept in the successor before it becomes valid: a crash loses none. */
  const begin = async (rotation: Rotation, input: RotateSecretInput, context: StepContext): Promise<void> => {
    const { name, newName, secret, rule } = rotation;
    const { namespace } = input.suspect;
    const { signal } = context;
    const place = { api, namespace, name: newName, of: name, context };
    const old = credentialOf(secret);
    const existing = await readSuccessor(place);
    if (!rule) {
      if (!existing) await makeSuccessor({ ...place, old: secret, data: freshValues(secret.data ?? {}) });
      return;
    }
    const { provider } = rule;
    if (!existing && input.revokeFirst) await atProvider(provider, () => provider.revoke({ old }, signal));
    const successor = existing ?? (await makeFresh(place, rotation, provider, signal));
    await atProvider(provider, () => provider.activate({ old, next: credentialOf(successor) }, signal));
  };

  const makeFresh = async (
    place: Parameters<typeof readSuccessor>[0],
    { secret, keys }: Rotation,
    provider: RotationProvider,
    signal: AbortSignal,
  ) => {
    const { values, lease } = await atProvider(provider, () => provider.fresh(credentialOf(secret), signal));
    const known = Object.fromEntries(Object.entries(values).filter(([key]) => keys.includes(key)));
    const data = dataWith(secret.data ?? {}, known);
    return makeSuccessor({ ...place, old: secret, data, ...(lease !== undefined && { lease }) });
  };

  const roll = async ({ rotations }: RotationWork, { key, signal }: StepContext): Promise<void> => {
    const change = { newNames: new Map(rotations.map(({ name, newName }) => [name, newName])), renewed: new Set<string>() };
    const all = new Map(rotations.flatMap(({ consumers }) => consumers.map((one) => [targetOf(one.ref), one])));
    const consumers = [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, consumer]) => consumer);
    for (const consumer of consumers) await changeSecrets({ api, consumer, change, key, signal });
    await waitForConsumers(parts, consumers, signal);
  };

  /** Nothing is revoked before the new value has been tried. */
  const finish = async ({ name, newName, secret, rule }: Rotation, namespace: string, context: StepContext): Promise<void> => {
    if (!rule) return;
    const { provider } = rule;
    const { signal } = context;
    const successor = await readSuccessor({ api, namespace, name: newName, of: name, context });
    if (!successor) throw new FirebreakError('FB_ERR_DRIFTED', `secret/${namespace}/${newName} is gone: nothing was revoked`);
    const both = { old: credentialOf(secret), next: credentialOf(successor) };
    await atProvider(provider, async () => {
      if ((await provider.accepts(both.next, signal)) === false)
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `${provider.title} does not take the new value yet: nothing was revoked`);
      await provider.revoke(both, signal);
    });
  };

  return {
    async plan(input, context) {
      return rotationPlan(input, await rotationWork({ api, rules, input, context }));
    },

    async started(input, context) {
      const { rotations } = await rotationWork({ api, rules, input, context });
      const { namespace } = input.suspect;
      const made = await Promise.all(
        rotations.map(({ name, newName }) => readSuccessor({ api, namespace, name: newName, of: name, context })),
      );
      return made.some((secret) => secret !== undefined);
    },

    async apply(input, context) {
      const { suspect } = input;
      const work = await rotationWork({ api, rules, input, context });
      for (const rotation of work.rotations) await begin(rotation, input, context);
      await roll(work, context);
      for (const rotation of work.rotations) await finish(rotation, suspect.namespace, context);
      return {
        rotated: work.rotations.map(({ name, newName, keys, consumers, rule }) => ({
          secret: name,
          newName,
          keys: [...keys],
          consumers: consumers.map(({ ref }) => targetOf(ref)),
          ...(rule && { provider: rule.provider.title }),
        })),
        refused: work.refused.map((one) => ({ ...one })),
        suspect,
      };
    },

    async verify({ rotated, refused, suspect }, context) {
      const { signal } = context;
      const { namespace } = suspect;
      const pod = await readPod({ api, namespace, name: suspect.name, signal });
      const uses = pod?.spec && pod.metadata?.uid === suspect.uid ? secretUses(pod.spec) : [];
      const missing = refused.map(({ secret, reason }) => `secret/${namespace}/${secret}: ${reason}`);
      for (const { secret, newName, consumers, provider } of rotated) {
        if (uses.some((use) => use.name === newName))
          throw new FirebreakError('FB_ERR_DRIFTED', `the suspect pod refers to the new Secret ${newName}`);
        for (const consumer of consumers) await mustHaveRolled({ api, consumer, secret, signal });
        if (provider === undefined) continue;
        const open = await whatIsOpen({ namespace, secret, newName, signal });
        if (open !== undefined) missing.push(`secret/${namespace}/${secret}: ${provider}: ${open}`);
      }
      const ended = rotated.some(({ provider }) => provider !== undefined);
      const detail = `${rotated.length === 1 ? '1 Secret has' : `${rotated.length} Secrets have`} a successor, everything that was to roll has rolled out with it${ended ? ', the provider takes the new value and refuses the old' : ''}, and the suspect pod has none of them`;
      return missing.length > 0 ? { state: 'partial', detail, missing } : { state: 'verified', detail };
    },
  };

  /** What cannot be shown of the old and the new value at the provider; undefined where all is as it should be. */
  async function whatIsOpen(of: {
    readonly namespace: string;
    readonly secret: string;
    readonly newName: string;
    readonly signal: AbortSignal;
  }): Promise<string | undefined> {
    const { namespace, secret, newName, signal } = of;
    const rule = ruleFor(rules, namespace, secret);
    if (!rule) return 'it is no longer configured, so nothing can be tried';
    const { provider } = rule;
    const read = async (name: string): Promise<Credential | undefined> => {
      const found = await readSecret({ api, namespace, name, signal });
      return found && credentialOf(found);
    };
    const [old, next] = await Promise.all([read(secret), read(newName)]);
    if (!next) throw new FirebreakError('FB_ERR_DRIFTED', `secret/${namespace}/${newName} is gone`);
    return atProvider(provider, async () => {
      if ((await provider.accepts(next, signal)) === false)
        throw new FirebreakError('FB_ERR_DRIFTED', `${provider.title} does not take the new value of ${secret}`);
      if (!old) return 'the old Secret is gone, so its value cannot be tried';
      const ended = await provider.ended({ old, next }, signal);
      if (ended === false) throw new FirebreakError('FB_ERR_DRIFTED', `${provider.title} still takes the old value of ${secret}`);
      return ended === undefined ? 'whether the old value is refused cannot be tried' : undefined;
    });
  }
}

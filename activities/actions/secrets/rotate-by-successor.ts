import { randomBytes } from 'node:crypto';
import type { StepContext } from '../../../core/action/action.ts';
import { type Credential, type RotationRule, ruleFor } from '../../../core/action/rotation.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { readSecret } from '../../../integrations/kubernetes/workloads/secrets.ts';
import { activated, atProvider, credentialOf, dataWith, revokedOnceAccepted } from './provider-calls.ts';
import type { SecretRotation } from './rotation.ts';
import type { Rotator } from './rotator.ts';
import { makeSuccessor, readSuccessor, successorPlace } from './secret-successor.ts';

/** For a plain Secret: its new value gets a new name, which the suspect does not refer to. */
export function rotateBySuccessor(options: { readonly api: KubernetesApi; readonly rules: readonly RotationRule[] }): Rotator {
  const { api, rules } = options;
  const placeOf = (rotation: SecretRotation, context: StepContext) => successorPlace({ api, rotation, context });

  return {
    started: async (rotation, context) => (await readSuccessor(placeOf(rotation, context))) !== undefined,

    /** The new value is stored in the successor before it becomes valid: a crash loses nothing. */
    async begin(rotation, { revokeFirst = false }, context) {
      const { secret, rule, keys } = rotation;
      const place = placeOf(rotation, context);
      const make = async (data: Readonly<Record<string, string>>, lease?: string): Promise<Credential> =>
        credentialOf(await makeSuccessor({ ...place, old: secret, data, ...(lease !== undefined && { lease }) }));
      const read = async (): Promise<Credential | undefined> => {
        const made = await readSuccessor(place);
        return made && credentialOf(made);
      };
      if (!rule) {
        if (!(await read())) await make(freshValues(secret.data ?? {}));
        return;
      }
      await activated({
        provider: rule.provider,
        old: credentialOf(secret),
        revokeFirst,
        keep: { read, make: ({ values, lease }) => make(dataWith(secret.data ?? {}, values, keys), lease) },
        context,
      });
    },

    async finish(rotation, context) {
      const { secret, rule, successor } = rotation;
      if (!rule) return {};
      const made = await readSuccessor(placeOf(rotation, context));
      if (!made) throw new FirebreakError('FB_ERR_DRIFTED', `the Secret ${successor} is gone: nothing was revoked`);
      const both = { old: credentialOf(secret), next: credentialOf(made) };
      await revokedOnceAccepted(rule.provider, both, context.signal);
      return {};
    },

    async open({ secret, newName, provider: wasEnded }, namespace, { signal }) {
      if (wasEnded === undefined) return undefined;
      const rule = ruleFor(rules, namespace, secret);
      if (!rule) return 'it is no longer configured, so nothing can be tested';
      const { provider } = rule;
      const read = async (name: string): Promise<Credential | undefined> => {
        const found = await readSecret({ api, namespace, name, signal });
        return found && credentialOf(found);
      };
      const [old, next] = await Promise.all([read(secret), read(newName)]);
      if (!next) throw new FirebreakError('FB_ERR_DRIFTED', `secret/${namespace}/${newName} is gone`);
      return atProvider(provider, async () => {
        if ((await provider.accepts(next, signal)) === false)
          throw new FirebreakError('FB_ERR_DRIFTED', `${provider.title} does not accept the new value of ${secret}`);
        if (!old) return 'the old Secret is gone, so its value cannot be tested';
        const ended = await provider.ended({ old, next }, signal);
        if (ended === false)
          throw new FirebreakError('FB_ERR_DRIFTED', `${provider.title} still accepts the old value of ${secret}`);
        return ended === undefined ? 'whether the old value is refused cannot be tested' : undefined;
      });
    },
  };
}

const lengths = [24, 32, 48, 64, 96, 128, 256, 512];

/** Fresh random text for each key, as long as the old value or the next usual length: base64 of base64url. */
function freshValues(data: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(data).map(([key, old]) => {
      const before = Buffer.from(old, 'base64').length;
      const length = lengths.find((one) => one >= before) ?? 512;
      return [key, Buffer.from(randomBytes(length).toString('base64url').slice(0, length)).toString('base64')];
    }),
  );
}

import type { RotationRule } from '../../core/rotation.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { readSecret, type SecretJson } from '../../integrations/kubernetes/secrets.ts';
import { credentialOf, mayBeTried } from './provider-calls.ts';

/** Why a value is no credential of its provider now: it was rotated already, or is another's. Nobody is rolled onto a guess. */
export async function whyNotValid(options: {
  readonly api: KubernetesApi;
  readonly secret: SecretJson;
  /** The Secret that a rotation has from its beginning on: in its middle the old value may be refused, rightly. */
  readonly successor: string;
  readonly rule: RotationRule;
  readonly signal: AbortSignal;
}): Promise<string | undefined> {
  const { api, secret, successor, rule, signal } = options;
  if (await readSecret({ api, namespace: secret.metadata?.namespace ?? '', name: successor, signal })) return undefined;
  const isValid = await mayBeTried(rule.provider, () => rule.provider.accepts(credentialOf(secret), signal));
  return isValid === false
    ? `${rule.provider.title} does not take its value: it was rotated already, or is another’s`
    : undefined;
}

import type { StepContext } from '../../../core/action/action.ts';
import type { RotationRule } from '../../../core/action/rotation.ts';
import { stepHash } from '../../../core/cluster/labels.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { readSecret, type SecretJson } from '../../../integrations/kubernetes/workloads/secrets.ts';
import { credentialOf, mayBeTried } from './provider-calls.ts';

/** Why a value cannot be rotated at its provider now: it was already rotated, belongs to another, or the provider refuses. Nothing is rolled out on a guess. */
export async function whyNotValid(options: {
  readonly api: KubernetesApi;
  readonly secret: SecretJson;
  /** The Secret that exists from the start of a rotation: midway through it, the old value may rightly be refused. */
  readonly successor: string;
  readonly rule: RotationRule;
  /** If set, the old value may already be refused. */
  readonly revokeFirst: boolean;
  readonly context: Pick<StepContext, 'key' | 'signal'>;
}): Promise<string | undefined> {
  const { api, secret, successor, rule, revokeFirst } = options;
  const { key, signal } = options.context;
  const { provider } = rule;
  if (await readSecret({ api, namespace: secret.metadata?.namespace ?? '', name: successor, signal })) return undefined;
  const old = credentialOf(secret);
  const asked = { step: stepHash(key), revokeFirst, signal };
  const reason = await mayBeTried(provider, async () => provider.whyNotNow?.(old, asked));
  if (reason !== undefined || revokeFirst) return reason;
  const isValid = await mayBeTried(provider, () => provider.accepts(old, signal));
  return isValid === false
    ? `${provider.title} does not accept its value: it was already rotated, or belongs to somebody else`
    : undefined;
}

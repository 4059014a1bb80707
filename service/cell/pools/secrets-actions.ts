import { revokeTokensImplementation } from '../../../activities/actions/secrets/revoke-tokens.ts';
import { rotateSecretImplementation } from '../../../activities/actions/secrets/rotate-secret.ts';
import { type ImageTrust, verifyImageImplementation } from '../../../activities/actions/verify-image.ts';
import { rollbackWorkloadImplementation } from '../../../activities/actions/workloads/rollback-workload.ts';
import type { RegisteredAction } from '../../../activities/chokepoint/parts.ts';
import { registeredActions } from '../../../activities/chokepoint/registered.ts';
import type { RotationRule } from '../../../core/action/rotation.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import type { Config } from '../../config/load.ts';

/** Actions that read and write Secrets, under an account that may do nothing else: one line for each action that says `pool: 'secrets'`. */
export function secretsActions({
  config,
  api,
  rules,
  trust,
}: {
  readonly config: Pick<Config, 'actions'>;
  readonly api: KubernetesApi;
  readonly rules: readonly RotationRule[];
  readonly trust: ImageTrust;
}): readonly RegisteredAction[] {
  return registeredActions({
    pool: 'secrets',
    optIn: config.actions.optIn,
    implementations: {
      revokeTokens: revokeTokensImplementation({ api }),
      rollbackWorkload: rollbackWorkloadImplementation({ api }),
      rotateSecret: rotateSecretImplementation({ api, rules }),
      verifyImage: verifyImageImplementation({ api, trust }),
    },
  });
}

import type { Pool } from '../../core/action.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import type { Config } from '../config/load.ts';
import { enabledActions } from '../rbac/enabled.ts';
import { missingRights } from '../rbac/missing.ts';
import { type Logger, reasonOf } from './log.ts';

/** Says at the start which actions this account cannot do, and which rights it would need: not when an attacker is there. Never rejects. */
export async function warnOfMissingRights(options: {
  readonly api: KubernetesApi;
  readonly pool: Pool;
  readonly config: Config;
  readonly log: Logger;
}): Promise<void> {
  const { api, pool, config, log } = options;
  try {
    const actions = enabledActions(config);
    for (const { right, neededBy } of await missingRights({ api, pool, actions, namespace: config.kubernetes.ownNamespace }))
      log.warn({ pool, right, neededBy }, 'a right is missing in the cluster: firebreak rbac manifests prints what gives it');
  } catch (error) {
    log.warn({ pool, reason: reasonOf(error) }, 'whether rights are missing could not be asked');
  }
}

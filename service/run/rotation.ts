import type { RotationProvider, RotationRule } from '../../core/rotation.ts';
import { postgresRole } from '../../integrations/postgres-role/role.ts';
import type { Config } from '../config/load.ts';
import type { RotationSecrets } from '../config/rotation-secrets.ts';

/** Which Secret is of which provider, as the configuration says. */
export function rotationRules(config: Config, credentials: readonly RotationSecrets[]): readonly RotationRule[] {
  return config.rotation.secrets.flatMap((entry, index): readonly RotationRule[] => {
    const provider = providerOf(entry, credentials[index] ?? {});
    return provider ? [{ namespace: entry.namespace, secret: entry.secret, provider }] : [];
  });
}

function providerOf(
  entry: Config['rotation']['secrets'][number],
  { postgresUrl }: RotationSecrets,
): RotationProvider | undefined {
  if (entry.postgresRole && postgresUrl !== undefined) return postgresRole({ ...entry.postgresRole, url: postgresUrl });
  return undefined;
}

import type { RotationRule } from '../../../core/action/rotation.ts';
import { awsAccessKey } from '../../../integrations/aws/access-key.ts';
import { Aws } from '../../../integrations/aws/client.ts';
import { postgresRole } from '../../../integrations/postgres-role/role.ts';
import { Vault } from '../../../integrations/vault/client.ts';
import { vaultKv } from '../../../integrations/vault/kv.ts';
import { vaultLease } from '../../../integrations/vault/lease.ts';
import type { Config } from '../../config/load.ts';
import type { RotationSecrets } from '../../config/rotation-secrets.ts';

/** The Vault in which secrets are rotated; its token is read at each call. */
export function rotationVault(
  { rotation: { vault } }: Pick<Config, 'rotation'>,
  { vaultToken }: Pick<RotationSecrets, 'vaultToken'>,
): Vault | undefined {
  return vault && vaultToken ? new Vault({ ...vault, token: vaultToken }) : undefined;
}

/** Which provider each Secret belongs to, according to the configuration. */
export function rotationRules({ rotation }: Config, credentials: RotationSecrets): readonly RotationRule[] {
  const { awsKey } = credentials;
  const vault = rotationVault({ rotation }, credentials);
  const login = rotation.aws?.webIdentity ?? awsKey;
  const aws = rotation.aws && login ? new Aws({ ...rotation.aws, login }) : undefined;
  return rotation.secrets.flatMap((entry, index): readonly RotationRule[] => {
    const { namespace, secret } = entry;
    const url = credentials.entries[index]?.postgresUrl;
    const source =
      entry.postgresRole && url !== undefined
        ? postgresRole({ ...entry.postgresRole, url })
        : aws && entry.awsAccessKey
          ? awsAccessKey({ aws, ...entry.awsAccessKey })
          : undefined;
    if (vault && entry.vaultLease) return [{ namespace, secret, provider: vaultLease({ vault, ...entry.vaultLease }) }];
    if (vault && entry.vaultKv) {
      const stored = Object.keys(entry.vaultKv.properties);
      const provider = vaultKv({ vault, ...entry.vaultKv, ...(source && { source }) });
      return [{ namespace, secret, provider, stored }];
    }
    return source ? [{ namespace, secret, provider: source }] : [];
  });
}

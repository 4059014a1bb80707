import type { RotationProvider } from '../../core/action/rotation.ts';
import { FirebreakError } from '../../core/errors.ts';
import { objectAt, textAt } from '../json-api.ts';
import type { Vault } from './client.ts';

interface VaultLeaseOptions {
  readonly vault: Vault;
  /** Path that issues credentials: `database/creds/shop`. */
  readonly path: string;
  readonly keys: { readonly username: string; readonly password: string };
}

/**
 * Credentials that Vault creates and leases for a time. The old ones are revoked through their leases, all leases of this path: any other user of the path has
 * to read new ones too. https://developer.hashicorp.com/vault/api-docs/system/leases
 */
export function vaultLease({ vault, path, keys }: VaultLeaseOptions): RotationProvider {
  const title = `Vault, leases of ${path}`;
  const leases = async (signal: AbortSignal): Promise<readonly string[]> =>
    (await vault.list(`sys/leases/lookup/${path}/`, signal)).map((name) => `${path}/${name}`);
  const isOurs = (lease: string | undefined): lease is string => lease?.startsWith(`${path}/`) === true;

  return {
    title,
    keys: [keys.username, keys.password],
    overlaps: true,
    endsFirst: true,
    whyNot: ({ values }) => (values[keys.password] === undefined ? `it has no key ${keys.password}` : undefined),

    async fresh(_, signal) {
      const answer = await vault.read(path, signal);
      const [lease, data] = [textAt(answer, 'lease_id'), objectAt(answer, 'data')];
      const [username, password] = [textAt(data, 'username'), textAt(data, 'password')];
      if (!isOurs(lease) || username === '' || password === '')
        throw new FirebreakError('FB_ERR_REFUSED', `${title}: Vault issues no user and password there`);
      return { values: { [keys.username]: username, [keys.password]: password }, lease };
    },

    activate: async () => undefined,

    async accepts({ lease }, signal) {
      return lease === undefined ? undefined : (await leases(signal)).includes(lease);
    },

    async revoke({ next }, signal) {
      if (!next) return vault.write(`sys/leases/revoke-prefix/${path}`, {}, signal);
      if (!isOurs(next.lease))
        throw new FirebreakError('FB_ERR_DRIFTED', `${title}: the new lease is unknown: no lease was revoked`);
      for (const lease of await leases(signal))
        if (lease !== next.lease) await vault.write('sys/leases/revoke', { lease_id: lease, sync: true }, signal);
    },

    async ended({ next }, signal) {
      return (await leases(signal)).every((lease) => lease === next.lease);
    },
  };
}

import { readFileSync } from 'node:fs';
import type { Sender, SigningRole, Trust } from '../../core/messages/sender.ts';
import type { SignatureVerifier } from '../../core/messages/signing.ts';
import { createVerifier, type FileSigner, openSigner } from '../../integrations/keys/ed25519.ts';
import type { Config } from '../config/load.ts';

/** Files are looked at again no sooner than this after the last time. */
const againAfterMs = 1_000;

interface TrustedFile {
  readonly file: string;
  readonly role: SigningRole;
  readonly cluster?: string;
}

type TrustConfig = Pick<Config, 'cluster' | 'trust' | 'desk'>;

/** The signer of a role. @throws FB_ERR_CONFIG_INVALID when its key is missing: `ensureKeys` makes those of the state directory. */
export function openRoleSigner(config: Pick<Config, 'keys' | 'desk'>, role: SigningRole): Promise<FileSigner> {
  return openSigner({ file: role === 'desk' ? config.desk.voteKeyFile : config.keys.signing[role] });
}

/**
 * Whom a role believes: the desks, and the cells and pools of its own cluster; a desk the cells of all clusters that it serves. The files are read
 * when a key is met that is not known yet: another process may make its key later, and a new one needs no restart.
 */
export function openTrust(config: TrustConfig, reader: SigningRole | 'cli', now: () => number = Date.now): Trust {
  const files = filesOf(config).filter(({ cluster }) => reader === 'desk' || cluster === undefined || cluster === config.cluster);
  let known: readonly (TrustedFile & { readonly verifier: SignatureVerifier })[] = [];
  let readAt = Number.NEGATIVE_INFINITY;
  const holderOf = (keyId: string) => known.find(({ verifier }) => verifier.keyIds.includes(keyId));
  const find = (keyId: string) => {
    const holder = holderOf(keyId);
    if (holder || now() - readAt < againAfterMs) return holder;
    readAt = now();
    known = files.flatMap((entry) => verifierOf(entry.file).map((verifier) => ({ ...entry, verifier })));
    return holderOf(keyId);
  };
  return {
    senderOf: ({ keyId, bytes, signature }): Sender | undefined => {
      const holder = find(keyId);
      if (!holder?.verifier.verify({ keyId, bytes, signature })) return undefined;
      const { role, cluster } = holder;
      return { role, keyId, ...(cluster !== undefined && { cluster }) };
    },
  };
}

/** The files that are named and cannot be read, or hold no public key: nobody of theirs is believed until they do. */
export function unreadableTrust(config: TrustConfig): readonly string[] {
  return filesOf(config).flatMap(({ file }) => (verifierOf(file).length > 0 ? [] : [file]));
}

function filesOf({ cluster, trust, desk }: TrustConfig): readonly TrustedFile[] {
  return [
    ...trust.cells.map((cell) => ({ role: 'cell' as const, cluster: cell.cluster, file: cell.key })),
    ...trust.secrets.map((file) => ({ role: 'secrets' as const, cluster, file })),
    ...trust.forensics.map((file) => ({ role: 'forensics' as const, cluster, file })),
    ...trust.packs.map((file) => ({ role: 'packs' as const, cluster, file })),
    ...desk.votePublicKeys.map((file) => ({ role: 'desk' as const, file })),
  ];
}

function verifierOf(file: string): readonly SignatureVerifier[] {
  try {
    return [createVerifier({ publicKeys: [readFileSync(file, 'utf8')] })];
  } catch {
    return [];
  }
}

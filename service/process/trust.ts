import { readFileSync } from 'node:fs';
import type { Sender, SigningRole, Trust } from '../../core/messages/sender.ts';
import type { AsyncVerifier } from '../../core/messages/signing.ts';
import { createVerifier, type FileSigner, openSigner } from '../../integrations/keys/ed25519.ts';
import type { Config } from '../config/load.ts';

/** Minimum time before files are read again. */
const againAfterMs = 1_000;

interface TrustedFile {
  readonly file: string;
  readonly role: SigningRole;
  readonly cluster?: string;
}

interface TrustOptions {
  readonly now?: () => number;
  /** Called each time a file turns out to be missing or unreadable. */
  readonly onUnreadable?: (file: string) => void;
}

type TrustConfig = Pick<Config, 'cluster' | 'trust' | 'desk'>;

/** Opens the signer of a role. @throws FB_ERR_CONFIG_INVALID if its key is missing: `ensureKeys` creates those of the state directory. */
export function openRoleSigner(config: Pick<Config, 'keys' | 'desk'>, role: SigningRole): Promise<FileSigner> {
  return openSigner({ file: role === 'desk' ? config.desk.voteKeyFile : config.keys.signing[role] });
}

/** A file that is unreadable for no longer than this is being written, or its disk is briefly unavailable. */
const momentMs = 60_000;

interface Holder extends TrustedFile {
  readonly verifier: AsyncVerifier;
}

/**
 * Whom a role trusts: the desks, and the cells and pools of its own cluster; a desk trusts the cells of all clusters that it serves. The files are read when an
 * unknown key is met: another process may create its key later, and a new one needs no restart. Keys that were read stay trusted while their file cannot be
 * read: to revoke a key, remove it from the configuration or replace the file.
 */
export function openTrust(config: TrustConfig, reader: SigningRole | 'cli', options: TrustOptions = {}): Trust {
  const { now = Date.now, onUnreadable = () => undefined } = options;
  const files = filesOf(config).filter(({ cluster }) => reader === 'desk' || cluster === undefined || cluster === config.cluster);
  const known = new Map<string, Holder>();
  const unreadableSince = new Map<string, number>();
  let readAt = Number.NEGATIVE_INFINITY;
  const holderOf = (keyId: string) => [...known.values()].find(({ verifier }) => verifier.keyIds.includes(keyId));
  const readAgain = (entry: TrustedFile): void => {
    const { file } = entry;
    const verifier = verifierOf(file);
    if (typeof verifier !== 'string') {
      known.set(file, { ...entry, verifier });
      unreadableSince.delete(file);
    } else if (verifier === 'unreadable' || known.has(file)) {
      unreadableSince.set(file, unreadableSince.get(file) ?? now());
      onUnreadable(file);
    }
  };
  const find = (keyId: string) => {
    const holder = holderOf(keyId);
    if (holder || now() - readAt < againAfterMs) return holder;
    readAt = now();
    for (const entry of files) readAgain(entry);
    return holderOf(keyId);
  };
  const senderFrom = ({ role, cluster }: Holder, keyId: string): Sender => {
    return { role, keyId, ...(cluster !== undefined && { cluster }) };
  };
  return {
    senderOf: (signed) => {
      const holder = find(signed.keyId);
      return holder?.verifier.verify(signed) ? senderFrom(holder, signed.keyId) : undefined;
    },
    senderOfAsync: async (signed) => {
      const holder = find(signed.keyId);
      return (await holder?.verifier.verifyAsync(signed)) && holder ? senderFrom(holder, signed.keyId) : undefined;
    },
    isUnsureOf: (keyId) => !find(keyId) && [...unreadableSince.values()].some((since) => now() - since < momentMs),
  };
}

/** Returns the configured files that cannot be read or hold no public key. Until they do, they add no trust beyond what they held before. */
export function unreadableTrust(config: TrustConfig): readonly string[] {
  return filesOf(config).flatMap(({ file }) => (typeof verifierOf(file) === 'string' ? [file] : []));
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

/** `missing`: apparently not created yet, which is no problem. */
function verifierOf(file: string): AsyncVerifier | 'missing' | 'unreadable' {
  try {
    return createVerifier({ publicKeys: [readFileSync(file, 'utf8')] });
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'missing' : 'unreadable';
  }
}

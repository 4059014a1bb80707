import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { type KeyFinderFunc, type TrustMaterial, toTrustMaterial } from '@sigstore/verify';

/** Who is trusted for some repositories, as configured, with the content of the files. */
export interface TrustRule {
  /** `registry.example.com/shop/cart`, or `registry.example.com/shop/*` for everything below. */
  readonly repositories: readonly string[];
  readonly keys: readonly { readonly name: string; readonly pem: string }[];
  readonly keyless: readonly { readonly issuer: string; readonly identity: string }[];
  /** The JSON of a sigstore trusted root: authorities, logs, timestamp authorities. */
  readonly trustedRoot?: string;
  /** Predicate types of attestations that also count as a signature. */
  readonly predicateTypes: readonly string[];
}

interface TrustedKey {
  /** Display name: `cosign.pub`. */
  readonly name: string;
  readonly key: KeyObject;
}

/** A rule with parsed keys. */
export interface SignatureTrust {
  readonly keys: readonly TrustedKey[];
  readonly keyless: TrustRule['keyless'];
  readonly root?: TrustMaterial;
  readonly predicateTypes: readonly string[];
}

/** @throws whatever node or the library throws for an invalid key or root: the configuration was checked with `whyNoKey` and `whyNoRoot`. */
export function readTrust({ keys, keyless, trustedRoot, predicateTypes }: TrustRule): SignatureTrust {
  return {
    keys: keys.map(({ name, pem }) => ({ name, key: createPublicKey(pem) })),
    keyless,
    ...(trustedRoot !== undefined && { root: rootIn(trustedRoot) }),
    predicateTypes,
  };
}

/** The first rule that matches a repository, by its full name. */
export function ruleFor(rules: readonly TrustRule[], repository: string): TrustRule | undefined {
  return rules.find(({ repositories }) =>
    repositories.some((one) => (one.endsWith('/*') ? repository.startsWith(one.slice(0, -1)) : one === repository)),
  );
}

/** Why a text is not a public key that cosign can use; undefined if it is one. */
export function whyNoKey(pem: string): string | undefined {
  if (pem.includes('PRIVATE')) return 'a private key: write its public half there instead';
  try {
    const { asymmetricKeyType: type } = createPublicKey(pem);
    return type === 'ec' || type === 'rsa' || type === 'ed25519' ? undefined : `a key of the type ${type ?? 'unknown'}`;
  } catch {
    return 'not a public key in PEM';
  }
}

/** Why a text is not a trusted root; undefined if it is one. */
export function whyNoRoot(json: string): string | undefined {
  try {
    const { certificateAuthorities, tlogs } = rootIn(json);
    return certificateAuthorities.length + tlogs.length > 0 ? undefined : 'it has neither an authority nor a log';
  } catch {
    return 'not the JSON of a sigstore trusted root';
  }
}

function rootIn(json: string): TrustMaterial {
  return toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(json)), noKey);
}

const noKey: KeyFinderFunc = () => {
  throw new TypeError('this root is for certificates');
};

/** Only one key, and the logs of the root if there is one. */
export function materialOfKey({ key }: TrustedKey, root: TrustMaterial | undefined): TrustMaterial {
  return {
    certificateAuthorities: [],
    ctlogs: [],
    timestampAuthorities: root?.timestampAuthorities ?? [],
    tlogs: root?.tlogs ?? [],
    publicKey: () => ({ publicKey: key, validFor: () => true }),
  };
}

/** Short enough to be read, long enough to be compared. */
export function keyText({ name, key }: TrustedKey): string {
  const hash = createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex');
  return `the key ${name} (${hash.slice(0, 12)})`;
}

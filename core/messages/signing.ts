import { sha256Hex } from '../text/digest.ts';

/**
 * Signs bytes: with an Ed25519 key from a file, or by a key service that does not release its key. Signed data begins with a domain prefix
 * (`firebreak.vote.v1\n` and the like), so that a signature for one purpose is never accepted for another.
 */
export interface Signer {
  /** The first 16 hex digits of the SHA-256 of the public key's SPKI. */
  readonly keyId: string;
  /** Ed25519, base64. */
  sign(bytes: Uint8Array): Promise<string>;
}

/** A public key, as it is distributed. */
export interface PublicKey {
  readonly keyId: string;
  /** SPKI in PEM. */
  readonly pem: string;
}

/** Knows the public keys that are trusted for one purpose. */
export interface SignatureVerifier {
  readonly keyIds: readonly string[];
  /** False for an unknown key id, a malformed or a wrong signature. Never throws. */
  verify(signed: SignedBytes): boolean;
}

/** A verifier that can also work off this thread, for many signatures at a time. */
export interface AsyncVerifier extends SignatureVerifier {
  /** Never rejects. */
  verifyAsync(signed: SignedBytes): Promise<boolean>;
}

/** Bytes with their claimed signature. */
export interface SignedBytes {
  readonly keyId: string;
  readonly bytes: Uint8Array;
  /** Base64. */
  readonly signature: string;
}

/** The id of a public key, from its SPKI in DER. */
export function keyIdOf(spki: Uint8Array): string {
  return sha256Hex(spki).slice(0, 16);
}

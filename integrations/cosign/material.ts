/**
 * One signature or attestation as a registry has it, before anything of it is believed. Both of cosign's formats become the same: a sigstore
 * bundle (https://docs.sigstore.dev/about/bundle), and, where it signs other bytes than its own, those bytes.
 */
export type Material =
  | {
      readonly kind: 'bundle';
      /** The JSON of a bundle, not looked into yet. */
      readonly bundle: unknown;
      /** The simple signing payload that it signs; absent where the signed statement is in the bundle itself. */
      readonly payload?: Buffer;
    }
  /** There is something, and nobody here can read it. */
  | { readonly kind: 'unreadable'; readonly why: string };

/** All that was found of a digest. `all` is false where there is more than is looked at. */
export interface FoundMaterial {
  readonly material: readonly Material[];
  readonly all: boolean;
}

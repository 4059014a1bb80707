/**
 * One signature or attestation as a registry returns it, before anything in it is trusted. Both of cosign's formats are converted to the same form: a sigstore
 * bundle (https://docs.sigstore.dev/about/bundle), and, if it signs bytes outside the bundle, those bytes.
 */
export type Material =
  | {
      readonly kind: 'bundle';
      /** The JSON of a bundle, not parsed yet. */
      readonly bundle: unknown;
      /** The simple signing payload that it signs; absent if the bundle itself contains the signed statement. */
      readonly payload?: Buffer;
    }
  /** There is something that cannot be read here. */
  | { readonly kind: 'unreadable'; readonly why: string };

/** Everything found for a digest. `all` is false if there is more than is examined. */
export interface FoundMaterial {
  readonly material: readonly Material[];
  readonly all: boolean;
}

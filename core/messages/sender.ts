/** What signs with a key of its own: the parts of Firebreak that speak to one another. */
export const signingRoles = ['cell', 'secrets', 'forensics', 'desk'] as const;
export type SigningRole = (typeof signingRoles)[number];

/** Whose signature it is, as whoever reads it has found by the keys that it trusts; never what a message says of itself. */
export interface Sender {
  readonly role: SigningRole;
  readonly keyId: string;
  /** Of a cell or a pool: the one cluster that it may speak for. */
  readonly cluster?: string;
}

/** Knows whose keys are trusted. */
export interface Trust {
  /** Undefined for a key that nobody trusted has, and for a malformed or wrong signature. Never throws. */
  senderOf(signed: { readonly keyId: string; readonly bytes: Uint8Array; readonly signature: string }): Sender | undefined;
}

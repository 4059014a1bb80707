/** Values of a Secret by key, decoded. They stay in the activity that reads them: in no plan, output, error or log. */
export type SecretValues = Readonly<Record<string, string>>;

/** One credential as a Secret holds it. */
export interface Credential {
  readonly values: SecretValues;
  /** What the provider calls it, where it lends it for a time. Not secret: it is kept in an annotation. */
  readonly lease?: string;
}

/**
 * Where a credential is valid: a database, a vault. A value that is new in a Secret only is worth nothing while the provider takes the
 * old one. Every call may come again after a crash, and then changes nothing more. Errors hold no value.
 */
export interface RotationProvider {
  /** What it is, as plans and errors name it: `PostgreSQL, roles shop_a and shop_b`. */
  readonly title: string;
  /** Keys of the Secret that get new values; all others are copied. */
  readonly keys: readonly string[];
  /** Whether the old credential is still valid while its users roll; else they are refused from the new one's beginning until they have rolled. */
  readonly overlaps: boolean;
  /** Whether it can end the old one before there is a new one. */
  readonly endsFirst: boolean;
  /** Why the old credential is not one of this provider's, from its values alone; undefined where it may be. */
  whyNot(old: Credential): string | undefined;
  /** Why the old credential cannot be rotated as things stand at the provider now; undefined where it can. Asked before this step has kept a new one. */
  whyNotNow?(
    old: Credential,
    asked: { readonly step: string; readonly revokeFirst: boolean; readonly signal: AbortSignal },
  ): Promise<string | undefined>;
  /**
   * Makes a credential in the place of the old one. One that is made and never kept must be ended: by the next `fresh`, or by `revoke`.
   * `step`: the same whenever this step is tried again, 32 letters and digits.
   */
  fresh(old: Credential, signal: AbortSignal, step: string): Promise<Credential>;
  /** From here on the new one is valid. */
  activate(both: { readonly old: Credential; readonly next: Credential }, signal: AbortSignal): Promise<void>;
  /** Whether it is valid now; undefined where that cannot be tried. */
  accepts(credential: Credential, signal: AbortSignal): Promise<boolean | undefined>;
  /** Ends the old one, and what is open under it. Without `next`: before there is a new one, where it can. */
  revoke(both: { readonly old: Credential; readonly next?: Credential }, signal: AbortSignal): Promise<void>;
  /** Whether the old one has ended; undefined where that cannot be tried. */
  ended(both: { readonly old: Credential; readonly next: Credential }, signal: AbortSignal): Promise<boolean | undefined>;
}

/** Which Secret is of which provider. From the configuration: nothing that can be written in a namespace chooses it. */
export interface RotationRule {
  readonly namespace: string;
  /** Its first name; its successors are meant too. */
  readonly secret: string;
  readonly provider: RotationProvider;
  /** Keys whose values the provider also puts where an ExternalSecret reads them; absent where it puts none there. */
  readonly stored?: readonly string[];
}

const successorSuffix = /-fb[0-9a-f]{10}$/;

/** The name that a Secret had before it was ever rotated. */
export function firstName(secret: string): string {
  return secret.replace(successorSuffix, '');
}

export function ruleFor(rules: readonly RotationRule[], namespace: string, secret: string): RotationRule | undefined {
  return rules.find((rule) => rule.namespace === namespace && rule.secret === firstName(secret));
}

/** Values of a Secret by key, decoded. They stay in the activity that reads them: never in a plan, output, error or log. */
export type SecretValues = Readonly<Record<string, string>>;

/** One credential as a Secret holds it. */
export interface Credential {
  readonly values: SecretValues;
  /** The provider's name for it, if it is lent for a time. Not secret: it is kept in an annotation. */
  readonly lease?: string;
}

/**
 * Where a credential is valid: a database, a vault. A value that is new only in a Secret is worthless while the provider accepts the old one. Every call may be
 * repeated after a crash, and must then change nothing more. Errors contain no values.
 */
export interface RotationProvider {
  /** Name in plans and errors: `PostgreSQL, roles shop_a and shop_b`. */
  readonly title: string;
  /** Keys of the Secret that get new values; all others are copied. */
  readonly keys: readonly string[];
  /** Whether the old credential is still valid while its users roll; otherwise they are refused from the start of the new one until they have rolled. */
  readonly overlaps: boolean;
  /** Whether it can revoke the old one before there is a new one. */
  readonly endsFirst: boolean;
  /** Why the old credential does not belong to this provider, from its values alone; undefined if it may. */
  whyNot(old: Credential): string | undefined;
  /** Why the old credential cannot currently be rotated at the provider; undefined if it can. Called before this step has stored a new one. */
  whyNotNow?(
    old: Credential,
    asked: { readonly step: string; readonly revokeFirst: boolean; readonly signal: AbortSignal },
  ): Promise<string | undefined>;
  /**
   * Creates a credential to replace the old one. One that is created but never kept must be revoked: by the next `fresh`, or by `revoke`. `step`: the same on
   * every attempt of this step, 32 letters and digits.
   */
  fresh(old: Credential, signal: AbortSignal, step: string): Promise<Credential>;
  /** Makes the new one valid. */
  activate(both: { readonly old: Credential; readonly next: Credential }, signal: AbortSignal): Promise<void>;
  /** Whether it is valid now; undefined if that cannot be tested. */
  accepts(credential: Credential, signal: AbortSignal): Promise<boolean | undefined>;
  /** Revokes the old one, and ends what is open under it. Without `next`: before there is a new one, if supported. */
  revoke(both: { readonly old: Credential; readonly next?: Credential }, signal: AbortSignal): Promise<void>;
  /** Whether the old one has ended; undefined if that cannot be tested. */
  ended(both: { readonly old: Credential; readonly next: Credential }, signal: AbortSignal): Promise<boolean | undefined>;
}

/** Which Secret belongs to which provider. From the configuration: nothing that can be written in a namespace affects it. */
export interface RotationRule {
  readonly namespace: string;
  /** Its original name; includes its successors. */
  readonly secret: string;
  readonly provider: RotationProvider;
  /** Keys whose values the provider also stores where an ExternalSecret reads them; absent if there are none. */
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

import type { SignedBytes } from './signing.ts';

/** The parts of Firebreak that sign with keys of their own and talk to one another. */
export const signingRoles = ['cell', 'secrets', 'forensics', 'packs', 'desk'] as const;
export type SigningRole = (typeof signingRoles)[number];

/** Who signed, as the reader determined from the keys that it trusts; never what a message says about itself. */
export interface Sender {
  readonly role: SigningRole;
  readonly keyId: string;
  /** For a cell or a pool: the one cluster that it may speak for. */
  readonly cluster?: string;
}

/** How a run judges a payload, permanently: its sender, `nobody` if no key trusted at the first reading fitted, or `unopenable`. */
export type JudgedAs = Sender | 'nobody' | 'unopenable';

/**
 * Remembers how payloads were judged. A replayed run must get the same results even if other keys are trusted by then: what counted still counts in this run,
 * what did not count still does not. The cell keeps this, because Temporal cannot be trusted with it.
 */
export interface Judgements {
  /** The judgements of one payload of a workflow, by the run (`runBinding`) that made them. */
  of(workflow: string, digest: string): Readonly<Record<string, JudgedAs>>;
  found(judgement: Judgement & { readonly workflow: string }): void;
}

/** How a run judged a payload when it first met it. */
export interface Judgement {
  readonly run: string;
  /** Digest of the payload as Temporal has it. */
  readonly digest: string;
  readonly judged: JudgedAs;
}

/** Knows whose keys are trusted. */
export interface Trust {
  /** Undefined for a key that no trusted sender has, and for a malformed or wrong signature. Never throws. */
  senderOf(signed: SignedBytes): Sender | undefined;
  /** The same, off this thread. Never rejects. Absent: not supported. */
  senderOfAsync?(signed: SignedBytes): Promise<Sender | undefined>;
  /** Whether the key may be trusted, but this cannot be determined at the moment: what a run refuses, it refuses for good. Absent: never. */
  isUnsureOf?(keyId: string): boolean;
}

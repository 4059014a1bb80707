import type { SignedBytes } from './signing.ts';

/** What signs with a key of its own: the parts of Firebreak that speak to one another. */
export const signingRoles = ['cell', 'secrets', 'forensics', 'packs', 'desk'] as const;
export type SigningRole = (typeof signingRoles)[number];

/** Whose signature it is, as whoever reads it has found by the keys that it trusts; never what a message says of itself. */
export interface Sender {
  readonly role: SigningRole;
  readonly keyId: string;
  /** Of a cell or a pool: the one cluster that it may speak for. */
  readonly cluster?: string;
}

/**
 * Whose word a payload counts as in one run, for good: its sender, `nobody` where no key fitted that was trusted when the run first met it, or
 * `unopenable`.
 */
export type JudgedAs = Sender | 'nobody' | 'unopenable';

/**
 * Remembers what payloads counted as. A run that is read again from its history must come out the same, also when other keys are trusted by then: what counted
 * goes on counting in this run, what did not count does not. It is kept by the cell, since Temporal's word for it is worth nothing.
 */
export interface Judgements {
  /** Of one payload of a workflow: as what each run (`runBinding`) that has met it judged it. */
  of(workflow: string, digest: string): Readonly<Record<string, JudgedAs>>;
  found(judgement: Judgement & { readonly workflow: string }): void;
}

/** What a run made of a payload when it first met it. */
export interface Judgement {
  readonly run: string;
  /** Of the payload as Temporal has it. */
  readonly digest: string;
  readonly judged: JudgedAs;
}

/** Knows whose keys are trusted. */
export interface Trust {
  /** Undefined for a key that nobody trusted has, and for a malformed or wrong signature. Never throws. */
  senderOf(signed: SignedBytes): Sender | undefined;
  /** The same, beside this thread. Never rejects. Absent: it cannot. */
  senderOfAsync?(signed: SignedBytes): Promise<Sender | undefined>;
  /** Whether the key may be one that is trusted, which cannot be told for the moment: what a run refuses it refuses for good. Absent: never. */
  isUnsureOf?(keyId: string): boolean;
}

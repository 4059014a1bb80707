import type { QuestionCard, StoredButton } from '../cards/card.ts';
import type { FormAnswers } from './form.ts';

/** An answer that waits for its person to sign in: what was clicked, and what the page shows about it. */
export interface PendingSignIn {
  /** Random, and the only content of the link. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly openedAt: number;
  /** Roster id of the person who clicked: only this person's sign-in counts. */
  readonly person: string;
  readonly click: {
    readonly clickId: string;
    readonly slackUser: string;
    /** Set if it was answered on the desk's page, not in Slack: the roster id of the person as they claim. */
    readonly onPage?: string;
    /** The path of this desk to which the browser returns once the answer is given. */
    readonly back?: string;
    readonly channel: string;
    readonly button: StoredButton;
    readonly reason?: string;
    readonly answers?: FormAnswers;
    /** Set if it is not a vote, but ends this restraint. The button then stands for the order. */
    readonly ends?: string;
  };
  readonly shown: Pick<QuestionCard, 'text'> & {
    readonly incident: string;
    readonly choice: Pick<QuestionCard['choices'][number], 'label' | 'changes' | 'blastRadius' | 'notes'>;
  };
  /** Set once the browser has gone to the identity provider. */
  readonly begun?: {
    readonly state: string;
    readonly verifier: string;
    /** SHA-256 of the cookie of the browser that began. */
    readonly browser: string;
  };
  /** Milliseconds since 1970. It has become a vote. */
  readonly spentAt?: number;
}

/** The desk's storage of pending sign-ins, so that a restart in between does not lose anybody's answer. */
export interface SignInStore {
  /** Idempotent by id. Entries older than an hour are deleted. */
  save(pending: PendingSignIn): Promise<void>;
  find(id: string): Promise<PendingSignIn | undefined>;
  findByState(state: string): Promise<PendingSignIn | undefined>;
}

import type { QuestionCard, StoredButton } from '../cards/card.ts';
import type { FormAnswers } from './form.ts';

/** An answer that waits for its person to sign in: what was clicked, and what the page shows of it. */
export interface PendingSignIn {
  /** Random, and the only thing that the link carries. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly openedAt: number;
  /** The roster's id of who clicked: only this person's sign-in counts. */
  readonly person: string;
  readonly click: {
    readonly clickId: string;
    readonly slackUser: string;
    /** It was answered on the desk's page, by this person of the roster as they say; not in Slack. */
    readonly onPage?: string;
    /** The path of this desk that the browser comes back to once the answer is given. */
    readonly back?: string;
    readonly channel: string;
    readonly button: StoredButton;
    readonly reason?: string;
    readonly answers?: FormAnswers;
    /** It is no vote: it ends this restraint. The button then stands for the order. */
    readonly ends?: string;
  };
  readonly shown: Pick<QuestionCard, 'text'> & {
    readonly incident: string;
    readonly choice: Pick<QuestionCard['choices'][number], 'label' | 'changes' | 'blastRadius' | 'notes'>;
  };
  /** Once the browser has gone to the identity provider. */
  readonly begun?: {
    readonly state: string;
    readonly verifier: string;
    /** SHA-256 of the cookie of the browser that began. */
    readonly browser: string;
  };
  /** Milliseconds since 1970. It has become a vote. */
  readonly spentAt?: number;
}

/** The desk's memory of them, so that a restart in between costs nobody their answer. */
export interface SignInStore {
  /** Idempotent by id. Those of an hour ago are forgotten. */
  save(pending: PendingSignIn): Promise<void>;
  find(id: string): Promise<PendingSignIn | undefined>;
  findByState(state: string): Promise<PendingSignIn | undefined>;
}

import type { Suppressible } from '../alert/suppressible.ts';
import type { ReplyStore } from '../incident/click-reply.ts';
import type { IncidentRef } from '../incident/incident.ts';
import type { UnansweredStore } from '../incident/unanswered.ts';
import type { StartMode } from '../orders/incident-order.ts';
import type { RestraintMode } from '../orders/restraint.ts';
import type { MessageRef, QuestionCard, ShownCard, StoredButton } from './card.ts';
import type { GroupAsk, GroupStore } from './card-group.ts';

/** A dialog opened for one person. The dialog itself carries only `modalId`, which is random. */
export interface OpenModal {
  readonly modalId: string;
  /** Button of a card. Absent: a typed command opened it. */
  readonly buttonId?: string;
  /** Who opened it: nobody else may submit it. */
  readonly slackUser: string;
  readonly channel: string;
  readonly messageTs?: string;
  /** Slack's id of the view; undefined if Slack's answer was lost. */
  readonly viewId?: string;
  /** Milliseconds since 1970. */
  readonly openedAt: number;
  /** What can be ordered in it is chosen from this. */
  readonly draft?: OrderDraft;
  /** The questions that it answers, if they belong to a group. */
  readonly asks?: GroupAsk;
  /** Milliseconds since 1970. It was submitted, and is not accepted again. */
  readonly sentAt?: number;
}

/** What a suppression may be proposed for, as known when the dialog was opened. */
export interface SuppressionDraft extends Suppressible {
  readonly incident: IncidentRef & { readonly title: string; readonly cluster: string };
  /** The name of the person who proposes it and is responsible for it. */
  readonly owner: string;
}

/** A freeze, an observe mode or a break-glass that the person for whom the dialog was opened may propose. */
export interface RestraintDraft {
  readonly mode: RestraintMode;
  readonly cluster: string;
  readonly playbooks: readonly { readonly id: string; readonly title: string }[];
  readonly owner: string;
  /** The incident for a break-glass, if it was already typed. */
  readonly incident?: string;
}

/** An incident that the person for whom the dialog was opened may start. */
export interface IncidentDraft {
  readonly wish: StartMode;
  readonly cluster: string;
  readonly owner: string;
  /** `namespace/name`, if it was already given. */
  readonly pod?: string;
  /** The message that it is started from, as it was then. */
  readonly message?: MessageRef & { readonly text: string };
}

/** The answer to a lease's standing question, which has no card: its dialog shows what a button's dialog would show. */
export interface LeaseDraft {
  readonly button: StoredButton;
  readonly card: Pick<QuestionCard, 'text' | 'incident' | 'votes'>;
  readonly choice: QuestionCard['choices'][number];
  /** The reason, if it was already typed. */
  readonly typed?: string;
}

/** What a dialog that no card opened may order: its choices are stored here, and never read from what Slack sends. */
export type OrderDraft = SuppressionDraft | RestraintDraft | IncidentDraft | LeaseDraft;

/** The desk's durable storage of what it posted: in the same database as the audit store. */
export interface CardStore extends GroupStore, UnansweredStore, ReplyStore {
  /** Idempotent by question id. */
  saveButtons(buttons: readonly StoredButton[]): Promise<void>;
  /** Saves new buttons in the place of those of the same choices: whoever clicks on an earlier one has not seen what is asked now. */
  replaceButtons(buttons: readonly StoredButton[]): Promise<void>;
  button(buttonId: string): Promise<StoredButton | undefined>;
  buttonsOf(question: string): Promise<readonly StoredButton[]>;
  /** Stores where a question's card, or an incident's thread (key `thread:ID@RUN`), is. */
  saveMessage(key: string, message: MessageRef): Promise<void>;
  message(key: string): Promise<MessageRef | undefined>;
  /** Deletes the entry of a message that is no longer there. */
  forgetMessage(key: string): Promise<void>;
  /** By the card's question. */
  saveCard(shown: ShownCard): Promise<void>;
  card(question: string): Promise<ShownCard | undefined>;
  /** Returns the cards of open questions, as last shown; at most 1 000. */
  openCards(): Promise<readonly ShownCard[]>;
  /** Idempotent by modal id. Dialogs of another day are deleted. */
  saveModal(modal: OpenModal): Promise<void>;
  modal(modalId: string): Promise<OpenModal | undefined>;
}

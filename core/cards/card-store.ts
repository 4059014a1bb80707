import type { Suppressible } from '../alert/suppressible.ts';
import type { ReplyStore } from '../incident/click-reply.ts';
import type { IncidentRef } from '../incident/incident.ts';
import type { UnansweredStore } from '../incident/unanswered.ts';
import type { StartMode } from '../orders/incident-order.ts';
import type { RestraintMode } from '../orders/restraint.ts';
import type { MessageRef, QuestionCard, ShownCard, StoredButton } from './card.ts';
import type { GroupAsk, GroupStore } from './card-group.ts';

/** A dialog that was opened for one person. The dialog itself carries only `modalId`, which is random. */
export interface OpenModal {
  readonly modalId: string;
  /** Of a card. Absent: a typed command opened it. */
  readonly buttonId?: string;
  /** Who opened it: nobody else may submit it. */
  readonly slackUser: string;
  readonly channel: string;
  readonly messageTs?: string;
  /** Slack's id of it; undefined when Slack's answer was lost. */
  readonly viewId?: string;
  /** Milliseconds since 1970. */
  readonly openedAt: number;
  /** What it orders is chosen from this. */
  readonly draft?: OrderDraft;
  /** The questions that it answers, where they are those of a group. */
  readonly asks?: GroupAsk;
  /** Milliseconds since 1970. It has been taken, and is not taken again. */
  readonly sentAt?: number;
}

/** What a suppression may be proposed about, as it was known when the dialog was opened. */
export interface SuppressionDraft extends Suppressible {
  readonly incident: IncidentRef & { readonly title: string; readonly cluster: string };
  /** The name of who proposes it, and answers for it. */
  readonly owner: string;
}

/** A freeze, an observe mode or a broken glass, as it may be proposed by whom the dialog was opened for. */
export interface RestraintDraft {
  readonly mode: RestraintMode;
  readonly cluster: string;
  readonly playbooks: readonly { readonly id: string; readonly title: string }[];
  readonly owner: string;
  /** The incident that a broken glass is to be for, as it was typed already. */
  readonly incident?: string;
}

/** An incident that may be started by whom the dialog was opened for. */
export interface IncidentDraft {
  readonly wish: StartMode;
  readonly cluster: string;
  readonly owner: string;
  /** `namespace/name`, where it was said already. */
  readonly pod?: string;
  /** The message that it is started from, as it was then. */
  readonly message?: MessageRef & { readonly text: string };
}

/** The answer to a lease's standing question, which has no card: its dialog shows what that of a button would. */
export interface LeaseDraft {
  readonly button: StoredButton;
  readonly card: Pick<QuestionCard, 'text' | 'incident' | 'votes'>;
  readonly choice: QuestionCard['choices'][number];
  /** The reason, where it was typed already. */
  readonly typed?: string;
}

/** What a dialog may order that no card opened: what can be chosen in it is remembered here, and never read from what Slack sends. */
export type OrderDraft = SuppressionDraft | RestraintDraft | IncidentDraft | LeaseDraft;

/** The desk's durable memory of what it posted: in the same database as the audit store. */
export interface CardStore extends GroupStore, UnansweredStore, ReplyStore {
  /** Idempotent by question id. */
  saveButtons(buttons: readonly StoredButton[]): Promise<void>;
  button(buttonId: string): Promise<StoredButton | undefined>;
  buttonsOf(question: string): Promise<readonly StoredButton[]>;
  /** Where a question's card, or an incident's thread (key `thread:ID@RUN`), is. */
  saveMessage(key: string, message: MessageRef): Promise<void>;
  message(key: string): Promise<MessageRef | undefined>;
  /** It is no longer there. */
  forgetMessage(key: string): Promise<void>;
  /** By the card's question. */
  saveCard(shown: ShownCard): Promise<void>;
  card(question: string): Promise<ShownCard | undefined>;
  /** Those of open questions, as they were last shown; at most 200. */
  openCards(): Promise<readonly ShownCard[]>;
  /** Idempotent by modal id. Those of another day are forgotten. */
  saveModal(modal: OpenModal): Promise<void>;
  modal(modalId: string): Promise<OpenModal | undefined>;
}

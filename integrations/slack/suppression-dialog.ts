import type { RespondFn } from '@slack/bolt';
import type { SuppressionDraft } from '../../core/card.ts';
import { redactSecrets } from '../../core/redact.ts';
import type { Dialogs, Opening } from './dialogs.ts';
import { type Arrived, codeOf, type Told } from './door.ts';
import type { DraftSubmission } from './submission.ts';
import { type FilledProposal, proposalIn, suppressionView } from './suppression-view.ts';

/** What a person has proposed to hide, in a dialog that they opened. */
export interface SlackProposal extends FilledProposal {
  /** The same however often the dialog is sent off. */
  readonly dialogId: string;
  readonly slackUser: string;
  readonly draft: SuppressionDraft;
}

export interface SuppressionDialogParts {
  readonly dialogs: Dialogs;
  /** Its answer is for who proposes, once it is known what has become of it. */
  readonly onProposal: (proposal: SlackProposal) => Promise<{ readonly text: string }>;
  readonly log: (message: string, facts: Readonly<Record<string, string>>) => void;
  readonly now: () => number;
}

/** The dialog that proposes a suppression. What it may be about is remembered with it, and never read from what Slack sends. */
export class SuppressionDialog {
  readonly #parts: SuppressionDialogParts;

  constructor(parts: SuppressionDialogParts) {
    this.#parts = parts;
  }

  /**
   * `rule`: of the card that it was opened from.
   * @throws FB_ERR_UNAVAILABLE, FB_ERR_REFUSED.
   */
  open(opening: Opening, respond: RespondFn | undefined, draft: SuppressionDraft, rule?: string): Promise<void> {
    const { dialogs, now } = this.#parts;
    return dialogs.open(opening, respond, (modalId) => suppressionView({ draft, modalId, now: now(), rule }), draft);
  }

  /** What is wrong in it is told in the dialog, which stays; what is right is taken once. Says what to tell who sent it off. */
  async take({ modal, draft, typed }: DraftSubmission, ack: Arrived['ack']): Promise<Told | undefined> {
    const { dialogs, onProposal, log, now } = this.#parts;
    const { modalId: dialogId, slackUser: user, channel } = modal;
    const read = proposalIn(typed, draft, now());
    if (!read.ok) {
      await ack({ response_action: 'errors', errors: read.errors });
      return undefined;
    }
    await dialogs.spend(modal);
    await ack();
    const { filled } = read;
    const reason = redactSecrets(filled.reason);
    const { text } = await onProposal({ ...filled, reason, dialogId, slackUser: user, draft }).catch((error: unknown) => {
      log('proposal not handled', { error: codeOf(error) });
      return { text: `Your proposal was perhaps not recorded (${codeOf(error)}). If no card appears, open the dialog again.` };
    });
    return { channel, user, text };
  }
}

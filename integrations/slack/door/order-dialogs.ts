import type { RespondFn } from '@slack/bolt';
import type { ModalView } from '@slack/types';
import type { IncidentDraft, MessageRef, OrderDraft, RestraintDraft, SuppressionDraft } from '../../../core/cards/card.ts';
import { reasonToSign } from '../../../core/text/reason.ts';
import { type FilledIncident, incidentIn, incidentView } from '../views/incident-view.ts';
import type { Read } from '../views/order-inputs.ts';
import { type FilledRestraint, restraintIn, restraintView } from '../views/restraint-view.ts';
import { type FilledProposal, proposalIn, suppressionView } from '../views/suppression-view.ts';
import type { Dialogs, Opening } from './dialogs.ts';
import { type Arrived, codeOf, type Told } from './door.ts';
import type { DraftSubmission } from './submission.ts';

interface Sent<Draft> {
  /** The same however often the dialog is sent off. */
  readonly dialogId: string;
  readonly slackUser: string;
  readonly draft: Draft;
}

/** What a person has proposed to hide, in a dialog that they opened. */
export type SlackProposal = Sent<SuppressionDraft> & FilledProposal;
/** A freeze or an observe mode that a person has proposed. */
export type SlackRestraint = Sent<RestraintDraft> & FilledRestraint;
/** An incident that a person starts; `link` leads to the message that they started it from. */
export type SlackIncident = Sent<IncidentDraft> & FilledIncident & { readonly link?: string };

/** What is done with what was ordered. The answer is for who ordered it, once it is known what has become of it. */
export interface OrderHandlers {
  readonly onProposal: (proposal: SlackProposal) => Promise<{ readonly text: string }>;
  readonly onRestraint: (restraint: SlackRestraint) => Promise<{ readonly text: string }>;
  /** `announce`: for everybody, under the message that it was started from. */
  readonly onIncident: (incident: SlackIncident) => Promise<{ readonly text: string; readonly announce?: string }>;
}

export interface OrderDialogsParts extends OrderHandlers {
  readonly dialogs: Dialogs;
  readonly permalink: (message: MessageRef) => Promise<string | undefined>;
  /** Says it under the message, where the app may. Never rejects. */
  readonly announce: (under: MessageRef, text: string, key: string) => Promise<void>;
  readonly log: (message: string, facts: Readonly<Record<string, string>>) => void;
  readonly now: () => number;
}

/** The dialogs that order something. What it may be about is remembered with each, and never read from what Slack sends. */
export class OrderDialogs {
  readonly #parts: OrderDialogsParts;

  constructor(parts: OrderDialogsParts) {
    this.#parts = parts;
  }

  /**
   * `rule`: of the card that it was opened from.
   * @throws FB_ERR_UNAVAILABLE, FB_ERR_REFUSED.
   */
  open(opening: Opening, respond: RespondFn | undefined, draft: OrderDraft, rule?: string): Promise<void> {
    const { dialogs, now } = this.#parts;
    const view = (modalId: string): ModalView => {
      if ('kinds' in draft) return suppressionView({ draft, modalId, now: now(), rule });
      return 'mode' in draft ? restraintView({ draft, modalId }) : incidentView({ draft, modalId });
    };
    return dialogs.open(opening, respond, view, { draft });
  }

  /** What is wrong in it is told in the dialog, which stays; what is right is taken once. Says what to tell who sent it off. */
  async take({ modal, draft, typed }: DraftSubmission, ack: Arrived['ack']): Promise<Told | undefined> {
    const { dialogs, log } = this.#parts;
    const { modalId: dialogId, slackUser, channel } = modal;
    const read = this.#read({ dialogId, slackUser }, draft, typed);
    if (!read.ok) {
      await ack({ response_action: 'errors', errors: read.errors });
      return undefined;
    }
    await dialogs.spend(modal);
    await ack();
    const { text } = await read.filled().catch((error: unknown) => {
      log('order not handled', { error: codeOf(error) });
      return { text: `Your order was perhaps not recorded (${codeOf(error)}). If no card appears, open the dialog again.` };
    });
    return { channel, user: slackUser, text };
  }

  /** What to do with what was filled in. */
  #read(
    from: Omit<Sent<OrderDraft>, 'draft'>,
    draft: OrderDraft,
    typed: DraftSubmission['typed'],
  ): Read<() => Promise<{ readonly text: string }>> {
    const { onProposal, onRestraint, now } = this.#parts;
    if ('kinds' in draft) {
      const read = proposalIn(typed, draft, now());
      return read.ok ? { ok: true, filled: () => onProposal({ ...from, draft, ...redacted(read.filled) }) } : read;
    }
    if ('mode' in draft) {
      const read = restraintIn(typed, draft, now());
      return read.ok ? { ok: true, filled: () => onRestraint({ ...from, draft, ...redacted(read.filled) }) } : read;
    }
    const read = incidentIn(typed);
    return read.ok ? { ok: true, filled: () => this.#start({ ...from, draft, ...redacted(read.filled) }) } : read;
  }

  async #start(incident: SlackIncident): Promise<{ readonly text: string }> {
    const { onIncident, permalink, announce } = this.#parts;
    const { message } = incident.draft;
    const link = message && (await permalink(message));
    const answer = await onIncident({ ...incident, ...(link === undefined ? {} : { link }) });
    // Who ordered it hears of it at once, however full the channel is.
    if (message && answer.announce !== undefined) void announce(message, answer.announce, `started:${incident.dialogId}`);
    return answer;
  }
}

function redacted<Filled extends { readonly reason: string }>(filled: Filled): Filled {
  return { ...filled, reason: reasonToSign(filled.reason) };
}

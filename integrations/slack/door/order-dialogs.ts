import type { RespondFn } from '@slack/bolt';
import type { ModalView } from '@slack/types';
import type { MessageRef } from '../../../core/cards/card.ts';
import type { IncidentDraft, LeaseDraft, OrderDraft, RestraintDraft, SuppressionDraft } from '../../../core/cards/card-store.ts';
import { codeOf } from '../../../core/errors.ts';
import { reasonToSign } from '../../../core/text/reason.ts';
import { decisionView, filledIn } from '../views/decision-view.ts';
import { type FilledIncident, incidentIn, incidentView } from '../views/incident-view.ts';
import type { FormResult } from '../views/order-inputs.ts';
import { type FilledRestraint, restraintIn, restraintView } from '../views/restraint-view.ts';
import { type FilledProposal, proposalIn, suppressionView } from '../views/suppression-view.ts';
import type { Arrived, EphemeralAnswer, LinkAnswer } from './arrived.ts';
import type { Dialogs, Opening } from './dialogs.ts';
import type { DraftSubmission } from './submission.ts';

interface Sent<Draft> {
  /** Stays the same however often the dialog is submitted. */
  readonly dialogId: string;
  readonly slackUser: string;
  readonly draft: Draft;
}

/** A person's answer about a lease: a vote, not an order. */
export type SlackLeaseAnswer = { readonly about: 'lease'; readonly channel: string; readonly reason: string } & Sent<LeaseDraft>;

/** A person's order from a dialog that they opened; `link` leads to the message that an incident was started from. */
export type SlackOrder =
  | ({ readonly about: 'suppression' } & Sent<SuppressionDraft> & FilledProposal)
  | ({ readonly about: 'restraint' } & Sent<RestraintDraft> & FilledRestraint)
  | ({ readonly about: 'incident' } & Sent<IncidentDraft> & FilledIncident & { readonly link?: string });

export interface OrderHandlers {
  /**
   * Carries out an order. Returns the answer for the person who ordered, once the outcome is known; `announce` is for everybody, under the message that an
   * incident was started from.
   */
  readonly onOrder: (order: SlackOrder) => Promise<{ readonly text: string; readonly announce?: string }>;
  readonly onLease: (answer: SlackLeaseAnswer) => Promise<LinkAnswer>;
}

export interface OrderDialogsParts extends OrderHandlers {
  readonly dialogs: Dialogs;
  readonly permalink: (message: MessageRef) => Promise<string | undefined>;
  /** Posts the text under the message, if the app may. Never rejects. */
  readonly announce: (under: MessageRef, text: string, key: string) => Promise<void>;
  readonly log: (message: string, facts: Readonly<Record<string, string>>) => void;
  readonly now: () => number;
}

/** Dialogs that order something. The permitted subject is stored with each dialog, and never read from Slack's request. */
export class OrderDialogs {
  readonly #parts: OrderDialogsParts;

  constructor(parts: OrderDialogsParts) {
    this.#parts = parts;
  }

  /**
   * `rule`: that of the card the dialog was opened from.
   * @throws FB_ERR_UNAVAILABLE, FB_ERR_REFUSED.
   */
  open(opening: Opening, respond: RespondFn | undefined, draft: OrderDraft, rule?: string): Promise<void> {
    const { dialogs, now } = this.#parts;
    const view = (modalId: string): ModalView => {
      if ('kinds' in draft) return suppressionView({ draft, modalId, now: now(), rule });
      if ('button' in draft) return decisionView({ ...draft, modalId, reason: draft.typed });
      return 'mode' in draft ? restraintView({ draft, modalId }) : incidentView({ draft, modalId });
    };
    return dialogs.open(opening, respond, view, { draft });
  }

  /** Shows errors in the dialog, which stays open; accepts a valid submission once. Returns the answer for the person who submitted it. */
  async take({ modal, draft, typed }: DraftSubmission, ack: Arrived['ack']): Promise<EphemeralAnswer | undefined> {
    const { dialogs, log } = this.#parts;
    const { modalId: dialogId, slackUser, channel } = modal;
    const read =
      'button' in draft
        ? leaseIn({ dialogId, slackUser, channel }, draft, typed)
        : orderIn({ dialogId, slackUser }, draft, typed, this.#parts.now());
    if (!read.ok) {
      await ack({ response_action: 'errors', errors: read.errors });
      return undefined;
    }
    await dialogs.spend(modal);
    await ack();
    const told = await this.#take(read.filled).catch((error: unknown): LinkAnswer => {
      log('order not handled', { error: codeOf(error) });
      return { text: `Your order was perhaps not recorded (${codeOf(error)}). If no card appears, open the dialog again.` };
    });
    return { channel, user: slackUser, ...told };
  }

  async #take(sent: SlackOrder | SlackLeaseAnswer): Promise<LinkAnswer> {
    if (sent.about !== 'lease') return { text: (await this.#order(sent)).text };
    return this.#parts.onLease({ ...sent, reason: reasonToSign(sent.reason) });
  }

  async #order(order: SlackOrder): Promise<{ readonly text: string }> {
    const { onOrder, permalink, announce } = this.#parts;
    const message = order.about === 'incident' ? order.draft.message : undefined;
    const link = message && (await permalink(message));
    const answer = await onOrder({ ...order, reason: reasonToSign(order.reason), ...(link === undefined ? {} : { link }) });
    // The person who ordered gets the answer at once, however busy the channel is.
    if (message && answer.announce !== undefined) void announce(message, answer.announce, `started:${order.dialogId}`);
    return answer;
  }
}

/** The same as if a button had opened it. */
function leaseIn(
  from: Omit<SlackLeaseAnswer, 'draft' | 'about' | 'reason'>,
  draft: LeaseDraft,
  typed: DraftSubmission['typed'],
): FormResult<SlackLeaseAnswer> {
  const filled = filledIn(typed, draft.card, draft.choice);
  return filled.ok ? { ok: true, filled: { about: 'lease', ...from, draft, reason: filled.reason ?? '' } } : filled;
}

/** Returns what was filled in, limited to what the dialog offered when it was opened. */
function orderIn(
  from: Omit<Sent<OrderDraft>, 'draft'>,
  draft: Exclude<OrderDraft, LeaseDraft>,
  typed: DraftSubmission['typed'],
  now: number,
): FormResult<SlackOrder> {
  if ('kinds' in draft) {
    const read = proposalIn(typed, draft, now);
    return read.ok ? { ok: true, filled: { about: 'suppression', ...from, draft, ...read.filled } } : read;
  }
  if ('mode' in draft) {
    const read = restraintIn(typed, draft, now);
    return read.ok ? { ok: true, filled: { about: 'restraint', ...from, draft, ...read.filled } } : read;
  }
  const read = incidentIn(typed);
  return read.ok ? { ok: true, filled: { about: 'incident', ...from, draft, ...read.filled } } : read;
}

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { StoredButton } from '../../../core/cards/card.ts';
import type { GroupAsk } from '../../../core/cards/card-group.ts';
import type { CardStore, OpenModal, OrderDraft } from '../../../core/cards/card-store.ts';
import type { ClickRefusal } from '../refusal.ts';
import { type Click, type ClickChecks, notLookedUp } from './click.ts';
import type { SenderChecks } from './sender.ts';

/** The value of one element: typed text, or the option, day or boxes picked. */
const inputState = z.object({
  value: z.string().nullish(),
  selected_option: z.object({ value: z.string() }).nullish(),
  selected_date: z.string().nullish(),
  selected_options: z.array(z.object({ value: z.string() })).nullish(),
});

/** https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload */
const viewSubmission = z.object({
  type: z.literal('view_submission'),
  api_app_id: z.string(),
  team: z.object({ id: z.string() }),
  user: z.object({ id: z.string().min(1), team_id: z.string().optional() }),
  view: z.object({
    id: z.string().min(1),
    app_id: z.string().optional(),
    private_metadata: z.string(),
    state: z.object({
      values: z.record(z.string(), z.record(z.string(), inputState)),
    }),
  }),
});

type ViewSubmission = z.infer<typeof viewSubmission>;

/** One submitted dialog; the typed values are not validated yet. */
export interface Submission {
  readonly modal: OpenModal;
  readonly click: Click;
  /** Typed or picked values by block, truncated and trimmed. */
  readonly typed: Readonly<Record<string, string>>;
}

/** A dialog that orders something: it answers no question, and may have been opened without a card. */
export interface DraftSubmission extends Pick<Submission, 'modal' | 'typed'> {
  readonly draft: OrderDraft;
}

/** A dialog that answers several questions. */
export interface GroupSubmission extends Pick<Submission, 'modal' | 'typed'> {
  readonly asks: GroupAsk;
}

type CheckedSubmission =
  | { readonly ok: true; readonly submission: Submission | DraftSubmission | GroupSubmission }
  | {
      readonly ok: false;
      readonly refusal: ClickRefusal;
      readonly replyTo?: { readonly channel: string; readonly user: string };
    };

const openForMs = 3_600_000;
const longestTyped = 3_000;

/** The same checks as for a click, for submitted dialogs: only the person who opened a dialog may submit it, while its card is unchanged. */
export class SubmissionChecks {
  readonly #cards: CardStore;
  readonly #sender: SenderChecks;
  readonly #clicks: ClickChecks;
  readonly #now: () => number;

  constructor(options: {
    readonly cards: CardStore;
    readonly sender: SenderChecks;
    readonly clicks: ClickChecks;
    readonly now: () => number;
  }) {
    this.#cards = options.cards;
    this.#sender = options.sender;
    this.#clicks = options.clicks;
    this.#now = options.now;
  }

  async check(body: unknown): Promise<CheckedSubmission> {
    return this.#checked(body).catch((): CheckedSubmission => ({ ok: false, refusal: notLookedUp }));
  }

  async #checked(body: unknown): Promise<CheckedSubmission> {
    const parsed = viewSubmission.safeParse(body);
    if (!parsed.success)
      return { ok: false, refusal: { reason: 'malformed', detail: 'the dialog lacks fields that Slack always sends' } };
    const payload = parsed.data;
    const slackUser = payload.user.id;
    const refusal = this.#sender.address(payload) ?? this.#foreign(payload);
    if (refusal) return { ok: false, refusal: { ...refusal, slackUser } };
    const modal = await this.#cards.modal(payload.view.private_metadata);
    if (modal === undefined) {
      return { ok: false, refusal: { reason: 'unknown_dialog', detail: 'no such dialog was opened', slackUser } };
    }
    const found = await this.#meant(payload, modal);
    if ('reason' in found) {
      return {
        ok: false,
        refusal: { ...found, slackUser, ...(modal.buttonId === undefined ? {} : { buttonId: modal.buttonId }) },
        replyTo: { channel: modal.channel, user: slackUser },
      };
    }
    const typed = typedIn(payload);
    if ('targets' in found) return { ok: true, submission: { modal, asks: found, typed } };
    if (!('buttonId' in found)) return { ok: true, submission: { modal, draft: found, typed } };
    const { channel, messageTs = '' } = modal;
    const click: Click = { clickId: idOf(modal), slackUser, button: found, channel, messageTs };
    return { ok: true, submission: { modal, click, typed } };
  }

  #foreign({ view }: ViewSubmission): ClickRefusal | undefined {
    return view.app_id === undefined || view.app_id === this.#sender.appId
      ? undefined
      : { reason: 'wrong_app', detail: 'the dialog belongs to another app' };
  }

  async #meant({ view, user }: ViewSubmission, modal: OpenModal): Promise<ClickRefusal | StoredButton | OrderDraft | GroupAsk> {
    // Unknown if Slack's answer to the opening was lost: then the random id that only this dialog carries has to suffice.
    if (modal.viewId !== undefined && modal.viewId !== view.id) {
      return { reason: 'unknown_dialog', detail: 'the dialog carries the id of another one' };
    }
    if (user.id !== modal.slackUser) return { reason: 'not_opener', detail: 'somebody else opened this dialog' };
    if (this.#now() - modal.openedAt > openForMs) return { reason: 'old_dialog', detail: 'the dialog was open for over an hour' };
    if (modal.sentAt !== undefined) return { reason: 'spent_dialog', detail: 'the dialog was already submitted' };
    const about = await this.#about(modal);
    return 'reason' in about ? about : ((await this.#sender.person(user.id)) ?? about);
  }

  /** A dialog opened from a card refers to it, as long as the card is unchanged. */
  async #about({ buttonId, messageTs, draft, asks }: OpenModal): Promise<ClickRefusal | StoredButton | OrderDraft | GroupAsk> {
    // Each of its targets is checked separately.
    if (asks) return asks;
    if (draft && buttonId === undefined) return draft;
    const button = buttonId === undefined ? undefined : await this.#cards.button(buttonId);
    if (button === undefined) return { reason: 'unknown_button', detail: 'no such button was posted' };
    return (await this.#clicks.stale(button, messageTs ?? '')) ?? draft ?? button;
  }
}

function typedIn({ view }: ViewSubmission): Readonly<Record<string, string>> {
  const blocks = Object.entries(view.state.values).map(([block, actions]) => {
    const [action] = Object.values(actions);
    const ticked = action?.selected_options?.map(({ value }) => value).join(',');
    const given = action?.value ?? action?.selected_option?.value ?? action?.selected_date ?? ticked ?? '';
    return [block, given.slice(0, longestTyped).trim()] as const;
  });
  return Object.fromEntries(blocks);
}

/** Stays the same however often the dialog is submitted: it is one answer. */
function idOf({ modalId }: OpenModal): string {
  return `click-${createHash('sha256').update(`dialog ${modalId}`).digest('hex').slice(0, 32)}`;
}

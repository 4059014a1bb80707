import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { MessageRef, StoredButton } from '../../../core/cards/card.ts';
import type { GroupButton } from '../../../core/cards/card-group.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import type { FormAnswers } from '../../../core/decide/form.ts';
import type { ReplyTo } from '../../../core/incident/click-reply.ts';
import type { ClickRefusal } from '../refusal.ts';
import type { SenderChecks } from './sender.ts';

/**
 * `fb_vote` answers at once, `fb_decide` opens the dialog first, `fb_more` is its menu, with `fb_more2` and `fb_more3` as entries; `_all` and `fb_choose` cover
 * several questions. The effect of a click is looked up, never read from these.
 */
const buttonAction = /^fb_((vote|decide)(_all)?\d{1,3}|choose|more[23])$/;
const menuAction = /^fb_more$/;

/** One person's click on one of our buttons, checked as far as Slack allows; checking the roster is up to the service. */
export interface Click {
  /** Stays the same if the same click is delivered again. */
  readonly clickId: string;
  readonly slackUser: string;
  readonly button: StoredButton;
  readonly channel: string;
  readonly messageTs: string;
  /** Opens one dialog, within 3 s. */
  readonly trigger?: string;
  /** The reason in the person's words; only set by the dialog that asks for it. */
  readonly reason?: string;
  /** What was filled in there, if the choice has a form. */
  readonly answers?: FormAnswers;
  /** The subject of the question, in a few words. */
  readonly about?: string;
  /** Set if the click is part of one answer to several questions. */
  readonly together?: NonNullable<ReplyTo['together']>;
}

/** The same for a button that covers several questions. */
export interface GroupClick extends Omit<Click, 'button' | 'reason' | 'together'> {
  readonly button: GroupButton;
}

/** https://docs.slack.dev/reference/interaction-payloads/block_actions-payload */
const blockActions = z.object({
  type: z.literal('block_actions'),
  api_app_id: z.string(),
  team: z.object({ id: z.string() }),
  user: z.object({ id: z.string().min(1), team_id: z.string().optional() }),
  container: z.object({
    type: z.literal('message'),
    channel_id: z.string(),
    message_ts: z.string(),
    is_ephemeral: z.boolean().optional(),
  }),
  channel: z.object({ id: z.string() }).optional(),
  message: z.object({ ts: z.string(), app_id: z.string().optional() }).optional(),
  trigger_id: z.string().optional(),
  actions: z.array(
    z.object({
      type: z.string(),
      action_id: z.string(),
      value: z.string().optional(),
      selected_option: z.object({ value: z.string() }).optional(),
      action_ts: z.string().min(1),
    }),
  ),
});

type BlockActions = z.infer<typeof blockActions>;

type ClickCheck =
  | { readonly ok: true; readonly click: Click }
  | { readonly ok: true; readonly groupClick: GroupClick }
  | {
      readonly ok: false;
      readonly refusal: ClickRefusal;
      readonly replyTo?: { readonly channel: string; readonly user: string };
    };

/** Finds a question's card although Slack has not confirmed that it has it. `unseen`: Slack may have the card but does not show it to us. */
type LookFor = (question: string) => Promise<MessageRef | 'unseen' | undefined>;

/** All checks between Slack's signature and the roster, from cheap to expensive. Independent of HTTP: Socket Mode uses it too. */
export class ClickChecks {
  readonly #cards: CardStore;
  readonly #sender: SenderChecks;
  readonly #lookFor: LookFor;

  constructor(parts: { readonly cards: CardStore; readonly sender: SenderChecks; readonly lookFor: LookFor }) {
    this.#cards = parts.cards;
    this.#sender = parts.sender;
    this.#lookFor = parts.lookFor;
  }

  async check(body: unknown): Promise<ClickCheck> {
    const parsed = blockActions.safeParse(body);
    if (!parsed.success) return { ok: false, refusal: unreadable(body) };
    const payload = parsed.data;
    const user = payload.user.id;
    const channel = payload.container.channel_id;
    const found = this.#addressed(payload) ?? (await this.#meant(payload).catch((): ClickRefusal => notLookedUp));
    if ('button' in found) {
      const { button, action } = found;
      const click = {
        clickId: clickIdOf({ payload, button, actionTs: action }),
        slackUser: user,
        channel,
        messageTs: payload.container.message_ts,
        ...(payload.trigger_id === undefined ? {} : { trigger: payload.trigger_id }),
      };
      return 'targets' in button ? { ok: true, groupClick: { ...click, button } } : { ok: true, click: { ...click, button } };
    }
    const value = pressed(payload.actions[0]);
    return {
      ok: false,
      refusal: { ...found, slackUser: user, ...(value === undefined ? {} : { buttonId: value.slice(0, 100) }) },
      replyTo: { channel, user },
    };
  }

  #addressed(payload: BlockActions): ClickRefusal | undefined {
    const { actions } = payload;
    const refusal = this.#sender.address(payload);
    if (refusal) return refusal;
    return actions.length === 1 ? undefined : { reason: 'not_one_action', detail: `the click carries ${actions.length} actions` };
  }

  async #meant(
    payload: BlockActions,
  ): Promise<ClickRefusal | { readonly button: StoredButton | GroupButton; readonly action: string }> {
    const [action] = payload.actions;
    if (action === undefined || !isOurs(action)) return { reason: 'unsupported', detail: 'the action does not belong to a card' };
    const value = pressed(action);
    const button =
      value === undefined ? undefined : ((await this.#cards.button(value)) ?? (await this.#cards.groupButton(value)));
    if (button === undefined) return { reason: 'unknown_button', detail: 'no such button was posted' };
    return (
      (await this.#misplaced(payload, button)) ??
      (await this.#sender.person(payload.user.id)) ?? { button, action: action.action_ts }
    );
  }

  /** Also applies to a dialog opened from the card: the card may have changed since. */
  async stale(
    { question, buttonId }: Pick<StoredButton, 'question' | 'buttonId'>,
    messageTs: string,
  ): Promise<ClickRefusal | undefined> {
    const posted = await this.#cards.message(question);
    if (posted?.ts !== messageTs) return { reason: 'stale_card', detail: 'the question has a newer card' };
    const current = await this.#cards.buttonsOf(question);
    return current.some((one) => one.buttonId === buttonId)
      ? undefined
      : { reason: 'stale_card', detail: 'the question has newer buttons' };
  }

  async #misplaced(
    { container, channel, message }: BlockActions,
    button: StoredButton | GroupButton,
  ): Promise<ClickRefusal | undefined> {
    const question = 'targets' in button ? (await this.#cards.group(button.groupId))?.head : button.question;
    const posted =
      question === undefined ? undefined : ((await this.#cards.message(question)) ?? (await this.#lookFor(question)));
    if (posted === 'unseen') return { reason: 'not_confirmed', detail: 'the card was posted, but its place is not confirmed' };
    const agrees =
      container.is_ephemeral !== true &&
      (channel === undefined || channel.id === container.channel_id) &&
      (message === undefined || message.ts === container.message_ts) &&
      (message?.app_id === undefined || message.app_id === this.#sender.appId);
    if (posted === undefined || !agrees || posted.channel !== container.channel_id) {
      return { reason: 'wrong_message', detail: 'the message is not the one that was posted' };
    }
    // A button that covers several questions itself records what was on the card.
    if (!('targets' in button)) return this.stale(button, container.message_ts);
    return posted.ts === container.message_ts ? undefined : { reason: 'stale_card', detail: 'the questions have a newer card' };
  }
}

type Action = BlockActions['actions'][number];

function isOurs({ type, action_id: id }: Action): boolean {
  return (type === 'button' && buttonAction.test(id)) || (type === 'overflow' && menuAction.test(id));
}

function pressed(action: Action | undefined): string | undefined {
  return action?.type === 'overflow' ? action.selected_option?.value : action?.value;
}

/** Quotes neither the database's error nor Slack's: the person is told to click again. */
export const notLookedUp: ClickRefusal = { reason: 'not_looked_up', detail: 'what it stands for could not be looked up' };

function unreadable(body: unknown): ClickRefusal {
  const kind = z.object({ type: z.string() }).safeParse(body);
  return kind.success && kind.data.type === 'block_actions'
    ? { reason: 'malformed', detail: 'the click lacks fields that Slack always sends' }
    : { reason: 'unsupported', detail: 'the request is not a click' };
}

function clickIdOf({
  payload,
  button,
  actionTs,
}: {
  readonly payload: BlockActions;
  readonly button: { readonly buttonId: string };
  readonly actionTs: string;
}): string {
  const parts = [
    payload.team.id,
    payload.container.channel_id,
    payload.container.message_ts,
    payload.user.id,
    button.buttonId,
    actionTs,
  ];
  return `click-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)}`;
}

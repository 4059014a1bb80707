import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { CardStore, StoredButton } from '../../core/card.ts';
import type { SlackPeople } from './people.ts';
import type { Refusal } from './refusal.ts';

export const voteAction = /^fb_vote\d{1,3}$/;

/** One person's click on one of our buttons, checked as far as Slack can be asked; the roster is the service's to ask. */
export interface Click {
  /** The same when the same click is delivered again. */
  readonly clickId: string;
  readonly slackUser: string;
  readonly button: StoredButton;
  readonly channel: string;
  readonly messageTs: string;
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
  actions: z.array(
    z.object({ type: z.string(), action_id: z.string(), value: z.string().optional(), action_ts: z.string().min(1) }),
  ),
});

type BlockActions = z.infer<typeof blockActions>;

export type Checked =
  | { readonly ok: true; readonly click: Click }
  | { readonly ok: false; readonly refusal: Refusal; readonly replyTo?: { readonly channel: string; readonly user: string } };

/** Every check between Slack's signature and the roster, in the order from cheap to dear. Knows nothing of HTTP: Socket Mode uses it too. */
export class ClickChecks {
  readonly #appId: string;
  readonly #teamId: string;
  readonly #cards: CardStore;
  readonly #people: SlackPeople;

  constructor({
    appId,
    teamId,
    cards,
    people,
  }: {
    readonly appId: string;
    readonly teamId: string;
    readonly cards: CardStore;
    readonly people: SlackPeople;
  }) {
    this.#appId = appId;
    this.#teamId = teamId;
    this.#cards = cards;
    this.#people = people;
  }

  async check(body: unknown): Promise<Checked> {
    const parsed = blockActions.safeParse(body);
    if (!parsed.success) return { ok: false, refusal: unreadable(body) };
    const payload = parsed.data;
    const user = payload.user.id;
    const channel = payload.container.channel_id;
    const found = this.#addressed(payload) ?? (await this.#meant(payload));
    if ('button' in found) {
      const { button, action } = found;
      const messageTs = payload.container.message_ts;
      return {
        ok: true,
        click: { clickId: clickIdOf({ payload, button, actionTs: action }), slackUser: user, button, channel, messageTs },
      };
    }
    const value = payload.actions[0]?.value;
    return {
      ok: false,
      refusal: { ...found, slackUser: user, ...(value === undefined ? {} : { buttonId: value.slice(0, 100) }) },
      replyTo: { channel, user },
    };
  }

  /** Is it for this app, from this workspace, by one of its people, and one action? */
  #addressed({ api_app_id, team, user, actions }: BlockActions): Refusal | undefined {
    if (api_app_id !== this.#appId) return { reason: 'wrong_app', detail: 'the click is for another app' };
    if (team.id !== this.#teamId) return { reason: 'wrong_team', detail: 'the click is from another workspace' };
    if (user.team_id !== this.#teamId) return { reason: 'stranger', detail: 'the user belongs to another workspace' };
    if (actions.length !== 1) return { reason: 'not_one_action', detail: `the click carries ${actions.length} actions` };
    return undefined;
  }

  async #meant(payload: BlockActions): Promise<Refusal | { readonly button: StoredButton; readonly action: string }> {
    const [action] = payload.actions;
    if (action?.type !== 'button' || !voteAction.test(action.action_id)) {
      return { reason: 'unsupported', detail: 'the action is not an answer to a question' };
    }
    const button = action.value === undefined ? undefined : await this.#cards.button(action.value);
    if (button === undefined) return { reason: 'unknown_button', detail: 'no such button was posted' };
    return (
      (await this.#misplaced(payload, button)) ?? (await this.#person(payload.user.id)) ?? { button, action: action.action_ts }
    );
  }

  async #misplaced({ container, channel, message }: BlockActions, button: StoredButton): Promise<Refusal | undefined> {
    const posted = await this.#cards.message(button.question);
    const agrees =
      container.is_ephemeral !== true &&
      (channel === undefined || channel.id === container.channel_id) &&
      (message === undefined || message.ts === container.message_ts) &&
      (message?.app_id === undefined || message.app_id === this.#appId);
    if (posted === undefined || !agrees || posted.channel !== container.channel_id) {
      return { reason: 'wrong_message', detail: 'the message is not the one that was posted' };
    }
    if (posted.ts !== container.message_ts) return { reason: 'stale_card', detail: 'the question has a newer card' };
    const current = await this.#cards.buttonsOf(button.question);
    return current.some((one) => one.buttonId === button.buttonId)
      ? undefined
      : { reason: 'stale_card', detail: 'the question has newer buttons' };
  }

  async #person(user: string): Promise<Refusal | undefined> {
    const standing = await this.#people.standing(user);
    return standing === 'member' ? undefined : standing;
  }
}

function unreadable(body: unknown): Refusal {
  const kind = z.object({ type: z.string() }).safeParse(body);
  return kind.success && kind.data.type === 'block_actions'
    ? { reason: 'malformed', detail: 'the click lacks what Slack always sends' }
    : { reason: 'unsupported', detail: 'the request is not a click' };
}

function clickIdOf({
  payload,
  button,
  actionTs,
}: {
  readonly payload: BlockActions;
  readonly button: StoredButton;
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

import { createHmac, randomBytes } from 'node:crypto';
import type { Button } from './block-schema.ts';
import { messageObject } from './objects.ts';
import { viewObject } from './view-methods.ts';
import type { FakeMessage, SlackWorld } from './world.ts';

export interface ClickOptions {
  /** Who clicks: a user's id. */
  readonly user: string;
  readonly channel?: string;
  /** Which message; without it, the newest one that has the button. */
  readonly ts?: string;
  /** One of these says which button. */
  readonly buttonText?: string;
  readonly actionId?: string;
  readonly value?: string;
  /** Departures from what Slack would send, for tests of who checks it. */
  readonly forge?: Forgery;
}

export interface Forgery {
  readonly unsigned?: boolean;
  readonly signingSecret?: string;
  /** Moves the signed time; positive is the future. */
  readonly clockSeconds?: number;
  readonly appId?: string;
  readonly teamId?: string;
  readonly userTeamId?: string;
  readonly messageTs?: string;
  readonly channelId?: string;
  /** Sends the action twice in one payload. */
  readonly doubled?: boolean;
  /** Sends a button that is (or is no longer) in no message, with this value. */
  readonly inventedValue?: string;
  readonly actionTs?: string;
}

/** What went over the wire, to be sent again by a test. */
export interface SentRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Delivery {
  readonly request: SentRequest;
  /** The app's HTTP status; 0 when it did not answer within Slack's 3 s. */
  readonly status: number;
  readonly body: string;
  readonly tookMs: number;
}

const ackWithinMs = 3_000;
const triggerMs = 3_000;
const responseUrlMs = 30 * 60_000;

/** Sends what people do to the app, signed and shaped as Slack does. */
export class Interactions {
  readonly #world: SlackWorld;
  readonly #signingSecret: string;
  readonly #baseUrl: () => string;
  interactionsUrl: string;

  constructor(options: {
    readonly world: SlackWorld;
    readonly signingSecret: string;
    readonly interactionsUrl: string;
    readonly baseUrl: () => string;
  }) {
    this.#world = options.world;
    this.#signingSecret = options.signingSecret;
    this.#baseUrl = options.baseUrl;
    this.interactionsUrl = options.interactionsUrl;
  }

  async click(options: ClickOptions): Promise<Delivery> {
    const { forge = {} } = options;
    const { message, button, blockId } = this.#clicked(options);
    const action = {
      type: 'button',
      action_id: button.action_id ?? '',
      block_id: blockId,
      text: { emoji: false, ...button.text },
      ...(button.value === undefined ? {} : { value: button.value }),
      ...(button.style === undefined ? {} : { style: button.style }),
      ...(button.confirm === undefined ? {} : { confirm: button.confirm }),
      action_ts: forge.actionTs ?? this.#world.nextTs(),
    };
    const payload = {
      type: 'block_actions',
      ...this.#who(options.user, forge),
      api_app_id: forge.appId ?? this.#world.appId,
      token: 'not-the-signing-secret',
      container: {
        type: 'message',
        message_ts: forge.messageTs ?? message.ts,
        channel_id: forge.channelId ?? message.channel,
        is_ephemeral: message.ephemeralFor !== undefined,
        ...(message.threadTs === undefined ? {} : { thread_ts: message.threadTs }),
      },
      trigger_id: this.#trigger(options.user),
      enterprise: null,
      is_enterprise_install: false,
      channel: { id: forge.channelId ?? message.channel, name: this.#world.channels.get(message.channel)?.name ?? 'unknown' },
      message: { ...messageObject(message, this.#world), ts: forge.messageTs ?? message.ts },
      state: { values: {} },
      response_url: this.#responseUrl(message, options.user),
      actions: forge.doubled === true ? [action, { ...action, action_ts: this.#world.nextTs() }] : [action],
    };
    return this.deliver(payload, forge);
  }

  /** Submits an open modal. https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload */
  async submitView({
    viewId,
    user,
    values,
  }: {
    readonly viewId: string;
    readonly user: string;
    readonly values: Readonly<Record<string, unknown>>;
  }): Promise<Delivery> {
    const open = this.#world.views.get(viewId);
    if (open === undefined) throw new Error(`no open view ${viewId}`);
    const delivery = await this.deliver({
      type: 'view_submission',
      ...this.#who(user, {}),
      api_app_id: this.#world.appId,
      token: 'not-the-signing-secret',
      trigger_id: this.#trigger(user),
      view: { ...viewObject(open, this.#world), state: { values } },
      response_urls: [],
      is_enterprise_install: false,
      enterprise: null,
    });
    const action = delivery.body === '' ? undefined : (JSON.parse(delivery.body) as { response_action?: string }).response_action;
    if (delivery.status === 200 && (action === undefined || action === 'clear')) {
      for (const [id, view] of this.#world.views)
        if (id === viewId || action === 'clear') if (view.user === user) this.#world.views.delete(id);
      this.#world.changed();
    }
    return delivery;
  }

  async deliver(payload: unknown, forge: Forgery = {}): Promise<Delivery> {
    const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
    return this.send({ headers: this.#headers(body, forge), body });
  }

  /** Sends exactly these bytes, also for the second time. */
  async send(request: SentRequest): Promise<Delivery> {
    const started = Date.now();
    try {
      const response = await fetch(this.interactionsUrl, {
        method: 'POST',
        headers: request.headers,
        body: request.body,
        signal: AbortSignal.timeout(ackWithinMs),
      });
      return { request, status: response.status, body: await response.text(), tookMs: Date.now() - started };
    } catch {
      return { request, status: 0, body: '', tookMs: Date.now() - started };
    }
  }

  #headers(body: string, forge: Forgery): Record<string, string> {
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': 'Slackbot 1.0 (+https://api.slack.com/robots)',
    };
    if (forge.unsigned === true) return headers;
    const timestamp = String(Math.floor(Date.now() / 1_000) + (forge.clockSeconds ?? 0));
    const mac = createHmac('sha256', forge.signingSecret ?? this.#signingSecret)
      .update(`v0:${timestamp}:${body}`)
      .digest('hex');
    return { ...headers, 'x-slack-request-timestamp': timestamp, 'x-slack-signature': `v0=${mac}` };
  }

  #who(id: string, forge: Forgery) {
    const user = this.#world.users.get(id);
    const team = user?.teamId ?? (user?.isStranger === true ? 'T0ELSEWHERE' : this.#world.teamId);
    return {
      user: { id, username: user?.name ?? 'ghost', name: user?.name ?? 'ghost', team_id: forge.userTeamId ?? team },
      team: { id: forge.teamId ?? this.#world.teamId, domain: 'acme' },
    };
  }

  #trigger(user: string): string {
    const id = `${Date.now()}.${randomBytes(8).toString('hex')}`;
    this.#world.triggers.set(id, { user, expires: Date.now() + triggerMs, used: false });
    return id;
  }

  #responseUrl(message: FakeMessage, user: string): string {
    const id = randomBytes(12).toString('hex');
    const expires = Date.now() + responseUrlMs;
    this.#world.responseUrls.set(id, { channel: message.channel, messageTs: message.ts, user, expires, uses: 0 });
    return `${this.#baseUrl()}/actions/${this.#world.teamId}/${id}`;
  }

  #clicked({ channel, ts, buttonText, actionId, value, forge }: ClickOptions) {
    const candidates = this.#world.messages.filter(
      (message) => (channel === undefined || message.channel === channel) && (ts === undefined || message.ts === ts),
    );
    if (forge?.inventedValue !== undefined) {
      const message = candidates.at(-1);
      if (message === undefined) throw new Error('no message to click in');
      const button: Button = {
        type: 'button',
        text: { type: 'plain_text', text: 'Invented' },
        action_id: 'fb_vote0',
        value: forge.inventedValue,
      };
      return { message, button, blockId: 'invented' };
    }
    for (const message of candidates.toReversed()) {
      for (const block of message.blocks ?? []) {
        for (const button of buttonsIn(block)) {
          const wanted =
            (buttonText === undefined || button.text.text === buttonText) &&
            (actionId === undefined || button.action_id === actionId) &&
            (value === undefined || button.value === value);
          if (wanted) return { message, button, blockId: block.block_id ?? '' };
        }
      }
    }
    throw new Error(`no such button: ${buttonText ?? actionId ?? value ?? 'any'}`);
  }
}

function buttonsIn(block: NonNullable<FakeMessage['blocks']>[number]): readonly Button[] {
  if (block.type === 'actions') return block.elements.filter((element) => element.type === 'button');
  return block.type === 'section' && block.accessory?.type === 'button' ? [block.accessory] : [];
}

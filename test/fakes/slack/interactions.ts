import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Carrier } from './carrier.ts';
import { carefullyTyped, type DialogOutcome, problemsOf, stateOf, takeAnswer } from './dialogs.ts';
import type { ClickOptions, CommandOptions, Delivery, Forgery, ShortcutOptions, SubmitOptions } from './interaction.ts';
import { messageObject } from './methods/objects.ts';
import { viewObject } from './methods/view-methods.ts';
import { type Clicked, pressedBy } from './pressed.ts';
import type { FakeMessage, FakeView, SlackWorld } from './world.ts';

/** https://docs.slack.dev/interactivity/handling-user-interaction: how long a trigger can be exchanged. */
const usualTriggerMs = 3_000;
/** A person who got a message after a click is shown no dialog for it. The message may be about something else, so it waits for a while. */
const usualToldInPlaceMs = 10_000;
const responseUrlMs = 30 * 60_000;
/** Buttons whose click first asks for confirmation. */
const opensDialog = 'fb_decide';

function answerOf(body: string): { readonly text: string } {
  try {
    const answer: { readonly text?: unknown } = JSON.parse(body);
    return { text: typeof answer.text === 'string' ? answer.text : body };
  } catch {
    return { text: body };
  }
}

/** Sends what people do to the app, in the same form as Slack does. */
export class Interactions {
  readonly #world: SlackWorld;
  readonly #baseUrl: () => string;
  readonly #shortcuts: readonly string[];
  readonly #triggerMs: number;
  readonly #toldInPlaceMs: number;
  readonly #hands = new Map<string, Promise<unknown>>();
  readonly carrier: Carrier;

  constructor(options: {
    readonly world: SlackWorld;
    readonly carrier: Carrier;
    readonly baseUrl: () => string;
    readonly shortcuts?: readonly string[] | undefined;
    readonly triggerMs?: number | undefined;
    readonly toldInPlaceMs?: number | undefined;
  }) {
    this.#world = options.world;
    this.#baseUrl = options.baseUrl;
    this.carrier = options.carrier;
    this.#shortcuts = options.shortcuts ?? ['fb_start_incident'];
    this.#triggerMs = options.triggerMs ?? usualTriggerMs;
    this.#toldInPlaceMs = options.toldInPlaceMs ?? usualToldInPlaceMs;
  }

  /** A person has one hand: their next click waits until the dialog of the last one has been submitted. */
  click(options: ClickOptions): Promise<Delivery> {
    const before = this.#hands.get(options.user) ?? Promise.resolve();
    const clicking = before.then(() => this.#clickThrough(options));
    this.#hands.set(
      options.user,
      clicking.catch(() => undefined),
    );
    return clicking;
  }

  /** Clicks, waits for the dialog, and fills it in: returns what Slack would send when it is submitted, for callers that send it themselves. */
  async clickToDialog(options: Omit<ClickOptions, 'dialog'>): Promise<unknown> {
    const { delivery, ...pressed } = await this.#press(options);
    const open = delivery.status === 200 ? await this.#dialogOf(pressed) : undefined;
    if (open === undefined) throw new Error(`no dialog opened: the app answered ${delivery.status}`);
    return this.#submission({ viewId: open.id, user: options.user, typed: carefullyTyped(open.view) }, open);
  }

  async #clickThrough(options: ClickOptions): Promise<Delivery> {
    const { dialog, user } = options;
    const { clicked, delivery, ...pressed } = await this.#press(options);
    const opens = dialog === undefined ? clicked.actionId.startsWith(opensDialog) : dialog !== 'leave';
    if (!opens || delivery.status !== 200) return delivery;
    const open = await this.#dialogOf(pressed);
    if (open === undefined) return delivery;
    const typed = { ...carefullyTyped(open.view), ...(dialog === 'leave' ? {} : dialog) };
    const sent = await this.submitView({ viewId: open.id, user, typed });
    const { request, result } = sent;
    return { ...delivery, status: sent.status, body: sent.body, dialog: { request, result } };
  }

  async #press(options: ClickOptions) {
    const clicked = pressedBy(options, this.#world.messages);
    const { user } = options;
    const [id, heard] = [this.#trigger(user), this.#world.ephemerals(user).length];
    const delivery = await this.deliver(this.#blockActions(options, clicked, id), options.forge);
    return { clicked, delivery, id, user, heard };
  }

  /** The dialog that this click was exchanged for; none if its time has passed, or the person got a message instead. */
  async #dialogOf({
    id,
    user,
    heard,
  }: {
    readonly id: string;
    readonly user: string;
    readonly heard: number;
  }): Promise<FakeView | undefined> {
    const trigger = this.#world.triggers.get(id);
    let toldAt: number | undefined;
    while (trigger && trigger.viewId === undefined && Date.now() <= trigger.expires) {
      if (this.#world.ephemerals(user).length > heard) toldAt ??= Date.now();
      if (toldAt !== undefined && Date.now() - toldAt > this.#toldInPlaceMs) break;
      await sleep(5);
    }
    return trigger?.viewId === undefined ? undefined : this.#world.views.get(trigger.viewId);
  }

  #blockActions({ user, forge = {} }: ClickOptions, { message, action: pressed, blockId }: Clicked, trigger: string) {
    const action = { ...pressed, block_id: blockId, action_ts: forge.actionTs ?? this.#world.nextTs() };
    return {
      type: 'block_actions',
      ...this.#who(user, forge),
      api_app_id: forge.appId ?? this.#world.appId,
      token: 'not-the-signing-secret',
      container: {
        type: 'message',
        message_ts: forge.messageTs ?? message.ts,
        channel_id: forge.channelId ?? message.channel,
        is_ephemeral: message.ephemeralFor !== undefined,
        ...(message.threadTs === undefined ? {} : { thread_ts: message.threadTs }),
      },
      trigger_id: trigger,
      enterprise: null,
      is_enterprise_install: false,
      channel: { id: forge.channelId ?? message.channel, name: this.#world.channels.get(message.channel)?.name ?? 'unknown' },
      message: { ...messageObject(message, this.#world), ts: forge.messageTs ?? message.ts },
      state: { values: {} },
      response_url: forge.responseUrl ?? this.#responseUrl(message, user),
      actions: forge.doubled === true ? [action, { ...action, action_ts: this.#world.nextTs() }] : [action],
    };
  }

  /**
   * A person picks the app's shortcut in a message's menu. https://docs.slack.dev/interactivity/implementing-shortcuts Throws if Slack's own client would not
   * offer it.
   */
  async shortcut({ user, channel, ts, callbackId, forge = {} }: ShortcutOptions): Promise<Delivery> {
    const message = this.#world.message(channel, ts);
    if (message === undefined || message.ephemeralFor !== undefined)
      throw new Error(`no message ${ts} in ${channel} to pick it on`);
    if (!this.#shortcuts.includes(callbackId)) throw new Error(`the app has no shortcut ${callbackId}`);
    return this.deliver(
      {
        type: 'message_action',
        token: 'not-the-signing-secret',
        action_ts: forge.actionTs ?? this.#world.nextTs(),
        ...this.#who(user, forge),
        channel: { id: forge.channelId ?? channel, name: this.#world.channels.get(channel)?.name ?? 'unknown' },
        is_enterprise_install: false,
        enterprise: null,
        callback_id: callbackId,
        trigger_id: this.#trigger(user),
        response_url: this.#responseUrl(message, user),
        message_ts: ts,
        message: messageObject(message, this.#world),
      },
      forge,
    );
  }

  /** A person types a slash command. https://docs.slack.dev/interactivity/implementing-slash-commands */
  async command({ user, channel, command, text = '', forge = {} }: CommandOptions): Promise<Delivery> {
    const team = forge.teamId ?? this.#world.teamId;
    const fields = {
      token: 'not-the-signing-secret',
      team_id: team,
      team_domain: 'acme',
      channel_id: channel,
      channel_name: this.#world.channels.get(channel)?.name ?? 'unknown',
      user_id: user,
      user_name: this.#world.users.get(user)?.name ?? 'ghost',
      command,
      text,
      api_app_id: forge.appId ?? this.#world.appId,
      is_enterprise_install: 'false',
      response_url: this.#responseUrl({ channel, ts: '' }, user),
      trigger_id: this.#trigger(user),
    };
    const delivery = await this.carrier.bring('slash_commands', fields, true, { fields, forge });
    // The app's immediate answer is shown, to this person unless it says otherwise.
    const shown = delivery.status === 200 ? delivery.body : `${command} failed with the error "dispatch_failed"`;
    if (shown !== '')
      this.#world.add({ ...answerOf(shown), channel, ts: this.#world.nextTs(), user: this.#world.botUserId, ephemeralFor: user });
    return delivery;
  }

  /** Submits an open modal. https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload Throws if Slack's own client would not send it. */
  async submitView({ viewId, user, typed, forge = {} }: SubmitOptions): Promise<Delivery & { readonly result: DialogOutcome }> {
    const open = this.#world.views.get(viewId);
    if (open === undefined) throw new Error(`no open view ${viewId}`);
    const delivery = await this.deliver(this.#submission({ viewId, user, typed, forge }, open), forge);
    return { ...delivery, result: takeAnswer(this.#world, open, delivery) };
  }

  #submission({ user, typed, forge = {} }: SubmitOptions, open: FakeView) {
    const [problem] = Object.entries(problemsOf(open.view, typed));
    if (problem) throw new Error(`Slack does not send this: ${problem.join(': ')}`);
    return {
      type: 'view_submission',
      ...this.#who(user, forge),
      api_app_id: forge.appId ?? this.#world.appId,
      token: 'not-the-signing-secret',
      trigger_id: this.#trigger(user),
      view: {
        ...viewObject(open, this.#world),
        state: stateOf(open.view, typed),
        ...(forge.viewId === undefined ? {} : { id: forge.viewId }),
        ...(forge.privateMetadata === undefined ? {} : { private_metadata: forge.privateMetadata }),
      },
      response_urls: [],
      is_enterprise_install: false,
      enterprise: null,
    };
  }

  /** A person closes the dialog. The app is notified only if it asked for it. */
  async closeView({ viewId, user }: { readonly viewId: string; readonly user: string }): Promise<void> {
    const open = this.#world.views.get(viewId);
    if (open === undefined) return;
    for (const [id, view] of this.#world.views) {
      if (id === viewId || (open.view.clear_on_close === true && view.user === user)) this.#world.views.delete(id);
    }
    this.#world.changed();
    if (open.view.notify_on_close !== true) return;
    await this.deliver({
      type: 'view_closed',
      ...this.#who(user, {}),
      api_app_id: this.#world.appId,
      token: 'not-the-signing-secret',
      view: viewObject(open, this.#world),
      is_cleared: open.view.clear_on_close === true,
    });
  }

  async deliver(payload: unknown, forge: Forgery = {}): Promise<Delivery> {
    const isSent = typeof payload === 'object' && payload !== null && 'type' in payload && payload.type === 'view_submission';
    return this.carrier.bring('interactive', payload, isSent, { fields: { payload: JSON.stringify(payload) }, forge });
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
    this.#world.triggers.set(id, { user, expires: Date.now() + this.#triggerMs, used: false });
    return id;
  }

  #responseUrl(message: Pick<FakeMessage, 'channel' | 'ts'>, user: string): string {
    const id = randomBytes(12).toString('hex');
    const expires = Date.now() + responseUrlMs;
    this.#world.responseUrls.set(id, { channel: message.channel, messageTs: message.ts, user, expires, uses: 0 });
    return `${this.#baseUrl()}/actions/${this.#world.teamId}/${id}`;
  }
}

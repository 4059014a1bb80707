import { createHmac } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoSettings } from '../../tools/demo/settings.ts';

interface ShownButton {
  readonly action_id: string;
  readonly value: string;
  readonly text: { readonly type: string; readonly text: string };
}

/** One button of one card, as the stand-in for Slack shows it. */
export interface Shown {
  readonly ts: string;
  readonly blockId: string;
  readonly button: ShownButton;
}

interface Message {
  readonly channel: string;
  readonly ts: string;
  readonly blocks?: readonly {
    readonly type: string;
    readonly block_id?: string;
    readonly elements?: readonly Partial<ShownButton>[];
  }[];
}

/** Reads cards from the stand-in for Slack, and clicks as Slack does: signed here, so that nothing but the desk is between click and answer. */
export class SlackClicks {
  readonly #settings: DemoSettings;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });
  #clicks = 0;

  constructor(settings: DemoSettings) {
    this.#settings = settings;
  }

  /** Waits until there is a card that names `about` and has this button. */
  async card(about: string, label: string, withinMs: number): Promise<Shown> {
    const until = Date.now() + withinMs;
    for (;;) {
      for (const message of (await this.#messages()).toReversed()) {
        const shown =
          message.channel === this.#settings.channel && isAbout(message, about) ? buttonOf(message, label) : undefined;
        if (shown) return shown;
      }
      if (Date.now() > until) throw new Error(`no card about ${about} with “${label}”`);
      await sleep(300);
    }
  }

  /** Sends the click; its answer is the desk's HTTP status. https://docs.slack.dev/reference/interaction-payloads/block_actions-payload */
  async click(user: string, { ts, blockId, button }: Shown): Promise<number> {
    const { slack } = this.#settings.standIns;
    const { channel } = this.#settings;
    this.#clicks += 1;
    const payload = {
      type: 'block_actions',
      user: { id: user, username: user, team_id: slack.teamId },
      api_app_id: slack.appId,
      token: 'not-the-signing-secret',
      team: { id: slack.teamId, domain: 'bench' },
      container: { type: 'message', message_ts: ts, channel_id: channel, is_ephemeral: false },
      trigger_id: `bench.${this.#clicks}`,
      enterprise: null,
      is_enterprise_install: false,
      channel: { id: channel, name: 'incidents' },
      message: { type: 'message', ts, app_id: slack.appId },
      state: { values: {} },
      actions: [{ type: 'button', block_id: blockId, ...button, action_ts: `${Date.now() / 1_000}` }],
    };
    const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
    const timestamp = String(Math.floor(Date.now() / 1_000));
    const signature = createHmac('sha256', slack.signingSecret).update(`v0:${timestamp}:${body}`).digest('hex');
    return this.#post(body, { 'x-slack-request-timestamp': timestamp, 'x-slack-signature': `v0=${signature}` });
  }

  close(): void {
    this.#agent.destroy();
  }

  async #messages(): Promise<readonly Message[]> {
    const response = await fetch(`http://127.0.0.1:${this.#settings.standIns.slack.port}/control/messages`, {
      method: 'POST',
      body: '{}',
    });
    const answer: { readonly result: readonly Message[] } = JSON.parse(await response.text());
    return answer.result;
  }

  #post(body: string, headers: Readonly<Record<string, string>>): Promise<number> {
    const { hostname, port, pathname } = new URL(this.#settings.standIns.slack.interactionsUrl);
    return new Promise((resolve, reject) => {
      const call = request(
        {
          agent: this.#agent,
          hostname,
          port,
          path: pathname,
          method: 'POST',
          headers: {
            'content-type': 'application/x-www-form-urlencoded',
            'content-length': Buffer.byteLength(body),
            ...headers,
          },
        },
        (response) => {
          response.resume().once('end', () => resolve(response.statusCode ?? 0));
          response.once('error', reject);
        },
      );
      call.once('error', reject);
      call.end(body);
    });
  }
}

function isAbout({ blocks = [] }: Message, about: string): boolean {
  return JSON.stringify(blocks).includes(about);
}

function buttonOf({ ts, blocks = [] }: Message, label: string): Shown | undefined {
  for (const { type, block_id: blockId = '', elements = [] } of blocks) {
    if (type !== 'actions') continue;
    for (const { action_id, value, text } of elements)
      if (action_id !== undefined && value !== undefined && text?.text === label)
        return { ts, blockId, button: { action_id, value, text } };
  }
  return undefined;
}

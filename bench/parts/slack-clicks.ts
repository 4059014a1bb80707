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

/** A dialog opened by a click, filled in but not submitted. */
export interface OpenDialog {
  readonly payload: unknown;
  readonly openedMs: number;
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

/** Reads cards from the stand-in for Slack, opens dialogs with a click, and submits them as Slack does. */
export class SlackClicks {
  readonly #settings: DemoSettings;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });

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

  /** Clicks, and fills in the dialog; the milliseconds until it is open come from the stand-in's answer. */
  async openDialog(user: string, { ts, button }: Shown): Promise<OpenDialog> {
    const began = performance.now();
    const { action_id: actionId, value } = button;
    const payload = await this.#control('clickToDialog', { user, channel: this.#settings.channel, ts, actionId, value });
    return { payload, openedMs: performance.now() - began };
  }

  /**
   * Submits the dialog, signed here, so that only the desk is between it and its answer; returns the desk's HTTP status.
   * https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload#view_submission
   */
  async submit({ payload }: OpenDialog): Promise<number> {
    const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
    const timestamp = String(Math.floor(Date.now() / 1_000));
    const { signingSecret } = this.#settings.standIns.slack;
    const signature = createHmac('sha256', signingSecret).update(`v0:${timestamp}:${body}`).digest('hex');
    return this.#post(body, { 'x-slack-request-timestamp': timestamp, 'x-slack-signature': `v0=${signature}` });
  }

  close(): void {
    this.#agent.destroy();
  }

  async #messages(): Promise<readonly Message[]> {
    return (await this.#control('messages', {})) as readonly Message[];
  }

  async #control(name: string, given: Readonly<Record<string, unknown>>): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.#settings.standIns.slack.port}/control/${name}`, {
      method: 'POST',
      body: JSON.stringify(given),
    });
    const answer: { readonly ok: boolean; readonly result?: unknown; readonly error?: string } = JSON.parse(
      await response.text(),
    );
    if (!answer.ok) throw new Error(`the stand-in for Slack refused ${name}: ${answer.error}`);
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

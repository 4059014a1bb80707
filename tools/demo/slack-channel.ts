import { setTimeout as sleep } from 'node:timers/promises';
import { FirebreakError } from '../../core/errors.ts';
import type { DemoSettings } from './settings.ts';

interface ShownText {
  readonly text?: string;
}

interface ShownMessage {
  readonly channel: string;
  readonly ts: string;
  readonly blocks?: readonly {
    readonly type: string;
    readonly elements?: readonly (ShownText | { readonly type: 'button'; readonly text: ShownText })[];
  }[];
}

interface DemoQuestion {
  /** When it was posted in the channel, by the stand-in's clock, which is this machine's. */
  readonly at: number;
  readonly ts: string;
  /** What the card says about an unanswered question. */
  readonly onSilence: string | undefined;
}

/** The channel as Slack has it: its messages, and clicks delivered the same way as a person's. */
export class SlackChannel {
  readonly #base: string;
  readonly #channel: string;

  constructor({ standIns, channel }: Pick<DemoSettings, 'standIns' | 'channel'>) {
    this.#base = `http://127.0.0.1:${standIns.slack.port}`;
    this.#channel = channel;
  }

  pageUrl(user: string): string {
    return `${this.#base}/?user=${user}`;
  }

  /** Waits until a card with this button is in the channel. Throws FB_ERR_UNAVAILABLE. */
  async question(button: string, withinMs: number): Promise<DemoQuestion> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const messages = (await this.#control('messages', {})) as readonly ShownMessage[];
      const card = messages.find((message) => message.channel === this.#channel && buttonsIn(message).includes(button));
      if (card) return { at: Number(card.ts) * 1_000, ts: card.ts, onSilence: onSilence(card) };
      if (Date.now() > deadline)
        throw new FirebreakError(
          'FB_ERR_UNAVAILABLE',
          `no card with the button “${button}” appeared in Slack within ${withinMs / 1_000} s`,
        );
      await sleep(50);
    }
  }

  /** Clicks as a person: signed, and delivered to Firebreak's desk as Slack would. Throws FB_ERR_UNAVAILABLE if the desk does not accept it. */
  async click(click: { readonly user: string; readonly button: string; readonly ts: string }): Promise<void> {
    const { user, button, ts } = click;
    const delivery = (await this.#control('click', { user, channel: this.#channel, ts, buttonText: button })) as {
      readonly status: number;
    };
    if (delivery.status !== 200)
      throw new FirebreakError('FB_ERR_UNAVAILABLE', `the desk returned ${delivery.status} for a click`);
  }

  async #control(name: string, body: object): Promise<unknown> {
    const response = await fetch(`${this.#base}/control/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    const answer: { readonly ok: boolean; readonly result?: unknown; readonly error?: string } = JSON.parse(
      await response.text(),
    );
    if (!answer.ok) throw new FirebreakError('FB_ERR_UNAVAILABLE', `the stand-in for Slack: ${answer.error ?? 'no reason'}`);
    return answer.result;
  }
}

function buttonsIn({ blocks = [] }: ShownMessage): readonly string[] {
  return blocks.flatMap(({ type, elements = [] }) =>
    type === 'actions' ? elements.flatMap(({ text }) => (typeof text === 'object' ? (text.text ?? []) : [])) : [],
  );
}

function onSilence({ blocks = [] }: ShownMessage): string | undefined {
  const texts = blocks.flatMap(({ elements = [] }) => elements.map(({ text }) => text));
  const lines = texts.flatMap((text) => (typeof text === 'string' ? text.split('\n') : []));
  return lines.map((line) => /^No answer(?: by .+?)?: (.+)$/.exec(line)?.[1]).find((found) => found !== undefined);
}

export interface DemoTicket {
  readonly number: number;
  readonly title: string;
  readonly url: string;
}

/** The issues, read from GitHub's API. */
export async function tickets({ standIns: { github } }: Pick<DemoSettings, 'standIns'>): Promise<readonly DemoTicket[]> {
  const base = `http://127.0.0.1:${github.port}`;
  const response = await fetch(`${base}/repos/${github.repository}/issues?state=all`, {
    headers: { authorization: `Bearer ${github.token}`, accept: 'application/vnd.github+json' },
    signal: AbortSignal.timeout(10_000),
  });
  const issues: readonly { readonly number: number; readonly title: string; readonly html_url: string }[] = JSON.parse(
    await response.text(),
  );
  return issues.map(({ number, title, html_url }) => ({ number, title, url: html_url }));
}

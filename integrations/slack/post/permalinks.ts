import type { WebClient } from '@slack/web-api';
import { LRUCache } from 'lru-cache';
import type { MessageRef } from '../../../core/cards/card.ts';
import { callSlack } from '../client.ts';

const remembered = 1_000;

/** Addresses of messages; each is requested from Slack once. */
export class Permalinks {
  readonly #client: WebClient;
  readonly #known = new LRUCache<string, string>({ max: remembered });

  constructor(client: WebClient) {
    this.#client = client;
  }

  /** Undefined if Slack does not return it: a card without its link is better than none. */
  async of(message: MessageRef): Promise<string | undefined> {
    const known = this.#known.get(message.ts);
    if (known !== undefined) return known;
    try {
      const { permalink } = await callSlack('chat.getPermalink', () =>
        this.#client.chat.getPermalink({ channel: message.channel, message_ts: message.ts }),
      );
      if (permalink !== undefined) this.#known.set(message.ts, permalink);
      return permalink;
    } catch {
      return undefined;
    }
  }
}

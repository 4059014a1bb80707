import type { WebClient } from '@slack/web-api';
import { LRUCache } from 'lru-cache';
import type { MessageRef, QuestionCard } from '../../../core/cards/card.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import { placeOf } from '../../../core/cards/card-words.ts';
import { hasCode, RetryLaterError } from '../../../core/errors.ts';
import { callSlack } from '../client.ts';
import { NeedsOperator } from '../fault.ts';
import { section } from '../views/blocks.ts';
import { inline, isAccount, newsText, plain } from '../views/text.ts';
import type { Permalinks } from './permalinks.ts';

const mostPeople = 5_000;
/** An app without the scope may get it meanwhile. */
const tryAgainMs = 10 * 60_000;

/** A line for each person who is asked, with the way to the card. */
interface Told {
  /** One key, one message a person. */
  readonly key: string;
  readonly incident: QuestionCard['incident'];
  readonly text: string;
  /** The card. */
  readonly message: MessageRef;
}

/**
 * Direct messages to those whom a message in the channel notifies: a telephone shows them also where the channel is muted. Only where the app has `im:write`. At
 * most one each, since the mention is there in any case: one that fails is not sent again.
 */
export class DirectMessages {
  readonly #client: WebClient;
  readonly #cards: CardStore;
  readonly #permalinks: Permalinks;
  readonly #onFault: (error: unknown) => void;
  readonly #now: () => number;
  readonly #rooms = new LRUCache<string, string>({ max: mostPeople });
  #notBefore = 0;

  constructor(parts: {
    readonly client: WebClient;
    readonly cards: CardStore;
    readonly permalinks: Permalinks;
    readonly onFault: (error: unknown) => void;
    readonly now: () => number;
  }) {
    this.#client = parts.client;
    this.#cards = parts.cards;
    this.#permalinks = parts.permalinks;
    this.#onFault = parts.onFault;
    this.#now = parts.now;
  }

  /** Never fails: the question is in the channel. */
  async tell(accounts: readonly string[], told: Told): Promise<void> {
    for (const account of accounts) {
      if (!isAccount(account) || this.#now() < this.#notBefore) continue;
      await this.#tellOne(account, told).catch((error: unknown) => {
        // Without the scope, or while Slack does not answer, the next one fares no better.
        if (error instanceof RetryLaterError) this.#notBefore = this.#now() + error.retryAfterMs;
        else if (hasCode(error, 'FB_ERR_UNAVAILABLE')) this.#notBefore = this.#now() + tryAgainMs;
        if (!(error instanceof NeedsOperator)) this.#onFault(error);
      });
    }
  }

  async #tellOne(account: string, { key, incident, text, message }: Told): Promise<void> {
    const name = `direct:${key}:${account}`;
    if ((await this.#cards.message(name)) !== undefined) return;
    const channel = await this.#roomOf(account);
    await this.#cards.saveMessage(name, { channel, ts: '' });
    const link = await this.#permalinks.of(message);
    const place = placeOf(incident);
    const { ts = '' } = await callSlack('chat.postMessage', () =>
      this.#client.chat.postMessage({
        channel,
        text: plain(`${place}: ${text}`, 300),
        blocks: [
          section(
            [`*${inline(place, 200)}*`, newsText(text, 2_000), ...(link === undefined ? [] : [`<${link}|Open the card>`])].join(
              '\n',
            ),
          ),
        ],
        parse: 'none',
        link_names: false,
        mrkdwn: false,
        unfurl_links: false,
        unfurl_media: false,
      }),
    );
    await this.#cards.saveMessage(name, { channel, ts });
  }

  async #roomOf(account: string): Promise<string> {
    const known = this.#rooms.get(account);
    if (known !== undefined) return known;
    const { channel } = await callSlack('conversations.open', () => this.#client.conversations.open({ users: account }));
    const room = channel?.id ?? account;
    this.#rooms.set(account, room);
    return room;
  }
}

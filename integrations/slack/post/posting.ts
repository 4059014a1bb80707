import type { KnownBlock } from '@slack/types';
import type { WebClient } from '@slack/web-api';
import type { MessageRef } from '../../../core/cards/card.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import { RetryLaterError } from '../../../core/errors.ts';
import { callSlack } from '../client.ts';
import { ContentRefused, NeedsOperator } from '../fault.ts';
import { plainer } from '../views/plainer.ts';
import type { Pace } from './pace.ts';
import { PostingLine } from './posting-line.ts';

const eventType = 'firebreak_message';
const pages = 10;
const pageSize = 200;

interface Outgoing {
  /** The message's name: one key, one message. */
  readonly key: string;
  readonly channel: string;
  readonly threadTs?: string;
  /** A reply that the channel shows, too. */
  readonly inChannel?: true;
  /** Set if the message asks people something: it goes before news. */
  readonly question?: true;
  readonly text: string;
  readonly blocks: KnownBlock[];
}

/**
 * Posts a message once, although `chat.postMessage` has no idempotency key: the intention is stored first, the key travels in the message's metadata, and after
 * an attempt with an unknown outcome the channel is searched for the key before anything is posted again.
 */
export class Posting {
  readonly #client: WebClient;
  readonly #cards: CardStore;
  readonly #appId: string;
  readonly #onFault: (error: unknown) => void;
  readonly #running = new Map<string, Promise<MessageRef>>();
  readonly #line: PostingLine;
  /** Messages turned away by Slack: certainly not in the channel. Lost with the process; then the channel is searched. */
  readonly #turnedAway = new Set<string>();

  constructor(parts: {
    readonly client: WebClient;
    readonly cards: CardStore;
    readonly appId: string;
    readonly pace?: Pace;
    /** Called if a message was sent plainer than intended. */
    readonly onFault?: (error: unknown) => void;
  }) {
    this.#client = parts.client;
    this.#cards = parts.cards;
    this.#appId = parts.appId;
    this.#line = new PostingLine(parts.pace);
    this.#onFault = parts.onFault ?? (() => undefined);
  }

  postOnce(key: string, make: () => Promise<Outgoing>): Promise<MessageRef> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const posting = this.#post(key, make).finally(() => this.#running.delete(key));
    this.#running.set(key, posting);
    return posting;
  }

  /**
   * Finds a message whose posting was interrupted, by a kill or because the answer is still outstanding: Slack may show it before we get the answer. `unseen`:
   * it may be on its way. Undefined: nobody has tried to post it.
   */
  async lookFor(place: Pick<Outgoing, 'key' | 'channel' | 'threadTs'>): Promise<MessageRef | 'unseen' | undefined> {
    const { key } = place;
    const known = await this.#cards.message(key);
    if (known !== undefined) return known;
    if ((await this.#cards.message(attemptAt(key))) === undefined) return undefined;
    const found = await this.#find(place);
    if (found === undefined) return 'unseen';
    await this.#cards.saveMessage(key, found);
    return found;
  }

  /** @throws MessageGone if somebody has deleted it. */
  async update({ key, message, ...shown }: Omit<Outgoing, 'channel'> & { readonly message: MessageRef }): Promise<void> {
    await this.#orPlainer(shown, ({ text, blocks }) =>
      callSlack('chat.update', () =>
        this.#client.chat.update({
          channel: message.channel,
          ts: message.ts,
          text,
          blocks,
          parse: 'none',
          link_names: false,
          metadata: metadata(key),
        }),
      ),
    );
  }

  /** A short card is better than none: if Slack rejects the content, it is sent again in a plainer form. */
  async #orPlainer<Result>(
    shown: Pick<Outgoing, 'text' | 'blocks'>,
    send: (shown: Pick<Outgoing, 'text' | 'blocks'>) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await send(shown);
    } catch (error) {
      if (!(error instanceof ContentRefused)) throw error;
      this.#onFault(error);
      return send(plainer(shown));
    }
  }

  async #post(key: string, make: () => Promise<Outgoing>): Promise<MessageRef> {
    const known = await this.#cards.message(key);
    if (known !== undefined) return known;
    const attempt = attemptAt(key);
    const tried = (await this.#cards.message(attempt)) !== undefined;
    const outgoing = await make();
    const found = tried && !this.#turnedAway.has(key) ? await this.#find(outgoing) : undefined;
    if (!found) await this.#line.turn(placeOf(outgoing));
    if (!tried) await this.#cards.saveMessage(attempt, { channel: outgoing.channel, ts: '' });
    const message = found ?? (await this.#sendOrNote(outgoing));
    await this.#cards.saveMessage(key, message);
    return message;
  }

  async #sendOrNote(outgoing: Outgoing): Promise<MessageRef> {
    try {
      const message = await this.#send(outgoing);
      this.#turnedAway.delete(outgoing.key);
      return message;
    } catch (error) {
      // With any other error the message may already have been posted.
      if (error instanceof NeedsOperator) this.#turnedAway.add(outgoing.key);
      else if (!(error instanceof RetryLaterError)) this.#turnedAway.delete(outgoing.key);
      if (!(error instanceof RetryLaterError)) throw error;
      this.#turnedAway.add(outgoing.key);
      throw this.#line.turnedAway(placeOf(outgoing), error);
    }
  }

  async #send({ key, channel, threadTs, inChannel, ...shown }: Outgoing): Promise<MessageRef> {
    const reply =
      threadTs === undefined
        ? {}
        : { thread_ts: threadTs, ...(inChannel ? { reply_broadcast: true as const } : { reply_broadcast: false as const }) };
    const sent = await this.#orPlainer(shown, ({ text, blocks }) =>
      callSlack('chat.postMessage', () =>
        this.#client.chat.postMessage({
          channel,
          text,
          blocks,
          parse: 'none',
          link_names: false,
          mrkdwn: false,
          unfurl_links: false,
          unfurl_media: false,
          metadata: metadata(key),
          ...reply,
        }),
      ),
    );
    return { channel: sent.channel ?? channel, ts: sent.ts ?? '' };
  }

  /** Newest first; only our own app's message counts, even if somebody else writes the same metadata. */
  async #find({ key, channel, threadTs }: Pick<Outgoing, 'key' | 'channel' | 'threadTs'>): Promise<MessageRef | undefined> {
    let cursor: string | undefined;
    for (let page = 0; page < pages; page += 1) {
      const options = {
        channel,
        limit: pageSize,
        include_all_metadata: true,
        ...(cursor === undefined ? {} : { cursor }),
      };
      const result =
        threadTs === undefined
          ? await callSlack('conversations.history', () => this.#client.conversations.history(options))
          : await callSlack('conversations.replies', () => this.#client.conversations.replies({ ...options, ts: threadTs }));
      const own = result.messages?.find((message) => {
        const carried = message.metadata;
        return message.app_id === this.#appId && carried?.event_type === eventType && payloadKey(carried.event_payload) === key;
      });
      if (own?.ts !== undefined) return { channel, ts: own.ts };
      cursor = result.response_metadata?.next_cursor;
      if (cursor === undefined || cursor === '') return undefined;
    }
    return undefined;
  }
}

function attemptAt(key: string): string {
  return `attempt:${key}`;
}

function placeOf({ key, channel, question }: Outgoing) {
  return { key, channel, question: question === true };
}

function metadata(key: string) {
  return { event_type: eventType, event_payload: { key } };
}

function payloadKey(payload: object | undefined): unknown {
  return payload !== undefined && 'key' in payload ? payload.key : undefined;
}

import type { MessageRef, QuestionCard, ThreadPost } from '../../../core/cards/card.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import { placeOf } from '../../../core/cards/card-words.ts';
import type { IncidentRef } from '../../../core/incident/incident.ts';
import { plainText, utcWords } from '../../../core/text/plain-text.ts';
import { MessageGone } from '../fault.ts';
import { section } from '../views/blocks.ts';
import { code, inline, mentions, newsText, plain } from '../views/text.ts';
import type { Permalinks } from './permalinks.ts';
import type { Posting } from './posting.ts';

/** Decides where an incident's news is posted: under its first card or, if that card is in the thread of a summary, in that shared thread. */
export class IncidentThreads {
  readonly #cards: CardStore;
  readonly #posting: Posting;
  readonly #permalinks: Permalinks;
  readonly #channel: string;

  constructor(parts: {
    readonly cards: CardStore;
    readonly posting: Posting;
    readonly permalinks: Permalinks;
    readonly channel: string;
  }) {
    this.#cards = parts.cards;
    this.#posting = parts.posting;
    this.#permalinks = parts.permalinks;
    this.#channel = parts.channel;
  }

  /** The first card of an incident begins its thread; a reply has no thread of its own. */
  async begin(
    incident: IncidentRef,
    { message, overflow }: { readonly message: MessageRef; readonly overflow: MessageRef | undefined },
  ): Promise<void> {
    const key = threadKey(incident);
    if ((await this.#cards.message(key)) !== undefined) return;
    if (overflow) await this.#cards.saveMessage(sharedKey(incident), overflow);
    await this.#cards.saveMessage(key, overflow ?? message);
  }

  /** From now on other incidents share the card that began the thread, so its news names the incident. */
  async share(incident: IncidentRef, thread: MessageRef): Promise<void> {
    const own = await this.#cards.message(threadKey(incident));
    if (own?.ts === thread.ts) await this.#cards.saveMessage(sharedKey(incident), thread);
  }

  /** The card that began the thread was deleted and posted again; the thread moves with it. */
  async moved(incident: IncidentRef, { from, to }: { readonly from: MessageRef; readonly to: MessageRef }): Promise<void> {
    for (const key of [threadKey(incident), sharedKey(incident)])
      if ((await this.#cards.message(key))?.ts === from.ts) await this.#cards.saveMessage(key, to);
  }

  /** The card that started the thread needs no link to itself. */
  async urlFor(card: QuestionCard, own?: MessageRef): Promise<{ readonly threadUrl?: string }> {
    const thread = await this.#cards.message(threadKey(card.incident));
    if (thread === undefined || thread.ts === own?.ts) return {};
    const threadUrl = await this.#permalinks.of(thread);
    return threadUrl === undefined ? {} : { threadUrl };
  }

  /** Undefined if the incident has no thread yet, or Slack does not return its address. */
  async urlOf(incident: IncidentRef): Promise<string | undefined> {
    const thread = await this.#cards.message(threadKey(incident));
    return thread && this.#permalinks.of(thread);
  }

  /**
   * If the thread's first message was deleted, a new thread begins.
   * @param called accounts that it mentions; it is then shown in the channel, too, since who has not seen the thread is not told of its replies
   */
  async post(post: ThreadPost, called: readonly string[] = []): Promise<MessageRef> {
    try {
      return await this.#post(post, called);
    } catch (error) {
      if (!(error instanceof MessageGone)) throw error;
      for (const key of [threadKey(post.incident), sharedKey(post.incident)]) await this.#cards.forgetMessage(key);
      return this.#post(post, called);
    }
  }

  async #post({ key: name, incident, text }: ThreadPost, called: readonly string[]): Promise<MessageRef> {
    const thread = await this.#started(incident);
    const isShared = (await this.#cards.message(sharedKey(incident))) !== undefined;
    const line = isShared ? `${placeOf(incident)}: ${text}` : text;
    const key = `line:${name}`;
    const mentioned = mentions(called);
    return this.#posting.postOnce(key, async () => ({
      key,
      channel: thread.channel,
      threadTs: thread.ts,
      text: plain(plainText(line, { time: utcWords }), 300),
      blocks: [section([...(mentioned === '' ? [] : [mentioned]), newsText(line, 2_700)].join(' '))],
      ...(mentioned !== '' && { inChannel: true as const }),
    }));
  }

  #started(incident: ThreadPost['incident']): Promise<MessageRef> {
    const key = threadKey(incident);
    const { severity, cluster } = incident;
    const news = 'Updates on the incident follow in this thread.';
    return this.#posting.postOnce(key, async () => ({
      key,
      channel: this.#channel,
      text: `${severity.toUpperCase()}: incident on ${plain(placeOf(incident), 120)}`,
      blocks: [
        section(`*Incident:* ${inline(placeOf(incident), 200)}\n${inline(severity, 20)}, cluster ${code(cluster, 60)}. ${news}`),
      ],
    }));
  }
}

function threadKey({ id, run }: IncidentRef): string {
  return `thread:${id}@${run}`;
}

/** Exists if the incident's thread is that of a summary. */
function sharedKey({ id, run }: IncidentRef): string {
  return `shared:${id}@${run}`;
}

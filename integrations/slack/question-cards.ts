import { randomBytes } from 'node:crypto';
import type { CardStore, MessageRef, QuestionCard } from '../../core/card.ts';
import { type CardGroup, type GroupButton, seenOf } from '../../core/card-group.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { Aside } from './aside.ts';
import { EditLine } from './edit-line.ts';
import { type GroupTarget, groupBlocks } from './group-card.ts';
import type { Asked, Groups } from './groups.ts';
import type { Posting } from './posting.ts';
import { questionBlocks, type RenderedMessage } from './render.ts';
import type { ShownCards } from './shown-cards.ts';
import { storedButtons } from './stored-buttons.ts';
import type { IncidentThreads } from './threads.ts';

/** Further targets are single lines, with no room for a link. */
const mostLinks = 10;

export interface QuestionCardsParts {
  readonly cards: CardStore;
  readonly shown: ShownCards;
  readonly posting: Posting;
  readonly threads: IncidentThreads;
  readonly aside: Aside;
  readonly groups: Groups;
  /** The channel's id. */
  readonly channel: string;
  readonly now: () => number;
}

/** Questions as cards: each posted once and edited in place, those of the same playbook, rule and image on the card of the first. */
export class QuestionCards {
  readonly #parts: QuestionCardsParts;
  readonly #edits = new EditLine();

  constructor(parts: QuestionCardsParts) {
    this.#parts = parts;
  }

  async post(asked: Asked): Promise<MessageRef> {
    const { cards, groups, shown, aside, threads } = this.#parts;
    const { card } = asked;
    await storedButtons(cards, asked);
    const group = await groups.join(asked);
    const head = group?.head ?? card.questionId;
    const message = await this.#posted(head);
    const place = (await shown.of(card.questionId))?.aside;
    if (head === card.questionId) await threads.begin(card.incident, { message, aside: place });
    else await this.#joined(head, card, place ?? message);
    if (place) aside.changed();
    return message;
  }

  async update(card: QuestionCard): Promise<void> {
    const { cards, shown, groups, aside } = this.#parts;
    if ((await cards.message(card.questionId)) === undefined)
      throw new FirebreakError('FB_ERR_NOT_FOUND', 'the question has no card yet');
    const group = await groups.of(card.questionId);
    await shown.editing(card, () => this.#edit(group?.head ?? card.questionId));
    if (group && card.status.state !== 'open') await groups.settle(group.groupId);
    if ((await shown.of(card.questionId))?.aside) aside.changed();
  }

  /** Whoever comes first posts it, also when that is one of those who join. */
  #posted(head: string): Promise<MessageRef> {
    const { posting, shown, channel } = this.#parts;
    return posting.postOnce(head, async () => {
      const known = await shown.of(head);
      if (!known) throw new FirebreakError('FB_ERR_NOT_FOUND', 'the question has no place yet');
      const { card, aside } = known;
      return { key: head, channel, question: true, ...(aside && { threadTs: aside.ts }), ...(await this.#alone(card)) };
    });
  }

  /** Its news are told by name where those of the others are. Resolves when it is to be seen. */
  async #joined(head: string, card: QuestionCard, thread: MessageRef): Promise<void> {
    const { cards, shown, threads } = this.#parts;
    const first = await shown.of(head);
    const message = await this.#posted(head);
    await cards.saveMessage(card.questionId, message);
    await threads.begin(card.incident, { message, aside: thread });
    if (first) await threads.share(first.card.incident, thread);
    await this.#edit(head);
  }

  /** As everything stands when its turn has come. */
  #edit(head: string): Promise<void> {
    const { cards, shown, groups, posting } = this.#parts;
    return this.#edits.edit(head, async () => {
      const message = await cards.message(head);
      const known = await shown.of(head);
      if (!message || !known) return;
      const group = await groups.of(head);
      const rendered =
        group && group.questions.length > 1 ? await this.#together(group, message) : await this.#alone(known.card, message);
      await posting.update({ key: head, message, ...rendered });
    });
  }

  async #alone(card: QuestionCard, message?: MessageRef): Promise<RenderedMessage> {
    const { cards, threads } = this.#parts;
    return questionBlocks(card, {
      buttons: await cards.buttonsOf(card.questionId),
      ...(await threads.urlFor(card, message)),
    });
  }

  async #together(group: CardGroup, message: MessageRef): Promise<RenderedMessage> {
    const { cards, groups, threads } = this.#parts;
    const targets: GroupTarget[] = [];
    for (const { card } of await groups.members(group)) {
      const link = targets.length < mostLinks ? await threads.urlFor(card, message) : {};
      targets.push({ card, buttons: await cards.buttonsOf(card.questionId), ...link });
    }
    const open = targets.flatMap(({ card }) => (card.status.state === 'open' ? [card] : []));
    return groupBlocks(targets, await this.#buttonsFor(group, open));
  }

  /** The same as long as they stand for the same; else new ones, so that a click tells what was seen. */
  async #buttonsFor({ groupId }: CardGroup, open: readonly QuestionCard[]): Promise<readonly GroupButton[]> {
    const { cards, now } = this.#parts;
    const targets = open.map((card) => ({ question: card.questionId, seen: seenOf(card) }));
    const last = await cards.groupButtons(groupId);
    const before = last[0]?.targets ?? [];
    const isSame =
      before.length === targets.length &&
      before.every(({ question, seen }, place) => targets[place]?.question === question && targets[place]?.seen === seen);
    const [first] = open;
    if (isSame || !first) return last;
    const shownAt = Math.max(now(), (last[0]?.shownAt ?? 0) + 1);
    const ids = [...first.choices.map(({ id }) => id), undefined];
    const buttons = ids.map((choice): GroupButton => {
      const buttonId = `g_${randomBytes(18).toString('base64url')}`;
      return { buttonId, groupId, ...(choice !== undefined && { choice }), targets, shownAt };
    });
    await cards.saveGroupButtons(buttons);
    return buttons;
  }
}

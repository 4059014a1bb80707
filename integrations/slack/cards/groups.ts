import { randomBytes } from 'node:crypto';
import type { MessageRef, QuestionCard, ShownCard } from '../../../core/cards/card.ts';
import { type CardGroup, joinableForMs, likenessOf, mostTargets } from '../../../core/cards/card-group.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import type { OverflowThread } from './overflow-thread.ts';
import type { ShownCards } from './shown-cards.ts';

export interface AskedCard {
  readonly card: QuestionCard;
  readonly groups: readonly string[];
  readonly requester: string;
}

/** Which questions share one card. A question is placed once, and stays there, even if the desk restarts in between. */
export class Groups {
  readonly #cards: CardStore;
  readonly #shown: ShownCards;
  readonly #overflow: OverflowThread;
  readonly #now: () => number;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: {
    readonly cards: CardStore;
    readonly shown: ShownCards;
    readonly overflow: OverflowThread;
    readonly now: () => number;
  }) {
    this.#cards = parts.cards;
    this.#shown = parts.shown;
    this.#overflow = parts.overflow;
    this.#now = parts.now;
  }

  /** The group that the question belongs to; undefined if it stays alone. Serialized: if many arrive at once, only one begins the group. */
  join(asked: AskedCard): Promise<CardGroup | undefined> {
    return this.#inTurn(async () => {
      const known = await this.of(asked.card.questionId);
      if (known) return known;
      const likeness = likenessOf(asked);
      const open = likeness === undefined ? undefined : await this.#joinable(likeness);
      if (open) return this.#add(open, asked.card);
      await this.#overflow.place(asked.card);
      return likeness === undefined ? undefined : this.#begin(likeness, asked.card);
    });
  }

  async of(question: string): Promise<CardGroup | undefined> {
    const shown = await this.#shown.of(question);
    return shown?.group === undefined ? undefined : this.#cards.group(shown.group);
  }

  /** Its questions in their last known state, in order of arrival. */
  async members({ questions }: CardGroup): Promise<readonly ShownCard[]> {
    const members = await Promise.all(questions.map((question) => this.#shown.of(question)));
    return members.filter((member) => member !== undefined);
  }

  /** Closes a group without open questions, so that nothing joins it. */
  settle(groupId: string): Promise<void> {
    return this.#inTurn(async () => {
      const group = await this.#cards.group(groupId);
      if (!group?.open) return;
      const isOpen = (await this.members(group)).some(({ card }) => card.status.state === 'open');
      if (!isOpen) await this.#cards.saveGroup({ ...group, open: false });
    });
  }

  async #joinable(likeness: string): Promise<CardGroup | undefined> {
    const group = await this.#cards.openGroup(likeness);
    if (!group || group.questions.length >= mostTargets) return undefined;
    return this.#now() - group.begunAt < joinableForMs ? group : undefined;
  }

  async #begin(likeness: string, card: QuestionCard): Promise<CardGroup> {
    const { questionId: head } = card;
    const groupId = `group-${randomBytes(9).toString('base64url')}`;
    const group: CardGroup = { groupId, likeness, head, questions: [head], begunAt: this.#now(), open: true };
    await this.#cards.saveGroup(group);
    await this.#shown.posting(card, { ...(await this.#shown.of(head)), group: groupId });
    return group;
  }

  /** The question is placed where the first one is. */
  async #add(group: CardGroup, card: QuestionCard): Promise<CardGroup> {
    const { groupId, head, questions } = group;
    const overflow: MessageRef | undefined = (await this.#shown.of(head))?.overflow;
    const grown: CardGroup = { ...group, questions: [...new Set([...questions, card.questionId])] };
    await this.#cards.saveGroup(grown);
    await this.#shown.posting(card, { ...(overflow && { overflow }), group: groupId });
    return grown;
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

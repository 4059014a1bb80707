import type { QuestionCard, ShownCard } from '../../../core/cards/card.ts';
import { substanceOf } from '../../../core/cards/card-group.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';

/** Whoever reads needs that long to see that the card has become another. */
const settledAfterMs = 2_000;

/** Remembers cards as they were shown, and when what is decided on them last changed. */
export class ShownCards {
  readonly #cards: CardStore;
  readonly #now: () => number;

  constructor({ cards, now }: { readonly cards: CardStore; readonly now: () => number }) {
    this.#cards = cards;
    this.#now = now;
  }

  async posting(card: QuestionCard, place: Pick<ShownCard, 'overflow' | 'group'> = {}): Promise<void> {
    const { overflow, group } = place;
    await this.#cards.saveCard({ card, changedAt: 0, ...(overflow && { overflow }), ...(group !== undefined && { group }) });
  }

  /** Around the edit itself: nobody may click on what they have not seen, neither before Slack shows it nor just after. */
  async editing(card: QuestionCard, edit: () => Promise<void>): Promise<void> {
    const before = await this.#cards.card(card.questionId);
    const isOther = before !== undefined && substanceOf(before.card) !== substanceOf(card);
    const changedAt = (): number => (isOther ? this.#now() : (before?.changedAt ?? 0));
    const save = (): Promise<void> => this.#cards.saveCard({ ...before, card, changedAt: changedAt() });
    await save();
    await edit();
    if (isOther) await save();
  }

  of(question: string): Promise<ShownCard | undefined> {
    return this.#cards.card(question);
  }

  hasJustChanged({ changedAt }: ShownCard): boolean {
    return this.#now() - changedAt < settledAfterMs;
  }
}

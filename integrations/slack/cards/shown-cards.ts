import type { QuestionCard, ShownCard } from '../../../core/cards/card.ts';
import { substanceOf } from '../../../core/cards/card-group.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import { FirebreakError } from '../../../core/errors.ts';

/** A reader needs that long to notice that the card has changed. */
const settledAfterMs = 2_000;
/** A proposal stays open for a few days at most. */
const mostRuns = 100;

/** Remembers cards as they were shown, and when the content that people decide on last changed. */
export class ShownCards {
  readonly #cards: CardStore;
  readonly #now: () => number;

  constructor({ cards, now }: { readonly cards: CardStore; readonly now: () => number }) {
    this.#cards = cards;
    this.#now = now;
  }

  async posting(card: QuestionCard, place: Pick<ShownCard, 'overflow' | 'group'> = {}): Promise<void> {
    const { overflow, group } = place;
    const { askedBefore } = (await this.of(card.questionId)) ?? {};
    await this.#cards.saveCard({
      card,
      changedAt: 0,
      ...(overflow && { overflow }),
      ...(group !== undefined && { group }),
      ...(askedBefore && { askedBefore }),
    });
  }

  /**
   * A new run takes over a question that an earlier run asked. From now on the earlier run is ignored, even if its message is sent again.
   * @throws FB_ERR_REFUSED for a card of such an earlier run.
   */
  async takeUp(card: QuestionCard, from: string): Promise<void> {
    const before = await this.of(card.questionId);
    const earlier = before?.askedBefore ?? [];
    if (earlier.includes(card.incident.run))
      throw new FirebreakError('FB_ERR_REFUSED', `the question ${card.questionId} has been asked again since`);
    const askedBefore = [...new Set([...earlier, from])].slice(-mostRuns);
    await this.#cards.saveCard({ changedAt: 0, ...before, card, askedBefore });
  }

  /** Wraps the edit itself: nobody may click on something they have not seen, neither before Slack shows it nor just after. */
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

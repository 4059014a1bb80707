import type { CardStore, MessageRef, QuestionCard, ShownCard } from '../../core/card.ts';
import { digestOf } from '../../core/digest.ts';

/** Whoever reads needs that long to see that the card has become another. */
const settledAfterMs = 2_000;

/** What people decide on. Counts, votes, evidence and times come and go without changing it. */
function substance({ text, incident, choices }: QuestionCard): string {
  return digestOf({ text, severity: incident.severity, choices });
}

/** Remembers cards as they were shown, and when what is decided on them last changed. */
export class ShownCards {
  readonly #cards: CardStore;
  readonly #now: () => number;

  constructor({ cards, now }: { readonly cards: CardStore; readonly now: () => number }) {
    this.#cards = cards;
    this.#now = now;
  }

  async posting(card: QuestionCard, aside?: MessageRef): Promise<void> {
    await this.#cards.saveCard({ card, changedAt: 0, ...(aside && { aside }) });
  }

  /** Around the edit itself: nobody may click on what they have not seen, neither before Slack shows it nor just after. */
  async editing(card: QuestionCard, edit: () => Promise<void>): Promise<void> {
    const before = await this.#cards.card(card.questionId);
    const isOther = before !== undefined && substance(before.card) !== substance(card);
    const changedAt = (): number => (isOther ? this.#now() : (before?.changedAt ?? 0));
    const aside = before?.aside;
    const save = (): Promise<void> => this.#cards.saveCard({ card, changedAt: changedAt(), ...(aside && { aside }) });
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

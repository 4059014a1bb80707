import { bySeverity } from '../../../core/alert/severity.ts';
import type { MessageRef, Notice, QuestionCard } from '../../../core/cards/card.ts';
import { oneOfEach } from '../../../core/cards/card-group.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import { plain, utc } from '../views/text.ts';
import type { ShownCards } from './shown-cards.ts';

const gatherMs = 2_000;
const dayLength = '2026-01-01'.length;

interface OverflowThreadParts {
  readonly cards: CardStore;
  readonly shown: ShownCards;
  /** Whether the people asked already have enough questions in the channel. */
  readonly isTooMuch: (card: QuestionCard) => Promise<boolean>;
  readonly showNotice: (notice: Notice) => Promise<MessageRef>;
  readonly onFault: (error: unknown) => void;
  readonly now: () => number;
}

/**
 * Where questions go if people already see enough of them: each is a normal card, in the thread of one summary per day. None is held back, and each can be
 * answered. The pager wakes people, not the channel.
 */
export class OverflowThread {
  readonly #parts: OverflowThreadParts;
  #last: Promise<unknown> = Promise.resolve();
  #pending: NodeJS.Timeout | undefined;

  constructor(parts: OverflowThreadParts) {
    this.#parts = parts;
  }

  /**
   * The summary in whose thread the card goes; undefined: into the channel. Decided once, since a card that Slack may already have is looked for where it went;
   * and serialized, so that of many that arrive at once each counts for the next.
   */
  place(card: QuestionCard): Promise<MessageRef | undefined> {
    const turn = this.#last.then(async () => {
      const { shown, isTooMuch } = this.#parts;
      const before = await shown.of(card.questionId);
      const place = before ? before.overflow : (await isTooMuch(card)) ? await this.#summary(card) : undefined;
      await shown.posting(card, place && { overflow: place });
      return place;
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Call it if a card in a summary's thread was posted or has changed. Changes within a moment are shown together. */
  changed(): void {
    this.#pending ??= setTimeout(() => {
      this.#pending = undefined;
      this.#refresh().catch(this.#parts.onFault);
    }, gatherMs).unref();
  }

  stop(): void {
    clearTimeout(this.#pending);
  }

  async #summary(card: QuestionCard): Promise<MessageRef> {
    return (await this.#parts.cards.message(this.#key())) ?? this.#show([card]);
  }

  async #refresh(): Promise<void> {
    const waiting = (await this.#parts.cards.openCards()).filter(({ overflow }) => overflow !== undefined);
    await this.#show(oneOfEach(waiting).map(({ card }) => card));
  }

  /** The worst first, then what ends first: a list in the order of arrival would hide a critical one between others. */
  #show(unsorted: readonly QuestionCard[]): Promise<MessageRef> {
    const waiting = [...unsorted].sort(
      (a, b) => bySeverity(a.incident.severity, b.incident.severity) || Date.parse(a.level.until) - Date.parse(b.level.until),
    );
    const many = waiting.length === 1 ? '1 more question waits' : `${waiting.length} more questions wait`;
    return this.#parts.showNotice({
      key: this.#key(),
      title: waiting.length === 0 ? 'No more questions wait' : many,
      time: new Date(this.#parts.now()).toISOString(),
      lines: [
        'Five questions are open above. The others are in this thread, listed here with the worst first.',
        '/firebreak questions shows what waits for you.',
      ],
      table: waiting.map(
        ({ incident, level }) =>
          `${incident.severity.toUpperCase().padEnd(8)} ${plain(incident.title, 80)}  ${plain(level.group, 30)} until ${utc(level.until)}`,
      ),
    });
  }

  #key(): string {
    return `waiting:${new Date(this.#parts.now()).toISOString().slice(0, dayLength)}`;
  }
}

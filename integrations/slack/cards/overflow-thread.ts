import { bySeverity } from '../../../core/alert/severity.ts';
import type { MessageRef, Notice, QuestionCard, ShownCard } from '../../../core/cards/card.ts';
import { oneOfEach } from '../../../core/cards/card-group.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import type { Pace } from '../post/pace.ts';
import { plain, utc } from '../views/text.ts';
import type { ShownCards } from './shown-cards.ts';

const gatherMs = 2_000;
const dayLength = '2026-01-01'.length;

/** For each person asked who already sees enough questions in the channel, the cards of these; empty: there is room for one more. */
export type Crowding = (card: QuestionCard) => Promise<readonly (readonly ShownCard[])[]>;

interface OverflowThreadParts {
  readonly cards: CardStore;
  readonly shown: ShownCards;
  readonly crowding: Crowding;
  readonly showNotice: (notice: Notice) => Promise<MessageRef>;
  readonly onFault: (error: unknown) => void;
  readonly pace: Pace;
  readonly now: () => number;
}

/**
 * Where questions go if people already see enough of them: each is a normal card, in the thread of one summary per day. None is held back, and each can be
 * answered. The least urgent card in the channel gives up its place for a more severe one. The pager wakes people, not the channel.
 */
export class OverflowThread {
  readonly #parts: OverflowThreadParts;
  #last: Promise<unknown> = Promise.resolve();
  #pending: NodeJS.Timeout | undefined;
  #mayBegin = false;
  readonly #leaving = new Set<string>();

  constructor(parts: OverflowThreadParts) {
    this.#parts = parts;
  }

  /**
   * The summary in whose thread the card goes; undefined: into the channel. Decided once, since a card that Slack may already have is looked for where it went;
   * and serialized, so that of many that arrive at once each counts for the next.
   */
  place(card: QuestionCard): Promise<MessageRef | undefined> {
    const turn = this.#last.then(async () => {
      const { shown } = this.#parts;
      const before = await shown.of(card.questionId);
      const place = before ? before.overflow : await this.#placeFor(card);
      await shown.posting(card, place && { overflow: place });
      return place;
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Heads of the cards that have given up their place, and are still in the channel. */
  leaving(): readonly string[] {
    return [...this.#leaving];
  }

  hasLeft(head: string): void {
    this.#leaving.delete(head);
  }

  /** Call it if a card was posted or has changed. Changes within a moment are shown together. A card in the channel only changes a summary that is there. */
  changed(where: 'in the thread' | 'in the channel'): void {
    this.#mayBegin ||= where === 'in the thread';
    if (this.#pending) return;
    const refresh = (): void => {
      this.#pending = undefined;
      this.#refresh().catch(this.#parts.onFault);
    };
    this.#pending = this.#parts.pace.later(refresh, gatherMs).unref();
  }

  stop(): void {
    clearTimeout(this.#pending);
  }

  async #placeFor(card: QuestionCard): Promise<MessageRef | undefined> {
    const crowded = await this.#parts.crowding(card);
    const yielding = yieldingTo(card, crowded);
    if (!yielding) return this.#summary(card);
    for (const one of yielding) await this.#giveUpPlace(one);
    return undefined;
  }

  /** All questions that share the card go with it. */
  async #giveUpPlace({ card, group: id }: ShownCard): Promise<void> {
    const { cards, shown } = this.#parts;
    const overflow = await this.#summary(card);
    const group = id === undefined ? undefined : await cards.group(id);
    for (const question of group?.questions ?? [card.questionId]) {
      const member = await shown.of(question);
      if (member) await shown.posting(member.card, { overflow, ...(id !== undefined && { group: id }) });
    }
    this.#leaving.add(group?.head ?? card.questionId);
  }

  async #summary(card: QuestionCard): Promise<MessageRef> {
    return (await this.#parts.cards.message(this.#key())) ?? this.#show([card]);
  }

  async #refresh(): Promise<void> {
    const mayBegin = this.#mayBegin;
    this.#mayBegin = false;
    if (!mayBegin && (await this.#parts.cards.message(this.#key())) === undefined) return;
    const waiting = (await this.#parts.cards.openCards()).filter(({ overflow }) => overflow !== undefined);
    await this.#show(oneOfEach(waiting).map(({ card }) => card));
  }

  /** The worst first, then what ends first: a list in the order of arrival would hide a critical one between others. */
  async #show(unsorted: readonly QuestionCard[]): Promise<MessageRef> {
    const waiting = unsorted.toSorted(byUrgency);
    const above = oneOfEach(await this.#parts.cards.openCards()).filter(({ overflow }) => overflow === undefined).length;
    const many = waiting.length === 1 ? '1 more question waits' : `${waiting.length} more questions wait`;
    return this.#parts.showNotice({
      key: this.#key(),
      title: waiting.length === 0 ? 'No more questions wait' : many,
      time: new Date(this.#parts.now()).toISOString(),
      lines: [
        `${aboveText(above)} ${waiting.length === 0 ? 'None waits in this thread.' : 'The others are in this thread, listed here with the worst first.'}`,
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

/** The worst first, then what ends first. */
function byUrgency(a: QuestionCard, b: QuestionCard): number {
  return bySeverity(a.incident.severity, b.incident.severity) || Date.parse(a.level.until) - Date.parse(b.level.until);
}

function aboveText(count: number): string {
  return count === 0
    ? 'No question is open above.'
    : count === 1
      ? '1 question is open above.'
      : `${count} questions are open above.`;
}

/** The cards that make room for this one: for each person the least urgent that is less severe. Undefined if somebody sees none such. */
function yieldingTo(card: QuestionCard, crowded: readonly (readonly ShownCard[])[]): readonly ShownCard[] | undefined {
  const yielding = new Set<ShownCard>();
  for (const seen of crowded) {
    if (seen.some((one) => yielding.has(one))) continue;
    const least = seen
      .filter(({ card: other }) => !other.level.pages && bySeverity(card.incident.severity, other.incident.severity) < 0)
      .toSorted((a, b) => byUrgency(a.card, b.card))
      .at(-1);
    if (!least) return undefined;
    yielding.add(least);
  }
  return [...yielding];
}

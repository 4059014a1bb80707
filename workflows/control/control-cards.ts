import type { DeskActivities } from '../../core/action/step.ts';
import type { QuestionPost } from '../../core/cards/question-card.ts';
import type { UnshownCard } from '../../core/decide/control.ts';

interface ControlCardsParts {
  readonly desk: Pick<DeskActivities, 'postQuestion' | 'updateQuestion'>;
  /** The current state of a question; undefined if nothing of it is kept any more. */
  readonly post: (question: string) => QuestionPost | undefined;
  readonly failed: (question: string, what: string) => void;
}

interface Line {
  isPosted: boolean;
  hasChanged: boolean;
}

/**
 * Keeps the cards of proposals up to date: one call to the desk at a time per card, always with the latest state. If two votes within a moment caused two
 * concurrent calls, the first could finish last, on another desk: its card would ask about something already decided.
 */
export class ControlCards {
  readonly #parts: ControlCardsParts;
  readonly #lines = new Map<string, Line>();

  constructor(parts: ControlCardsParts) {
    this.#parts = parts;
  }

  /** Changes that no card shows yet, for the run that continues as new. */
  get unshown(): readonly UnshownCard[] {
    return [...this.#lines].map(([question, { isPosted }]) => ({ question, isPosted }));
  }

  show({ question, isPosted }: UnshownCard): void {
    const known = this.#lines.get(question);
    if (known) {
      known.hasChanged = true;
      return;
    }
    const line = { isPosted, hasChanged: true };
    this.#lines.set(question, line);
    void this.#run(question, line).finally(() => this.#lines.delete(question));
  }

  async #run(question: string, line: Line): Promise<void> {
    const { desk, post, failed } = this.#parts;
    while (line.hasChanged) {
      line.hasChanged = false;
      const card = post(question);
      if (!card) return;
      try {
        if (line.isPosted) await desk.updateQuestion(card);
        else await desk.postQuestion(card);
        line.isPosted = true;
      } catch {
        failed(question, line.isPosted ? 'a card could not be updated' : 'the card could not be posted');
      }
    }
  }
}

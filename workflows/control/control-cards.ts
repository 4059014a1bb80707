import type { DeskActivities } from '../../core/action/step.ts';
import type { QuestionPost } from '../../core/cards/question-card.ts';
import type { UnshownCard } from '../../core/decide/control.ts';

interface ControlCardsParts {
  readonly desk: Pick<DeskActivities, 'postQuestion' | 'updateQuestion'>;
  /** A question as it stands; undefined where nothing is kept of it any more. */
  readonly post: (question: string) => QuestionPost | undefined;
  readonly failed: (question: string, what: string) => void;
}

interface Line {
  isPosted: boolean;
  hasChanged: boolean;
}

/**
 * Keeps the cards of proposals true: of each one call to the desk after another, and always with what stands by then. Of two calls at once, of two votes within
 * a moment, the first may be done last, by another desk: its card would ask about what is decided.
 */
export class ControlCards {
  readonly #parts: ControlCardsParts;
  readonly #lines = new Map<string, Line>();

  constructor(parts: ControlCardsParts) {
    this.#parts = parts;
  }

  /** What no card shows yet, for the run that goes on as new. */
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
        failed(question, line.isPosted ? 'a card could not be brought up to date' : 'the card could not be posted');
      }
    }
  }
}

import type { ClickAnswer, ReplyStore } from '../../../core/incident/click-reply.ts';
import type { GatheredAnswers } from './gathered-answers.ts';

/**
 * Shows an incident's answer to a click to the person who clicked, where they clicked. If the incident names a click that this desk does not know, or does not
 * know by its signature, nobody is told: Temporal carries neither channels nor people.
 */
export class ClickAnswers {
  readonly #replies: ReplyStore;
  readonly #gathered: GatheredAnswers;
  readonly #log: (message: string, facts: Readonly<Record<string, string>>) => void;

  constructor(parts: {
    readonly replies: ReplyStore;
    readonly gathered: GatheredAnswers;
    readonly log: (message: string, facts: Readonly<Record<string, string>>) => void;
  }) {
    this.#replies = parts.replies;
    this.#gathered = parts.gathered;
    this.#log = parts.log;
  }

  async tell({ incident, click, signature, text }: ClickAnswer): Promise<void> {
    const reply = await this.#replies.reply(click);
    if (reply?.signature !== signature || reply.incident !== incident.id) {
      this.#log('an answer was not shown: it matches no known click', { incident: incident.id });
      return;
    }
    await this.#gathered.answer({ ...reply.to, text });
    await this.#replies.answered(click);
  }
}

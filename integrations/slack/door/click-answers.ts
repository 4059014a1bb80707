import type { ClickAnswer, ReplyStore } from '../../../core/incident/click-reply.ts';
import type { GatheredAnswers } from './gathered-answers.ts';

/**
 * What incidents say of clicks, told to who clicked, where they clicked. An incident that names a click which this desk does not know, or not by
 * its signature, speaks to nobody: Temporal carries neither channels nor people.
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
      this.#log('an answer was not told: no click of ours is known for it', { incident: incident.id });
      return;
    }
    await this.#gathered.answer({ ...reply.to, text });
    await this.#replies.answered(click);
  }
}

import { type FollowUpActivities, newsAtOnce } from '../../core/action/step.ts';
import { stepFailure } from '../calls.ts';
import type { IncidentModel } from '../incident/model.ts';
import { condition, sleep } from '../world.ts';

/** Between two reads: anyone who can send signals must not be able to fill the history. */
const pauseMs = 2_000;
const mostReads = 500;

/**
 * Reports what people did to the ticket or the page in its own system: a line in the timeline, the thread and the cards. It ends no question and releases
 * nothing: users of a ticket system are not on the roster.
 */
export class TicketNewsReader {
  readonly #model: IncidentModel;
  readonly #read: FollowUpActivities['ticketNews'];
  readonly #tell: (text: string) => void;
  /** The incident is closing its ticket itself: that it gets closed is no news. */
  closing = false;
  #wanted = false;
  #reads = 0;

  constructor(options: {
    readonly model: IncidentModel;
    readonly read: FollowUpActivities['ticketNews'];
    /** Posts one line in the incident's thread, and on its cards. */
    readonly tell: (text: string) => void;
  }) {
    this.#model = options.model;
    this.#read = options.read;
    this.#tell = options.tell;
  }

  /** There is something to read; only the desk knows what. */
  nudge(): void {
    if (!this.closing && this.#reads < mostReads) this.#wanted = true;
  }

  get idle(): boolean {
    return !this.#wanted;
  }

  async run(): Promise<never> {
    for (;;) {
      await condition(() => this.#wanted);
      this.#wanted = false;
      this.#reads += 1;
      await this.#model.during(this.#readNext());
      await sleep(pauseMs);
    }
  }

  async #readNext(): Promise<void> {
    const { ref, followUp } = this.#model;
    try {
      const news = await this.#read({ incident: ref, after: followUp.news?.number ?? 0 });
      for (const { number, system, ticket, by, words } of news) {
        this.#model.followUp = { ...this.#model.followUp, news: { number, words } };
        this.#model.record('ticket.news', `ticket/${system}`, words, { system, ticket, by });
        this.#tell(words);
      }
      // There may be more news than one answer holds.
      if (news.length >= newsAtOnce) this.nudge();
    } catch (error) {
      this.#model.note('ticket.failed', 'engine', `changes of the ticket could not be read: ${stepFailure(error).message}`);
    }
  }
}

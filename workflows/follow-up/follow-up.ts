import type { FollowUpActivities } from '../../core/action/step.ts';
import type { IncidentModel } from '../incident/model.ts';
import { PageKeeper } from './page-keeper.ts';
import { TicketKeeper } from './ticket-keeper.ts';
import { TicketNewsReader } from './ticket-news.ts';

/**
 * Follows an incident in external systems: its ticket and its page. It only listens to the records, so that nothing which contains or asks ever waits for it;
 * without a ticket system and a pager it does nothing.
 */
export class FollowUp {
  readonly #tickets: TicketKeeper | undefined;
  readonly #pages: PageKeeper | undefined;
  readonly #news: TicketNewsReader | undefined;

  constructor(options: {
    readonly model: IncidentModel;
    readonly activities: { readonly patient: FollowUpActivities; readonly brief: FollowUpActivities };
    /** Posts one line in the incident's thread. */
    readonly tell: (text: string) => void;
    /** Called when something that the cards show has changed. */
    readonly changed: () => void;
  }) {
    const { model, activities, tell, changed } = options;
    const { followUp = { tickets: false, pages: false } } = model.settings;
    this.#tickets = followUp.tickets ? new TicketKeeper({ model, activities, tell }) : undefined;
    this.#pages = followUp.pages ? new PageKeeper(model, activities.patient) : undefined;
    const told = (text: string): void => {
      tell(text);
      changed();
    };
    this.#news =
      followUp.tickets || followUp.pages
        ? new TicketNewsReader({ model, read: activities.patient.ticketNews, tell: told })
        : undefined;
    model.onRecord = (kind, text, body) => {
      this.#tickets?.hear(kind, text, body);
      this.#pages?.hear(kind, text, body);
    };
  }

  run(): void {
    void this.#tickets?.run();
    void this.#pages?.run();
    void this.#news?.run();
  }

  /** Reports that somebody changed the ticket or the page in its own system. */
  nudge(): void {
    this.#news?.nudge();
  }

  /** While true, changes to the ticket are the incident's own doing. */
  set closing(isClosing: boolean) {
    if (this.#news) this.#news.closing = isClosing;
  }

  /** Whether no call is in progress, so that the history may be cut. */
  get idle(): boolean {
    return (this.#pages?.idle ?? true) && (this.#news?.idle ?? true);
  }

  /**
   * Called when nothing is left to do: ends the page, and adds the rest to the ticket and closes it. Bounded by the timeouts of its activities: about a day.
   */
  async finish(): Promise<void> {
    await Promise.all([this.#pages?.finish(), this.#tickets?.finish()]);
  }
}

import { Context } from '@temporalio/activity';
import { type FollowUpActivities, newsAtOnce } from '../../core/action/step.ts';
import { FirebreakError } from '../../core/errors.ts';
import { wholeText } from '../../core/text/plain-text.ts';
import { type Pager, pageInWords, pageKeyOf } from '../../core/tickets/paging.ts';
import { commentKeyOf, type TicketSystem, ticketKeyOf } from '../../core/tickets/ticket.ts';
import type { TicketMailbox } from '../../core/tickets/ticket-news.ts';
import { asFailure } from '../failures.ts';

async function safely<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw asFailure(error);
  }
}

/** Keeps the ticket up to date, and calls people. If a system has since been removed from the configuration, this is refused and recorded. */
export function createFollowUpActivities({
  tickets,
  pager,
  mailbox,
}: {
  readonly tickets?: TicketSystem;
  readonly pager?: Pager;
  /** Messages from ticket systems. */
  readonly mailbox?: Pick<TicketMailbox, 'after'>;
}): FollowUpActivities {
  const called = (): Pager => {
    if (!pager) throw new FirebreakError('FB_ERR_REFUSED', 'no pager is configured');
    return pager;
  };
  const systemOf = (name: string): TicketSystem => {
    if (tickets?.name !== name) throw new FirebreakError('FB_ERR_REFUSED', `the ticket system ${name} is not configured`);
    return tickets;
  };
  return {
    updateTicket: ({ incident, ticket, comment, close }) =>
      safely(
        (async () => {
          const system = systemOf(ticket.system);
          const signal = Context.current().cancellationSignal;
          if (comment)
            await system.comment(
              { id: ticket.id, key: commentKeyOf(incident, comment.nth), text: wholeText(comment.text) },
              signal,
            );
          if (close) await system.close({ ...close, id: ticket.id, openedUnder: ticketKeyOf(incident) }, signal);
        })(),
      ),
    callPeople: ({ began, ...page }) =>
      safely(
        (async () => {
          const key = pageKeyOf(page.incident, { began });
          await called().page({ ...pageInWords(page), key }, Context.current().cancellationSignal);
        })(),
      ),
    endPage: ({ incident, began, nth, groups }) =>
      safely(
        (async () => {
          const key = pageKeyOf(incident, { began });
          await called().resolve({ key, nth, groups }, Context.current().cancellationSignal);
        })(),
      ),
    ticketNews: ({ incident, after }) => safely(mailbox?.after(incident, after, newsAtOnce) ?? Promise.resolve([])),
  };
}

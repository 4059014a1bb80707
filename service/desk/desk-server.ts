import type { Server } from 'node:http';
import type { SlackDesk } from '../../integrations/slack/desk.ts';
import { answerOf, listenAt } from '../process/http-door.ts';
import { type InboundTickets, inboundPrefix } from './inbound-tickets.ts';
import type { SignInPages } from './pages/sign-in-pages.ts';

/** The desk's door for what comes from outside: Slack, people's browsers, ticket systems. What it says of itself is at another one. */
export function listenAtDesk({
  host,
  port,
  slack,
  signIn,
  inbound,
}: {
  readonly host: string;
  readonly port: number;
  readonly slack: Pick<SlackDesk, 'listener'> | undefined;
  /** Where the widest steps need a sign-in. */
  readonly signIn: SignInPages | undefined;
  /** Where a ticket system may tell us something. */
  readonly inbound: InboundTickets | undefined;
}): Promise<Server> {
  return listenAt({ host, port }, (request, response, proven) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    if (slack?.listener && path.startsWith('/slack/')) return slack.listener(request, response, proven);
    if (signIn && path.startsWith('/sign-in/')) return signIn.handle(request, response);
    if (inbound && path.startsWith(inboundPrefix)) return inbound.handle(request, response, proven);
    answerOf(response)(404, 'The desk answers at /slack/events, /sign-in and /inbound.\n');
  });
}

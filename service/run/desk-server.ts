import type { Server } from 'node:http';
import type { SlackDesk } from '../../integrations/slack/desk.ts';
import { type InboundTickets, inboundPrefix } from './inbound-tickets.ts';
import { answerMetrics, answerOf, listenAt, type Metrics } from './plain-door.ts';
import type { SignInPages } from './sign-in-pages.ts';

/** The desk's one door for HTTP. */
export function listenAtDesk({
  host,
  port,
  slack,
  signIn,
  inbound,
  metrics,
}: {
  readonly host: string;
  readonly port: number;
  readonly slack: Pick<SlackDesk, 'listener'> | undefined;
  /** Where the widest steps need a sign-in. */
  readonly signIn: SignInPages | undefined;
  /** Where a ticket system may tell us something. */
  readonly inbound: InboundTickets | undefined;
  readonly metrics: Metrics;
}): Promise<Server> {
  return listenAt({ host, port }, (request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const answer = answerOf(response);
    if (slack?.listener && path.startsWith('/slack/')) return slack.listener(request, response);
    if (signIn && path.startsWith('/sign-in/')) return signIn.handle(request, response);
    if (inbound && path.startsWith(inboundPrefix)) return inbound.handle(request, response);
    if (path === '/metrics') return void answerMetrics(answer, metrics, 'The records cannot be read now.\n');
    if (path === '/healthz' || path === '/readyz') return answer(200, 'ok\n');
    answer(404, 'The desk answers at /slack/events, /sign-in, /inbound, /metrics, /healthz and /readyz.\n');
  });
}

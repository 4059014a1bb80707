import { createServer, type Server } from 'node:http';
import type { SlackDesk } from '../../integrations/slack/desk.ts';
import type { DeskMetrics } from './desk-metrics.ts';
import { type InboundTickets, inboundPrefix } from './inbound-tickets.ts';
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
  readonly metrics: DeskMetrics;
}): Promise<Server> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const answer = (status: number, text: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, { 'content-type': type });
      response.end(text);
    };
    if (slack?.listener && path.startsWith('/slack/')) return slack.listener(request, response);
    if (signIn && path.startsWith('/sign-in/')) return signIn.handle(request, response);
    if (inbound && path.startsWith(inboundPrefix)) return inbound.handle(request, response);
    if (path === '/metrics')
      return void metrics.text().then(
        (text) => answer(200, text, metrics.contentType),
        () => answer(503, 'The records cannot be read now.\n'),
      );
    if (path === '/healthz' || path === '/readyz') return answer(200, 'ok\n');
    answer(404, 'The desk answers at /slack/events, /sign-in, /inbound, /metrics, /healthz and /readyz.\n');
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(server));
  });
}

import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { type IncidentRef, incidentNames } from '../../core/incident/incident.ts';
import type { InboundSystem, TicketMailbox } from '../../core/tickets/ticket-news.ts';
import { BoundedBodies } from '../../integrations/bounded-bodies.ts';

export const inboundPrefix = '/inbound/';

const largestBody = 256 * 1024;
const nudgeWithinMs = 3_000;
/** Maximum bytes of bodies held at a time: their senders have not proven anything yet. */
const inAll = 16 * largestBody;

export interface InboundTickets {
  /** @param proven called once the signature has been verified */
  handle(request: IncomingMessage, response: ServerResponse, proven?: () => void): void;
}

/**
 * Webhooks from ticket systems and PagerDuty. A signed message is stored first, once, and then its incident gets a signal that there is something to read; the
 * signal says nothing else, so nothing in it has to be trusted. Nothing here makes decisions.
 */
export function createInboundTickets(options: {
  readonly systems: readonly InboundSystem[];
  readonly mailbox: Pick<TicketMailbox, 'put'>;
  /** @throws while the incident cannot be told: the system then sends it again. */
  readonly nudge: (incident: IncidentRef) => Promise<void>;
  readonly refused: (facts: { readonly system: string; readonly reason: string }) => void;
  readonly now?: () => number;
  /** Time limit for reading a body. */
  readonly readWithinMs?: number;
}): InboundTickets {
  const { systems, mailbox, nudge, refused, now = Date.now, readWithinMs = 10_000 } = options;
  const bodies = new BoundedBodies({ atMost: largestBody, inAll, withinMs: readWithinMs });

  const answerTo = async (request: IncomingMessage, proven: () => void): Promise<number> => {
    const name = (request.url ?? '').split('?')[0]?.slice(inboundPrefix.length);
    const system = systems.find((one) => one.name === name);
    if (!system) return 404;
    if (request.method !== 'POST') return 405;
    // The exact bytes that were sent: the signatures cover them.
    const whole = await bodies.read(request);
    if (!whole.ok) return whole.status;
    const body = whole.bytes;
    const header = (key: string): string | undefined => {
      const value = request.headers[key];
      return typeof value === 'string' ? value : undefined;
    };
    const read = system.read({ header, body, now: now() });
    if (!read.ok) {
      refused({ system: system.name, reason: read.reason });
      return 401;
    }
    proven();
    const sent = createHash('sha256').update(`${system.name}\n`).update(body).digest('hex');
    for (const [index, event] of read.events.entries()) {
      const incident = await mailbox.put(system.name, `${sent}/${index}`, event);
      if (incident) await nudge(incident);
    }
    return 204;
  };

  return {
    handle: (request, response, proven = () => {}) => {
      const answer = (status: number): void => {
        // Does not wait for the rest of an unread body.
        if (status >= 400) response.setHeader('connection', 'close');
        response.writeHead(status).end();
      };
      void answerTo(request, proven)
        .catch(() => 503)
        .then(answer);
    },
  };
}

/** Signals the incident that there is something to read. An incident that is over is skipped. */
export function nudgeThrough(client: () => Client | undefined): (incident: IncidentRef) => Promise<void> {
  return async ({ id, run }) => {
    const connected = client();
    if (!connected) throw new Error('Temporal does not answer yet');
    try {
      await connected.withDeadline(Date.now() + nudgeWithinMs, () =>
        connected.workflow.getHandle(id, undefined, { firstExecutionRunId: run }).signal(incidentNames.ticketNewsSignal),
      );
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  };
}

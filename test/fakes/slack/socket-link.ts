import type { WebSocket } from 'ws';
import { z } from 'zod';

export interface Envelope {
  readonly type: 'interactive' | 'slash_commands' | 'events_api';
  readonly envelope_id: string;
  readonly payload: unknown;
  readonly accepts_response_payload: boolean;
}

export interface Acknowledged {
  readonly envelopeId: string;
  /** Empty if the app answered nothing. */
  readonly payload: Readonly<Record<string, unknown>>;
}

interface LinkHooks {
  readonly onAck: (acknowledged: Acknowledged) => void;
  readonly onProblem: (problem: string) => void;
  readonly onClose: () => void;
}

const acknowledgement = z.strictObject({ envelope_id: z.string(), payload: z.record(z.string(), z.unknown()).default({}) });
const pingEveryMs = 10_000;
/** Slack disconnects by itself if the app does not. */
const leavesAfterMs = 2_000;

/** One connection, as strict as possible: anything that is not an acknowledgement of something sent here closes it. */
export class SocketLink {
  readonly #client: WebSocket;
  readonly #hooks: LinkHooks;
  /** Sent here, and how many of its acknowledgements are outstanding. */
  readonly #sent = new Map<string, { readonly accepts: boolean; open: number }>();
  readonly #pings: NodeJS.Timeout;
  isOpen = true;

  constructor(client: WebSocket, hooks: LinkHooks) {
    this.#client = client;
    this.#hooks = hooks;
    this.#pings = setInterval(() => client.ping(), pingEveryMs);
    client.on('message', (data, isBinary) => this.#hear(isBinary ? '' : data.toString('utf8')));
    client.on('error', () => client.terminate());
    client.on('close', () => {
      this.isOpen = false;
      clearInterval(this.#pings);
      hooks.onClose();
    });
  }

  hello({ appId, connections }: { readonly appId: string; readonly connections: number }): void {
    this.#say({
      type: 'hello',
      num_connections: connections,
      connection_info: { app_id: appId },
      debug_info: { host: 'applink-emulated', build_number: 1, approximate_connection_time: 18_060 },
    });
  }

  send(envelope: Envelope): void {
    const known = this.#sent.get(envelope.envelope_id);
    this.#sent.set(envelope.envelope_id, { accepts: envelope.accepts_response_payload, open: (known?.open ?? 0) + 1 });
    this.#say(envelope);
  }

  holds(envelopeId: string): boolean {
    return (this.#sent.get(envelopeId)?.open ?? 0) > 0;
  }

  disconnect(reason: string): void {
    this.#say({ type: 'disconnect', reason, debug_info: { host: 'applink-emulated' } });
    if (reason === 'warning') return;
    this.isOpen = false;
    setTimeout(() => this.#client.terminate(), leavesAfterMs).unref();
  }

  terminate(): void {
    this.isOpen = false;
    this.#client.terminate();
  }

  #say(message: object): void {
    this.#client.send(JSON.stringify(message));
  }

  #hear(text: string): void {
    const problem = this.#take(text);
    if (problem === undefined) return;
    this.#hooks.onProblem(problem);
    this.#client.close(1008, 'policy violation');
  }

  #take(text: string): string | undefined {
    const parsed = acknowledgement.safeParse(json(text));
    if (!parsed.success) return 'what was sent is no acknowledgement';
    const { envelope_id: envelopeId, payload } = parsed.data;
    const sent = this.#sent.get(envelopeId);
    if (sent === undefined) return 'an envelope was acknowledged that was not sent on this connection';
    if (sent.open === 0) return 'an envelope was acknowledged more often than it was sent';
    if (!sent.accepts && Object.keys(payload).length > 0) return 'an envelope was answered that accepts no response payload';
    sent.open -= 1;
    this.#hooks.onAck({ envelopeId, payload });
    return undefined;
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

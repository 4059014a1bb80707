import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { type Method, SlackRefusal } from './methods/method.ts';
import { type Acknowledged, type Envelope, SocketLink } from './socket-link.ts';
import type { SlackWorld } from './world.ts';

/** https://docs.slack.dev/apis/events-api/using-socket-mode */
const mostConnections = 10;
const ticketMs = 30_000;
const ackWithinMs = 3_000;
const sendings = 4;

export type DisconnectReason = 'warning' | 'refresh_requested' | 'link_disabled';

interface Pending {
  readonly envelope: Envelope;
  sent: number;
  readonly settle: (acknowledged: Acknowledged) => void;
  timer?: NodeJS.Timeout;
}

/** Slack's end of Socket Mode: tickets for connections, envelopes over them, and redelivery of what nobody has acknowledged. */
export class SocketMode {
  readonly #world: SlackWorld;
  readonly #baseUrl: () => string;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: 1_048_576 });
  readonly #tickets = new Map<string, number>();
  readonly #links = new Set<SocketLink>();
  readonly #pending = new Map<string, Pending>();
  #turn = 0;
  #lost = 0;
  #enabled = true;
  /** What the app has sent that Slack accepts from nobody. */
  readonly problems: string[] = [];

  constructor({ world, baseUrl }: { readonly world: SlackWorld; readonly baseUrl: () => string }) {
    this.#world = world;
    this.#baseUrl = baseUrl;
  }

  /** Connections that have received their hello. */
  get connections(): number {
    return this.#links.size;
  }

  /** https://docs.slack.dev/reference/methods/apps.connections.open */
  get methods(): Readonly<Record<string, Method>> {
    return {
      'apps.connections.open': {
        token: 'app',
        scope: 'connections:write',
        run: () => {
          if (!this.#enabled) throw new SlackRefusal('socket_mode_disabled');
          const ticket = randomBytes(16).toString('hex');
          this.#tickets.set(ticket, Date.now() + ticketMs);
          return { url: `${this.#baseUrl().replace(/^http/, 'ws')}/link/?ticket=${ticket}&app_id=${this.#world.appId}` };
        },
      },
    };
  }

  /** A ticket is valid for one connection, for a short time. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const ticket = searchParams.get('ticket') ?? '';
    const until = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    if (pathname !== '/link/' || until === undefined || until < Date.now()) {
      socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (client) => {
      const link = new SocketLink(client, {
        onAck: (acknowledged) => this.#acknowledged(acknowledged),
        onProblem: (problem) => this.problems.push(problem),
        onClose: () => this.#closed(link),
      });
      if (this.#links.size >= mostConnections) return link.disconnect('too_many_websockets');
      this.#links.add(link);
      link.hello({ appId: this.#world.appId, connections: this.#links.size });
      for (const pending of this.#pending.values()) if (!this.#isUnderway(pending)) this.#send(pending);
    });
  }

  /** Resolves with the app's answer; undefined if there was none within 3 s, though it may be sent again. */
  async deliver(
    type: Envelope['type'],
    payload: unknown,
    accepts: boolean,
  ): Promise<{ readonly envelope: Envelope; readonly answer: Acknowledged | undefined }> {
    const envelope: Envelope = { type, envelope_id: randomUUID(), payload, accepts_response_payload: accepts };
    return { envelope, answer: await this.resend(envelope) };
  }

  /** Sends exactly the same envelope, even a second time. */
  async resend(envelope: Envelope): Promise<Acknowledged | undefined> {
    const { promise, resolve } = Promise.withResolvers<Acknowledged | undefined>();
    const pending: Pending = { envelope, sent: 0, settle: resolve };
    this.#pending.set(envelope.envelope_id, pending);
    const late = setTimeout(() => resolve(undefined), ackWithinMs);
    this.#send(pending);
    return promise.finally(() => clearTimeout(late));
  }

  /** Loses the next acknowledgements: Slack sends again what was already done. */
  loseAcks(times: number): void {
    this.#lost += times;
  }

  /** Says goodbye to all connections, or to the oldest ones. */
  disconnect(reason: DisconnectReason, many = Number.POSITIVE_INFINITY): void {
    if (reason === 'link_disabled') this.#enabled = false;
    for (const link of [...this.#links].slice(0, many)) link.disconnect(reason);
  }

  enable(): void {
    this.#enabled = true;
  }

  /** Without notice, as a broken network does. */
  cut(): void {
    for (const link of this.#links) link.terminate();
  }

  stop(): void {
    this.cut();
    for (const { timer } of this.#pending.values()) clearTimeout(timer);
    this.#pending.clear();
  }

  #send(pending: Pending): void {
    clearTimeout(pending.timer);
    const links = [...this.#links].filter((link) => link.isOpen);
    const link = links[this.#turn % Math.max(1, links.length)];
    if (link === undefined) return;
    this.#turn += 1;
    if (pending.sent >= sendings) {
      this.#forget(pending);
      return;
    }
    pending.sent += 1;
    link.send(pending.envelope);
    pending.timer = setTimeout(() => this.#send(pending), ackWithinMs);
  }

  #isUnderway({ envelope }: Pending): boolean {
    return [...this.#links].some((link) => link.isOpen && link.holds(envelope.envelope_id));
  }

  #acknowledged(acknowledged: Acknowledged): void {
    const pending = this.#pending.get(acknowledged.envelopeId);
    if (pending === undefined) return;
    if (this.#lost > 0) {
      this.#lost -= 1;
      this.#send(pending);
      return;
    }
    this.#forget(pending);
    pending.settle(acknowledged);
  }

  #forget(pending: Pending): void {
    clearTimeout(pending.timer);
    this.#pending.delete(pending.envelope.envelope_id);
  }

  #closed(link: SocketLink): void {
    this.#links.delete(link);
    for (const pending of this.#pending.values()) if (link.holds(pending.envelope.envelope_id)) this.#send(pending);
  }
}

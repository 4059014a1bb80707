import type { Server as HttpServer, IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface ConnectionLimits {
  /** Maximum number of connections whose peer has not authenticated yet. */
  readonly strangers: number;
  /** Of these, the maximum from one address. */
  readonly strangersOfOne: number;
  /** Maximum number of connections whose peer has authenticated. */
  readonly known: number;
  /** Milliseconds that a stranger's connection may go without a request, from its start and between two requests. */
  readonly strangerIdleMs: number;
}

/** Suits a door with hundreds of known senders. */
const usualLimits: ConnectionLimits = { strangers: 1_000, strangersOfOne: 100, known: 4_000, strangerIdleMs: 8_000 };

/** Limits of a server that strangers can reach. Go's clients keep idle connections for 90 s: a server that closes earlier races with their next request. */
export const serverLimits = {
  /** A request line and all headers; a secret path and a token fit many times over. */
  maxHeaderSize: 8_192,
  headersTimeout: 5_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 95_000,
  connectionsCheckingInterval: 1_000,
} as const;

interface Connection {
  readonly socket: Socket;
  readonly address: string;
  isKnown: boolean;
  /** Answers that are not finished yet. */
  readonly open: Set<ServerResponse>;
  /** When it was opened, or when its last answer ended. */
  quietSince: number;
}

const lookEveryMs = 1_000;
/** Maximum pending requests per connection: no client sends the next before it has an answer. A 64 KB chunk may hold two thousand. */
const mostWaiting = 32;

/**
 * The connections of a door that strangers can reach. A new one is always accepted: if there are too many, the stranger's connection that was quiet longest is
 * closed, at the address that has most. So holding connections open locks nobody out, and known senders stay.
 */
export class GuardedConnections {
  readonly #server: HttpServer;
  readonly #limits: ConnectionLimits;
  readonly #now: () => number;
  /** Keep-alive announced to strangers: one second less, since whoever closes first races with the next request. */
  readonly #keepAlive: string;
  readonly #all = new Map<string, Connection>();
  /** The same by the socket that requests arrive on, which over TLS is not the one that was opened. Looked up twice per request. */
  readonly #bySocket = new WeakMap<Socket, Connection>();
  /** Strangers' connections by address, oldest first. */
  readonly #strangers = new Map<string, Set<Connection>>();
  #strangerCount = 0;

  constructor(
    server: HttpServer,
    { now = () => performance.now(), ...limits }: Partial<ConnectionLimits> & { now?: () => number } = {},
  ) {
    this.#server = server;
    this.#limits = { ...usualLimits, ...limits };
    this.#now = now;
    const retentionMs = Math.min(server.keepAliveTimeout, this.#limits.strangerIdleMs);
    this.#keepAlive = `timeout=${Math.max(1, Math.floor(retentionMs / 1_000) - 1)}`;
    // Over TLS this is the underlying connection: it counts from the first byte of the handshake.
    server.on('connection', (socket: Socket) => this.#open(socket));
    const looking = setInterval(() => this.#closeIdle(), lookEveryMs).unref();
    server.once('close', () => clearInterval(looking));
  }

  /**
   * Answers each request, unless a connection sends more requests than may wait: that connection is closed.
   * @param saysContinue the listener itself sends 100 Continue to clients that wait for it
   */
  serve(listener: RequestListener, { saysContinue = false } = {}): void {
    this.#server.on('request', (request, response) => {
      if (this.#began(request, response)) listener(request, response);
    });
    this.#server.on('checkContinue', (request, response) => {
      if (!this.#began(request, response)) return;
      // Listening for this event keeps Node from answering: without this the sender, for example curl with a long body, waits for ever.
      if (!saysContinue) response.writeContinue();
      listener(request, response);
    });
  }

  /** The sender of this request has authenticated: keeps its connection. */
  prove(request: IncomingMessage): void {
    const found = this.#of(request.socket);
    if (found === undefined || found.isKnown) return;
    this.#forgetStranger(found);
    found.isKnown = true;
    for (const response of found.open) if (!response.headersSent) response.removeHeader('keep-alive');
    if (this.#all.size - this.#strangerCount <= this.#limits.known) return;
    const known = [...this.#all.values()].filter(({ isKnown }) => isKnown);
    const most = mostOf(Map.groupBy(known, ({ address }) => address));
    quietest(most ?? [])?.socket.destroy();
  }

  get counts(): { readonly strangers: number; readonly known: number } {
    return { strangers: this.#strangerCount, known: this.#all.size - this.#strangerCount };
  }

  #open(socket: Socket): void {
    const connection = {
      socket,
      address: addressOf(socket),
      isKnown: false,
      open: new Set<ServerResponse>(),
      quietSince: this.#now(),
    };
    const key = keyOf(socket);
    this.#all.set(key, connection);
    const own = this.#strangers.get(connection.address) ?? new Set();
    this.#strangers.set(connection.address, own.add(connection));
    this.#strangerCount += 1;
    socket.once('close', () => {
      if (this.#all.get(key) === connection) this.#all.delete(key);
      if (!connection.isKnown) this.#forgetStranger(connection);
    });
    if (own.size > this.#limits.strangersOfOne) this.#drop(own);
    else if (this.#strangerCount > this.#limits.strangers) this.#drop(mostOf(this.#strangers) ?? own);
  }

  /** False: the request is not answered. */
  #began(request: IncomingMessage, response: ServerResponse): boolean {
    const found = this.#of(request.socket);
    if (found === undefined) return true;
    if (found.open.size >= mostWaiting) found.socket.destroy();
    if (found.socket.destroyed) return false;
    found.open.add(response);
    if (!found.isKnown && !response.headersSent) response.setHeader('keep-alive', this.#keepAlive);
    response.once('close', () => {
      found.open.delete(response);
      found.quietSince = this.#now();
    });
    return true;
  }

  #of(socket: Socket): Connection | undefined {
    const seen = this.#bySocket.get(socket);
    if (seen !== undefined) return seen;
    const found = this.#all.get(keyOf(socket));
    if (found !== undefined) this.#bySocket.set(socket, found);
    return found;
  }

  #drop(of: Iterable<Connection>): void {
    const one = quietest(of);
    if (one === undefined) return;
    this.#forgetStranger(one);
    one.socket.destroy();
  }

  #forgetStranger(connection: Connection): void {
    const own = this.#strangers.get(connection.address);
    if (own?.delete(connection) !== true) return;
    this.#strangerCount -= 1;
    if (own.size === 0) this.#strangers.delete(connection.address);
  }

  #closeIdle(): void {
    const before = this.#now() - this.#limits.strangerIdleMs;
    for (const own of this.#strangers.values()) {
      for (const { socket, open, quietSince } of own) if (open.size === 0 && quietSince < before) socket.destroy();
    }
  }
}

/** Prefers connections without a request; among these, the one that was quiet longest. */
function quietest(of: Iterable<Connection>): Connection | undefined {
  let found: Connection | undefined;
  for (const one of of) {
    if (found === undefined || isQuieter(one, found)) found = one;
  }
  return found;
}

function isQuieter(one: Connection, other: Connection): boolean {
  const [busy, otherBusy] = [one.open.size > 0, other.open.size > 0];
  return busy === otherBusy ? one.quietSince < other.quietSince : otherBusy;
}

interface Sized {
  readonly size?: number;
  readonly length?: number;
}

function mostOf<Group extends Sized>(groups: ReadonlyMap<string, Group>): Group | undefined {
  let most: Group | undefined;
  for (const group of groups.values()) if (most === undefined || sizeOf(group) > sizeOf(most)) most = group;
  return most;
}

function sizeOf({ size, length }: Sized): number {
  return size ?? length ?? 0;
}

/** The same for the connection and for the TLS socket on it. */
function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}\n${remotePort}`;
}

/** Anyone who has one IPv6 address usually has all of its /64. */
export function addressOf({ remoteAddress = '' }: Socket): string {
  const address = remoteAddress.replace(/^::ffff:(?=\d+\.)/, '');
  if (!address.includes(':')) return address;
  const [head = '', tail = ''] = address.split('::');
  const given = head.split(':').filter((part) => part !== '');
  const missing = address.includes('::') ? 8 - given.length - tail.split(':').filter((part) => part !== '').length : 0;
  return [...given, ...Array.from({ length: missing }, () => '0'), ...tail.split(':')].slice(0, 4).join(':');
}

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { FirebreakError } from '../../core/errors.ts';
import { GuardedConnections } from '../guarded-connections.ts';
import { bind } from '../http-door.ts';
import { makeOwnCertificate } from './own-certificate.ts';

/** Where senders without a credential of ours upload one stream each. */
export interface UploadDoor {
  /** SHA-256 of its certificate (DER), in hex. */
  readonly certificateSha256: string;
  /** How senders reach it: `https://HOST:PORT`. */
  readonly origin: string;
  /** Opens an address for one upload. */
  open(order: UploadOrder): UploadAddress;
  close(): Promise<void>;
}

interface UploadOrder {
  /** Maximum size in bytes; a larger upload is cut off. */
  readonly mostBytes: number;
  /** Milliseconds after which the address closes, whatever has arrived. */
  readonly lastsMs: number;
}

export interface UploadAddress {
  /** Not a secret: useless without the token. */
  readonly url: string;
  /** Sets the token, which the sender made and gave us by another way: only a sender that knows it may upload. */
  admit(token: string): void;
  /**
   * The data as it arrives. What the consumer does not take is not read, so the sender has to wait. Iterate once.
   * @throws FB_ERR_UNAVAILABLE if the upload is cut off, comes too late or is too large; or the reason given to `end`.
   */
  readonly data: AsyncIterable<Uint8Array>;
  /** Closes the address. An upload in progress is cut off. */
  end(why?: unknown): void;
}

/** A refused request. Many of them mean that somebody is guessing addresses. */
export interface UploadRefusal {
  readonly status: 403 | 404 | 405 | 409 | 413;
  readonly from: string;
}

interface Upload {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** A held request is cheap, but not free: a few for strangers, and one for each step at work, which no stranger can take. */
const limits = { strangers: 64, strangersOfOne: 16, known: 64, strangerIdleMs: 5_000 };
const idBytes = 16;
/** Bytes of one upload that may wait here: the sender continues while earlier data is being sealed. */
const waitingBytes = 256 * 1024;

/**
 * Opens the door: HTTPS (TLS 1.3) with its own certificate, created now. A request is `PUT /uploads/ID` with `Authorization: Bearer TOKEN` and `Expect:
 * 100-continue`. It is answered before any of its body is read: 404 if no upload is expected, 403 for a wrong token, 409 for a second use, 413 if it is too
 * large; 204 when all of it was accepted.
 */
export async function openUploadDoor(options: {
  readonly host: string;
  readonly port: number;
  /** How senders reach it: `https://HOST:PORT`; port 0 stands for the port that it listens on. */
  readonly address: string;
  readonly onRefused?: (refusal: UploadRefusal) => void;
}): Promise<UploadDoor> {
  const { host, port, onRefused = () => {} } = options;
  const own = makeOwnCertificate();
  const expected = new Map<string, Expected>();

  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const refuse = (status: UploadRefusal['status']): void => {
      onRefused({ status, from: request.socket.remoteAddress ?? '' });
      // Anything else on this connection is not read.
      response.writeHead(status, { connection: 'close' }).end(() => request.destroy());
    };
    const id = /^\/uploads\/([0-9a-f]+)$/.exec(request.url ?? '')?.[1];
    const one = id === undefined ? undefined : expected.get(id);
    if (!one) refuse(404);
    else if (request.method !== 'PUT') refuse(405);
    else
      one.take({ request, response }).then(
        (status) => (status === undefined ? connections.prove(request) : refuse(status)),
        () => refuse(404),
      );
  };
  const server = createServer({
    cert: own.certificate,
    key: own.key,
    minVersion: 'TLSv1.3',
    highWaterMark: waitingBytes,
    handshakeTimeout: 5_000,
    headersTimeout: 5_000,
    // An upload may take any time: its address has its own timeout.
    requestTimeout: 0,
    keepAliveTimeout: 1_000,
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: 4_096,
  });
  const connections = new GuardedConnections(server, limits);
  connections.serve(serve, { saysContinue: true });
  const origin = options.address.replace(/:0$/, `:${await bind(server, { host, port })}`);
  return {
    certificateSha256: own.sha256,
    origin,
    open(order) {
      const id = randomBytes(idBytes).toString('hex');
      const one = new Expected(order, () => expected.delete(id));
      expected.set(id, one);
      return {
        url: `${origin}/uploads/${id}`,
        admit: (token) => one.admit(token),
        data: { [Symbol.asyncIterator]: () => one.read() },
        end: (why) => one.end(why),
      };
    },
    async close() {
      for (const one of expected.values()) one.end();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** One expected upload, until it is accepted or nobody waits for it any more. */
class Expected {
  readonly #mostBytes: number;
  readonly #forget: () => void;
  readonly #token = Promise.withResolvers<Buffer>();
  readonly #upload = Promise.withResolvers<Upload>();
  readonly #timer: NodeJS.Timeout;
  #begun: Upload | undefined;
  #ended = false;
  #why: unknown;

  constructor({ mostBytes, lastsMs }: UploadOrder, forget: () => void) {
    this.#mostBytes = mostBytes;
    this.#forget = forget;
    // There may be no reader when it ends.
    this.#token.promise.catch(() => undefined);
    this.#upload.promise.catch(() => undefined);
    this.#timer = setTimeout(() => this.end(unavailable(`the upload took longer than ${lastsMs} ms`)), lastsMs);
  }

  admit(token: string): void {
    this.#token.resolve(hashOf(token));
  }

  /** Returns the status if the upload is refused. Waits for the token: the upload may arrive before the token is known here. */
  async take(upload: Upload): Promise<UploadRefusal['status'] | undefined> {
    const { request, response } = upload;
    const token = await this.#token.promise;
    const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if (!timingSafeEqual(hashOf(given), token)) return 403;
    if (this.#begun) return 409;
    if (this.#ended) return 404;
    if (Number(request.headers['content-length'] ?? 0) > this.#mostBytes) return 413;
    this.#begun = upload;
    if (request.headers.expect !== undefined) response.writeContinue();
    this.#upload.resolve(upload);
    return undefined;
  }

  async *read(): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    try {
      const { request, response } = await this.#upload.promise;
      for await (const part of request) {
        bytes += part.length;
        if (bytes > this.#mostBytes) throw unavailable(`the upload is larger than the ${this.#mostBytes} bytes that were agreed`);
        yield part;
      }
      response.writeHead(204, { connection: 'close' }).end();
    } catch (error) {
      // The connection's own error only says that it has ended.
      throw this.#why ?? (error instanceof FirebreakError ? error : unavailable(`the upload was cut off after ${bytes} bytes`));
    } finally {
      this.end();
    }
  }

  end(why?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#why = why;
    clearTimeout(this.#timer);
    this.#forget();
    const reason = why ?? unavailable('nobody is waiting for the upload any more');
    this.#token.reject(reason);
    this.#upload.reject(reason);
    // Uses the response: a request whose reader has stopped reading no longer knows its connection.
    if (this.#begun && !this.#begun.response.writableEnded) this.#begun.response.destroy();
  }
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function unavailable(detail: string): FirebreakError {
  return new FirebreakError('FB_ERR_UNAVAILABLE', detail);
}

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { FirebreakError } from '../../core/errors.ts';
import { GuardedConnections } from '../guarded-connections.ts';
import { bind } from '../http-door.ts';
import { makeOwnCertificate } from './own-certificate.ts';

/** Where senders without any credential of ours bring one stream each. */
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
  /** What goes beyond is cut. */
  readonly mostBytes: number;
  /** After so long it is closed, whatever has come. */
  readonly lastsMs: number;
}

export interface UploadAddress {
  /** No secret: of no use without the token. */
  readonly url: string;
  /** The token that the sender has made, and told us by another way: only who knows it may send. */
  admit(token: string): void;
  /**
   * What is sent, as it comes: what is not taken is not read, so that who sends has to wait. Look once.
   * @throws FB_ERR_UNAVAILABLE when it is cut, comes too late or is too much; what `end` was given.
   */
  readonly data: AsyncIterable<Uint8Array>;
  /** From now on it is an address of nothing. What is on its way is cut. */
  end(why?: unknown): void;
}

/** A refused request. Somebody tries addresses, where there are many. */
export interface UploadRefusal {
  readonly status: 403 | 404 | 405 | 409 | 413;
  readonly from: string;
}

interface Upload {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** A held request is cheap, but not free: some for who tries, and one for each step that is at work, which no stranger takes. */
const limits = { strangers: 64, strangersOfOne: 16, known: 64, strangerIdleMs: 5_000 };
const idBytes = 16;
/** What may wait here of one upload: the sender goes on while that is sealed which came before. */
const waitingBytes = 256 * 1024;

/**
 * Opens the door: HTTPS (TLS 1.3) under a certificate of its own, made now. A request is `PUT /uploads/ID` with `Authorization: Bearer TOKEN`
 * and `Expect: 100-continue`, and is answered before anything of its body is read: 404 where no upload is expected, 403 for another token,
 * 409 for a second use, 413 for too much; 204 when all of it was taken.
 */
export async function openUploadDoor(options: {
  readonly host: string;
  readonly port: number;
  /** How senders reach it: `https://HOST:PORT`; port 0 is the one that it listens on. */
  readonly address: string;
  readonly onRefused?: (refusal: UploadRefusal) => void;
}): Promise<UploadDoor> {
  const { host, port, onRefused = () => {} } = options;
  const own = makeOwnCertificate();
  const expected = new Map<string, Expected>();

  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const refuse = (status: UploadRefusal['status']): void => {
      onRefused({ status, from: request.socket.remoteAddress ?? '' });
      // Whatever else this connection would bring is not read.
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
    // An upload takes as long as it takes: its address has an end of its own.
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

/** One upload that is expected, until it was taken or nobody waits for it any more. */
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
    // Nobody may be looking when it ends.
    this.#token.promise.catch(() => undefined);
    this.#upload.promise.catch(() => undefined);
    this.#timer = setTimeout(() => this.end(unavailable(`nothing more of the upload is taken after ${lastsMs} ms`)), lastsMs);
  }

  admit(token: string): void {
    this.#token.resolve(hashOf(token));
  }

  /** The status with which it is refused, if it is. Waits for the token: the sender's word may be faster than our knowledge of it. */
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
        if (bytes > this.#mostBytes) throw unavailable(`the upload is more than the ${this.#mostBytes} bytes that were agreed`);
        yield part;
      }
      response.writeHead(204, { connection: 'close' }).end();
    } catch (error) {
      // What the connection says of its end is that it has ended.
      throw this.#why ?? (error instanceof FirebreakError ? error : unavailable(`the upload was cut after ${bytes} bytes`));
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
    const reason = why ?? unavailable('nobody waits for the upload any more');
    this.#token.reject(reason);
    this.#upload.reject(reason);
    // By the response: a request whose reader has stopped reading knows its connection no longer.
    if (this.#begun && !this.#begun.response.writableEnded) this.#begun.response.destroy();
  }
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function unavailable(detail: string): FirebreakError {
  return new FirebreakError('FB_ERR_UNAVAILABLE', detail);
}

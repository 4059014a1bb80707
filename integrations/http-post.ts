import { createHmac } from 'node:crypto';
import { Agent as PlainAgent, request as plainRequest } from 'node:http';
import { Agent, request } from 'node:https';

/** PEM texts. */
export interface PostTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** `reason`: there was no complete answer; `isOurs`: nothing was sent, since it cannot be. */
type PostAnswer = { readonly status: number; readonly retryAfter?: string } | { readonly reason: string; readonly isOurs?: true };

export interface Post {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: PostTls;
  readonly signal?: AbortSignal;
}

/** Posts to one address over one connection, one body at a time. The body of an answer is ignored. */
export class PostConnection {
  readonly #url: string;
  readonly #timeoutMs: number;
  #agent: { readonly of: string; readonly agent: PlainAgent } | undefined;

  constructor({ url, timeoutMs }: { readonly url: string; readonly timeoutMs: number }) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
  }

  /** Never exceeds the time limit, and never rejects: invalid headers or certificates are a reason, too. */
  async post(body: Uint8Array, post: Post): Promise<PostAnswer> {
    try {
      return await this.#send(body, post);
    } catch {
      // Node itself rejects these immediately.
      return { reason: 'its headers or certificates cannot be used', isOurs: true };
    }
  }

  close(): void {
    this.#agent?.agent.destroy();
  }

  #send(body: Uint8Array, { headers, tls, signal }: Post): Promise<PostAnswer> {
    const isPlain = this.#url.startsWith('http:');
    return new Promise((resolve) => {
      const call = (isPlain ? plainRequest : request)(this.#url, {
        method: 'POST',
        agent: this.#agentFor(isPlain, tls),
        headers: { 'content-length': body.length, ...headers },
        ...(signal && { signal }),
      });
      // From the first byte to the last: a server that sends a byte per second does not count as answering.
      const limit = setTimeout(() => {
        resolve({ reason: 'no answer in time' });
        call.destroy();
      }, this.#timeoutMs).unref();
      call.on('response', (response) => {
        const { statusCode: status = 0 } = response;
        const retryAfter = response.headers['retry-after'];
        response.on('error', () => undefined).resume();
        response.on('end', () => {
          clearTimeout(limit);
          resolve({ status, ...(retryAfter !== undefined && { retryAfter }) });
        });
        response.on('close', () => {
          clearTimeout(limit);
          resolve({ reason: 'the answer was cut off' });
        });
      });
      call.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(limit);
        resolve({ reason: error.code ?? 'no connection' });
      });
      call.end(body);
    });
  }

  #agentFor(isPlain: boolean, tls: PostTls): PlainAgent {
    const of = JSON.stringify(tls);
    if (this.#agent?.of !== of) {
      this.#agent?.agent.destroy();
      const common = { keepAlive: true, maxSockets: 1 };
      this.#agent = { of, agent: isPlain ? new PlainAgent(common) : new Agent({ ...common, ...tls }) };
    }
    return this.#agent.agent;
  }
}

/** `v1=` and the HMAC-SHA256, in hex, of timestamp, a dot and the body's bytes. The timestamp is signed too, so an old event cannot be replayed. */
export function webhookSignature(secret: string, timestamp: string, body: string): string {
  return `v1=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
}

/** Proves that the body, before compression, comes from a holder of the secret, and when. */
export function signedHeaders(secret: string, body: string): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(Date.now() / 1_000));
  return { 'X-Firebreak-Timestamp': timestamp, 'X-Firebreak-Signature': webhookSignature(secret, timestamp, body) };
}

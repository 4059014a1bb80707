import type { IncomingMessage, ServerResponse } from 'node:http';
import type { App, Receiver } from '@slack/bolt';
import { z } from 'zod';
import { BoundedBodies } from '../../bounded-bodies.ts';
import { type ClickRefusal, refusalAnswers } from '../refusal.ts';
import { handOver } from './hand-over.ts';
import type { RequestVerifier } from './signature.ts';

/** Slack's payloads are far smaller, and Slack waits 3 s for an answer: these limits are for senders other than Slack. */
const bodyLimits = { atMost: 1_048_576, inAll: 33_554_432, withinMs: 5_000 };

const anObject = z.record(z.string(), z.unknown());

/**
 * Passes Slack's HTTP requests to Bolt. Replaces Bolt's own receiver, which accepts only one secret, accepts times in the future and passes replayed requests
 * on. `SocketReceiver` feeds the same app by Socket Mode.
 */
export class HttpReceiver implements Receiver {
  readonly #verifier: RequestVerifier;
  readonly #onRefused: (refusal: ClickRefusal) => void;
  readonly #onUnproven: (refusal: ClickRefusal) => void;
  readonly #bodies = new BoundedBodies(bodyLimits);
  readonly #onFault: (error: unknown) => void;
  #app: App | undefined;

  constructor({
    verifier,
    onRefused,
    onUnproven,
    onFault,
  }: {
    readonly verifier: RequestVerifier;
    readonly onRefused: (refusal: ClickRefusal) => void;
    /** For requests refused before their signature was verified. */
    readonly onUnproven: (refusal: ClickRefusal) => void;
    readonly onFault: (error: unknown) => void;
  }) {
    this.#verifier = verifier;
    this.#onRefused = onRefused;
    this.#onUnproven = onUnproven;
    this.#onFault = onFault;
  }

  init(app: App): void {
    this.#app = app;
  }

  /** Nothing to start or stop: the service mounts `listener` in its own server. */
  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  /** @param proven is called once the request is known to come from Slack */
  readonly listener = (request: IncomingMessage, response: ServerResponse, proven: () => void = () => {}): void => {
    this.#handle(request, response, proven).catch((error: unknown) => {
      this.#onFault(error);
      answer(response, 500, { error: 'internal' });
    });
  };

  async #handle(request: IncomingMessage, response: ServerResponse, proven: () => void): Promise<void> {
    if (request.method !== 'POST') return answer(response, 405, { error: 'method_not_allowed' });
    const head = {
      signature: oneHeader(request, 'x-slack-signature'),
      timestamp: oneHeader(request, 'x-slack-request-timestamp'),
    };
    const foreign = this.#verifier.refusalByHead(head);
    if (foreign !== undefined) return this.#turnAway(response, 401, foreign);
    const body = await this.#bodies.read(request);
    if (!body.ok)
      return this.#turnAway(response, body.status, { reason: 'malformed', detail: 'the body is too large, or was cut' });
    const refusal = this.#verifier.refusal({ ...head, rawBody: body.bytes });
    if (refusal !== undefined) return this.#turnAway(response, 401, refusal);
    proven();
    await this.#take(body.bytes, request, response);
  }

  async #take(rawBody: Buffer, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = parsed(rawBody, request.headers['content-type'] ?? '');
    if (body === undefined) return this.#refuse(response, 400, { reason: 'malformed', detail: 'the body cannot be read' });
    if (body.ssl_check !== undefined) return answer(response, 200);
    await handOver({
      app: this.#app,
      body,
      answer: (content) => answer(response, 200, content),
      onRefused: this.#onRefused,
      onFault: this.#onFault,
    });
  }

  #turnAway(response: ServerResponse, status: number, refusal: ClickRefusal): void {
    this.#onUnproven(refusal);
    // Does not wait for the unread rest of the request either.
    if (!response.headersSent) response.setHeader('connection', 'close');
    answer(response, status, { error: refusal.reason, message: refusalAnswers[refusal.reason] });
  }

  #refuse(response: ServerResponse, status: number, refusal: ClickRefusal): void {
    this.#onRefused(refusal);
    answer(response, status, { error: refusal.reason, message: refusalAnswers[refusal.reason] });
  }
}

/** A header that is sent twice is ignored. */
function oneHeader(request: IncomingMessage, name: string): string | undefined {
  const values = request.headersDistinct[name];
  return values?.length === 1 ? values[0] : undefined;
}

/** Interactions arrive as a form with one field `payload`, slash commands as a form, events as JSON. */
function parsed(rawBody: Buffer, contentType: string): Record<string, unknown> | undefined {
  const text = rawBody.toString('utf8');
  try {
    if (contentType.startsWith('application/json')) return anObject.parse(JSON.parse(text));
    const form = new URLSearchParams(text);
    const payloads = form.getAll('payload');
    if (payloads.length > 1) return undefined;
    return payloads[0] === undefined ? Object.fromEntries(form) : anObject.parse(JSON.parse(payloads[0]));
  } catch {
    return undefined;
  }
}

function answer(response: ServerResponse, status: number, content?: unknown): void {
  if (response.headersSent || response.writableEnded) return;
  const text = content === undefined || content === '' ? '' : typeof content === 'string' ? content : JSON.stringify(content);
  response.writeHead(status, { 'content-type': typeof content === 'string' ? 'text/plain' : 'application/json' });
  response.end(text);
}

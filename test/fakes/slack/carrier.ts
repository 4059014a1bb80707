import { createHmac } from 'node:crypto';
import type { Delivery, Forgery, SentRequest } from './interaction.ts';
import type { Acknowledged, Envelope } from './socket-link.ts';
import type { SocketMode } from './socket-mode.ts';

/** https://docs.slack.dev/interactivity/handling-user-interaction: the time within which the app must acknowledge. */
const usualAckMs = 3_000;

/** Delivers what people do to the app: signed, by HTTP; or over its connections if Socket Mode is on. */
export class Carrier {
  readonly #signingSecret: string;
  readonly #socket: SocketMode | undefined;
  readonly #ackMs: number;
  interactionsUrl: string;

  constructor(options: {
    readonly signingSecret: string;
    readonly interactionsUrl: string;
    readonly socket: SocketMode | undefined;
    readonly ackMs?: number | undefined;
  }) {
    this.#signingSecret = options.signingSecret;
    this.#socket = options.socket;
    this.#ackMs = options.ackMs ?? usualAckMs;
    this.interactionsUrl = options.interactionsUrl;
  }

  /** `accepts`: the app may answer with more than an acknowledgement. */
  async bring(
    type: Envelope['type'],
    payload: unknown,
    accepts: boolean,
    form: { readonly fields: Readonly<Record<string, string>>; readonly forge: Forgery },
  ): Promise<Delivery> {
    if (this.#socket) {
      const started = Date.now();
      const { envelope, answer } = await this.#socket.deliver(type, payload, accepts);
      return delivered(envelope, answer, started);
    }
    const body = new URLSearchParams(form.fields).toString();
    return this.send({ headers: this.#headers(body, form.forge), body });
  }

  /** Sends exactly these bytes, even a second time. */
  async send(request: SentRequest): Promise<Delivery> {
    const started = Date.now();
    if (this.#socket) {
      const envelope: Envelope = JSON.parse(request.body);
      return delivered(envelope, await this.#socket.resend(envelope), started);
    }
    try {
      const response = await fetch(this.interactionsUrl, {
        method: 'POST',
        headers: request.headers,
        body: request.body,
        signal: AbortSignal.timeout(this.#ackMs),
      });
      return { request, status: response.status, body: await response.text(), tookMs: Date.now() - started };
    } catch {
      return { request, status: 0, body: '', tookMs: Date.now() - started };
    }
  }

  #headers(body: string, forge: Forgery): Record<string, string> {
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': 'Slackbot 1.0 (+https://api.slack.com/robots)',
    };
    if (forge.unsigned === true) return headers;
    const timestamp = String(Math.floor(Date.now() / 1_000) + (forge.clockSeconds ?? 0));
    const mac = createHmac('sha256', forge.signingSecret ?? this.#signingSecret)
      .update(`v0:${timestamp}:${body}`)
      .digest('hex');
    return { ...headers, 'x-slack-request-timestamp': timestamp, 'x-slack-signature': `v0=${mac}` };
  }
}

/** As if it had arrived by HTTP. */
function delivered(envelope: Envelope, answer: Acknowledged | undefined, started: number): Delivery {
  const body = answer && Object.keys(answer.payload).length > 0 ? JSON.stringify(answer.payload) : '';
  const request = { headers: {}, body: JSON.stringify(envelope) };
  return { request, status: answer ? 200 : 0, body, tookMs: Date.now() - started };
}

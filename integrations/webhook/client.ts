import { signedHeaders } from '../http-post.ts';
import { JsonApi } from '../json-api.ts';

export interface WebhookOptions {
  /** URL that all events are sent to. */
  readonly url: string;
  /** Signs every event; shared only with their receiver. */
  readonly secret: string;
  readonly timeoutMs?: number;
}

interface WebhookEvent {
  readonly type: string;
  /** Stays the same for the same event, however often it is sent: the receiver acts on it once. */
  readonly idempotencyKey: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** Sends events one by one. It never retries; the caller does. */
export class WebhookClient {
  readonly #api: JsonApi;
  readonly #secret: string;
  readonly #path: string;

  constructor({ url, secret, timeoutMs = 5_000 }: WebhookOptions) {
    const { origin, pathname, search } = new URL(url);
    this.#secret = secret;
    this.#path = pathname + search;
    this.#api = new JsonApi({ name: 'the webhook', baseUrl: origin, headers: {}, timeoutMs });
  }

  /** Sends an event and returns the receiver's answer. @throws as `JsonApi.call` does; the URL's path may be a secret, and appears in no error. */
  async send({ type, idempotencyKey, content }: WebhookEvent, signal: AbortSignal): Promise<unknown> {
    const body = JSON.stringify({ version: 1, type, idempotencyKey, ...content });
    return this.#api.call({
      method: 'POST',
      path: this.#path,
      shownAs: type,
      body,
      headers: {
        ...signedHeaders(this.#secret, body),
        'Idempotency-Key': idempotencyKey,
      },
      signal,
    });
  }
}

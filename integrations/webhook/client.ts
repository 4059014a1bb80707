import { signedHeaders } from '../http-post.ts';
import { JsonApi } from '../json-api.ts';

export interface WebhookOptions {
  /** Where the events go: one URL for all of them. */
  readonly url: string;
  /** Signs every event; shared with who takes them, and with nobody else. */
  readonly secret: string;
  readonly timeoutMs?: number;
}

interface WebhookEvent {
  readonly type: string;
  /** The same for the same event, however often it is sent: whoever takes it acts on it once. */
  readonly idempotencyKey: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** Sends events one by one. It never retries by itself: who calls it does. */
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

  /** What the receiver answers. @throws as `JsonApi.call` does; the URL's path may be a secret, and is in no error. */
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

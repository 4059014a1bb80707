import { createHmac, timingSafeEqual } from 'node:crypto';
import { entriesPage } from '../rest/page.ts';
import { type Fields, fieldsOf, type RestAnswer, type RestFake, type RestRequest, startRestFake } from '../rest/server.ts';

interface WebhookFakeOptions {
  readonly secret: string;
  readonly path?: string;
  readonly port?: number;
}

export interface WebhookFake extends RestFake {
  /** The events that were acted on: each idempotency key once. */
  readonly events: readonly Fields[];
}

const windowSeconds = 300;
const types = ['ticket.opened', 'ticket.commented', 'ticket.closed', 'page.triggered', 'page.acknowledged', 'page.resolved'];

function sameText(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

/** An event read the way the documentation tells receivers to: signature over timestamp and body, and a time window. */
export function signedEvent(
  { method, url, headers, text }: RestRequest,
  expects: { readonly path: string; readonly secret: string; readonly types: readonly string[] },
): { readonly event: Fields; readonly key: string } | { readonly refusal: RestAnswer } {
  const refused = (status: number, error: string) => ({ refusal: { status, body: { error } } });
  if (method !== 'POST' || url.pathname !== expects.path) return refused(404, 'not here');
  const timestamp = String(headers['x-firebreak-timestamp'] ?? '');
  const signature = String(headers['x-firebreak-signature'] ?? '');
  const expected = `v1=${createHmac('sha256', expects.secret).update(`${timestamp}.${text}`).digest('hex')}`;
  if (!sameText(signature, expected)) return refused(401, 'the signature is not valid');
  if (!/^\d+$/.test(timestamp) || Math.abs(Date.now() / 1_000 - Number(timestamp)) > windowSeconds)
    return refused(401, 'the timestamp is outside the window');
  const event = fieldsOf(text);
  const key = String(headers['idempotency-key'] ?? '');
  if (!event || !expects.types.includes(String(event.type)) || key === '' || event.idempotencyKey !== key)
    return refused(400, 'not an event');
  return { event, key };
}

/** A receiver as the documentation requires: signature over timestamp and body, a time window, and each idempotency key once. */
export async function startWebhookFake(options: WebhookFakeOptions): Promise<WebhookFake> {
  const events: Fields[] = [];
  const answers = new Map<string, RestAnswer>();
  const path = options.path ?? '/firebreak';

  const answer = (request: RestRequest): RestAnswer => {
    const read = signedEvent(request, { path, secret: options.secret, types });
    if ('refusal' in read) return read.refusal;
    const { event, key } = read;
    const known = answers.get(key);
    if (known) return known;
    events.push(event);
    const made = {
      status: 200,
      body:
        event.type === 'ticket.opened' ? { id: `T-${events.length}`, url: `https://tickets.example.com/T-${events.length}` } : {},
    };
    answers.set(key, made);
    return made;
  };

  const fake = await startRestFake({
    answer,
    failure: (status) => ({ error: `Injected ${status}` }),
    page: () =>
      entriesPage(
        'Webhook: events',
        events.toReversed().map((event) => ({
          title: String(event.type),
          state: 'taken',
          open: true,
          facts: [String(event.idempotencyKey)],
          texts: [JSON.stringify(event, null, 2)],
        })),
      ),
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  return { ...fake, events };
}

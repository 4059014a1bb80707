import { createHmac } from 'node:crypto';

/** An event, signed as documented. An `event` that is text is sent as it is. */
export function signedBy(
  secret: string,
  event: Readonly<Record<string, unknown>> | string,
  seconds: number,
): { readonly headers: Readonly<Record<string, string>>; readonly body: string } {
  const body = typeof event === 'string' ? event : JSON.stringify(event);
  const signature = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'x-firebreak-timestamp': String(seconds),
      'x-firebreak-signature': `v1=${signature}`,
      'idempotency-key': typeof event === 'string' ? 'k1' : String(event.idempotencyKey),
    },
  };
}

import { afterEach, describe, expect, test } from '@jest/globals';
import { type Page, pageKeyOf } from '../../../core/tickets/paging.ts';
import { webhookSignature } from '../../../integrations/http-post.ts';
import { createWebhookPager } from '../../../integrations/webhook/pager.ts';
import { createWebhookTickets } from '../../../integrations/webhook/tickets.ts';
import { startWebhookFake, type WebhookFake } from '../../fakes/webhook/server.ts';
import { request } from '../tickets/systems.ts';

const signal = new AbortController().signal;
const secret = 'webhook-secret';
const fakes: WebhookFake[] = [];
afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.stop();
});

async function receiver(): Promise<WebhookFake> {
  const fake = await startWebhookFake({ secret, path: '/hooks/T0PSECRET' });
  fakes.push(fake);
  return fake;
}

describe('a signed event', () => {
  test('names the ticket as the receiver does', async () => {
    const fake = await receiver();
    const ticket = await createWebhookTickets({ url: `${fake.url}/hooks/T0PSECRET`, secret }).open(request, signal);
    expect(ticket).toEqual({ state: 'created', id: 'T-1', url: 'https://tickets.example.com/T-1' });
    expect(fake.events[0]).toMatchObject({
      type: 'ticket.opened',
      title: request.title,
      cluster: 'lab',
      workload: 'deployment/cart',
    });
  });

  test('with another secret is refused, and no error contains the path of the URL', async () => {
    const fake = await receiver();
    const error: unknown = await createWebhookTickets({ url: `${fake.url}/hooks/T0PSECRET`, secret: 'other' })
      .open(request, signal)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'FB_ERR_REFUSED' });
    expect(String(error)).not.toContain('T0PSECRET');
  });

  test('cannot be changed, or sent again later', async () => {
    const fake = await receiver();
    const body = JSON.stringify({ version: 1, type: 'ticket.closed', idempotencyKey: 'k', ticket: 'T-1' });
    const post = (timestamp: string, signature: string, text: string) =>
      fetch(`${fake.url}/hooks/T0PSECRET`, {
        method: 'POST',
        body: text,
        headers: { 'X-Firebreak-Timestamp': timestamp, 'X-Firebreak-Signature': signature, 'Idempotency-Key': 'k' },
      });
    const now = String(Math.floor(Date.now() / 1_000));
    const old = String(Math.floor(Date.now() / 1_000) - 600);
    expect((await post(now, webhookSignature(secret, now, body), body.replace('T-1', 'T-2'))).status).toBe(401);
    expect((await post(old, webhookSignature(secret, now, body), body)).status).toBe(401);
    expect((await post(old, webhookSignature(secret, old, body), body)).status).toBe(401);
    expect(fake.events).toHaveLength(0);
    expect((await post(now, webhookSignature(secret, now, body), body)).status).toBe(200);
  });

  test('calls people: a repetition is one, a later call of the same page is another', async () => {
    const fake = await receiver();
    const pager = createWebhookPager({ url: `${fake.url}/hooks/T0PSECRET`, secret });
    const incident = { ...request.incident, title: 'deployment/shop/cart', severity: 'critical', cluster: 'lab' } as const;
    const page: Page = {
      key: pageKeyOf(incident, { began: 0 }),
      nth: 0,
      group: 'oncall',
      incident,
      summary: 'renewed',
      details: {},
    };
    await pager.page(page, signal);
    await pager.page(page, signal);
    await pager.page({ ...page, nth: 1 }, signal);
    await pager.resolve({ key: page.key, nth: 2, groups: ['oncall'] }, signal);
    expect(fake.events.map((event) => event.type)).toEqual(['page.triggered', 'page.triggered', 'page.resolved']);
    expect(new Set(fake.events.map((event) => event.page)).size).toBe(1);
  });
});

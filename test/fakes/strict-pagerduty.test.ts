import { describe, expect, test } from '@jest/globals';
import { startPagerDutyFake } from './pagerduty/server.ts';
import { send, stopAfterEach, stopAfterTest } from './strict-calls.ts';

stopAfterEach();
const key = 'a'.repeat(32);
const payload = { summary: 's', source: 's', severity: 'critical' };
const good = { routing_key: key, event_action: 'trigger', dedup_key: 'k', payload };
const started = async () => stopAfterTest(await startPagerDutyFake({ routingKeys: [key] }));

/** https://developer.pagerduty.com/docs/send-alert-event (source: github.com/PagerDuty/developer-docs, docs/events-API-v2/02-Trigger-Events.md) */
describe('the stand-in for PagerDuty refuses what the documentation calls errors', () => {
  const bad: Readonly<Record<string, unknown>> = {
    'a short routing key': { ...good, routing_key: 'a' },
    'no routing key': { ...good, routing_key: undefined },
    'an unknown routing key': { ...good, routing_key: 'b'.repeat(32) },
    'an unknown action': { ...good, event_action: 'open' },
    'no action': { ...good, event_action: undefined },
    'no payload': { ...good, payload: undefined },
    'no summary': { ...good, payload: { ...payload, summary: '' } },
    'a summary of 1025 characters': { ...good, payload: { ...payload, summary: 'x'.repeat(1_025) } },
    'no source': { ...good, payload: { ...payload, source: undefined } },
    'no severity': { ...good, payload: { ...payload, severity: undefined } },
    'a severity that does not exist': { ...good, payload: { ...payload, severity: 'high' } },
    'a severity in capitals': { ...good, payload: { ...payload, severity: 'CRITICAL' } },
    'details that are text': { ...good, payload: { ...payload, custom_details: 'x' } },
    'a component that is a list': { ...good, payload: { ...payload, component: ['x'] } },
    'an invalid time': { ...good, payload: { ...payload, timestamp: 'yesterday' } },
    'a key of 256 characters': { ...good, dedup_key: 'x'.repeat(256) },
    'a key that is a number': { ...good, dedup_key: 7 },
    'a resolve without a key': { routing_key: key, event_action: 'resolve' },
    'an acknowledgement without a key': { routing_key: key, event_action: 'acknowledge', dedup_key: '' },
    'an image that is not served over https': { ...good, images: [{ src: 'http://x/y.png' }] },
    'links that are not a list': { ...good, links: { href: 'https://x' } },
    'a link without an address': { ...good, links: [{ text: 'x' }] },
    'a body that is not JSON': '{',
  };
  test.each(Object.entries(bad))('%s', async (_, event) => {
    const fake = await started();
    const answer = await send(`${fake.url}/v2/enqueue`, event);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({ errors: [expect.any(String)] });
    expect(fake.alerts).toHaveLength(0);
  });

  test('more than 512 KB', async () => {
    const details = { text: 'x'.repeat(524_288) };
    const answer = await send(`${(await started()).url}/v2/enqueue`, {
      ...good,
      payload: { ...payload, custom_details: details },
    });
    expect(answer.status).toBe(413);
  });

  /** docs/events-API-v2/05-Rate-Limits.md: about 120 calls per minute and key; the event is not accepted, and no header says when to retry. */
  test('the 121st call of a minute', async () => {
    const fake = await started();
    for (let count = 0; count < 120; count += 1) await send(`${fake.url}/v2/enqueue`, { ...good, dedup_key: `k${count}` });
    const answer = await send(`${fake.url}/v2/enqueue`, { ...good, dedup_key: 'one more' });
    expect([answer.status, answer.headers.get('retry-after'), fake.alerts.length]).toEqual([429, null, 120]);
  });

  /** The documentation's own example, with a key of 32 characters. */
  test('but accepts the documented example', async () => {
    const fake = await started();
    const answer = await send(`${fake.url}/v2/enqueue`, {
      payload: {
        summary: 'Example alert on host1.example.com',
        timestamp: '2015-07-17T08:42:58.315+0000',
        source: 'monitoringtool:cloudvendor:central-region-dc-01:852559987:cluster/api-stats-prod-003',
        severity: 'info',
        component: 'postgres',
        group: 'prod-datapipe',
        class: 'deploy',
        custom_details: { 'ping time': '1500ms', 'load avg': 0.75 },
      },
      routing_key: key,
      dedup_key: 'samplekeyhere',
      images: [{ src: 'https://www.example.com/logo.png', href: 'https://example.com/', alt: 'Example text' }],
      links: [{ href: 'https://example.com/', text: 'Link text' }],
      event_action: 'trigger',
      client: 'Sample Monitoring Service',
      client_url: 'https://monitoring.example.com',
    });
    expect([answer.status, JSON.parse(answer.text)]).toEqual([
      202,
      { status: 'success', message: 'Event processed', dedup_key: 'samplekeyhere' },
    ]);
  });

  /** “Alert De-Duplication”, on the same page. */
  test('and drops a resolve of an unknown key, opens a new alert after a resolve, and makes up a missing key', async () => {
    const fake = await started();
    const resolve = { routing_key: key, event_action: 'resolve', dedup_key: 'k' };
    expect((await send(`${fake.url}/v2/enqueue`, resolve)).status).toBe(202);
    for (const event of [good, good, resolve, good]) await send(`${fake.url}/v2/enqueue`, event);
    expect(fake.alerts.map((alert) => `${alert.status} ${alert.triggers.length}`)).toEqual(['resolved 2', 'triggered 1']);
    for (let count = 0; count < 2; count += 1) await send(`${fake.url}/v2/enqueue`, { ...good, dedup_key: undefined });
    expect(new Set(fake.alerts.map(({ dedupKey }) => dedupKey)).size).toBe(3);
  });
});

test('it takes orders from another process: to fail, to hang, to act without answering', async () => {
  const fake = await started();
  const order = (what: object) => send(`${fake.url}/control/inject`, { method: 'POST', path: 'enqueue$', ...what });
  expect((await order({ what: 'fail', status: 200, body: '<html>' })).status).toBe(200);
  expect(await send(`${fake.url}/v2/enqueue`, good)).toMatchObject({ status: 200, text: '<html>' });
  await order({ what: 'then-reset' });
  await expect(send(`${fake.url}/v2/enqueue`, good)).rejects.toThrow('fetch failed');
  expect([fake.alerts.length, fake.calls.length]).toEqual([1, 2]);
  expect((await order({ what: 'explode' })).status).toBe(400);
});

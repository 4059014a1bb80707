import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { FirebreakError } from '../../../core/errors.ts';
import { type Page, type Pager, pageKeyOf, redactedPager } from '../../../core/tickets/paging.ts';
import { createPagerDuty } from '../../../integrations/pagerduty/pager.ts';
import { type PagerDutyFake, startPagerDutyFake } from '../../fakes/pagerduty/server.ts';
import { type Injection, isFields } from '../../fakes/rest/server.ts';

const signal = new AbortController().signal;
const routingKey = 'a'.repeat(32);
const leadsKey = 'b'.repeat(32);
const incident = {
  id: 'incident/lab/shop/Deployment/cart',
  run: 'run-1',
  title: 'deployment/shop/cart',
  severity: 'critical',
  cluster: 'lab',
} as const;
const key = pageKeyOf(incident, { began: 0 });
const page: Page = {
  key,
  nth: 0,
  group: 'oncall',
  incident,
  summary: 'Is the new binary in cart-1 expected?',
  details: { alerts: '3 × Drop and execute new binary in container' },
};

const fakes: PagerDutyFake[] = [];
afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.stop();
});

async function pagerduty(timeoutMs = 5_000): Promise<{ readonly fake: PagerDutyFake; readonly pager: () => Pager }> {
  const fake = await startPagerDutyFake({ routingKeys: [routingKey, leadsKey] });
  fakes.push(fake);
  const options = { routingKey, groupKeys: { leads: leadsKey }, apiUrl: fake.url, timeoutMs };
  return { fake, pager: () => redactedPager(createPagerDuty(options)) };
}

/** As the engine calls it: repeatedly, each time in a new process. */
async function untilDone(work: () => Promise<void>): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof FirebreakError && error.retryable)) throw error;
    }
    await sleep(20);
  }
  throw new Error('tried in vain');
}

describe('a page', () => {
  test('is one alert, however often it calls, and is resolved', async () => {
    const { fake, pager } = await pagerduty();
    await pager().page(page, signal);
    await pager().page({ ...page, nth: 1, summary: 'renewed in silence' }, signal);
    expect(fake.alerts).toMatchObject([{ status: 'triggered', triggers: [{}, {}] }]);
    await pager().acknowledge({ key, nth: 1, groups: ['oncall'] }, signal);
    expect(fake.alerts[0]?.status).toBe('acknowledged');
    await pager().resolve({ key, nth: 1, groups: ['oncall'] }, signal);
    expect(fake.alerts.map((alert) => alert.status)).toEqual(['resolved']);
  });

  test('says what is asked, how bad it is and where', async () => {
    const { fake, pager } = await pagerduty();
    await pager().page(page, signal);
    const [trigger] = fake.alerts[0]?.triggers ?? [];
    expect(trigger?.payload).toMatchObject({
      summary: 'critical: Is the new binary in cart-1 expected?',
      severity: 'critical',
      source: 'deployment/shop/cart',
      custom_details: { incident: incident.id, run: 'run-1', asked: 'oncall' },
    });
  });

  test('of another group goes to that group’s integration, and both are resolved', async () => {
    const { fake, pager } = await pagerduty();
    await pager().page(page, signal);
    await pager().page({ ...page, nth: 1, group: 'leads' }, signal);
    expect(fake.alerts.map((alert) => alert.routingKey)).toEqual([routingKey, leadsKey]);
    await pager().resolve({ key, nth: 2, groups: ['oncall', 'leads'] }, signal);
    expect(fake.alerts.map((alert) => alert.status)).toEqual(['resolved', 'resolved']);
  });

  const faults: readonly Injection['what'][] = ['fail', 'hang', 'then-hang', 'then-reset'];
  test.each(faults)('that meets %s at every call is still one alert, and resolved', async (what) => {
    const { fake, pager } = await pagerduty(200);
    fake.inject({ method: 'POST', path: /enqueue/, what, times: 2 });
    await untilDone(() => pager().page(page, signal));
    expect(fake.alerts).toHaveLength(1);
    fake.inject({ method: 'POST', path: /enqueue/, what, times: 2 });
    await untilDone(() => pager().resolve({ key, nth: 1, groups: ['oncall'] }, signal));
    expect(fake.alerts.map((alert) => alert.status)).toEqual(['resolved']);
  });

  /** Any other 2xx answer means that nobody has been called. */
  test.each([
    ['a proxy’s page', '<!doctype html><title>Sign in</title>'],
    ['an empty object', {}],
    ['a status other than success', { status: 'throttled' }],
  ])('that is answered with 200 and %s is sent again', async (_what, body) => {
    const { fake, pager } = await pagerduty();
    fake.inject({ method: 'POST', path: /enqueue/, what: 'fail', status: 200, body });
    await expect(pager().page(page, signal)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE', retryable: true });
    await untilDone(() => pager().page(page, signal));
    expect(fake.alerts).toHaveLength(1);
  });

  test('beyond PagerDuty’s rate limit waits half a minute, as no header says how long', async () => {
    const { fake, pager } = await pagerduty();
    for (let count = 0; count < 120; count += 1) await pager().page(page, signal);
    await expect(pager().page(page, signal)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE', retryAfterMs: 30_000 });
    expect(fake.alerts).toHaveLength(1);
  });

  test('with a key that PagerDuty does not know is refused, and no error contains the key', async () => {
    const { fake } = await pagerduty();
    const error: unknown = await createPagerDuty({ routingKey: 'c'.repeat(32), apiUrl: fake.url })
      .page(page, signal)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'FB_ERR_REFUSED', detail: expect.stringContaining('check paging.pagerduty') });
    expect(String(error)).not.toContain('cccc');
  });

  test('contains no secret, and fits whatever an alert says', async () => {
    const { fake, pager } = await pagerduty();
    const evil = `mysql -psecretpass ${'y'.repeat(5_000)}\n\u202e`;
    await pager().page({ ...page, summary: evil, details: { 'command line': evil } }, signal);
    const text = JSON.stringify(fake.alerts);
    expect(text).not.toContain('secretpass');
    const payload = fake.alerts[0]?.triggers[0]?.payload;
    expect(isFields(payload) && String(payload.summary).length).toBeLessThanOrEqual(1_024);
  });
});

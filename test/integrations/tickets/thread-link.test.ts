import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type Page, pageKeyOf, redactedPager } from '../../../core/tickets/paging.ts';
import { redactedTickets, type TicketSystem } from '../../../core/tickets/ticket.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { createThreadPlaces } from '../../../integrations/database/thread-places.ts';
import { createTicketMailbox } from '../../../integrations/database/ticket-mailbox.ts';
import { createGithubTickets } from '../../../integrations/github/tickets.ts';
import { createJiraTickets } from '../../../integrations/jira/tickets.ts';
import { createPagerDuty } from '../../../integrations/pagerduty/pager.ts';
import { createServiceNowTickets } from '../../../integrations/servicenow/tickets.ts';
import { createWebhookPager } from '../../../integrations/webhook/pager.ts';
import { createWebhookTickets } from '../../../integrations/webhook/tickets.ts';
import { createThreadOf } from '../../../service/desk/desk.ts';
import { boundTickets, linkingPager, threaded } from '../../../service/desk/follow-up.ts';
import { startGithubFake } from '../../fakes/github/server.ts';
import { adfText } from '../../fakes/jira/adf-check.ts';
import { startJiraFake } from '../../fakes/jira/server.ts';
import { startPagerDutyFake } from '../../fakes/pagerduty/server.ts';
import { startServiceNowFake } from '../../fakes/servicenow/server.ts';
import { startWebhookFake } from '../../fakes/webhook/server.ts';
import { incident, request } from './systems.ts';

const signal = new AbortController().signal;
const account = { repository: 'acme/incidents', token: 'ghp_x' };
const thread = 'https://acme.slack.com/archives/C0SECURITY/p1758275400000100?thread_ts=1758275400.000001&cid=C0SECURITY';
const page: Page = {
  key: pageKeyOf(incident, { began: 0 }),
  nth: 0,
  group: 'oncall',
  incident: { ...incident, title: 'deployment/shop/cart', severity: 'critical', cluster: 'lab' },
  summary: 'Is it expected?',
  details: {},
};
const running: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

function fail(): never {
  throw new Error('not configured');
}

async function github() {
  const fake = await startGithubFake(account);
  running.push(() => fake.stop());
  const connect = () => redactedTickets(createGithubTickets({ ...account, apiUrl: fake.url, timeoutMs: 2_000 }));
  /** The ticket's texts, the body first. */
  const texts = (): readonly string[] =>
    fake.store.all().flatMap(({ body, comments }) => [body, ...comments.map((one) => one.body)]);
  return { fake, connect, texts };
}

/** The system as used by the desk; `desk()` returns a restarted one. */
async function desks(connect: () => TicketSystem) {
  const database = await openDatabase({ url: `sqlite:${join(mkdtempSync(join(tmpdir(), 'firebreak-thread-')), 'desk.db')}` });
  running.push(() => database.close());
  const mailbox = createTicketMailbox(database);
  let said: () => Promise<string | undefined> = async () => undefined;
  const slackSays = (what: typeof said): void => {
    said = what;
  };
  const threadOf = createThreadOf(() => said());
  const olderDesk = () => boundTickets(connect(), mailbox) ?? fail();
  const desk = () => threaded(olderDesk(), { mailbox, places: createThreadPlaces(database), threadOf }) ?? fail();
  return { desk, olderDesk, slackSays };
}

const carrying = (texts: readonly string[]): readonly number[] =>
  texts.flatMap((text, index) => (text.includes(thread) ? [index] : []));

describe('a ticket says once where its thread is', () => {
  test('in the body, if there is a thread when it is filed', async () => {
    const { connect, texts } = await github();
    const { desk, slackSays } = await desks(connect);
    slackSays(async () => thread);
    const { id = '' } = await desk().open(request, signal);
    await desk().comment({ id, key: 'c0', text: 'contained' }, signal);
    expect(carrying(texts())).toEqual([0]);
  });

  test('otherwise in the first comment once there is one', async () => {
    const { connect, texts } = await github();
    const { desk, slackSays } = await desks(connect);
    const { id = '' } = await desk().open(request, signal);
    await desk().comment({ id, key: 'c0', text: 'contained' }, signal);
    slackSays(async () => thread);
    await desk().open(request, signal);
    for (const key of ['c1', 'c1', 'c2']) await desk().comment({ id, key, text: key }, signal);
    expect([texts().length, carrying(texts())]).toEqual([4, [2]]);
  });

  test.each(['hang', 'then-reset'] as const)(
    'even if the call that carries it meets %s, and the desk is killed',
    async (what) => {
      const { fake, connect, texts } = await github();
      const { desk, slackSays } = await desks(connect);
      const { id = '' } = await desk().open(request, signal);
      slackSays(async () => thread);
      fake.inject({ method: 'POST', path: /comments$/, what });
      await expect(desk().comment({ id, key: 'c0', text: 'contained' }, signal)).rejects.toThrow();
      // Slack is away by then, but what is sent again is still the same.
      slackSays(async () => undefined);
      await desk().comment({ id, key: 'c0', text: 'contained' }, signal);
      slackSays(async () => thread);
      await desk().comment({ id, key: 'c1', text: 'released' }, signal);
      expect([texts().length, carrying(texts())]).toEqual([3, [1]]);
    },
  );

  test('if filed by an older version, in its next comment', async () => {
    const { connect, texts } = await github();
    const { desk, olderDesk, slackSays } = await desks(connect);
    const { id = '' } = await olderDesk().open(request, signal);
    slackSays(async () => thread);
    for (const key of ['c7', 'c8']) await desk().comment({ id, key, text: key }, signal);
    expect(carrying(texts())).toEqual([1]);
  });
});

describe('the address is a link that people can follow, next to text that has none', () => {
  const evil = `see ${thread} and <${thread}>`;
  const threadedRequest = { ...request, body: evil, thread };
  const note = { key: 'c', text: evil, thread };

  test('on GitHub', async () => {
    const { connect, texts } = await github();
    const { id = '' } = await connect().open(threadedRequest, signal);
    await connect().comment({ id, ...note }, signal);
    for (const text of texts()) expect(text.split('://')).toHaveLength(2);
    expect(texts().map((text) => `${text}\n\n`.includes(`\n\nSlack thread: <${thread}>\n\n`))).toEqual([true, true]);
  });

  test('in Jira', async () => {
    const fake = await startJiraFake({ project: 'SEC', email: 'a@acme.com', token: 'jira-token' });
    running.push(() => fake.stop());
    const settings = { url: fake.url, email: 'a@acme.com', token: 'jira-token', project: 'SEC', issueType: 'Task' };
    const system = createJiraTickets({ ...settings, secondLookMs: 20 });
    const { id = '' } = await system.open(threadedRequest, signal);
    await system.comment({ id, ...note }, signal);
    const [issue] = fake.issues;
    for (const document of [issue?.fields.description, issue?.comments[0]?.body]) {
      expect(JSON.stringify(document).match(/"href":"[^"]*"/g)).toEqual([`"href":"${thread}"`]);
      expect(adfText(document)).toContain(`\n\nSlack thread: ${thread}\n`);
    }
  });

  test('in ServiceNow', async () => {
    const fake = await startServiceNowFake({ user: 'firebreak', password: 'snow-password' });
    running.push(() => fake.stop());
    const system = createServiceNowTickets({ url: fake.url, user: 'firebreak', password: 'snow-password' });
    const { id = '' } = await system.open({ ...threadedRequest, body: 'x'.repeat(5_000) }, signal);
    await system.comment({ id, ...note, text: 'x'.repeat(40_000) }, signal);
    const [record] = fake.records;
    expect(record?.values.description).toContain(`\n\nSlack thread: ${thread}\n\n`);
    expect(record?.notes.join('\n')).toContain(`\n\nSlack thread: ${thread}\n\n[firebreak-`);
  });

  test('as a field of a webhook’s events, absent when there is none', async () => {
    const fake = await startWebhookFake({ secret: 'webhook-secret' });
    running.push(() => fake.stop());
    const settings = { url: `${fake.url}/firebreak`, secret: 'webhook-secret' };
    const tickets = createWebhookTickets(settings);
    await tickets.open(threadedRequest, signal);
    await tickets.comment({ id: 'T-1', ...note }, signal);
    await tickets.comment({ id: 'T-1', key: 'd', text: 'released' }, signal);
    await createWebhookPager(settings).page({ ...page, thread }, signal);
    expect(fake.events.map((event) => event.thread)).toEqual([thread, thread, undefined, thread]);
    expect(fake.events[2]).not.toHaveProperty('thread');
  });

  test('on an alert of PagerDuty, once there is a thread', async () => {
    const fake = await startPagerDutyFake({ routingKeys: ['a'.repeat(32)] });
    running.push(() => fake.stop());
    const pagerDuty = redactedPager(createPagerDuty({ routingKey: 'a'.repeat(32), apiUrl: fake.url }));
    await linkingPager(pagerDuty, { threadOf: async () => undefined })?.page(page, signal);
    await linkingPager(pagerDuty, { threadOf: async () => thread })?.page({ ...page, nth: 1 }, signal);
    const links = fake.alerts[0]?.triggers.map((trigger) => trigger.links);
    expect(links).toEqual([undefined, [{ href: thread, text: 'Slack thread' }]]);
  });
});

describe('there is no link', () => {
  test.each([
    ['where Slack names another place', async () => 'https://evil.example/archives/C0SECURITY/p1758275400000100'],
    ['where Slack fails', async () => Promise.reject(new Error('ratelimited'))],
    ['where Slack takes too long', () => new Promise<string>(() => undefined)],
    ['where there is no thread', async () => undefined],
  ])('%s, and nobody waits', async (_, threadUrl) => {
    expect(await createThreadOf(threadUrl, 20)(incident)).toBeUndefined();
  });
});

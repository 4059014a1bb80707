import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createFollowUpActivities } from '../../../activities/desk/follow-up.ts';
import type { FollowUpActivities } from '../../../core/action/step.ts';
import { incidentNames } from '../../../core/incident/incident.ts';
import { isObject } from '../../../core/text/plain-json.ts';
import { type TicketRequest, type TicketSystem, ticketKeyOf } from '../../../core/tickets/ticket.ts';
import type { TicketMailbox } from '../../../core/tickets/ticket-news.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createTicketMailbox } from '../../../integrations/database/ticket-mailbox.ts';
import { createJiraTickets } from '../../../integrations/jira/tickets.ts';
import { createPagerDuty } from '../../../integrations/pagerduty/pager.ts';
import { linkingPager } from '../../../service/desk/follow-up.ts';
import { adfText } from '../../fakes/jira/adf-check.ts';
import { type JiraFake, startJiraFake } from '../../fakes/jira/server.ts';
import { type PagerDutyFake, startPagerDutyFake } from '../../fakes/pagerduty/server.ts';
import { assessedAs } from '../../fixtures/assessed.ts';
import { type MemoryLab, type RunningIncident, startLab } from '../harness.ts';
import { alertOf, batchOf } from '../people.ts';
import { refuse } from '../scripted.ts';

const account = { email: 'firebreak@acme.com', token: 'jira-token', project: 'SEC' };
const routingKey = 'a'.repeat(32);
const followUp = { tickets: true, pages: true };
const levels = [
  { group: 'oncall', withinMs: 900_000, page: true },
  { group: 'leads', withinMs: 3_600_000, page: true },
] as const;

let jira: JiraFake;
let pagerduty: PagerDutyFake;
let tickets: TicketSystem;
let database: Database;
let mailbox: TicketMailbox;
let lab: MemoryLab;
let activities: FollowUpActivities;
/** Whether the pods of the alerts are in a protected namespace. */
let isProtected = false;
let refusal: readonly ['FB_ERR_PROTECTED' | 'FB_ERR_API_REFUSED', string] = [
  'FB_ERR_PROTECTED',
  'namespace shop is protected; pod/shop/cart-1 was not touched',
];
/** Whether the API server refuses to release a pod. */
let isDenied = false;
/** What a rotation reports that it did not reach. */
let unreached: readonly string[] = [];

beforeAll(async () => {
  jira = await startJiraFake(account);
  pagerduty = await startPagerDutyFake({ routingKeys: [routingKey] });
  tickets = createJiraTickets({ ...account, url: jira.url, issueType: 'Task', timeoutMs: 5_000, secondLookMs: 10 });
  const pagerDuty = createPagerDuty({ routingKey, apiUrl: pagerduty.url, timeoutMs: 5_000 });
  const pager = linkingPager(pagerDuty, { answerLink: async ({ question }) => `https://desk.acme.com/answer/${question}` });
  const openTicket = async (call: { readonly incident: TicketRequest['incident']; readonly input: unknown }) => {
    const { title, body } = call.input as { readonly title: string; readonly body: string };
    const request = { key: ticketKeyOf(call.incident), incident: call.incident, title, body, labels: [] };
    const opening = tickets.open(request, new AbortController().signal);
    return { system: 'jira', ...(await lab.server.clock.outside(opening)) };
  };
  database = await openDatabase({ url: `sqlite:${join(mkdtempSync(join(tmpdir(), 'firebreak-news-')), 'desk.db')}` });
  mailbox = createTicketMailbox(database);
  const rotation = () => unreached.length > 0 && { state: 'partial', detail: 'the rest has a new value', missing: unreached };
  const quarantinePod = async () => {
    if (isProtected) refuse(...refusal);
  };
  const giveBack = async () => {
    if (isDenied) refuse('FB_ERR_API_REFUSED', 'the policy no-labels denied request');
  };
  activities = inContext(createFollowUpActivities({ tickets, ...(pager && { pager }), mailbox }));
  lab = await startLab({
    script: { openTicket, quarantinePod, 'undo:quarantinePod': giveBack, 'verify:rotateSecret': rotation },
    others: activities,
  });
});
afterAll(async () => {
  await lab?.stop();
  await jira?.stop();
  await pagerduty?.stop();
  await database?.close();
});

/** Each has a context of its own, as in a worker: these ask it whether they are still wanted. */
function inContext(given: FollowUpActivities): FollowUpActivities {
  const inOne =
    <Args extends unknown[], Result>(work: (...args: Args) => Promise<Result>) =>
    (...args: Args): Promise<Result> =>
      new MockActivityEnvironment().run(work, ...args);
  const { callPeople, endPage, updateTicket, ticketNews } = given;
  return {
    callPeople: inOne(callPeople),
    endPage: inOne(endPage),
    updateTicket: inOne(updateTicket),
    ticketNews: inOne(ticketNews),
  };
}

async function issueOf(incident: RunningIncident) {
  const { tickets: links = [] } = await incident.state();
  const issue = jira.issues.find((one) => one.key === links[0]?.id);
  return { links, issue, comments: issue?.comments.map((comment) => adfText(comment.body)) ?? [] };
}

async function alertsOf(incident: RunningIncident) {
  return pagerduty.alerts.filter((alert) => JSON.stringify(alert.triggers).includes(`"${incident.id}"`));
}

const eventsOf = (incident: RunningIncident): number => lab.run(incident).historyLength;

describe('an incident with a ticket and a pager', () => {
  test('pages people with the question, keeps its one ticket up to date, and closes both with its verdict', async () => {
    const before = jira.issues.length;
    const incident = await lab.start([alertOf()], { followUp, levels });
    await incident.question();
    await incident.until((state) => (state.tickets ?? []).length > 0, 'the ticket');
    await incident.until((state) => state.timeline.some((entry) => entry.kind === 'page.sent'), 'the page');
    const [paged] = await alertsOf(incident);
    expect(paged?.status).toBe('triggered');
    // Read aloud by a telephone: what happened, what is contained, what is asked, and what silence does; no pod's own name.
    const payload = paged?.triggers[0]?.payload;
    const aloud = JSON.stringify(isObject(payload) ? payload.summary : '');
    expect(aloud).toMatch(
      /^"critical: .*shop\/cart.* Contained: .+\. Is the new binary in .+\? No answer by \d+ \w+, \d\d:\d\d UTC: /,
    );
    expect(aloud).not.toContain('cart-1');
    const { links } = await issueOf(incident);
    await lab.eventually('the thread', () => lab.seen.threads.includes(`Ticket: ${links[0]?.url}`));
    await incident.vote('remove', 'ana');
    await incident.result();
    const { issue, comments } = await issueOf(incident);
    expect(jira.issues.length - before).toBe(1);
    expect(issue?.status).toBe('Done');
    expect(comments.join('\n')).toMatch(/Quarantine.*Pod cart-1 in shop/);
    const said = comments.join('\n');
    expect(said).toMatch(/Asked: .* oncall may answer until \d+ \w+, \d\d:\d\d UTC, then leads\. Without an answer: /);
    expect(said).toContain('Found to be an attack: not expected, said Ana');
    expect(said).toContain('No: rotate secrets and delete pod, by Ana');
    expect(said).toContain('Verdict: an attack (not expected, said Ana).');
    expect(comments.length).toBeLessThanOrEqual(3);
    expect((await alertsOf(incident)).map((alert) => `${alert.status} ${alert.triggers.length}`)).toEqual(['resolved 1']);
  });

  test.each([
    ['what mode contain would have done', undefined, 'Would have contained the pod: mode ask asks people first (scope shops)'],
    [
      'what would hold mode contain back',
      'namespace kube-system is protected',
      'Mode contain would not contain the pod either: namespace kube-system is protected',
    ],
  ])('says on the card, on the page and on record %s', async (_, heldBack, text) => {
    const policy = {
      ...({ mode: 'ask', scope: 'scope shops', would: 'contain', wouldPage: false } as const),
      ...(heldBack !== undefined && { heldBack }),
    };
    const incident = await lab.start([alertOf({ assessment: { ...assessedAs('ask'), ...policy } })], { followUp, levels });
    await incident.question();
    await incident.until((state) => state.timeline.some((entry) => entry.kind === 'page.sent'), 'the page');
    const [page] = await alertsOf(incident);
    expect(page?.triggers).toMatchObject([{ payload: { custom_details: { 'mode contain': text } } }]);
    const card = await lab.eventually('the card', () => lab.seen.cards.find((one) => one.incident.id === incident.id));
    expect(card.happened.wouldHave).toBe(text);
    const opened = await lab.eventually('the record', () =>
      lab.seen.records.find(({ kind, chain }) => kind === 'incident.opened' && chain.startsWith(incident.id)),
    );
    expect(opened?.body.alerts).toMatchObject([{ assessment: { response: 'ask', ...policy } }]);
    await incident.vote('remove', 'ana');
    await incident.result();
  });

  test('leaves the ticket open for what a rotation could not reach, and says what it is', async () => {
    const helm = 'secret/shop/mail: it is managed by Helm: give the release a new value, and upgrade it';
    unreached = [helm];
    const incident = await lab.start([alertOf()], { followUp, levels });
    await incident.question();
    await incident.until((state) => (state.tickets ?? []).length > 0, 'the ticket');
    await incident.vote('remove', 'ana');
    await incident.result();
    unreached = [];
    const { issue, comments } = await issueOf(incident);
    expect(issue?.status).not.toBe('Done');
    const said = comments.join('\n');
    expect(said).toContain('Left open: Secret mail in shop: it is managed by Helm: give the release a new value, and upgrade it');
    expect(said).toMatch(
      /Verdict: an attack .* stays open for what is left to people:\n.*Secret mail in shop: it is managed by Helm/,
    );
  });

  test('has one ticket and one page, whichever of its bodies files it; escalation pages the next group', async () => {
    const before = jira.issues.length;
    const incident = await lab.start([alertOf()], { followUp, levels });
    await incident.question();
    await incident.alerts(batchOf([alertOf({ n: 2 })]));
    await incident.until(
      (state) => state.questions.filter((asked) => !asked.question.id.startsWith('lease:')).length === 2,
      'two questions',
    );
    await lab.env.sleep('16m');
    await incident.until((state) => state.timeline.filter((entry) => entry.kind === 'page.sent').length === 4, 'four calls');
    expect(jira.issues.length - before).toBe(1);
    const alerts = await alertsOf(incident);
    expect(alerts.map((alert) => alert.triggers.length)).toEqual([4]);
    expect(JSON.stringify(alerts)).toContain('"asked":"leads"');
    expect(JSON.stringify(alerts)).toContain('"answer without Slack":"https://desk.acme.com/answer/');
    await incident.end();
  });

  test('opens another page after one has ended, which a repeat of that end does not close', async () => {
    const incident = await lab.start([alertOf()], { followUp, levels, lingerMs: 3_600_000 });
    await incident.question();
    await incident.until((state) => state.timeline.some(({ kind }) => kind === 'page.sent'), 'the page');
    await incident.vote('remove', 'ana');
    const statuses = async () => (await alertsOf(incident)).map(({ status }) => status);
    await lab.eventually('its end', async () => (await statuses()).join() === 'resolved');
    await incident.alerts(batchOf([alertOf({ n: 2 })]));
    await lab.eventually('the next page', async () => (await statuses()).join() === 'resolved,triggered');
    const { incident: ref } = await incident.state();
    const end = { incident: ref, began: 0, nth: 1, groups: ['oncall'] };
    await activities.endPage(end);
    expect(await statuses()).toEqual(['resolved', 'triggered']);
    await incident.end();
  });

  test('pages again when a lease is renewed in silence, lets those paged answer, and spends few events on it', async () => {
    const incident = await lab.start([alertOf()], { followUp, levels });
    await incident.question();
    await incident.vote('extend', 'lea', {}, true);
    await incident.until((now) => now.timeline.some(({ kind }) => kind === 'vote.refused'), 'that she is not asked yet');
    await lab.env.sleep('13h');
    const state = await incident.until((now) => (now.leases[0]?.renewals ?? 0) >= 3, 'three renewals');
    await incident.until((now) => now.timeline.filter((entry) => entry.kind === 'page.sent').length >= 5, 'the calls');
    expect(state.leases[0]?.state).toBe('active');
    expect((await alertsOf(incident)).map((alert) => alert.status)).toEqual(['triggered']);
    expect(eventsOf(incident)).toBeLessThan(400);
    const [lease] = state.leases;
    expect(JSON.stringify(await alertsOf(incident))).toContain(`https://desk.acme.com/answer/lease:${lease?.id}`);
    await incident.vote('extend', 'lea', {}, true);
    const { timeline } = await incident.until((now) => now.timeline.some(({ kind }) => kind === 'lease.extended'), 'her answer');
    expect(timeline.find(({ kind }) => kind === 'lease.extended')?.actor).toBe('person/lea');
    await incident.end();
  });

  test('pages people if the target is protected: nothing is done, and nobody is asked', async () => {
    isProtected = true;
    const incident = await lab.start([alertOf()], { followUp, levels });
    await incident.result();
    isProtected = false;
    const [alert] = await alertsOf(incident);
    expect(JSON.stringify(alert?.triggers)).toContain('namespace shop is protected');
    expect(JSON.stringify(alert?.triggers)).not.toContain('answer without Slack');
    // The incident ends at once; the person paged has not looked yet.
    expect(alert).toMatchObject({ status: 'triggered' });
  });

  test('pages people if a release is refused, and resolves the page once it has succeeded', async () => {
    isDenied = true;
    const incident = await lab.start([alertOf()], { followUp, levels });
    await incident.vote('release', 'ana');
    await incident.vote('release', 'ben');
    await lab.eventually('the page', async () => JSON.stringify(await alertsOf(incident)).includes('Its release is refused'));
    expect(JSON.stringify(await alertsOf(incident))).toContain('the policy no-labels denied request');
    isDenied = false;
    await lab.env.sleep('16m');
    await incident.result();
    expect((await alertsOf(incident)).map(({ status }) => status)).not.toContain('triggered');
  });

  test('pages people if the API server refuses to contain: nothing retries it', async () => {
    isProtected = true;
    refusal = ['FB_ERR_API_REFUSED', 'the policy no-labels denied request'];
    const incident = await lab.start([alertOf()], { followUp, levels });
    await incident.result();
    isProtected = false;
    const [alert] = await alertsOf(incident);
    expect(JSON.stringify(alert?.triggers)).toContain('the policy no-labels denied request');
    expect(alert).toMatchObject({ status: 'triggered' });
  });

  test('leaves the ticket open if nobody has said what it was', async () => {
    const alert = alertOf({ rule: 'Read sensitive file untrusted', severity: 'high' });
    const incident = await lab.start([alert], { followUp, levels });
    await incident.result();
    const { issue, comments } = await issueOf(incident);
    expect(issue?.status).toBe('To Do');
    expect(comments.join('\n')).toContain('This ticket stays open for people to decide.');
    expect(await alertsOf(incident)).toEqual([]);
  });
});

describe('what people do to the ticket in its own system', () => {
  const nudge = (incident: RunningIncident) => lab.server.signal(lab.run(incident), incidentNames.ticketNewsSignal);
  const newsIn = (state: Awaited<ReturnType<RunningIncident['state']>>) =>
    state.timeline.filter(({ kind }) => kind === 'ticket.news').map(({ actor, text }) => `${actor}: ${text}`);

  test('is shown in the timeline, the thread and on the card, once, and decides nothing', async () => {
    const incident = await lab.start([alertOf()], { followUp, levels });
    const { question } = await incident.question();
    const { tickets: links = [] } = await incident.until((state) => (state.tickets ?? []).length > 0, 'the ticket');
    const { incident: ref } = await incident.state();
    const ticket = links[0]?.id ?? '';
    await mailbox.bind({ system: 'jira', id: ticket }, ref);
    // Anyone who can reach Temporal can send this: there is nothing to read.
    await nudge(incident);
    // A display name from the roster does not identify a person there.
    await mailbox.put('jira', 'a', { ticket, deed: 'closed', by: 'Ana' });
    await nudge(incident);
    const line = `jira ${ticket} was closed by Ana`;
    const told = await incident.until((state) => newsIn(state).length > 0, 'the news');
    expect(newsIn(told)).toEqual([`ticket/jira: ${line}`]);
    expect(told.questions.find((asked) => asked.question.id === question.id)?.status.state).toBe('open');
    expect(told.leases.map(({ state }) => state)).toEqual(['active']);
    await mailbox.put('jira', 'b', { ticket, deed: 'commented', by: 'Ana', text: 'release it' });
    await nudge(incident);
    await nudge(incident);
    const more = await incident.until((state) => newsIn(state).length > 1, 'the comment');
    expect(newsIn(more)).toEqual([`ticket/jira: ${line}`, `ticket/jira: jira ${ticket} has a comment from Ana: release it`]);
    expect(more.leases.map(({ state }) => state)).toEqual(['active']);
    await incident.until(() => lab.seen.threads.includes(line), 'the thread');
    await incident.until(() => lab.seen.cards.some((card) => card.ticketNews?.endsWith('release it')), 'the card');
    await incident.vote('remove', 'ana');
    const end = await incident.result();
    expect(newsIn(end)).toHaveLength(2);
  });
});

describe('a ticket system and a pager that are down', () => {
  test('delay nothing, are given up after a day, and that is recorded', async () => {
    let tries = 0;
    const down = async (): Promise<never> => {
      tries += 1;
      const { ApplicationFailure } = await import('@temporalio/activity');
      // Not every five minutes, the usual interval: hundreds of attempts take a busy machine minutes.
      throw ApplicationFailure.create({ type: 'FB_ERR_UNAVAILABLE', message: 'does not answer', nextRetryDelay: '1h' });
    };
    const broken = await startLab({
      script: { openTicket: async () => ({ system: 'jira', state: 'created', id: 'SEC-1' }) },
      others: { updateTicket: down, callPeople: down, endPage: down, ticketNews: down },
    });
    try {
      const incident = await broken.start([alertOf()], { followUp, levels });
      await incident.vote('remove', 'ana');
      const contained = await incident.until((state) => state.reached === 'eradicated', 'the deletion');
      expect(contained.open).toBe(true);
      const end = await incident.result();
      expect(end.timeline.filter((entry) => entry.kind === 'ticket.failed').length).toBeGreaterThan(0);
      expect(end.timeline.map((entry) => entry.kind)).toContain('page.failed');
      const lasted = Date.parse(end.timeline.at(-1)?.at ?? '') - Date.parse(end.openedAt);
      expect(lasted / 3_600_000).toBeLessThan(60);
      expect(tries).toBeGreaterThan(3);
    } finally {
      await broken.stop();
    }
  });

  test('that refuse a ticket do not end the playbook', async () => {
    const broken = await startLab({ script: { openTicket: () => refuse('FB_ERR_REFUSED', 'no') } });
    try {
      const incident = await broken.start([alertOf()], { followUp: { tickets: true, pages: false }, levels });
      await incident.vote('remove', 'ana');
      const state = await incident.until((now) => now.reached === 'eradicated', 'the deletion');
      expect(state.tickets).toEqual([]);
    } finally {
      await broken.stop();
    }
  });
});

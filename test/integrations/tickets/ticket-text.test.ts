/** What a ticket says when it is filed, in each system, as a person there reads it. */
import { afterEach, expect, test } from '@jest/globals';
import type { TicketRequest, TicketSystem } from '../../../core/tickets/ticket.ts';
import { createGithubTickets } from '../../../integrations/github/tickets.ts';
import { createJiraTickets } from '../../../integrations/jira/tickets.ts';
import { createServiceNowTickets } from '../../../integrations/servicenow/tickets.ts';
import { createWebhookTickets } from '../../../integrations/webhook/tickets.ts';
import { consoleLinked } from '../../../service/desk/follow-up.ts';
import { shownText } from '../../fakes/github/page.ts';
import { startGithubFake } from '../../fakes/github/server.ts';
import { adfText } from '../../fakes/jira/adf-check.ts';
import { startJiraFake } from '../../fakes/jira/server.ts';
import { startServiceNowFake } from '../../fakes/servicenow/server.ts';
import { startWebhookFake } from '../../fakes/webhook/server.ts';
import { codeNames, grade, refusedIn } from '../../reading.ts';
import { request } from './systems.ts';

const thread = 'https://acme.slack.com/archives/C0SECURITY/p1758275400000100';
const address = 'https://desk.acme.example/console/incidents/5d36e4b88d8d8c9c8ea4ff7a3a4ff5f0';
const full: TicketRequest = { ...request, console: address, thread };
const signal = new AbortController().signal;

const body = ['What happened, and what was done.', '', 'The pod is quarantined.'];
const facts = [
  'Where: Deployment cart in shop, cluster lab',
  'Severity: critical',
  'Firebreak writes here what is done and decided. Closing this ticket decides nothing.',
];
const addresses = [`Incident in the console: ${address}`, `Slack thread: ${thread}`];
const ids = 'Incident incident/lab/shop/Deployment/cart, run run-1';

const running: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

test('GitHub: the text of the playbook, then where, links, and the ids last', async () => {
  const fake = await startGithubFake({ repository: 'acme/incidents', token: 'ghp_x' });
  running.push(() => fake.stop());
  await createGithubTickets({ repository: 'acme/incidents', token: 'ghp_x', apiUrl: fake.url }).open(full, signal);
  const text = fake.store.get(1)?.body ?? '';
  expect(
    shownText(text)
      .split('\n')
      .filter((line) => line !== ''),
  ).toEqual([
    ...body.filter((line) => line !== ''),
    '---',
    ...facts,
    ...addresses.map((line) => line.replace(/https.*/, '<$&>')),
    ids,
  ]);
});

test('Jira: the same, as a document with two links', async () => {
  const fake = await startJiraFake({ project: 'SEC', email: 'firebreak@acme.com', token: 'jira-token' });
  running.push(() => fake.stop());
  const settings = { url: fake.url, email: 'firebreak@acme.com', token: 'jira-token', project: 'SEC', issueType: 'Task' };
  await createJiraTickets({ ...settings, secondLookMs: 20 }).open(full, signal);
  const [issue] = fake.issues;
  expect(
    adfText(issue?.fields.description)
      .split('\n')
      .filter((line) => line !== ''),
  ).toEqual([...body.filter((line) => line !== ''), ...facts, ...addresses, ids]);
  const links = JSON.stringify(issue?.fields.description).match(/"href":"[^"]*"/g);
  expect(links).toEqual([`"href":"${address}"`, `"href":"${thread}"`]);
});

test('ServiceNow: the same as plain text, and an attacker’s long text truncates none of it', async () => {
  const fake = await startServiceNowFake({ user: 'firebreak', password: 'snow-password' });
  running.push(() => fake.stop());
  const system = createServiceNowTickets({ url: fake.url, user: 'firebreak', password: 'snow-password' });
  await system.open(full, signal);
  expect(fake.records[0]?.values.description?.split('\n')).toEqual([...body, '', ...facts, '', ...addresses, '', ids]);
  await system.open({ ...full, key: 'another', body: 'x'.repeat(9_000) }, signal);
  const cut = String(fake.records[1]?.values.description);
  expect([cut.length <= 4_000, cut.endsWith([...facts, '', ...addresses, '', ids].join('\n'))]).toEqual([true, true]);
});

test('a custom webhook has the addresses as fields', async () => {
  const fake = await startWebhookFake({ secret: 'webhook-secret' });
  running.push(() => fake.stop());
  await createWebhookTickets({ url: `${fake.url}/firebreak`, secret: 'webhook-secret' }).open(full, signal);
  expect(fake.events[0]).toMatchObject({ title: full.title, body: full.body, console: address, thread });
});

test('the desk gives the address in its own console, and none without a console', async () => {
  const filed: TicketRequest[] = [];
  const system: TicketSystem = {
    name: 'kept',
    open: async (one) => {
      filed.push(one);
      return { state: 'created' };
    },
    comment: async () => undefined,
    close: async () => undefined,
  };
  const stepUp = { publicUrl: 'https://desk.acme.example' };
  for (const console of [{}, undefined]) await consoleLinked(system, { console, stepUp })?.open(request, signal);
  expect(filed.map(({ console }) => console)).toEqual([
    expect.stringMatching(/^https:\/\/desk\.acme\.example\/console\/incidents\/[0-9a-f]{32}$/),
    undefined,
  ]);
});

test('what every ticket says is plain', () => {
  const text = facts.join('\n');
  expect(codeNames.flatMap((pattern) => pattern.exec(text)?.[0] ?? [])).toEqual([]);
  expect(refusedIn(text)).toEqual([]);
  expect(grade(text)).toBeLessThanOrEqual(8);
});

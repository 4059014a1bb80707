import { afterEach, describe, expect, test } from '@jest/globals';
import { createJiraTickets, type JiraTicketsOptions } from '../../../integrations/jira/tickets.ts';
import { adfText } from '../../fakes/jira/adf-check.ts';
import { type JiraFake, type JiraFakeOptions, startJiraFake } from '../../fakes/jira/server.ts';
import { request } from '../tickets/systems.ts';

const signal = new AbortController().signal;
const account = { email: 'firebreak@acme.com', token: 'jira-token', project: 'SEC' };
const fakes: JiraFake[] = [];
afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.stop();
});

async function jira(options: Partial<JiraFakeOptions> = {}): Promise<JiraFake> {
  const fake = await startJiraFake({ ...account, ...options });
  fakes.push(fake);
  return fake;
}

function tickets(fake: JiraFake, options: Partial<JiraTicketsOptions> = {}) {
  return createJiraTickets({
    ...account,
    url: fake.url,
    issueType: 'Task',
    timeoutMs: 5_000,
    secondLookMs: 50,
    settleMs: 800,
    ...options,
  });
}

describe('an issue of Jira', () => {
  test('has its key as a label, the incident in its description, and a link that people can open', async () => {
    const fake = await jira();
    const ticket = await tickets(fake).open(request, signal);
    expect(ticket).toEqual({ state: 'created', id: 'SEC-1', url: `${fake.url}/browse/SEC-1` });
    const [issue] = fake.issues;
    expect(issue?.labels).toEqual(['firebreak', expect.stringMatching(/^firebreak-[0-9a-f]{32}$/), 'critical']);
    expect(adfText(issue?.fields.description)).toContain('Incident incident/lab/shop/Deployment/cart, run run-1');
  });

  test('is searched for twice before it is created', async () => {
    const fake = await jira();
    await tickets(fake).open(request, signal);
    expect(fake.calls).toEqual([
      'POST /rest/api/3/search/jql',
      'POST /rest/api/3/search/jql',
      'POST /rest/api/3/issue',
      'GET /rest/api/3/issue/SEC-1',
    ]);
  });

  test('has the configured fields, of any shape', async () => {
    const fake = await jira({ customFields: ['customfield_10042', 'customfield_10043'] });
    const fields = {
      summary: '[{{severity}}] {{title}} ({{cluster}})',
      priority: { name: 'High' },
      customfield_10042: '{{namespace}}/{{workload}}',
      customfield_10043: [{ value: '{{cluster}}' }],
      labels: ['team sec'],
    };
    await tickets(fake, { fields }).open(request, signal);
    expect(fake.issues[0]?.fields).toMatchObject({
      summary: '[critical] shop/cart-1 ran a new binary (lab)',
      priority: { name: 'High' },
      customfield_10042: 'shop/deployment/cart',
      customfield_10043: [{ value: 'lab' }],
    });
    expect(fake.issues[0]?.labels).toContain('team_sec');
  });

  test('created twice at the same moment is closed as a duplicate, on closing at the latest', async () => {
    let isBehind = true;
    const fake = await jira({ isFound: () => !isBehind, resolutionOnScreen: true });
    const [first] = await Promise.all([tickets(fake).open(request, signal), tickets(fake).open(request, signal)]);
    expect(fake.issues).toHaveLength(2);
    isBehind = false;
    await tickets(fake).close({ id: 'SEC-1', reason: 'completed', openedUnder: request.key }, signal);
    expect(first?.id).toMatch(/^SEC-/);
    expect(fake.issues.map(({ key, status, resolution }) => `${key} ${status} ${resolution}`)).toEqual([
      'SEC-1 Done Done',
      'SEC-2 Done Duplicate',
    ]);
    expect(adfText(fake.issues[1]?.comments[0]?.body)).toContain('A duplicate of SEC-1.');
  });

  test('without an answer while the search lags is ambiguous, looked for, and never created twice', async () => {
    let isBehind = true;
    const fake = await jira({ isFound: () => !isBehind });
    const system = tickets(fake, { settleMs: 60_000 });
    fake.inject({ method: 'POST', path: /\/issue$/, what: 'then-reset' });
    expect(await system.open(request, signal)).toEqual({ state: 'ambiguous' });
    isBehind = false;
    expect(await system.open(request, signal)).toMatchObject({ state: 'existing', id: 'SEC-1' });
    expect(fake.issues).toHaveLength(1);
  });

  test('is declined as not planned, and left alone once it is done', async () => {
    const fake = await jira({ resolutionOnScreen: true });
    await tickets(fake).open(request, signal);
    await tickets(fake).close({ id: 'SEC-1', reason: 'not_planned' }, signal);
    await tickets(fake).close({ id: 'SEC-1', reason: 'completed' }, signal);
    expect(fake.issues[0]).toMatchObject({ status: 'Done', resolution: "Won't Do" });
  });

  test('is refused, rather than created over and over, when the screen has no labels', async () => {
    const fake = await jira({ labelsOnScreen: false });
    await expect(tickets(fake).open(request, signal)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
    expect(fake.issues).toHaveLength(0);
  });

  test('cannot have an id that leads to another path', async () => {
    const fake = await jira();
    const call = tickets(fake).close({ id: '../../../myself', reason: 'completed' }, signal);
    await expect(call).rejects.toMatchObject({ code: 'FB_ERR_NOT_FOUND' });
    expect(fake.calls).toEqual([]);
  });
});

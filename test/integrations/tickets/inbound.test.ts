import { describe, expect, test } from '@jest/globals';
import type { InboundSystem } from '../../../core/tickets/ticket-news.ts';
import { githubInbound } from '../../../integrations/github/inbound.ts';
import { jiraInbound } from '../../../integrations/jira/inbound.ts';
import { pagerDutyInbound } from '../../../integrations/pagerduty/inbound.ts';
import { serviceNowInbound } from '../../../integrations/servicenow/inbound.ts';
import { webhookInbound } from '../../../integrations/webhook/tickets.ts';
import {
  type Delivery,
  githubDelivery,
  jiraDelivery,
  ownDelivery,
  pagerDutyDelivery,
  serviceNowDelivery,
} from '../../fakes/ticket-webhooks.ts';

const secrets = ['the-new-secret', 'the-old-secret'];
const ours = `What happened\n\n[firebreak-${'0'.repeat(32)}]`;

function read(system: InboundSystem, { headers, body }: Delivery, now = Date.now()) {
  return system.read({ header: (name) => headers[name], body: new TextEncoder().encode(body), now });
}

const github = githubInbound({ secrets, repository: 'Acme/Incidents' });
const jira = jiraInbound({ secrets, project: 'SEC' });
const pagerduty = pagerDutyInbound({ secrets });
const servicenow = serviceNowInbound({ secrets, user: 'firebreak' });
const webhook = webhookInbound({ secrets });

const closed = (secret: string): Readonly<Record<string, readonly [InboundSystem, Delivery, string, string]>> => ({
  github: [github, githubDelivery({ secret, event: 'issues', action: 'closed', number: 7, login: 'lea' }), '7', 'lea'],
  jira: [
    jira,
    jiraDelivery({ secret, key: 'SEC-7', by: 'Lea', moved: { from: 'To Do', to: 'Done', category: 'done' } }),
    'SEC-7',
    'Lea',
  ],
  pagerduty: [
    pagerduty,
    pagerDutyDelivery({
      secrets: [secret],
      type: 'incident.resolved',
      incidentKey: 'firebreak-1',
      agent: { summary: 'Lea', type: 'user_reference' },
    }),
    'firebreak-1',
    'Lea',
  ],
  servicenow: [
    servicenow,
    serviceNowDelivery({ token: secret, content: { sys_id: 'a'.repeat(32), deed: 'closed', by: 'lea' } }),
    'a'.repeat(32),
    'lea',
  ],
  webhook: [webhook, ownDelivery({ secret, content: { type: 'ticket.closed', ticket: 'T-7', by: 'lea' } }), 'T-7', 'lea'],
});
const names = Object.keys(closed(''));

describe.each(names)('%s', (name) => {
  test.each(secrets)('is believed with each of the two secrets (%s)', (secret) => {
    const [system, delivery, ticket, by] = closed(secret)[name] ?? fail();
    expect(read(system, delivery)).toEqual({ ok: true, events: [{ ticket, deed: 'closed', by }] });
  });

  test('is refused with another secret, without any, and with one byte changed', () => {
    const [system, forged] = closed('a-stranger')[name] ?? fail();
    expect(read(system, forged).ok).toBe(false);
    const [, { headers, body }] = closed('the-new-secret')[name] ?? fail();
    expect(read(system, { headers: {}, body }).ok).toBe(false);
    // ServiceNow's token is the only check: it does not cover the body.
    if (name !== 'servicenow') expect(read(system, { headers, body: `${body} ` }).ok).toBe(false);
  });

  test('breaks nothing when it is signed but makes no sense', () => {
    const [system, { headers }] = closed('the-new-secret')[name] ?? fail();
    if (name === 'servicenow') expect(read(system, { headers, body: '[1]' })).toEqual({ ok: true, events: [] });
    else expect(read(system, { headers, body: '[1]' }).ok).toBe(false);
  });
});

function fail(): never {
  throw new Error('no such system');
}

describe('what is not news', () => {
  const secret = 'the-new-secret';
  const none = { ok: true, events: [] };

  test('another repository or project, a pull request, an event that was not asked for', () => {
    const about = { secret, event: 'issues', action: 'closed', number: 7, login: 'lea' } as const;
    expect(read(github, githubDelivery({ ...about, repository: 'acme/other' }))).toEqual(none);
    expect(read(github, githubDelivery({ ...about, isPullRequest: true }))).toEqual(none);
    expect(read(github, githubDelivery({ ...about, action: 'labeled' }))).toEqual(none);
    expect(read(github, githubDelivery({ ...about, event: 'ping' }))).toEqual(none);
    const moved = { from: 'To Do', to: 'Done', category: 'done' } as const;
    expect(read(jira, jiraDelivery({ secret, key: 'SECOND-7', by: 'Lea', moved }))).toEqual(none);
    const between = { from: 'To Do', to: 'In Progress', category: 'indeterminate' } as const;
    expect(read(jira, jiraDelivery({ secret, key: 'SEC-7', by: 'Lea', moved: between }))).toEqual(none);
  });

  test('what we wrote or did ourselves', () => {
    const about = { secret, event: 'issue_comment', action: 'created', number: 7, login: 'firebreak' } as const;
    expect(read(github, githubDelivery({ ...about, comment: `<!-- firebreak:${'a'.repeat(64)} -->\nquarantined` }))).toEqual(
      none,
    );
    expect(read(jira, jiraDelivery({ secret, key: 'SEC-7', by: 'Firebreak', comment: ours }))).toEqual(none);
    const token = secret;
    const content = { sys_id: 'a'.repeat(32), deed: 'closed', by: 'firebreak' };
    expect(read(servicenow, serviceNowDelivery({ token, content }))).toEqual(none);
    const agent = { summary: 'Firebreak', type: 'events_api_v2_inbound_integration_reference' };
    const type = 'incident.resolved';
    expect(read(pagerduty, pagerDutyDelivery({ secrets: [secret], type, incidentKey: 'firebreak-1', agent }))).toEqual(none);
  });
});

test('comments, reopenings and acknowledgements are read, with who did it', () => {
  const secret = 'the-new-secret';
  const comment = {
    secret,
    event: 'issue_comment',
    action: 'created',
    number: 7,
    login: 'lea',
    comment: 'Looks like ours.',
  } as const;
  expect(read(github, githubDelivery(comment))).toEqual({
    ok: true,
    events: [{ ticket: '7', deed: 'commented', by: 'lea', text: 'Looks like ours.' }],
  });
  const moved = { from: 'Done', to: 'To Do', category: 'new', resolutionWas: 'Done' } as const;
  expect(read(jira, jiraDelivery({ secret, key: 'SEC-7', by: 'Lea', moved }))).toEqual({
    ok: true,
    events: [{ ticket: 'SEC-7', deed: 'reopened', by: 'Lea' }],
  });
  const agent = { summary: 'Lea', type: 'user_reference' };
  const type = 'incident.acknowledged';
  const both = pagerDutyDelivery({ secrets: ['a-stranger', secret], type, incidentKey: 'firebreak-1', agent });
  expect(read(pagerduty, both)).toEqual({ ok: true, events: [{ ticket: 'firebreak-1', deed: 'acknowledged', by: 'Lea' }] });
});

test('an event of our own form is refused when it is older or newer than five minutes', () => {
  const content = { type: 'ticket.closed', ticket: 'T-7', by: 'lea' };
  for (const at of [Date.now() - 301_000, Date.now() + 302_000])
    expect(read(webhook, ownDelivery({ secret: 'the-new-secret', content, at })).ok).toBe(false);
});

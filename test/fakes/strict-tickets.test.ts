import { afterEach, describe, expect, test } from '@jest/globals';
import { startJiraFake } from './jira/server.ts';
import { startPagerDutyFake } from './pagerduty/server.ts';
import { basicAuth, type RestFake } from './rest/server.ts';
import { startServiceNowFake } from './servicenow/server.ts';

const fakes: RestFake[] = [];
afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.stop();
});

function kept<T extends RestFake>(fake: T): T {
  fakes.push(fake);
  return fake;
}

async function post(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}, method = 'POST') {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, text };
}

describe('the stand-in for Jira refuses what the documentation calls errors', () => {
  const auth = { authorization: basicAuth('a@b.c', 't') };
  const paragraph = (text: string) => ({
    version: 1,
    type: 'doc',
    content: [{ type: 'paragraph', content: [{ type: 'text', text }] }],
  });
  const good = { project: { key: 'SEC' }, issuetype: { name: 'Task' }, summary: 'x', description: paragraph('x'), labels: ['x'] };
  const bad: Readonly<Record<string, readonly [unknown, string]>> = {
    'a summary of 256 characters': [{ ...good, summary: 'x'.repeat(256) }, 'exceed 255'],
    'a summary of two lines': [{ ...good, summary: 'x\ny' }, 'newline'],
    'no summary': [{ ...good, summary: undefined }, 'must specify a summary'],
    'a label with a blank': [{ ...good, labels: ['a b'] }, 'contains spaces'],
    'a label of 256 characters': [{ ...good, labels: ['x'.repeat(256)] }, 'maximum length'],
    'a description that is text': [{ ...good, description: 'x' }, 'Atlassian Document'],
    'an empty text node': [{ ...good, description: paragraph('') }, 'Atlassian Document'],
    'a document of another version': [{ ...good, description: { ...paragraph('x'), version: 2 } }, 'Atlassian Document'],
    'a node with an unknown key': [{ ...good, description: { ...paragraph('x'), html: 'x' } }, 'Atlassian Document'],
    'a text beyond the limit': [{ ...good, description: paragraph('x'.repeat(32_768)) }, 'too long'],
    'a field that is not on the screen': [{ ...good, customfield_1: 'x' }, 'cannot be set'],
    'another project': [{ ...good, project: { key: 'NO' } }, 'valid project'],
    'an unknown issue type': [{ ...good, issuetype: { name: 'Dragon' } }, 'valid issue type'],
  };
  test.each(Object.entries(bad))('%s', async (_, [fields, why]) => {
    const fake = kept(await startJiraFake({ project: 'SEC', email: 'a@b.c', token: 't' }));
    const answer = await post(`${fake.url}/rest/api/3/issue`, { fields }, auth);
    expect([answer.status, fake.issues.length]).toEqual([400, 0]);
    expect(answer.text).toContain(why);
  });

  test('and takes what is right', async () => {
    const fake = kept(await startJiraFake({ project: 'SEC', email: 'a@b.c', token: 't' }));
    expect((await post(`${fake.url}/rest/api/3/issue`, { fields: good }, auth)).status).toBe(201);
  });

  test('no credentials, no JSON, no bound, the removed search, a transition that does not exist', async () => {
    const fake = kept(await startJiraFake({ project: 'SEC', email: 'a@b.c', token: 't' }));
    const api = `${fake.url}/rest/api/3`;
    await post(`${api}/issue`, { fields: good }, auth);
    expect((await post(`${api}/issue`, { fields: good })).status).toBe(401);
    expect((await post(`${api}/issue`, '{', auth)).status).toBe(400);
    expect((await post(`${api}/issue`, '{}', { ...auth, 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post(`${api}/search/jql`, { jql: 'ORDER BY created' }, auth)).text).toContain('Unbounded JQL');
    expect((await post(`${api}/search/jql`, { jql: 'project = "SEC"', startAt: 0 }, auth)).status).toBe(400);
    expect((await post(`${api}/search`, { jql: 'project = "SEC"' }, auth)).status).toBe(410);
    expect((await post(`${api}/issue/SEC-1/transitions`, { transition: { id: '99' } }, auth)).status).toBe(400);
    expect((await post(`${api}/issue/SEC-1/comment`, { body: 'text' }, auth)).status).toBe(400);
    expect((await post(`${api}/issue/SEC-9/comment`, { body: paragraph('x') }, auth)).status).toBe(404);
  });

  test('a search without fields answers with ids alone', async () => {
    const fake = kept(await startJiraFake({ project: 'SEC', email: 'a@b.c', token: 't' }));
    await post(`${fake.url}/rest/api/3/issue`, { fields: good }, auth);
    const answer = await post(`${fake.url}/rest/api/3/search/jql`, { jql: 'project = "SEC"' }, auth);
    expect(JSON.parse(answer.text)).toEqual({ isLast: true, issues: [{ id: '10001', key: 'SEC-1' }] });
  });
});

describe('the stand-in for PagerDuty refuses what the documentation calls errors', () => {
  const good = {
    routing_key: 'a'.repeat(32),
    event_action: 'trigger',
    dedup_key: 'k',
    payload: { summary: 's', source: 's', severity: 'critical' },
  };
  const bad: Readonly<Record<string, unknown>> = {
    'a short routing key': { ...good, routing_key: 'a' },
    'no routing key': { ...good, routing_key: undefined },
    'another action': { ...good, event_action: 'open' },
    'no payload': { ...good, payload: undefined },
    'no summary': { ...good, payload: { ...good.payload, summary: '' } },
    'a summary of 1025 characters': { ...good, payload: { ...good.payload, summary: 'x'.repeat(1_025) } },
    'no source': { ...good, payload: { ...good.payload, source: undefined } },
    'a severity that does not exist': { ...good, payload: { ...good.payload, severity: 'high' } },
    'details that are text': { ...good, payload: { ...good.payload, custom_details: 'x' } },
    'a key of 256 characters': { ...good, dedup_key: 'x'.repeat(256) },
    'a resolve without a key': { routing_key: good.routing_key, event_action: 'resolve' },
    'an image that is not served by https': { ...good, images: [{ src: 'http://x/y.png' }] },
    'no JSON': '{',
  };
  test.each(Object.entries(bad))('%s', async (_, event) => {
    const fake = kept(await startPagerDutyFake({ routingKeys: [good.routing_key] }));
    expect((await post(`${fake.url}/v2/enqueue`, event)).status).toBe(400);
    expect(fake.alerts).toHaveLength(0);
  });

  test('drops a resolve of what does not exist, and opens anew after a resolve', async () => {
    const fake = kept(await startPagerDutyFake({ routingKeys: [good.routing_key] }));
    const resolve = { routing_key: good.routing_key, event_action: 'resolve', dedup_key: 'k' };
    expect((await post(`${fake.url}/v2/enqueue`, resolve)).status).toBe(202);
    for (const event of [good, good, resolve, good]) await post(`${fake.url}/v2/enqueue`, event);
    expect(fake.alerts.map((alert) => `${alert.status} ${alert.triggers.length}`)).toEqual(['resolved 2', 'triggered 1']);
  });
});

describe('the stand-in for ServiceNow is as strict, and as silent, as an instance', () => {
  const auth = { authorization: basicAuth('u', 'p') };
  const start = async () => kept(await startServiceNowFake({ user: 'u', password: 'p', readOnly: ['urgency'] }));

  test('refuses: no credentials, no JSON, another table, a record that is not there, resolving without notes', async () => {
    const fake = await start();
    const table = `${fake.url}/api/now/table/incident`;
    expect((await post(table, {})).status).toBe(401);
    expect((await post(table, '{', auth)).status).toBe(400);
    expect((await post(`${fake.url}/api/now/table/dragons`, {}, auth)).status).toBe(400);
    expect((await post(`${table}/${'0'.repeat(32)}`, {}, auth, 'PATCH')).status).toBe(404);
    const made = JSON.parse((await post(table, { short_description: 'x' }, auth)).text);
    const record = `${table}/${made.result.sys_id}`;
    expect((await post(record, { state: '6' }, auth, 'PATCH')).text).toContain('Data Policy Exception');
    expect((await post(record, { state: '6', close_code: 'Dragon', close_notes: 'x' }, auth, 'PATCH')).status).toBe(403);
  });

  test('cuts long texts, drops what may not be written, and ignores conditions on unknown columns', async () => {
    const fake = await start();
    const table = `${fake.url}/api/now/table/incident`;
    await post(table, { short_description: 'x'.repeat(200), urgency: '1', dragon: 'x' }, auth);
    expect(fake.records[0]?.values.short_description).toHaveLength(160);
    expect(fake.records[0]?.values.urgency).toBeUndefined();
    const response = await fetch(`${table}?sysparm_query=dragon=1`, { headers: { ...auth, accept: 'application/json' } });
    expect(JSON.parse(await response.text()).result).toHaveLength(1);
  });
});

import { describe, expect, test } from '@jest/globals';
import { basicAuth } from './rest/server.ts';
import { type ServiceNowFakeOptions, startServiceNowFake } from './servicenow/server.ts';
import { send, stopAfterEach, stopAfterTest } from './strict-calls.ts';

stopAfterEach();
const auth = { authorization: basicAuth('u', 'p') };

async function started(options: Partial<ServiceNowFakeOptions> = {}) {
  const fake = stopAfterTest(await startServiceNowFake({ user: 'u', password: 'p', ...options }));
  const table = `${fake.url}/api/now/table/incident`;
  const made = async (fields: object = { short_description: 'x' }) => {
    const { result } = JSON.parse((await send(table, fields, auth)).text);
    return { record: `${table}/${result.sys_id}`, result };
  };
  return { fake, table, made };
}

/**
 * Statuses: https://support.servicenow.com/kb?id=kb_article_view&sysparm_article=KB0546297 and the documentation of the Table API,
 * https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
 */
describe('the stand-in for ServiceNow refuses what the documentation calls errors', () => {
  test.each([
    ['no credentials', 401, { headers: {} }],
    ['wrong credentials', 401, { headers: { authorization: basicAuth('u', 'x') } }],
    ['a request that does not accept JSON', 406, { headers: { ...auth, accept: 'text/html' } }],
    ['a body that is not JSON', 400, { body: '{' }],
    ['a body that is a list', 400, { body: [] }],
    ['another type of content', 415, { headers: { ...auth, 'content-type': 'text/plain' } }],
    ['another table', 400, { path: '/api/now/table/dragons' }],
    ['no table', 400, { path: '/api/now/tables/incident' }],
    ['a change of the table itself', 405, { method: 'PATCH' }],
    ['a record that does not exist', 404, { path: `/api/now/table/incident/${'0'.repeat(32)}`, method: 'PATCH' }],
    ['a record in a record', 405, { path: `/api/now/table/incident/${'0'.repeat(32)}`, method: 'POST' }],
  ] as const)('%s', async (_what, status, given: object) => {
    const { fake } = await started();
    const sent = { path: '/api/now/table/incident', method: 'POST', body: {}, headers: auth, ...given };
    const answer = await send(fake.url + sent.path, sent.body, sent.headers, sent.method);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { message: expect.any(String) }, status: 'failure' });
    expect(fake.records).toEqual([]);
  });

  /** A data policy of the base system: https://docs.servicenow.com/bundle/istanbul-platform-administration/page/administer/field-administration/concept/c_DataPolicy.html */
  test.each([
    ['without code and notes', {}],
    ['without notes', { close_code: 'Duplicate' }],
    ['with a code that the instance does not have', { close_code: 'Dragon', close_notes: 'x' }],
  ])('resolving %s', async (_what, fields) => {
    const { fake, made } = await started();
    const { record } = await made();
    const answer = await send(record, { state: '6', ...fields }, auth, 'PATCH');
    expect([answer.status, fake.records[0]?.values.state]).toEqual([403, '1']);
    expect(answer.text).toContain('Data Policy Exception');
  });

  test('but accepts valid requests', async () => {
    const { fake, made } = await started();
    const { record, result } = await made({ short_description: 'x', urgency: '1', impact: '1' });
    expect(result).toMatchObject({ number: 'INC0010001', priority: '1', sys_id: expect.stringMatching(/^[0-9a-f]{32}$/) });
    const closing = { state: '6', close_code: 'Solution provided', close_notes: 'x' };
    expect((await send(record, closing, auth, 'PATCH')).status).toBe(200);
    expect(fake.records[0]?.values.state).toBe('6');
  });
});

describe('it is as silent as a real instance:', () => {
  /** https://support.servicenow.com/kb?id=kb_article_view&sysparm_article=KB2971488: a field forbidden by its ACL is neither written nor shown, with 200. */
  test('fields the account may not write are dropped, fields it may not read are not shown', async () => {
    const { fake, made } = await started({ readOnly: ['category'], hidden: ['correlation_id'] });
    const { result } = await made({ short_description: 'x', category: 'x', correlation_id: 'x' });
    expect(fake.records[0]?.values).toMatchObject({ correlation_id: 'x' });
    expect(fake.records[0]?.values.category).toBeUndefined();
    expect(Object.keys(result)).not.toContain('correlation_id');
  });

  test('long texts are truncated, unknown columns and labels in place of numbers dropped, and the priority is its own', async () => {
    const { fake, made } = await started();
    await made({ short_description: 'x'.repeat(200), urgency: 'High', dragon: 'x', impact: '1', priority: '1' });
    expect(fake.records[0]?.values).toMatchObject({ short_description: 'x'.repeat(160), impact: '1', priority: '3' });
    expect(Object.keys(fake.records[0]?.values ?? {})).not.toEqual(expect.arrayContaining(['urgency']));
  });

  /** `glide.invalid_query.returns_no_rows` is off by default. */
  test('conditions on unknown columns are ignored', async () => {
    const { table, made } = await started();
    await made();
    const answer = await send(`${table}?sysparm_query=dragon=1`, undefined, auth, 'GET');
    expect(JSON.parse(answer.text).result).toHaveLength(1);
  });

  test('a journal is empty except for its display value', async () => {
    const { made } = await started();
    const { record } = await made();
    await send(record, { work_notes: 'a note' }, auth, 'PATCH');
    const notes = async (query: string) =>
      JSON.parse((await send(`${record}?sysparm_fields=work_notes${query}`, undefined, auth, 'GET')).text).result.work_notes;
    expect([await notes(''), await notes('&sysparm_display_value=true')]).toEqual(['', expect.stringContaining('a note')]);
  });
});

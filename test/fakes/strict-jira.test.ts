import { describe, expect, test } from '@jest/globals';
import { type JiraFakeOptions, startJiraFake } from './jira/server.ts';
import { basicAuth } from './rest/server.ts';
import { send, stopAfterEach, stopAfterTest } from './strict-calls.ts';

stopAfterEach();
const auth = { authorization: basicAuth('a@b.c', 't') };
const started = async (options: Partial<JiraFakeOptions> = {}) =>
  stopAfterTest(await startJiraFake({ project: 'SEC', email: 'a@b.c', token: 't', ...options }));

const doc = (...content: unknown[]) => ({ version: 1, type: 'doc', content });
const text = (words: string, ...marks: unknown[]) => ({ type: 'text', text: words, ...(marks.length > 0 && { marks }) });
const paragraph = (...content: unknown[]) => ({ type: 'paragraph', content });
const said = (words: string) => doc(paragraph(text(words)));
const good = { project: { key: 'SEC' }, issuetype: { name: 'Task' }, summary: 'x', description: said('x'), labels: ['x'] };

/** https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post: 400 with `errors` by field. */
describe('the stand-in for Jira refuses what the documentation calls errors', () => {
  const bad: Readonly<Record<string, readonly [unknown, string]>> = {
    'a summary of 256 characters': [{ ...good, summary: 'x'.repeat(256) }, 'exceed 255'],
    'a summary of two lines': [{ ...good, summary: 'x\ny' }, 'newline'],
    'no summary': [{ ...good, summary: undefined }, 'must specify a summary'],
    'a blank summary': [{ ...good, summary: '  ' }, 'must specify a summary'],
    'a label with a space': [{ ...good, labels: ['a b'] }, 'contains spaces'],
    'a label of 256 characters': [{ ...good, labels: ['x'.repeat(256)] }, 'maximum length'],
    'labels that are not a list': [{ ...good, labels: 'x' }, 'not an array'],
    'a description that is text': [{ ...good, description: 'x' }, 'Atlassian Document'],
    'a text beyond the limit': [{ ...good, description: said('x'.repeat(32_768)) }, 'too long'],
    'a field that is not on the screen': [{ ...good, customfield_1: 'x' }, 'cannot be set'],
    'another project': [{ ...good, project: { key: 'NO' } }, 'valid project'],
    'an unknown issue type': [{ ...good, issuetype: { name: 'Dragon' } }, 'valid issue type'],
    'a priority that is text': [{ ...good, priority: 'High' }, 'Priority'],
  };
  test.each(Object.entries(bad))('%s', async (_, [fields, why]) => {
    const fake = await started();
    const answer = await send(`${fake.url}/rest/api/3/issue`, { fields }, auth);
    expect([answer.status, fake.issues.length]).toEqual([400, 0]);
    expect(answer.text).toContain(why);
  });

  /** The schema that the documentation names, and the fixtures next to it: https://unpkg.com/@atlaskit/adf-schema/document-fixtures/unsupported-content.json */
  const documents: Readonly<Record<string, unknown>> = {
    'an empty text node': said(''),
    'another version': { ...said('x'), version: 2 },
    'no content': { version: 1, type: 'doc' },
    'an unknown key': { ...said('x'), html: 'x' },
    'an unknown node': doc({ type: 'codBlock', attrs: {}, content: [text('x')] }),
    'a language that is a number': doc({ type: 'codeBlock', attrs: { language: 1 }, content: [text('x')] }),
    'an attribute that codeBlock does not have': doc({ type: 'codeBlock', attrs: { extraAttribute: 'foo' }, content: [] }),
    'marks in a code block': doc({ type: 'codeBlock', content: [text('x', { type: 'strong' })] }),
    'text without a paragraph': doc(text('x')),
    'a paragraph in a paragraph': doc(paragraph(paragraph(text('x')))),
    'a heading of level 7': doc({ type: 'heading', attrs: { level: 7 }, content: [text('x')] }),
    'a heading without a level': doc({ type: 'heading', content: [text('x')] }),
    'a list without items': doc({ type: 'bulletList', content: [] }),
    'a list of paragraphs': doc({ type: 'bulletList', content: [paragraph(text('x'))] }),
    'a panel of an unknown type': doc({ type: 'panel', attrs: { panelType: 'danger' }, content: [paragraph(text('x'))] }),
    'an unknown mark': doc(paragraph(text('x', { type: 'blink' }))),
    'a link without an address': doc(paragraph(text('x', { type: 'link', attrs: {} }))),
    'strong code': doc(paragraph(text('x', { type: 'code' }, { type: 'strong' }))),
    'a mention of nobody': doc(paragraph({ type: 'mention', attrs: { text: '@ada' } })),
    'a number as text': doc(paragraph({ type: 'text', text: 7 })),
  };
  test.each(Object.entries(documents))('a document with %s, as description and as comment', async (_, document) => {
    const fake = await started();
    const answer = await send(`${fake.url}/rest/api/3/issue`, { fields: { ...good, description: document } }, auth);
    expect(answer).toMatchObject({ status: 400, text: expect.stringContaining('Atlassian Document') });
    await send(`${fake.url}/rest/api/3/issue`, { fields: good }, auth);
    const comment = await send(`${fake.url}/rest/api/3/issue/SEC-1/comment`, { body: document }, auth);
    expect([comment.status, fake.issues[0]?.comments]).toEqual([400, []]);
  });

  /** The examples from https://developer.atlassian.com/cloud/jira/platform/apis/document/structure and from its pages on nodes and marks. */
  const examples: Readonly<Record<string, unknown>> = {
    'strong text': doc(paragraph(text('Hello '), text('world', { type: 'strong' }))),
    'a heading': doc({ type: 'heading', attrs: { level: 1 }, content: [text('Heading 1')] }),
    'a code block': doc({ type: 'codeBlock', attrs: { language: 'javascript' }, content: [text('var foo = {};')] }),
    'a list': doc({ type: 'bulletList', content: [{ type: 'listItem', content: [paragraph(text('Hello world'))] }] }),
    'an ordered list': doc({
      type: 'orderedList',
      attrs: { order: 3 },
      content: [{ type: 'listItem', content: [paragraph(text('Hello world'))] }],
    }),
    'a panel': doc({ type: 'panel', attrs: { panelType: 'info' }, content: [paragraph(text('Hello world'))] }),
    'a quote and a rule': doc({ type: 'blockquote', content: [paragraph(text('Hello world'))] }, { type: 'rule' }),
    'a link': doc(paragraph(text('Hello', { type: 'link', attrs: { href: 'http://atlassian.com', title: 'Atlassian' } }))),
    'code that is a link': doc(paragraph(text('Hello', { type: 'code' }, { type: 'link', attrs: { href: 'https://a.b' } }))),
    'a break': doc(paragraph(text('Hello'), { type: 'hardBreak' }, text('world'))),
    'a mention': doc(paragraph({ type: 'mention', attrs: { id: 'ABCDE-ABCDE', text: '@Bradley Ayers', userType: 'APP' } })),
    'a colour': doc(paragraph(text('Hello', { type: 'textColor', attrs: { color: '#97a0af' } }))),
    nothing: doc(),
  };
  test.each(Object.entries(examples))('but accepts %s', async (_, description) => {
    const fake = await started();
    expect((await send(`${fake.url}/rest/api/3/issue`, { fields: { ...good, description } }, auth)).status).toBe(201);
  });

  test('missing credentials, malformed JSON, no permission to write, an unknown transition, an overlong comment', async () => {
    const fake = await started();
    const api = `${fake.url}/rest/api/3`;
    await send(`${api}/issue`, { fields: good }, auth);
    expect((await send(`${api}/issue`, { fields: good })).status).toBe(401);
    expect((await send(`${api}/issue`, '{', auth)).status).toBe(400);
    expect((await send(`${api}/issue`, '{}', { ...auth, 'content-type': 'text/plain' })).status).toBe(415);
    expect((await send(`${api}/issue/SEC-1/transitions`, { transition: { id: '99' } }, auth)).status).toBe(400);
    expect((await send(`${api}/issue/SEC-1/comment`, { body: said('x'.repeat(32_768)) }, auth)).text).toContain('too long');
    expect((await send(`${api}/issue/SEC-9/comment`, { body: said('x') }, auth)).status).toBe(404);
    const reading = await started({ mayWrite: false });
    expect((await send(`${reading.url}/rest/api/3/issue`, { fields: good }, auth)).status).toBe(403);
  });
});

/** https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/#api-rest-api-3-search-jql-post */
describe('its search', () => {
  test('refuses an unbounded query, a start offset, the removed endpoint, an invalid page token', async () => {
    const api = `${(await started()).url}/rest/api/3`;
    expect((await send(`${api}/search/jql`, { jql: 'ORDER BY created' }, auth)).text).toContain('Unbounded JQL');
    expect((await send(`${api}/search/jql`, { jql: 'project = "SEC"', startAt: 0 }, auth)).status).toBe(400);
    expect((await send(`${api}/search/jql`, { jql: 'project = "SEC"', maxResults: 5_001 }, auth)).status).toBe(400);
    expect((await send(`${api}/search/jql`, { jql: 'project = "SEC"', nextPageToken: 'x' }, auth)).status).toBe(400);
    expect((await send(`${api}/search`, { jql: 'project = "SEC"' }, auth)).status).toBe(410);
  });

  test('answers with ids only unless fields are requested, page by page', async () => {
    const fake = await started();
    for (let count = 0; count < 3; count += 1) await send(`${fake.url}/rest/api/3/issue`, { fields: good }, auth);
    const page = async (more: object) =>
      JSON.parse(
        (await send(`${fake.url}/rest/api/3/search/jql`, { jql: 'project = "SEC"', maxResults: 2, ...more }, auth)).text,
      );
    const first = await page({});
    expect(first).toMatchObject({ isLast: false, issues: [{ id: '10001', key: 'SEC-1' }, {}] });
    expect(Object.keys(first.issues[0])).toEqual(['id', 'key']);
    expect(await page({ nextPageToken: first.nextPageToken })).toEqual({
      isLast: true,
      issues: [{ id: '10003', key: 'SEC-3' }],
    });
  });
});

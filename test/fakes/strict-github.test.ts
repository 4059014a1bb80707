import { afterEach, describe, expect, test } from '@jest/globals';
import { limitAnswer } from './github/api.ts';
import { type GithubFake, startGithubFake } from './github/server.ts';
import { startWebhookFake } from './webhook/server.ts';
import { signedBy } from './webhook/signed.ts';

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const fake of running.splice(0)) await fake.stop();
});

const long = (length: number): string => 'x'.repeat(length);

/** https://docs.github.com/en/rest/issues/issues and https://docs.github.com/en/rest/issues/comments */
describe('the stand-in for GitHub refuses what the documentation calls errors', () => {
  async function started(): Promise<GithubFake> {
    const fake = await startGithubFake({ repository: 'acme/security', token: 't' });
    running.push(fake);
    return fake;
  }

  const call = (fake: GithubFake, method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${fake.url}/repos/${path}`, {
      method,
      headers: { authorization: 'Bearer t', 'user-agent': 'test', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });

  const issues: Readonly<Record<string, unknown>> = {
    'no title': { body: 'x' },
    'an empty title': { title: '' },
    'a title that is not a string': { title: 7 },
    'a title of 257 characters': { title: long(257) },
    'a body that is not a string': { title: 'x', body: { text: 'x' } },
    'a body of 65537 characters': { title: 'x', body: long(65_537) },
    'labels that are not a list': { title: 'x', labels: 'a,b' },
    'an empty label': { title: 'x', labels: [''] },
    'a label of 51 characters': { title: 'x', labels: [long(51)] },
    'a label that is not a string': { title: 'x', labels: [7] },
  };
  test.each(Object.entries(issues))('an issue with %s', async (_, fields) => {
    const fake = await started();
    const answer = await call(fake, 'POST', 'acme/security/issues', fields);
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ message: 'Validation Failed', errors: [{ field: expect.any(String) }] });
    expect(fake.store.all()).toEqual([]);
  });

  const comments: Readonly<Record<string, unknown>> = {
    'no body': {},
    'an empty body': { body: '' },
    'a body that is not a string': { body: ['x'] },
    'a body of 65537 characters': { body: long(65_537) },
  };
  test.each(Object.entries(comments))('a comment with %s', async (_, fields) => {
    const fake = await started();
    await call(fake, 'POST', 'acme/security/issues', { title: 'x' });
    expect((await call(fake, 'POST', 'acme/security/issues/1/comments', fields)).status).toBe(422);
    expect(fake.store.get(1)?.comments).toEqual([]);
  });

  test.each([{ state: 'done' }, { state: 'closed', state_reason: 'fixed' }, { state: 'closed', state_reason: 7 }])(
    'a change to %j',
    async (fields) => {
      const fake = await started();
      await call(fake, 'POST', 'acme/security/issues', { title: 'x' });
      expect((await call(fake, 'PATCH', 'acme/security/issues/1', fields)).status).toBe(422);
      expect(fake.store.get(1)?.state).toBe('open');
    },
  );

  test('a missing user agent, a wrong token, another repository, a missing issue, malformed JSON, an unknown call', async () => {
    const fake = await started();
    const statusOf = async (...given: Parameters<typeof call> extends [GithubFake, ...infer Rest] ? Rest : never) =>
      (await call(fake, ...given)).status;
    expect(await statusOf('GET', 'acme/security', undefined, { 'user-agent': '' })).toBe(403);
    expect(await statusOf('GET', 'acme/security', undefined, { authorization: 'Bearer x' })).toBe(401);
    expect(await statusOf('GET', 'acme/other')).toBe(404);
    expect(await statusOf('GET', 'acme/security-2/issues')).toBe(404);
    expect(await statusOf('POST', 'acme/security/issues/9/comments', { body: 'x' })).toBe(404);
    expect(await statusOf('PATCH', 'acme/security/issues/9', { state: 'closed' })).toBe(404);
    expect(await statusOf('POST', 'acme/security/issues', '{')).toBe(400);
    expect(await statusOf('POST', 'acme/security/issues', '[]')).toBe(400);
    expect(await statusOf('DELETE', 'acme/security/issues/1')).toBe(404);
  });

  /** https://docs.github.com/en/rest/about-the-rest-api/api-versions#supported-api-versions */
  test('a version of the API that does not exist', async () => {
    const fake = await started();
    const answer = (version: string) => call(fake, 'GET', 'acme/security', undefined, { 'x-github-api-version': version });
    expect([(await answer('2020-01-01')).status, (await answer('2022-11-28')).status]).toEqual([400, 200]);
  });

  /** https://docs.github.com/en/rest/issues/issues#create-an-issue (410), https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects */
  test.each([
    [{ issuesOff: true }, 'POST', 410],
    [{ issuesOff: true }, 'GET', 410],
    [{ archived: true }, 'POST', 403],
    [{ archived: true }, 'GET', 200],
    [{ movedTo: 'acme/other' }, 'POST', 307],
    [{ movedTo: 'acme/other' }, 'GET', 301],
  ] as const)('with %j, %s of its issues: %i', async (options, method, status) => {
    const fake = await startGithubFake({ repository: 'acme/security', token: 't', ...options });
    running.push(fake);
    const response = await fetch(`${fake.url}/repos/acme/security/issues`, {
      method,
      redirect: 'manual',
      headers: { authorization: 'Bearer t', 'user-agent': 'test' },
      ...(method === 'POST' && { body: JSON.stringify({ title: 'x' }) }),
    });
    expect([response.status, fake.store.all()]).toEqual([status, []]);
  });

  /** https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit */
  test.each([
    ['primary', { 'x-ratelimit-remaining': '0', 'retry-after': null }],
    ['secondary', { 'x-ratelimit-remaining': '4999', 'retry-after': '60' }],
    ['secondary without a time', { 'x-ratelimit-remaining': '4999', 'retry-after': null }],
  ] as const)('calls beyond its %s limit, with the matching headers', async (which, expected) => {
    const fake = await started();
    await call(fake, 'GET', 'acme/security');
    fake.inject({ method: 'POST', path: /issues/, what: 'fail', ...limitAnswer(which) });
    const answer = await call(fake, 'POST', 'acme/security/issues', { title: 'x' });
    const headers = Object.fromEntries(Object.keys(expected).map((name) => [name, answer.headers.get(name)]));
    expect([answer.status, headers, fake.store.all()]).toEqual([403, expected, []]);
  });

  test('but accepts valid calls, silently dropping labels of users without push access', async () => {
    const fake = await started();
    const fields = { title: long(256), body: long(65_536), labels: [long(50)] };
    expect((await call(fake, 'POST', 'acme/security/issues', fields)).status).toBe(201);
    const closing = { state: 'closed', state_reason: 'not_planned' };
    expect((await call(fake, 'PATCH', 'acme/security/issues/1', closing)).status).toBe(200);
    const reading = await startGithubFake({ repository: 'acme/security', token: 't', push: false });
    running.push(reading);
    expect((await call(reading, 'POST', 'acme/security/issues', { title: 'x', labels: ['a'] })).status).toBe(201);
    expect(reading.store.get(1)?.labels).toEqual([]);
  });
});

describe('the receiver of signed events refuses', () => {
  const secret = 'shared';
  const event = { version: 1, type: 'ticket.opened', idempotencyKey: 'k1', title: 'x' };
  const now = () => Math.floor(Date.now() / 1_000);

  const wrong: readonly (readonly [string, number, (sent: ReturnType<typeof signedBy>) => ReturnType<typeof signedBy>])[] = [
    ['no signature', 401, ({ headers: { 'x-firebreak-signature': _, ...headers }, ...sent }) => ({ ...sent, headers })],
    ['another secret', 401, () => signedBy('other', event, now())],
    ['a changed body', 401, (sent) => ({ ...sent, body: `${sent.body} ` })],
    ['a time six minutes ago', 401, () => signedBy(secret, event, now() - 360)],
    ['a time six minutes ahead', 401, () => signedBy(secret, event, now() + 360)],
    ['an invalid time', 401, () => signedBy(secret, event, Number.NaN)],
    ['an unknown type', 400, () => signedBy(secret, { ...event, type: 'ticket.eaten' }, now())],
    ['a key other than the body’s', 400, (sent) => ({ ...sent, headers: { ...sent.headers, 'idempotency-key': 'k2' } })],
    ['a body that is not JSON', 400, () => signedBy(secret, '{', now())],
  ];
  test.each(wrong)('%s', async (_what, status, changed) => {
    const fake = await startWebhookFake({ secret });
    running.push(fake);
    const { headers, body } = changed(signedBy(secret, event, now()));
    expect((await fetch(`${fake.url}/firebreak`, { method: 'POST', headers, body })).status).toBe(status);
    expect(fake.events).toEqual([]);
  });

  test('but acts once on a repeated event, with the same answer', async () => {
    const fake = await startWebhookFake({ secret });
    running.push(fake);
    const { headers, body } = signedBy(secret, event, now());
    const send = async () => (await fetch(`${fake.url}/firebreak`, { method: 'POST', headers, body })).json();
    expect(await send()).toEqual(await send());
    expect(fake.events).toHaveLength(1);
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { appId, botToken, channel, channels, signingSecret, teamId, users } from '../../integrations/slack/fixture.ts';
import { type SlackEmulator, startSlackEmulator } from './index.ts';

let slack: SlackEmulator;
beforeAll(async () => {
  slack = await startSlackEmulator({ signingSecret, botToken, appId, teamId, users, channels });
});
afterAll(() => slack.stop());
beforeEach(() => {
  slack.calm();
  slack.world.views.clear();
});

type Answer = Readonly<Record<string, unknown>>;

async function call(method: string, args: object): Promise<Answer> {
  const headers = { authorization: `Bearer ${botToken}`, 'content-type': 'application/json' };
  const response = await fetch(`${slack.apiUrl}${method}`, { method: 'POST', headers, body: JSON.stringify(args) });
  return (await response.json()) as Answer;
}

const words = (text: string) => ({ type: 'plain_text', text });
const long = (length: number): string => 'x'.repeat(length);
const input = (changes: object = {}, element: object = {}) => ({
  type: 'input',
  label: words('Why?'),
  element: { type: 'plain_text_input', action_id: 'a', ...element },
  ...changes,
});
const view = (changes: object = {}) => ({
  type: 'modal',
  title: words('Reason'),
  submit: words('Send'),
  blocks: [input()],
  ...changes,
});

/** What Slack sends with a click on a button. */
async function clicked(): Promise<{ readonly trigger_id: string; readonly response_url: string; readonly ts: string }> {
  const blocks = [{ type: 'actions', elements: [{ type: 'button', action_id: 'a', text: words('Go') }] }];
  const { ts } = await call('chat.postMessage', { channel, text: 'x', blocks });
  const { request } = await slack.click({ user: 'U0ADA', actionId: 'a', dialog: 'leave' });
  const payload: { trigger_id: string; response_url: string } = JSON.parse(
    new URLSearchParams(request.body).get('payload') ?? '{}',
  );
  slack.calm();
  return { ...payload, ts: String(ts) };
}

const opened = async (changes: object = {}) =>
  (await call('views.open', { trigger_id: (await clicked()).trigger_id, view: view(changes) })).view as {
    readonly id: string;
    readonly hash: string;
  };

/** https://docs.slack.dev/reference/views/modal-views, https://docs.slack.dev/reference/methods/views.open#errors */
describe('a view to open, push or update is refused with', () => {
  const wrong: readonly (readonly [string, unknown])[] = [
    ['an unknown type', view({ type: 'dialog' })],
    ['the type of a home tab', view({ type: 'home' })],
    ['no title', view({ title: undefined })],
    ['a title of 25 characters', view({ title: words(long(25)) })],
    ['a title in mrkdwn', view({ title: { type: 'mrkdwn', text: 'x' } })],
    ['a close of 25 characters', view({ close: words(long(25)) })],
    ['no blocks', view({ blocks: undefined })],
    ['101 blocks', view({ blocks: Array.from({ length: 101 }, () => ({ type: 'divider' })) })],
    ['an input and no submit', view({ submit: undefined })],
    ['private metadata of 3 001 characters', view({ private_metadata: long(3_001) })],
    ['a callback id of 256 characters', view({ callback_id: long(256) })],
    ['an external id of 256 characters', view({ external_id: long(256) })],
    ['a label of 2 001 characters', view({ blocks: [input({ label: words(long(2_001)) })] })],
    ['a label in mrkdwn', view({ blocks: [input({ label: { type: 'mrkdwn', text: 'x' } })] })],
    ['an input without an element', view({ blocks: [input({ element: undefined })] })],
    ['a button as an input', view({ blocks: [input({ element: { type: 'button', text: words('x') } })] })],
    ['a placeholder of 151 characters', view({ blocks: [input({}, { placeholder: words(long(151)) })] })],
    ['a max_length of 3 001', view({ blocks: [input({}, { max_length: 3_001 })] })],
    ['a max_length of 0', view({ blocks: [input({}, { max_length: 0 })] })],
    ['something that is not an object', 'x'],
  ];
  test.each(wrong)('%s', async (_what, given) => {
    const open = await opened();
    const answers = [
      await call('views.push', { trigger_id: (await clicked()).trigger_id, view: given }),
      await call('views.update', { view_id: open.id, view: given }),
      await call('views.open', { trigger_id: (await clicked()).trigger_id, view: given }),
    ];
    expect(answers).toMatchObject(answers.map(() => ({ ok: false, error: 'invalid_arguments' })));
    expect(slack.world.openView('U0ADA')?.hash).toBe(open.hash);
  });

  test('more than 250 kB', async () => {
    const blocks = Array.from({ length: 100 }, () => ({ type: 'section', fields: [words(long(1_500)), words(long(1_500))] }));
    expect(await call('views.open', { trigger_id: (await clicked()).trigger_id, view: view({ blocks }) })).toMatchObject({
      error: 'view_too_large',
    });
  });
});

describe('a call is refused', () => {
  test.each(['views.open', 'views.push'])('%s without a trigger, without a view, with an invalid trigger', async (method) => {
    const { trigger_id: trigger } = await clicked();
    expect(await call(method, { view: view() })).toMatchObject({ error: 'invalid_arguments' });
    expect(await call(method, { trigger_id: '12345.98765.abcd2358fdea', view: view() })).toMatchObject({
      error: 'invalid_trigger_id',
    });
    if (method === 'views.push') await opened();
    expect(await call(method, { trigger_id: trigger })).toMatchObject({ error: 'invalid_arguments' });
  });

  test('views.push with nothing open, and onto three views', async () => {
    expect(await call('views.push', { trigger_id: (await clicked()).trigger_id, view: view() })).toMatchObject({
      error: 'not_found',
    });
    await opened();
    for (let count = 0; count < 2; count += 1)
      expect(await call('views.push', { trigger_id: (await clicked()).trigger_id, view: view() })).toMatchObject({ ok: true });
    expect(await call('views.push', { trigger_id: (await clicked()).trigger_id, view: view() })).toMatchObject({
      error: 'push_limit_reached',
    });
  });

  test('views.update without a view, of one that does not exist, and with an old hash', async () => {
    const { id, hash } = await opened();
    expect(await call('views.update', { view: view() })).toMatchObject({ error: 'invalid_arguments' });
    expect(await call('views.update', { view_id: 'V0NONE', view: view() })).toMatchObject({ error: 'not_found' });
    expect(await call('views.update', { external_id: 'none', view: view() })).toMatchObject({ error: 'not_found' });
    expect(await call('views.update', { view_id: id, hash, view: view({ title: words('New') }) })).toMatchObject({ ok: true });
    expect(await call('views.update', { view_id: id, hash, view: view() })).toMatchObject({ error: 'hash_conflict' });
  });

  /** “Must be unique for all views on a team.” */
  test('with the external id of another view, but not with its own', async () => {
    const { id } = await opened({ external_id: 'mine' });
    expect(
      await call('views.push', { trigger_id: (await clicked()).trigger_id, view: view({ external_id: 'mine' }) }),
    ).toMatchObject({
      error: 'duplicate_external_id',
    });
    expect(await call('views.update', { view_id: id, view: view({ external_id: 'mine' }) })).toMatchObject({ ok: true });
    expect(await call('views.update', { external_id: 'mine', view: view() })).toMatchObject({ ok: true });
  });
});

/** The example from https://docs.slack.dev/reference/methods/views.open */
test('the documented example is accepted', async () => {
  const { id } = await opened({
    callback_id: 'modal-identifier',
    title: words('Just a modal'),
    submit: undefined,
    blocks: [
      {
        type: 'section',
        block_id: 'section-identifier',
        text: { type: 'mrkdwn', text: '*Welcome* to ~my~ Block Kit _modal_!' },
        accessory: { type: 'button', text: words('Just a button'), action_id: 'button-identifier' },
      },
    ],
  });
  expect(slack.world.views.get(id)?.view.callback_id).toBe('modal-identifier');
});

/** https://docs.slack.dev/interactivity/handling-user-interaction#message_responses */
describe('a response_url', () => {
  async function respond(url: string, body: unknown, method = 'POST') {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(url, { method, ...(method === 'POST' && { body: text }) });
    return { status: response.status, text: await response.text() };
  }
  const shown = () => slack.ephemerals('U0ADA').length;

  const refused: readonly (readonly [string, unknown, string])[] = [
    ['a body that is not JSON', '{', 'invalid_payload'],
    ['a list', [], 'invalid_payload'],
    ['nothing to say', {}, 'no_text'],
    ['a text that is a number', { text: 7 }, 'invalid_payload'],
    ['invalid blocks', { blocks: [{ type: 'section' }] }, 'invalid_blocks'],
    ['51 blocks', { blocks: Array.from({ length: 51 }, () => ({ type: 'divider' })) }, 'invalid_blocks'],
    ['an unknown kind of response', { text: 'x', response_type: 'loud' }, 'invalid_payload'],
  ];
  test.each(refused)('refuses %s', async (_what, body, error) => {
    const { response_url: url } = await clicked();
    const before = shown();
    const answer = await respond(url, body);
    expect([answer.status, JSON.parse(answer.text)]).toEqual([400, { ok: false, error }]);
    expect(shown()).toBe(before);
  });

  test('works five times, for half an hour, and only with POST', async () => {
    const { response_url: url } = await clicked();
    expect((await respond(url, '', 'GET')).status).toBe(404);
    const statuses: number[] = [];
    for (let use = 0; use < 6; use += 1) statuses.push((await respond(url, { text: `use ${use}` })).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 404]);
    const { response_url: late } = await clicked();
    const id = late.split('/').at(-1) ?? '';
    const known = slack.world.responseUrls.get(id);
    if (known) slack.world.responseUrls.set(id, { ...known, expires: Date.now() - 1 });
    expect(await respond(late, { text: 'x' })).toMatchObject({ status: 404, text: expect.stringContaining('expired_url') });
    expect(await respond(`${late}x`, { text: 'x' })).toMatchObject({ status: 404 });
  });

  test('posts to one person unless told otherwise, and replaces or deletes only when told to', async () => {
    const { response_url: url, ts } = await clicked();
    const count = () => slack.channelMessages(channel).length;
    const [before, seen] = [count(), shown()];
    expect(await respond(url, { text: 'only you' })).toEqual({ status: 200, text: 'ok' });
    expect([count(), shown()]).toEqual([before, seen + 1]);
    await respond(url, { text: 'all', response_type: 'in_channel' });
    expect(count()).toBe(before + 1);
    await respond(url, { text: 'instead', replace_original: 'true' });
    expect([count(), slack.world.message(channel, ts)?.text]).toEqual([before + 1, 'instead']);
    await respond(url, { delete_original: true });
    expect(slack.world.message(channel, ts)).toBeUndefined();
  });
});

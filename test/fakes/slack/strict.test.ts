import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { appId, botToken, channel, channels, signingSecret, teamId, users } from '../../integrations/slack/fixture.ts';
import { stoppedClock } from '../../jest/stopped-clock.ts';
import { type SlackEmulator, startSlackEmulator } from './index.ts';

let slack: SlackEmulator;
beforeAll(async () => {
  const all = [...channels, { id: 'C0OLD', name: 'old', isArchived: true }];
  slack = await startSlackEmulator({
    signingSecret,
    botToken,
    appId,
    teamId,
    users,
    channels: all,
    userGroups: { S0LEADS: ['U0GRACE'] },
  });
});
afterAll(() => slack.stop());
beforeEach(() => slack.calm());
afterEach(() => {
  jest.useRealTimers();
});

async function call(
  method: string,
  args: Record<string, unknown> = {},
  token: string | undefined = botToken,
  base = slack.apiUrl,
): Promise<Record<string, unknown>> {
  const form = Object.entries(args).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]);
  const response = await fetch(`${base}${method}`, {
    method: 'POST',
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    body: new URLSearchParams(Object.fromEntries(form)),
  });
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    ...((await response.json()) as Record<string, unknown>),
  };
}

const words = (text: string) => ({ type: 'plain_text', text });
const press = (changes: object = {}) => ({ type: 'button', action_id: 'a', text: words('Go'), ...changes });
const row = (...elements: object[]) => ({ type: 'actions', elements });
const long = (length: number) => 'x'.repeat(length);

describe('chat.postMessage refuses, as Slack does,', () => {
  const blocks: readonly [string, unknown[]][] = [
    ['51 blocks', Array.from({ length: 51 }, () => ({ type: 'divider' }))],
    ['a block of an unknown type', [{ type: 'blink', text: words('x') }]],
    ['an unknown field', [{ type: 'section', text: words('x'), colour: 'red' }]],
    ['a section without text or fields', [{ type: 'section' }]],
    ['a section of 3001 characters', [{ type: 'section', text: words(long(3_001)) }]],
    ['an empty text', [{ type: 'section', text: words('') }]],
    ['eleven fields', [{ type: 'section', fields: Array.from({ length: 11 }, () => words('x')) }]],
    ['a header of 151 characters', [{ type: 'header', text: words(long(151)) }]],
    ['a header in mrkdwn', [{ type: 'header', text: { type: 'mrkdwn', text: 'x' } }]],
    ['eleven context elements', [{ type: 'context', elements: Array.from({ length: 11 }, () => words('x')) }]],
    ['a button text of 76 characters', [row(press({ text: words(long(76)) }))]],
    ['a button text in mrkdwn', [row(press({ text: { type: 'mrkdwn', text: 'x' } }))]],
    ['a button value of 2001 characters', [row(press({ value: long(2_001) }))]],
    ['an action id of 256 characters', [row(press({ action_id: long(256) }))]],
    ['a button style that does not exist', [row(press({ style: 'warning' }))]],
    ['the same action id twice in a row', [row(press(), press())]],
    ['26 buttons in a row', [row(...Array.from({ length: 26 }, (_, index) => press({ action_id: `a${index}` })))]],
    ['an empty row', [row()]],
    [
      'the same block id twice',
      [
        { type: 'divider', block_id: 'b' },
        { type: 'divider', block_id: 'b' },
      ],
    ],
    ['a block id of 256 characters', [{ type: 'divider', block_id: long(256) }]],
    [
      'a confirm title of 101 characters',
      [row(press({ confirm: { title: words(long(101)), text: words('x'), confirm: words('y'), deny: words('n') } }))],
    ],
    [
      'a confirm text of 301 characters',
      [row(press({ confirm: { title: words('t'), text: words(long(301)), confirm: words('y'), deny: words('n') } }))],
    ],
    [
      'a confirm button of 31 characters',
      [row(press({ confirm: { title: words('t'), text: words('x'), confirm: words(long(31)), deny: words('n') } }))],
    ],
    ['an image without alternative text', [{ type: 'image', image_url: 'https://example.com/a.png' }]],
  ];
  test.each(blocks)('%s', async (_name, given) => {
    expect(await call('chat.postMessage', { channel, text: 'x', blocks: given })).toMatchObject({
      ok: false,
      error: 'invalid_blocks',
    });
  });

  const others: readonly [string, Record<string, unknown>, string][] = [
    ['blocks that are not a list', { channel, text: 'x', blocks: { type: 'divider' } }, 'invalid_blocks_format'],
    ['blocks that are not JSON', { channel, text: 'x', blocks: '[{' }, 'invalid_blocks_format'],
    [
      'too much text in all blocks',
      { channel, blocks: Array.from({ length: 5 }, () => ({ type: 'section', text: words(long(2_900)) })) },
      'msg_blocks_too_long',
    ],
    ['nothing to say', { channel }, 'no_text'],
    ['an unknown channel', { channel: 'C0NOWHERE', text: 'x' }, 'channel_not_found'],
    ['a channel without the bot', { channel: 'C0CLOSED', text: 'x' }, 'not_in_channel'],
    ['an archived channel', { channel: 'C0OLD', text: 'x' }, 'is_archived'],
    ['a thread that does not exist', { channel, text: 'x', thread_ts: '1.000001' }, 'thread_not_found'],
    ['metadata without a type', { channel, text: 'x', metadata: { event_payload: {} } }, 'invalid_metadata_schema'],
    [
      'metadata deeper than two levels',
      { channel, text: 'x', metadata: { event_type: 'a', event_payload: { a: { b: { c: 1 } } } } },
      'invalid_metadata_schema',
    ],
    [
      'metadata of more than 8 000 characters',
      { channel, text: 'x', metadata: { event_type: 'a', event_payload: { a: long(8_001) } } },
      'metadata_too_large',
    ],
  ];
  test.each(others)('%s', async (_name, args, error) => {
    expect(await call('chat.postMessage', args)).toMatchObject({ ok: false, error });
  });
});

describe('every call', () => {
  test('needs a known method, the right token, and the scope', async () => {
    expect(await call('chat.shout')).toMatchObject({ error: 'unknown_method' });
    expect(await call('auth.test', {}, '')).toMatchObject({ error: 'not_authed' });
    expect(await call('auth.test', {}, 'xoxb-wrong')).toMatchObject({ error: 'invalid_auth' });
    expect(await call('auth.test')).toMatchObject({ ok: true, team_id: teamId, bot_id: 'B0FIREBOT' });
    const narrow = await startSlackEmulator({ signingSecret, botToken, appId, teamId, users, channels, scopes: ['chat:write'] });
    expect(await call('users.info', { user: 'U0ADA' }, botToken, narrow.apiUrl)).toMatchObject({
      error: 'missing_scope',
      needed: 'users:read',
    });
    await narrow.stop();
  });

  test('is rate-limited: one message per second and channel after a short burst, with Retry-After', async () => {
    const pass = stoppedClock();
    const answers = await Promise.all(Array.from({ length: 7 }, () => call('chat.postMessage', { channel, text: 'x' })));
    const limited = answers.filter((answer) => answer.status === 429);
    expect(limited).toHaveLength(2);
    expect(limited[0]).toMatchObject({ error: 'ratelimited', retryAfter: '1' });
    pass(1_000);
    const later = await Promise.all([1, 2].map(() => call('chat.postMessage', { channel, text: 'x' })));
    expect(later.map(({ status }) => status).sort()).toEqual([200, 429]);
    expect(await call('chat.postMessage', { channel: 'C0OTHER', text: 'another channel has its own second' })).toMatchObject({
      ok: true,
    });
  });

  test('to a tier 2 method is limited to slightly over twenty per minute', async () => {
    stoppedClock();
    const answers = await Promise.all(Array.from({ length: 30 }, () => call('usergroups.users.list', { usergroup: 'S0LEADS' })));
    expect(answers.filter((answer) => answer.ok === true)).toHaveLength(24);
    expect(answers[0]).toMatchObject({ users: ['U0GRACE'] });
  });
});

describe('messages', () => {
  test('of others and unknown ones cannot be edited, ephemeral ones reach members only', async () => {
    const foreign = slack.world.add({ channel, ts: slack.world.nextTs(), user: 'U0ADA', text: 'mine' });
    expect(await call('chat.update', { channel, ts: foreign.ts, text: 'x' })).toMatchObject({ error: 'cant_update_message' });
    expect(await call('chat.update', { channel, ts: '1.000001', text: 'x' })).toMatchObject({ error: 'message_not_found' });
    expect(await call('chat.postEphemeral', { channel, user: 'U0NOBODY', text: 'x' })).toMatchObject({
      error: 'user_not_in_channel',
    });
    expect(await call('users.info', { user: 'U0NOBODY' })).toMatchObject({ error: 'user_not_found' });
  });

  test('are paged newest first, with metadata only when asked for', async () => {
    const metadata = { event_type: 'mine', event_payload: { key: 'k' } };
    await call('chat.postMessage', { channel: 'C0OTHER', text: 'first', metadata });
    await call('chat.postMessage', { channel: 'C0OTHER', text: 'second' });
    const page = await call('conversations.history', { channel: 'C0OTHER', limit: 1 });
    expect(page).toMatchObject({ has_more: true, messages: [{ text: 'second' }] });
    const { next_cursor: cursor } = page.response_metadata as { next_cursor: string };
    const plain = await call('conversations.history', { channel: 'C0OTHER', limit: 1, cursor });
    expect(plain.messages).toMatchObject([{ text: 'first', app_id: appId }]);
    expect(JSON.stringify(plain.messages)).not.toContain('metadata');
    const full = await call('conversations.history', { channel: 'C0OTHER', limit: 1, cursor, include_all_metadata: true });
    expect(full.messages).toMatchObject([{ metadata }]);
  });

  test('can be answered via response_url at most five times', async () => {
    await call('chat.postMessage', { channel, text: 'x', blocks: [row(press())] });
    slack.setInteractionsUrl('http://127.0.0.1:9/');
    const { request } = await slack.click({ user: 'U0ADA', actionId: 'a' });
    const payload = JSON.parse(new URLSearchParams(request.body).get('payload') ?? '{}') as { response_url: string };
    const statuses: number[] = [];
    for (let count = 0; count < 6; count += 1) {
      statuses.push(
        (await fetch(payload.response_url, { method: 'POST', body: JSON.stringify({ text: `use ${count}` }) })).status,
      );
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 404]);
    expect(slack.ephemerals('U0ADA')).toHaveLength(5);
  });
});

describe('modals', () => {
  const view = (changes: object = {}) => ({ type: 'modal', title: words('Reason'), blocks: [{ type: 'divider' }], ...changes });

  async function trigger(): Promise<string> {
    await call('chat.postMessage', { channel, text: 'x', blocks: [row(press())] });
    const { request } = await slack.click({ user: 'U0ADA', actionId: 'a' });
    return (JSON.parse(new URLSearchParams(request.body).get('payload') ?? '{}') as { trigger_id: string }).trigger_id;
  }

  test('open once per trigger, and change only with their newest hash', async () => {
    const id = await trigger();
    const opened = (await call('views.open', { trigger_id: id, view: view() })) as { view?: { id: string; hash: string } };
    expect(opened).toMatchObject({ ok: true, view: { root_view_id: opened.view?.id } });
    expect(await call('views.open', { trigger_id: id, view: view() })).toMatchObject({ error: 'exchanged_trigger_id' });
    expect(await call('views.open', { trigger_id: 'made-up', view: view() })).toMatchObject({ error: 'invalid_trigger_id' });
    const update = { view_id: opened.view?.id ?? '', hash: opened.view?.hash ?? '', view: view({ title: words('Changed') }) };
    expect(await call('views.update', update)).toMatchObject({ ok: true });
    expect(await call('views.update', update)).toMatchObject({ error: 'hash_conflict' });
  });

  test('open only within three seconds of the click', async () => {
    const id = await trigger();
    await new Promise((resolve) => setTimeout(resolve, 3_050));
    expect(await call('views.open', { trigger_id: id, view: view() })).toMatchObject({ error: 'expired_trigger_id' });
  });

  test.each([
    ['a title of 25 characters', { title: words(long(25)) }],
    ['101 blocks', { blocks: Array.from({ length: 101 }, () => ({ type: 'divider' })) }],
    ['private metadata of 3001 characters', { private_metadata: long(3_001) }],
    [
      'an input without a submit button',
      { blocks: [{ type: 'input', label: words('Why?'), element: { type: 'plain_text_input' } }] },
    ],
  ])('are refused with %s', async (_name, changes) => {
    expect(await call('views.open', { trigger_id: await trigger(), view: view(changes) })).toMatchObject({
      error: 'invalid_arguments',
    });
  });
});

describe('faults', () => {
  test('happen as requested, once each, also over HTTP', async () => {
    slack.fail('auth.test', { status: 503 });
    expect((await fetch(`${slack.apiUrl}auth.test`, { method: 'POST' })).status).toBe(503);
    await fetch(`${slack.pageUrl}control/fail`, {
      method: 'POST',
      body: JSON.stringify({ method: 'auth.test', error: 'fatal_error' }),
    });
    expect(await call('auth.test')).toMatchObject({ error: 'fatal_error' });
    expect(await call('auth.test')).toMatchObject({ ok: true });
  });
});

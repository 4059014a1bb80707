import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { appId, botToken, channel, channels, signingSecret, teamId, users } from '../../integrations/slack/fixture.ts';
import { type SlackEmulator, startSlackEmulator } from './index.ts';

let slack: SlackEmulator;
beforeAll(async () => {
  const all = [...channels, { id: 'C0OLD', name: 'old', isArchived: true }, { id: 'C0FEW', name: 'few', members: ['U0ADA'] }];
  slack = await startSlackEmulator({ signingSecret, botToken, appId, teamId, users, channels: all });
});
afterAll(() => slack.stop());
beforeEach(() => slack.calm());

type Answer = Readonly<Record<string, unknown>>;

async function raw(method: string, body: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
  const authorization = `Bearer ${botToken}`;
  const response = await fetch(`${slack.apiUrl}${method}`, { method: 'POST', headers: { authorization, ...headers }, body });
  return (await response.json()) as Answer;
}
const call = (method: string, args: object): Promise<Answer> =>
  raw(method, JSON.stringify(args), { 'content-type': 'application/json; charset=utf-8' });

const long = (length: number): string => 'x'.repeat(length);
const words = (text: string) => ({ type: 'plain_text', text });
const section = (text = 'x') => ({ type: 'section', text: words(text) });
const press = (changes: object = {}) => ({ type: 'button', action_id: 'a', text: words('Go'), ...changes });
const row = (...elements: object[]) => ({ type: 'actions', elements });
const option = (changes: object = {}) => ({ text: words('One'), value: '1', ...changes });
const select = (changes: object = {}) => ({ type: 'static_select', action_id: 'a', options: [option()], ...changes });
const posted = async (args: object = {}): Promise<string> =>
  String((await call('chat.postMessage', { channel, text: 'first', blocks: [section()], ...args })).ts);
const message = (ts: string) => slack.world.message(channel, ts);

/** https://docs.slack.dev/reference/methods/chat.update#errors */
describe('chat.update refuses, as Slack does,', () => {
  const refused: readonly (readonly [string, object, string])[] = [
    ['a text of 4 001 characters, where a new message could have 40 000', { text: long(4_001) }, 'msg_too_long'],
    ['nothing to say', {}, 'no_text'],
    ['no text and empty blocks', { blocks: [] }, 'no_text'],
    ['blocks that are not a list', { text: 'x', blocks: { type: 'divider' } }, 'invalid_blocks_format'],
    ['invalid blocks', { text: 'x', blocks: [{ type: 'section' }] }, 'invalid_blocks'],
    ['51 blocks', { text: 'x', blocks: Array.from({ length: 51 }, () => ({ type: 'divider' })) }, 'invalid_blocks'],
    ['too much text in all blocks', { blocks: Array.from({ length: 5 }, () => section(long(2_900))) }, 'msg_blocks_too_long'],
    ['markdown together with a text', { text: 'x', markdown_text: '**x**' }, 'markdown_text_conflict'],
    ['attachments that are not a list', { text: 'x', attachments: { text: 'x' } }, 'invalid_attachments'],
    ['101 attachments', { text: 'x', attachments: Array.from({ length: 101 }, () => ({ text: 'x' })) }, 'too_many_attachments'],
    ['metadata that is text', { text: 'x', metadata: 'x' }, 'invalid_metadata_format'],
    ['metadata without a payload', { text: 'x', metadata: { event_type: 'a' } }, 'invalid_metadata_schema'],
    ['a message that does not exist', { ts: '1.000001', text: 'x' }, 'message_not_found'],
    ['no message', { ts: undefined, text: 'x' }, 'invalid_arguments'],
    ['a channel by its name', { channel: '#security-incidents', text: 'x' }, 'channel_not_found'],
    ['a channel without the bot', { channel: 'C0CLOSED', text: 'x' }, 'not_in_channel'],
  ];
  test.each(refused)('%s', async (_what, args, error) => {
    const ts = await posted();
    expect(await call('chat.update', { channel, ts, ...args })).toMatchObject({ ok: false, error });
    expect(message(ts)).toMatchObject({ text: 'first', blocks: [{ type: 'section' }] });
  });

  test('someone else’s message, an ephemeral message, a message in an archived channel', async () => {
    const { world } = slack;
    const theirs = world.add({ channel, ts: world.nextTs(), user: 'U0ADA', text: 'mine' });
    expect(await call('chat.update', { channel, ts: theirs.ts, text: 'x' })).toMatchObject({ error: 'cant_update_message' });
    const { message_ts: seen } = await call('chat.postEphemeral', { channel, user: 'U0ADA', text: 'x' });
    expect(await call('chat.update', { channel, ts: seen, text: 'y' })).toMatchObject({ error: 'message_not_found' });
    const old = world.add({ channel: 'C0OLD', ts: world.nextTs(), user: world.botUserId, appId, text: 'old' });
    expect(await call('chat.update', { channel: 'C0OLD', ts: old.ts, text: 'x' })).toMatchObject({ error: 'is_inactive' });
  });
});

/** “`text`, `blocks` or `attachments`”, on the same page. */
describe('chat.update silently', () => {
  const metadata = { event_type: 'mine', event_payload: { key: 'k' } };

  test('removes the blocks when only a text is given', async () => {
    const ts = await posted();
    expect(await call('chat.update', { channel, ts, text: 'second' })).toMatchObject({ ok: true, channel, ts, text: 'second' });
    expect(message(ts)).toMatchObject({ text: 'second' });
    expect(message(ts)?.blocks).toBeUndefined();
  });

  test('keeps metadata that is not mentioned, and removes it for an empty object', async () => {
    const ts = await posted({ metadata });
    await call('chat.update', { channel, ts, text: 'second' });
    expect(message(ts)?.metadata).toEqual(metadata);
    await call('chat.update', { channel, ts, text: 'third', metadata: {} });
    expect(message(ts)?.metadata).toBeUndefined();
  });

  test('accepts the documented example, and 4 000 characters', async () => {
    const ts = await posted();
    const blocks = [{ type: 'section', text: { type: 'plain_text', text: 'Hello world' } }];
    expect(await call('chat.update', { channel, ts, text: long(4_000), blocks })).toMatchObject({ ok: true });
  });
});

/** https://docs.slack.dev/reference/methods/chat.postMessage, https://docs.slack.dev/changelog/2018-truncating-really-long-messages */
describe('chat.postMessage', () => {
  test.each([
    ['markdown together with blocks', { markdown_text: 'x', blocks: [section()] }, 'markdown_text_conflict'],
    ['markdown of 12 001 characters', { markdown_text: long(12_001) }, 'msg_too_long'],
    ['101 attachments', { attachments: Array.from({ length: 101 }, () => ({ text: 'x' })) }, 'too_many_attachments'],
  ])('refuses %s', async (_what, args, error) => {
    expect(await call('chat.postMessage', { channel, ...args })).toMatchObject({ ok: false, error });
  });

  test('truncates a text of more than 40 000 characters, with a warning', async () => {
    const answer = await call('chat.postMessage', { channel, text: long(40_001) });
    expect(answer).toMatchObject({ ok: true, response_metadata: { warnings: ['message_truncated'] } });
    expect(message(String(answer.ts))?.text).toHaveLength(40_000);
  });
});

/** https://docs.slack.dev/reference/methods/chat.postEphemeral#errors */
describe('chat.postEphemeral', () => {
  const refused: readonly (readonly [string, object, string])[] = [
    ['somebody who is not in the channel', { channel: 'C0FEW', user: 'U0GRACE' }, 'user_not_in_channel'],
    ['somebody who does not exist', { user: 'U0NOBODY' }, 'user_not_in_channel'],
    ['somebody who is deactivated', { user: 'U0GONE' }, 'user_not_in_channel'],
    ['nobody', { user: undefined }, 'invalid_arguments'],
    ['an archived channel', { channel: 'C0OLD' }, 'is_archived'],
    ['a channel without the bot', { channel: 'C0CLOSED' }, 'not_in_channel'],
    ['an unknown channel', { channel: 'C0NOWHERE' }, 'channel_not_found'],
    ['nothing to say', { text: '' }, 'no_text'],
    ['a section of 3 001 characters', { blocks: [section(long(3_001))] }, 'invalid_blocks'],
    ['blocks that are not JSON', { blocks: '[{' }, 'invalid_blocks_format'],
  ];
  test.each(refused)('refuses %s', async (_what, args, error) => {
    const before = slack.world.messages.length;
    expect(await call('chat.postEphemeral', { channel, user: 'U0ADA', text: 'x', ...args })).toMatchObject({ ok: false, error });
    expect(slack.world.messages).toHaveLength(before);
  });

  test('says ok, but shows nothing, in a thread without replies', async () => {
    const ts = await posted();
    const before = slack.ephemerals('U0ADA').length;
    const answer = await call('chat.postEphemeral', { channel, user: 'U0ADA', text: 'x', thread_ts: ts });
    expect([answer.ok, slack.ephemerals('U0ADA').length]).toEqual([true, before]);
    await call('chat.postMessage', { channel, text: 'a reply', thread_ts: ts });
    await call('chat.postEphemeral', { channel, user: 'U0ADA', text: 'x', thread_ts: ts });
    expect(slack.ephemerals('U0ADA')).toHaveLength(before + 1);
  });
});

/** https://docs.slack.dev/reference/block-kit/block-elements, …/composition-objects */
describe('elements are refused', () => {
  const elements: Readonly<Record<string, object>> = {
    'with an option text of 76 characters': select({ options: [option({ text: words(long(76)) })] }),
    'with an option value of 151 characters': select({ options: [option({ value: long(151) })] }),
    'with an option without a value': select({ options: [{ text: words('One') }] }),
    'with 101 options': select({ options: Array.from({ length: 101 }, (_, at) => option({ value: String(at) })) }),
    'without options': select({ options: [] }),
    'with an initial option that is not among the options': select({ initial_option: option({ value: '2' }) }),
    'with a placeholder of 151 characters': select({ placeholder: words(long(151)) }),
    'with a placeholder in mrkdwn': select({ placeholder: { type: 'mrkdwn', text: 'x' } }),
    'with six entries in an overflow menu': {
      type: 'overflow',
      options: Array.from({ length: 6 }, (_, at) => option({ value: String(at) })),
    },
    'with eleven radio buttons': {
      type: 'radio_buttons',
      options: Array.from({ length: 11 }, (_, at) => option({ value: String(at) })),
    },
    'with eleven boxes': { type: 'checkboxes', options: Array.from({ length: 11 }, (_, at) => option({ value: String(at) })) },
    'with a tick in a box that does not exist': {
      type: 'checkboxes',
      options: [option()],
      initial_options: [option({ value: '2' })],
    },
    'with an invalid date': { type: 'datepicker', initial_date: '1 March' },
    'with an address of 3 001 characters': press({ url: `https://example.com/${long(3_001)}` }),
    'with an empty button text': press({ text: words('') }),
    'with a confirmation without an answer': press({ confirm: { title: words('Sure?'), text: words('x'), confirm: words('y') } }),
    'with a text input in a row': { type: 'plain_text_input' },
    'of an unknown type': { type: 'slider' },
  };
  test.each(Object.entries(elements))('%s', async (_what, element) => {
    expect(await call('chat.postMessage', { channel, text: 'x', blocks: [row(element)] })).toMatchObject({
      ok: false,
      error: 'invalid_blocks',
    });
  });

  /** The examples from the reference. */
  test('but accepted as the reference shows them', async () => {
    const blocks = [
      { type: 'header', text: { type: 'plain_text', text: 'Budget Performance', emoji: true } },
      {
        type: 'section',
        text: { type: 'mrkdwn', text: 'A message *with some bold text* and _some italicized text_.' },
        accessory: { type: 'image', image_url: 'https://example.com/cat.png', alt_text: 'cute cat' },
      },
      { type: 'section', fields: [{ type: 'mrkdwn', text: '*Priority*' }, words('High')] },
      {
        type: 'context',
        elements: [{ type: 'image', image_url: 'https://example.com/a.png', alt_text: 'a' }, words('Location')],
      },
      { type: 'divider' },
      {
        type: 'actions',
        block_id: 'actions1',
        elements: [
          {
            type: 'static_select',
            placeholder: words('Which witch is the witchiest witch?'),
            action_id: 'select_2',
            options: [option({ value: 'matilda' }), option({ value: 'glinda' })],
            initial_option: option({ value: 'glinda' }),
          },
          press({ text: words('Cancel'), value: 'cancel', action_id: 'button_1', style: 'danger' }),
          { type: 'datepicker', action_id: 'd', initial_date: '1990-04-28', placeholder: words('Select a date') },
          { type: 'overflow', action_id: 'o', options: [option({ value: 'value-0' })] },
        ],
      },
    ];
    expect(await call('chat.postMessage', { channel, text: 'x', blocks })).toMatchObject({ ok: true });
  });
});

/** The errors listed on every method's page. */
describe('any method refuses', () => {
  const json = 'application/json';
  const form = 'application/x-www-form-urlencoded';
  test.each([
    ['a body of an unknown type', 'x', 'application/xml', 'invalid_post_type'],
    ['an unknown charset', '{}', `${json}; charset=koi8-r`, 'invalid_charset'],
    ['malformed JSON', '{', json, 'invalid_json'],
    ['JSON that is not an object', '[]', json, 'json_not_object'],
    ['an argument with an odd name', 'odd-name=1', form, 'invalid_arg_name'],
    ['an argument with a name of 101 characters', `${long(101)}=1`, form, 'invalid_arg_name'],
  ])('%s', async (_what, body, type, error) => {
    expect(await raw('auth.test', body, { 'content-type': type })).toMatchObject({ ok: false, error });
  });

  test.each(['application/json; charset=utf-8', `${form}; charset=UTF-8`])('but accepts %s', async (type) => {
    expect(await raw('auth.test', type.startsWith(json) ? '{}' : '', { 'content-type': type })).toMatchObject({ ok: true });
  });
});

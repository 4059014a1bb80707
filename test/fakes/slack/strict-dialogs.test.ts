import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type SlackEmulator, startSlackEmulator } from './index.ts';

const botToken = 'xoxb-not-a-real-token';
const channel = 'C1';
let slack: SlackEmulator;
let app: Server;
/** The app's next answer. */
let answer: { status: number; body: string };
const received: { trigger_id: string; type: string }[] = [];

beforeEach(async () => {
  answer = { status: 200, body: '' };
  received.length = 0;
  slack = await startSlackEmulator({
    signingSecret: 'secret',
    botToken,
    appId: 'A1',
    teamId: 'T1',
    users: [{ id: 'U1', name: 'ada' }],
    channels: [{ id: channel, name: 'general' }],
  });
  app = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += String(part);
    received.push(JSON.parse(new URLSearchParams(body).get('payload') ?? '{}'));
    response.writeHead(answer.status).end(answer.body);
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const address = app.address();
  slack.setInteractionsUrl(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`);
});
afterEach(async () => {
  await slack.stop();
  await new Promise((resolve) => app.close(resolve));
});

async function call(method: string, args: object): Promise<{ readonly ok: boolean; readonly error?: string }> {
  const response = await fetch(`${slack.apiUrl}${method}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${botToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(args),
  });
  return JSON.parse(await response.text());
}

const text = (words: string) => ({ type: 'plain_text', text: words });
const input = (over: object = {}, element: object = {}) => ({
  type: 'input',
  block_id: 'why',
  label: text('Why?'),
  element: { type: 'plain_text_input', action_id: 'a', ...element },
  ...over,
});
const view = (over: object = {}) => ({ type: 'modal', title: text('Confirm'), submit: text('Send'), blocks: [input()], ...over });

async function trigger(): Promise<string> {
  await call('chat.postMessage', {
    channel,
    text: 'x',
    blocks: [{ type: 'actions', elements: [{ type: 'button', action_id: 'b', text: text('B') }] }],
  });
  await slack.click({ user: 'U1', actionId: 'b' });
  return received.at(-1)?.trigger_id ?? '';
}

async function opened(over: object = {}): Promise<string> {
  expect(await call('views.open', { trigger_id: await trigger(), view: view(over) })).toMatchObject({ ok: true });
  return slack.world.openView('U1')?.id ?? '';
}

describe('a view is refused', () => {
  test.each([
    ['a title of 25 characters', { title: text('x'.repeat(25)) }],
    ['a submit of 25 characters', { submit: text('x'.repeat(25)) }],
    ['inputs and no submit', { submit: undefined }],
    ['101 blocks', { blocks: Array.from({ length: 101 }, () => ({ type: 'divider' })) }],
    ['two blocks with the same id', { blocks: [input(), input()] }],
    ['metadata of 3 001 characters', { private_metadata: 'x'.repeat(3_001) }],
    ['a min_length above the max_length', { blocks: [input({}, { min_length: 5, max_length: 4 })] }],
    [
      'two inputs that take the focus',
      { blocks: [input({}, { focus_on_load: true }), input({ block_id: 'b' }, { focus_on_load: true })] },
    ],
    ['a hint of 2 001 characters', { blocks: [input({ hint: text('x'.repeat(2_001)) })] }],
    ['an unknown field', { nonsense: true }],
  ])('with %s', async (_what, over) => {
    expect(await call('views.open', { trigger_id: await trigger(), view: view(over) })).toMatchObject({
      error: 'invalid_arguments',
    });
    expect(slack.world.openView('U1')).toBeUndefined();
  });

  test('with a trigger that is used, unknown or older than 3 s', async () => {
    const used = await trigger();
    await call('views.open', { trigger_id: used, view: view() });
    expect(await call('views.open', { trigger_id: used, view: view() })).toMatchObject({ error: 'exchanged_trigger_id' });
    expect(await call('views.open', { trigger_id: '1.2', view: view() })).toMatchObject({ error: 'invalid_trigger_id' });
    const old = await trigger();
    const known = slack.world.triggers.get(old);
    slack.world.triggers.set(old, { user: 'U1', expires: Date.now() - 1, used: known?.used ?? false });
    expect(await call('views.open', { trigger_id: old, view: view() })).toMatchObject({ error: 'expired_trigger_id' });
  });

  test('with a hash other than the newest', async () => {
    const id = await opened();
    expect(await call('views.update', { view_id: id, hash: '1.x', view: view() })).toMatchObject({ error: 'hash_conflict' });
  });
});

describe('a dialog', () => {
  const submit = (viewId: string, why = 'because') => slack.submitView({ viewId, user: 'U1', typed: { why } });

  test('cannot be submitted with values that Slack’s own client would not send', async () => {
    const id = await opened({ blocks: [input({}, { min_length: 3, max_length: 5 })] });
    for (const why of ['', 'x', 'too long']) await expect(submit(id, why)).rejects.toThrow('Slack does not send this');
  });

  test.each([
    ['nothing', '', 'closed'],
    ['an empty object', '{}', 'closed'],
    ['clear', '{"response_action":"clear"}', 'cleared'],
    ['errors of an input', '{"response_action":"errors","errors":{"why":"No."}}', 'errors'],
    ['errors of no input', '{"response_action":"errors","errors":{"who":"No."}}', 'trouble'],
    ['no errors', '{"response_action":"errors","errors":{}}', 'trouble'],
    ['a view', JSON.stringify({ response_action: 'update', view: view() }), 'updated'],
    ['a view that Slack refuses', JSON.stringify({ response_action: 'update', view: { type: 'modal' } }), 'trouble'],
    ['an unknown action', '{"response_action":"close"}', 'trouble'],
    ['words', 'ok', 'trouble'],
    ['an object without action', '{"text":"ok"}', 'trouble'],
  ])('handles the app’s response: %s', async (_what, body, outcome) => {
    const id = await opened();
    answer = { status: 200, body };
    expect((await submit(id)).result.outcome).toBe(outcome);
    expect(slack.world.openView('U1') === undefined).toBe(outcome === 'closed' || outcome === 'cleared');
  });

  test('stays open when the app fails', async () => {
    const id = await opened();
    answer = { status: 500, body: '' };
    expect((await submit(id)).result.outcome).toBe('trouble');
    expect(slack.world.openView('U1')?.id).toBe(id);
  });

  test('tells the app when it is closed, if it asks for that', async () => {
    const id = await opened({ notify_on_close: true });
    const interactions = received.length;
    await fetch(`${slack.pageUrl}page/close`, { method: 'POST', body: JSON.stringify({ user: 'U1', viewId: id }) });
    expect(received.slice(interactions)).toMatchObject([{ type: 'view_closed', view: { id } }]);
    expect(slack.world.openView('U1')).toBeUndefined();
  });
});

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'undici';
import {
  appId,
  appToken,
  botToken,
  channel,
  channels,
  signingSecret,
  teamId,
  until,
  users,
} from '../../integrations/slack/fixture.ts';
import { type SlackEmulator, type SlackEmulatorOptions, startSlackEmulator } from './index.ts';

const options: SlackEmulatorOptions = { signingSecret, botToken, appToken, appId, teamId, users, channels };
let slack: SlackEmulator;
let open: Connection[];
beforeEach(async () => {
  slack = await startSlackEmulator(options);
  open = [];
});
afterEach(async () => {
  for (const { socket } of open) socket.close();
  await slack.stop();
});

async function call(method: string, token: string | undefined, emulator = slack) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(`${emulator.apiUrl}${method}`, { method: 'POST', headers });
  return (await answer.json()) as { readonly ok: boolean; readonly url: string; readonly error?: string };
}

interface Connection {
  readonly socket: WebSocket;
  readonly heard: { readonly type: string; readonly [key: string]: unknown }[];
  readonly closed: Promise<number>;
}

function connect(url: string): Connection {
  const socket = new WebSocket(url);
  const heard: Connection['heard'] = [];
  socket.addEventListener('message', ({ data }) => heard.push(JSON.parse(String(data))));
  const closed = new Promise<number>((resolve) => socket.addEventListener('close', ({ code }) => resolve(code)));
  socket.addEventListener('error', () => undefined);
  const connection = { socket, heard, closed };
  open.push(connection);
  return connection;
}

const ticket = async (): Promise<string> => (await call('apps.connections.open', appToken)).url;
const said = (connection: Connection, type: string) => until(() => connection.heard.find((one) => one.type === type));

async function connection(): Promise<Connection> {
  const made = connect(await ticket());
  await said(made, 'hello');
  return made;
}

describe('apps.connections.open', () => {
  const refused: readonly (readonly [string, string | undefined, string])[] = [
    ['no token', undefined, 'not_authed'],
    ['the bot’s token', botToken, 'not_allowed_token_type'],
    ['an unknown token', 'xapp-unknown', 'invalid_auth'],
  ];
  test.each(refused)('is refused with %s', async (_what, token, error) => {
    expect(await call('apps.connections.open', token)).toMatchObject({ ok: false, error });
  });

  test('is refused without its scope', async () => {
    const narrow = await startSlackEmulator({ ...options, appScopes: [] });
    expect(await call('apps.connections.open', appToken, narrow)).toMatchObject({
      error: 'missing_scope',
      needed: 'connections:write',
    });
    await narrow.stop();
  });

  test('is unknown if Socket Mode was never enabled', async () => {
    const { appToken: _, ...plain } = options;
    const http = await startSlackEmulator(plain);
    expect(await call('apps.connections.open', botToken, http)).toMatchObject({ error: 'unknown_method' });
    await http.stop();
  });

  test('is rate-limited', async () => {
    const isLimited = ({ error }: { readonly error?: string }): boolean => error === 'ratelimited';
    const answers: Awaited<ReturnType<typeof call>>[] = [];
    // One refills each second: on a busy machine a second round is needed.
    while (answers.length < 300 && !answers.some(isLimited))
      answers.push(...(await Promise.all(Array.from({ length: 61 }, () => call('apps.connections.open', appToken)))));
    expect(answers.some(isLimited)).toBe(true);
    expect(answers.filter((one) => !isLimited(one)).length).toBeGreaterThanOrEqual(60);
  });
});

test('an app-level token cannot call anything else', async () => {
  expect(await call('auth.test', appToken)).toMatchObject({ ok: false, error: 'not_allowed_token_type' });
});

describe('a ticket', () => {
  test('is good for one connection', async () => {
    const url = await ticket();
    await said(connect(url), 'hello');
    const second = connect(url);
    await second.closed;
    expect(second.heard).toEqual([]);
  });

  test('cannot be made up', async () => {
    const made = connect(`${(await ticket()).split('?')[0]}?ticket=made-up`);
    await made.closed;
    expect(made.heard).toEqual([]);
  });

  test('brings a hello that names the app', async () => {
    expect((await connection()).heard[0]).toMatchObject({
      type: 'hello',
      connection_info: { app_id: appId },
      num_connections: 1,
    });
  });
});

test('at most ten connections are allowed', async () => {
  for (let one = 0; one < 10; one += 1) await connection();
  const eleventh = connect(await ticket());
  expect(await said(eleventh, 'disconnect')).toMatchObject({ reason: 'too_many_websockets' });
});

describe('an invalid acknowledgement on a connection:', () => {
  const typing = () => slack.command({ user: 'U0ADA', channel, command: '/firebreak' });

  const wrong: readonly (readonly [string, (id: string) => string])[] = [
    ['text that is not JSON', () => 'hello'],
    ['no envelope', () => '{"ok":true}'],
    ['an unknown envelope', () => '{"envelope_id":"made-up"}'],
    ['an invalid payload', (id) => JSON.stringify({ envelope_id: id, payload: 'yes' })],
    ['an unknown field', (id) => JSON.stringify({ envelope_id: id, text: 'yes' })],
  ];
  test.each(wrong)('%s closes the connection', async (_what, text) => {
    const made = await connection();
    void typing();
    const { envelope_id: id } = await said(made, 'slash_commands');
    made.socket.send(text(String(id)));
    expect(await made.closed).toBe(1008);
    expect(slack.socket?.problems).toHaveLength(1);
  });

  test('a payload where none is accepted closes the connection', async () => {
    const made = await connection();
    void slack.deliver({ type: 'block_actions' });
    const { envelope_id: id, accepts_response_payload: accepts } = await said(made, 'interactive');
    expect(accepts).toBe(false);
    made.socket.send(JSON.stringify({ envelope_id: id, payload: { text: 'yes' } }));
    expect(await made.closed).toBe(1008);
  });

  test('the same acknowledgement twice closes the connection', async () => {
    const made = await connection();
    const typed = typing();
    const { envelope_id: id } = await said(made, 'slash_commands');
    made.socket.send(JSON.stringify({ envelope_id: id }));
    expect((await typed).status).toBe(200);
    made.socket.send(JSON.stringify({ envelope_id: id }));
    expect(await made.closed).toBe(1008);
  });
});

describe('an envelope', () => {
  test('not acknowledged within 3 s fails for the person, and is sent again on another connection', async () => {
    const [first, second] = [await connection(), await connection()];
    const { status, tookMs } = await slack.command({ user: 'U0ADA', channel, command: '/firebreak' });
    expect(status).toBe(0);
    expect(tookMs).toBeGreaterThanOrEqual(2_990);
    expect(slack.ephemerals('U0ADA').at(-1)?.text).toContain('dispatch_failed');
    const [sent, again] = [await said(first, 'slash_commands'), await said(second, 'slash_commands')];
    expect(again).toEqual(sent);
  });

  test('is redelivered as soon as its connection has closed, even on one opened later', async () => {
    const first = await connection();
    const typed = slack.command({ user: 'U0ADA', channel, command: '/firebreak' });
    const { envelope_id: id } = await said(first, 'slash_commands');
    first.socket.close();
    await first.closed;
    const second = await connection();
    expect((await said(second, 'slash_commands')).envelope_id).toBe(id);
    second.socket.send(JSON.stringify({ envelope_id: id, payload: {} }));
    expect((await typed).status).toBe(200);
  });

  test('fails when there is no connection', async () => {
    expect((await slack.command({ user: 'U0ADA', channel, command: '/firebreak' })).status).toBe(0);
  });
});

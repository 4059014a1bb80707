/** What a provider's token opens instead of a session: every route for every role and tenant. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { JWTPayload } from 'jose';
import { deviceSignIn, errorBody, incidentPage, session } from '../../../../core/console/console.schema.ts';
import {
  type ConsoleRole,
  type ConsoleRoute,
  type ConsoleRouteName,
  consoleRoles,
  consoleRoutes,
} from '../../../../core/console/routes.ts';
import { RequestBudget } from '../../../../service/desk/console/request-budget.ts';
import { eventually } from '../../../eventually.ts';
import { deviceTokens } from '../../../fakes/oidc/device.ts';
import { type ConsoleDesk, incidentRecords, keyOf, type Person, startConsoleDesk } from './console-desk.ts';

let desk: ConsoleDesk;
let now = 0;
const budget = new RequestBudget({ perSecond: 1, burst: 300, now: () => now });
const tokens = new Map<string, string>();
let browser: Person;
const roleOf: Readonly<Record<ConsoleRole, string>> = {
  viewer: 'viewer',
  responder: 'responder',
  approver: 'ana',
  admin: 'admin',
  auditor: 'auditor',
};

beforeAll(async () => {
  desk = await startConsoleDesk({ budget });
  for (const namespace of ['shop', 'bank']) await desk.append(incidentRecords(namespace));
  for (const name of [...Object.values(roleOf), 'shop', 'bank', 'homeless', 'nobody']) tokens.set(name, await desk.tokenOf(name));
  browser = await desk.signIn('ana');
  await eventually('both incidents are listed', async () => (await listed('viewer')).length === 2);
});
afterAll(() => desk.stop());

function ask(path: string, token: string, how: RequestInit = {}): Promise<Response> {
  // More time than the limit needs: the limit has its own test.
  now += 1_000_000;
  return fetch(`${desk.url}${path}`, { ...how, headers: { authorization: `Bearer ${token}`, ...how.headers } });
}

function tokenOf(name: string): string {
  const token = tokens.get(name);
  if (token === undefined) throw new Error(`${name} has not signed in`);
  return token;
}

async function listed(name: string): Promise<readonly (string | null)[]> {
  const response = await ask('/api/v1/incidents', tokenOf(name));
  return incidentPage
    .parse(await response.json())
    .items.map(({ namespace }) => namespace)
    .sort();
}

const routes = Object.entries(consoleRoutes) as [ConsoleRouteName, ConsoleRoute][];

async function statusOf(route: ConsoleRoute, token: string, namespace = 'shop'): Promise<number> {
  const path = route.path.replace('{key}', keyOf(namespace)).replace('{question}', `b_${'q'.repeat(24)}`);
  const stop = new AbortController();
  const body = JSON.stringify({ choice: 'remove', digest: '0'.repeat(64) });
  const headers = { 'content-type': 'application/json' };
  const how = route.method === 'POST' ? { method: 'POST', body, headers } : {};
  const query = path.endsWith('/explain') ? `?namespace=${namespace}&rule=Terminal%20shell%20in%20container` : '';
  const { status } = await ask(`${path}${query}`, token, { ...how, signal: stop.signal });
  // A stream of events never ends by itself.
  stop.abort();
  return status;
}

describe.each(routes.filter(([, { roles }]) => roles !== 'anybody'))('with a token, the route %s', (name, route) => {
  test.each(consoleRoles)('answers a %s as with a session, if it only reads', async (role) => {
    const may = route.roles.includes(role) && route.method === 'GET';
    // There is no Slack here, so there is no question.
    expect(await statusOf(route, tokenOf(roleOf[role]))).toBe(may ? (name === 'question' ? 404 : 200) : 403);
  });

  test('shows a tenant what is theirs, and does not reveal that anything else exists', async () => {
    if (!route.path.includes('{key}')) return;
    const roles = route.roles as readonly string[];
    const none = roles.includes('viewer') ? 404 : 403;
    expect(await statusOf(route, tokenOf('bank'), 'bank')).toBe(200);
    expect(await statusOf(route, tokenOf('bank'), 'shop')).toBe(404);
    expect(await statusOf(route, tokenOf('shop'), 'bank')).toBe(none);
    expect(await statusOf(route, tokenOf('homeless'), 'shop')).toBe(none);
  });

  test('refuses anyone without a group that has a role', async () => {
    expect(await statusOf(route, tokenOf('nobody'))).toBe(403);
  });
});

test('a tenant lists their own incidents, whatever the token is', async () => {
  expect(await listed('shop')).toEqual(['shop']);
  expect(await listed('bank')).toEqual(['bank']);
  expect(await listed('homeless')).toEqual([]);
  expect(await listed('viewer')).toEqual(['bank', 'shop']);
});

test('the holder of a token is whoever the roster says, and cannot change anything', async () => {
  const answered = session.parse(await (await ask('/api/v1/session', tokenOf('ana'))).json());
  expect(answered).toMatchObject({ person: { id: 'ana', name: 'Ana' }, roles: ['approver'], csrf: null });
  expect(Date.parse(answered.endsAt)).toBeLessThanOrEqual(Date.now() + 20 * 60_000);
});

test('an answer with a token is refused and recorded, and says what to do instead, even with an anti-forgery token', async () => {
  const route = `/api/v1/questions/b_${'q'.repeat(24)}/answer`;
  const headers = { 'content-type': 'application/json', 'x-firebreak-csrf': browser.session.csrf ?? '', origin: desk.url };
  const response = await ask(route, tokenOf('ana'), { method: 'POST', headers, body: '{}' });
  expect(response.status).toBe(403);
  expect(errorBody.parse(await response.json()).error.message).toContain('a sign-in from the command line is read-only');
  expect((await desk.onRecord()).filter(({ kind }) => kind === 'console.refused').at(-1)).toMatchObject({
    actor: 'person/ana',
    body: { route: 'answer' },
  });
});

test('a person’s first request is recorded as a sign-in, the second is not', async () => {
  const begun = async () =>
    (await desk.onRecord())
      .filter(({ kind, body }) => kind === 'console.signed-in' && body.by === 'token')
      .map(({ actor }) => actor);
  for (let n = 0; n < 3; n += 1) await ask('/api/v1/session', tokenOf('auditor'));
  expect((await begun()).filter((actor) => actor === 'oidc/sub-auditor')).toHaveLength(1);
  expect(await begun()).not.toContain('oidc/sub-nobody');
});

describe('a token and a session', () => {
  const both = (how: RequestInit = {}): Promise<Response> =>
    ask('/api/v1/session', tokenOf('viewer'), { ...how, headers: { cookie: browser.cookie, ...how.headers } });

  test('are never both considered: the session’s person counts', async () => {
    expect(session.parse(await (await both()).json()).person.id).toBe('ana');
  });

  test('do not add up: a token does not make up for an invalid session', async () => {
    expect((await both({ headers: { cookie: 'firebreak=nothing' } })).status).toBe(401);
  });

  test('do not replace the session’s anti-forgery token, which every change needs', async () => {
    const signOut = (headers: Readonly<Record<string, string>>) =>
      ask('/api/v1/session/sign-out', tokenOf('ana'), {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json', origin: desk.url, ...headers },
      });
    expect((await signOut({ cookie: browser.cookie })).status).toBe(403);
    expect((await browser.get('/api/v1/session')).status).toBe(200);
  });

  test('are not confused by cookies that a proxy adds', async () => {
    expect((await both({ headers: { cookie: 'route=a1; other-firebreak=x' } })).status).toBe(200);
  });
});

describe('a token does not count', () => {
  const seconds = Math.floor(Date.now() / 1_000);
  const claims = (own: JWTPayload): Promise<string> =>
    desk.provider.token({
      iss: desk.provider.issuer,
      aud: 'firebreak-cli',
      sub: 'sub-viewer',
      groups: ['viewers'],
      iat: seconds,
      exp: seconds + 600,
      ...own,
    });
  const statusWith = async (token: string): Promise<number> => (await ask('/api/v1/session', token)).status;

  test('unless the provider issued it', async () => {
    expect(await statusWith(await claims({}))).toBe(200);
  });

  test.each<[string, JWTPayload]>([
    ['that has expired', { iat: seconds - 7_200, exp: seconds - 3_600 }],
    ['of somebody who signed in too long ago, however new it is', { auth_time: seconds - 11 * 3_600 }],
    ['that was issued too long ago', { iat: seconds - 11 * 3_600 }],
    ['for the client whose tokens prove answers', { aud: 'firebreak' }],
    ['for several clients, without saying whose it is', { aud: ['firebreak-cli', 'other'] }],
    ['that was issued to another client', { azp: 'other' }],
    ['of another issuer', { iss: 'https://login.example' }],
    ['of nobody', { sub: '' }],
  ])('%s', async (_, own) => {
    expect(await statusWith(await claims(own))).toBe(401);
  });

  test('that was changed, is unsigned, or is not a token at all', async () => {
    const [header = '', payload = '', signature = ''] = (await claims({})).split('.');
    const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const more = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), groups: ['admins', 'everything'] };
    for (const token of [
      `${header}.${encoded(more)}.${signature}`,
      `${encoded({ alg: 'none' })}.${encoded(more)}.`,
      'x',
      `${header}.${payload}`,
    ])
      expect(await statusWith(token)).toBe(401);
  });

  test('that is the access token of the same sign-in, which does not identify a person', async () => {
    const { access_token: other } = await deviceTokens(desk.provider, 'firebreak-cli', 'sub-viewer');
    const response = await ask('/api/v1/session', other);
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
  });

  test('in another scheme, or in the URL', async () => {
    const token = tokenOf('viewer');
    now += 1_000_000;
    const basic = await fetch(`${desk.url}/api/v1/session`, { headers: { authorization: `Basic ${token}` } });
    const inAddress = await fetch(`${desk.url}/api/v1/session?access_token=${token}`);
    expect([basic.status, inAddress.status]).toEqual([401, 401]);
  });
});

test('made-up tokens do not slow down holders of good ones, and are eventually rate-limited', async () => {
  now += 1_000_000;
  const statuses: number[] = [];
  for (let n = 0; n < 310; n += 1) {
    const { status } = await fetch(`${desk.url}/api/v1/session`, { headers: { authorization: 'Bearer guess' } });
    statuses.push(status);
  }
  expect([statuses[0], statuses.at(-1)]).toEqual([401, 429]);
  const good = await fetch(`${desk.url}/api/v1/session`, { headers: { authorization: `Bearer ${tokenOf('viewer')}` } });
  expect(good.status).toBe(200);
});

test('all tokens of one person share one rate limit', async () => {
  now += 1_000_000;
  const [one, other] = [tokenOf('responder'), await desk.tokenOf('responder')];
  const statuses: number[] = [];
  for (let n = 0; n < 310; n += 1) {
    const token = n % 2 === 0 ? one : other;
    statuses.push((await fetch(`${desk.url}/api/v1/session`, { headers: { authorization: `Bearer ${token}` } })).status);
  }
  expect(statuses.filter((status) => status === 200)).toHaveLength(300);
  expect(statuses.at(-1)).toBe(429);
});

test('anybody is told where to sign in, and nothing else', async () => {
  now += 1_000_000;
  const response = await fetch(`${desk.url}/api/v1/device-sign-in`);
  expect(deviceSignIn.parse(await response.json())).toEqual({
    issuer: desk.provider.issuer,
    clientId: 'firebreak-cli',
    scopes: [],
  });
});

test('if no sign-in for the command line is configured, a token opens nothing, and the answer says why', async () => {
  const without = await startConsoleDesk({ commandLine: false });
  try {
    const { status } = await fetch(`${without.url}/api/v1/device-sign-in`);
    const asked = await fetch(`${without.url}/api/v1/session`, { headers: { authorization: 'Bearer x' } });
    expect([status, asked.status]).toEqual([404, 404]);
    expect(errorBody.parse(await asked.json()).error.message).toContain('console.commandLine is not configured');
  } finally {
    await without.stop();
  }
});

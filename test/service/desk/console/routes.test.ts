import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { coverageBody, incidentPage, overview, shownIncident } from '../../../../core/console/console.schema.ts';
import {
  type ConsoleRole,
  type ConsoleRoute,
  type ConsoleRouteName,
  consoleRoles,
  consoleRoutes,
} from '../../../../core/console/routes.ts';
import { ruleSets } from '../../../../core/rules/known-rules.ts';
import { playbooks } from '../../../../playbooks/index.ts';
import { coverageOf } from '../../../../service/coverage/coverage.ts';
import { RequestBudget } from '../../../../service/desk/console/request-budget.ts';
import { eventually } from '../../../eventually.ts';
import { type ConsoleDesk, incidentRecords, keyOf, type Person, startConsoleDesk } from './console-desk.ts';

let desk: ConsoleDesk;
const people = new Map<string, Person>();
const roleOf: Readonly<Record<ConsoleRole, string>> = {
  viewer: 'viewer',
  responder: 'responder',
  approver: 'ana',
  admin: 'admin',
  auditor: 'auditor',
};
const who = (name: string): Person => {
  const person = people.get(name);
  if (!person) throw new Error(`${name} has not signed in`);
  return person;
};

beforeAll(async () => {
  desk = await startConsoleDesk();
  for (const namespace of ['shop', 'bank']) await desk.append(incidentRecords(namespace));
  await desk.append(
    [{ ...incidentRecords('x')[0], chain: 'incident/c/node/n1@run-1' }].flatMap((one) => (one.kind ? [one as never] : [])),
  );
  for (const name of [...Object.values(roleOf), 'shop', 'bank', 'homeless']) people.set(name, await desk.signIn(name));
  await eventually('all three incidents are listed', async () => {
    const page = await who('viewer').read(incidentPage, '/api/v1/incidents');
    return page.items.length === 3;
  });
});
afterAll(() => desk.stop());

const routes = Object.entries(consoleRoutes) as [ConsoleRouteName, ConsoleRoute][];

/** The address, with its placeholders filled in from the shop. */
function addressIn(path: string, namespace = 'shop'): string {
  const query = path.endsWith('/explain') ? `?namespace=${namespace}&rule=Terminal%20shell%20in%20container` : '';
  return `${path}${query}`.replace('{key}', keyOf(namespace)).replace('{question}', `b_${'q'.repeat(24)}`);
}

async function statusOf(route: ConsoleRoute, person: Person | undefined, namespace?: string): Promise<number> {
  const path = addressIn(route.path, namespace);
  const stop = new AbortController();
  const response = person
    ? route.method === 'GET'
      ? await fetch(`${desk.url}${path}`, { headers: { cookie: person.cookie }, signal: stop.signal })
      : await person.post(path, { choice: 'remove', digest: '0'.repeat(64) })
    : await fetch(`${desk.url}${path}`, { method: route.method, signal: stop.signal });
  // A stream of events never ends by itself.
  stop.abort();
  return response.status;
}

describe.each(routes.filter(([name, { roles }]) => roles !== 'anybody' && name !== 'signOut'))('the route %s', (name, route) => {
  test('refuses whoever is not signed in', async () => {
    expect(await statusOf(route, undefined)).toBe(401);
  });

  test.each(consoleRoles)('answers a %s if and only if the table says so', async (role) => {
    const status = await statusOf(route, who(roleOf[role]));
    const may = route.roles === 'anybody' || route.roles.includes(role);
    // There is no Slack here, so there is no question.
    const there = name === 'question' || name === 'answer' ? 404 : 200;
    expect(status).toBe(may ? there : 403);
  });

  test('shows a tenant what is theirs, and does not reveal that anything else exists', async () => {
    if (!route.path.includes('{key}')) return;
    const roles = route.roles as readonly string[];
    expect(await statusOf(route, who('bank'), 'bank')).toBe(200);
    expect(await statusOf(route, who('bank'), 'shop')).toBe(404);
    expect(await statusOf(route, who('shop'), 'bank')).toBe(roles.includes('viewer') ? 404 : 403);
    expect(await statusOf(route, who('homeless'), 'shop')).toBe(roles.includes('viewer') ? 404 : 403);
  });
});

describe('what a tenant sees', () => {
  const namespacesIn = async (person: Person, query = ''): Promise<readonly (string | null)[]> => {
    const page = await person.read(incidentPage, `/api/v1/incidents${query}`);
    return page.items.map(({ namespace }) => namespace).sort();
  };

  test('is the namespaces of their groups, whatever they ask for', async () => {
    expect(await namespacesIn(who('shop'))).toEqual(['shop']);
    expect(await namespacesIn(who('shop'), '?namespace=bank')).toEqual([]);
    expect(await namespacesIn(who('shop'), '?namespace=bank&namespace=shop')).toEqual(['shop']);
    expect(await namespacesIn(who('bank'), '?text=cart')).toEqual(['bank']);
    expect(await namespacesIn(who('homeless'))).toEqual([]);
    expect(await namespacesIn(who('viewer'))).toEqual(['bank', 'shop', null].sort());
  });

  test('is also what the overview counts', async () => {
    const { containments, clusters, reckoned, intakes } = await who('shop').read(overview, '/api/v1/overview');
    expect(intakes).toBeNull();
    expect(containments.map(({ namespace }) => namespace)).toEqual(['shop']);
    // Open since long before the days shown.
    expect(clusters).toMatchObject([{ name: 'c', open: 1, critical: 1, contained: 1 }]);
    expect(reckoned).toEqual({ incidents: 0, of: 0 });
  });

  test('is checked against what the desk sealed: a namespace forged in a row opens nothing', async () => {
    await desk.database.all("UPDATE incident_summaries SET namespace = 'shop' WHERE namespace = 'bank'");
    expect(await namespacesIn(who('shop'))).toEqual(['shop']);
    await desk.database.all("UPDATE incident_summaries SET namespace = 'bank' WHERE incident_key = $1", [keyOf('bank')]);
  });

  test('leaves out rows that somebody else wrote', async () => {
    await desk.database.all(
      `UPDATE incident_summaries SET summary_json = replace(summary_json, 'critical', 'low') WHERE incident_key = $1`,
      [keyOf('shop')],
    );
    // People who see the same share a cached page for a moment.
    await eventually('it is gone', async () => !(await namespacesIn(who('viewer'))).includes('shop'));
    await desk.append(
      incidentRecords('shop')
        .slice(1, 2)
        .map((record) => ({ ...record, number: 5 })),
    );
    await eventually('it is made anew from its records', async () => (await namespacesIn(who('viewer'))).includes('shop'));
  });
});

describe('a session', () => {
  test('names the person and their roles, and nothing secret', async () => {
    const { session } = who('ana');
    expect(session).toMatchObject({ person: { id: 'ana', name: 'Ana' }, roles: ['approver'], namespaces: null, cluster: 'c' });
    expect(who('shop').session).toMatchObject({ person: { id: null, name: 'Name of shop' }, namespaces: ['shop'] });
  });

  test('is not started for anyone without a group that has a role', async () => {
    await expect(desk.signIn('nobody')).rejects.toThrow('403');
  });

  test('ends on the server at sign-out: the old cookie is worthless', async () => {
    const leaving = await desk.signIn('viewer');
    expect((await leaving.post('/api/v1/session/sign-out', {})).status).toBe(200);
    expect((await leaving.get('/api/v1/session')).status).toBe(401);
    expect((await desk.onRecord()).map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['console.signed-in', 'console.signed-out']),
    );
  });

  test('ends after half an hour without a request', async () => {
    const idle = await desk.signIn('viewer');
    await desk.database.all('UPDATE console_sessions SET seen_at = $1', [new Date(Date.now() - 31 * 60_000).toISOString()]);
    expect((await idle.get('/api/v1/session')).status).toBe(401);
    await desk.database.all('UPDATE console_sessions SET seen_at = $1', [new Date().toISOString()]);
  });

  test('of a wall display opens what a viewer sees, whoever has signed in', async () => {
    const wall = await desk.signIn('admin', 'wall');
    expect(wall.session).toMatchObject({ wall: true, roles: ['viewer'], person: { name: 'Name of admin' } });
    expect(who('admin').session).toMatchObject({ wall: false, roles: ['admin'] });
    const opens = async (person: Person) => {
      const statuses: string[] = [];
      for (const [name, route] of routes.filter(([name]) => name !== 'signOut'))
        statuses.push(`${name} ${await statusOf(route, person)}`);
      return statuses;
    };
    expect(await opens(wall)).toEqual(await opens(who('viewer')));
    // A tenant's wall shows only that tenant.
    const ofTenant = await desk.signIn('bank', 'wall');
    expect(ofTenant.session).toMatchObject({ roles: ['viewer'], namespaces: ['bank'] });
    const begun = (await desk.onRecord()).filter(({ kind }) => kind === 'console.signed-in');
    expect(begun.at(-1)?.body).toMatchObject({ by: 'wall', roles: ['viewer'] });
  });

  test('of a wall display also ends when its page has been closed for half an hour', async () => {
    const wall = await desk.signIn('viewer', 'wall');
    await desk.database.all('UPDATE console_sessions SET seen_at = $1', [new Date(Date.now() - 31 * 60_000).toISOString()]);
    expect((await wall.get('/api/v1/session')).status).toBe(401);
    await desk.database.all('UPDATE console_sessions SET seen_at = $1', [new Date().toISOString()]);
  });

  test('that was tampered with is not accepted', async () => {
    const { cookie } = who('shop');
    const changed = `${cookie.slice(0, -8)}${cookie.slice(-8).split('').reverse().join('')}`;
    expect((await fetch(`${desk.url}/api/v1/session`, { headers: { cookie: changed } })).status).toBe(401);
  });
});

describe('another site', () => {
  test.each([
    ['has another origin', { origin: 'https://evil.example' }],
    ['says so itself', { 'sec-fetch-site': 'cross-site' }],
    ['does not know the token', { 'x-firebreak-csrf': 'guess' }],
    ['sends a form', { 'content-type': 'application/x-www-form-urlencoded' }],
  ])('changes nothing: it %s', async (_, headers) => {
    const response = await who('ana').post('/api/v1/session/sign-out', {}, headers);
    expect(response.status).toBe(403);
    expect((await who('ana').get('/api/v1/session')).status).toBe(200);
  });

  test('cannot use the sign-in to redirect anybody elsewhere', async () => {
    for (const to of ['https://evil.example/', '//evil.example/', '/console/../x', '/console//evil.example', '/elsewhere']) {
      const response = await fetch(`${desk.url}/console/sign-in?to=${encodeURIComponent(to)}`, { redirect: 'manual' });
      expect(new URL(response.headers.get('location') ?? '').origin).toBe(desk.provider.issuer);
    }
  });

  test('can neither frame nor script a response', async () => {
    const { headers } = await who('viewer').get('/api/v1/session');
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    const page = await fetch(`${desk.url}/console/incidents`);
    expect(page.headers.get('content-security-policy')).not.toContain('unsafe');
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
  });
});

describe('one incident', () => {
  test('is shown from its records, with their proof, while Temporal is down', async () => {
    const shown = await who('responder').read(shownIncident, `/api/v1/incidents/${keyOf('bank')}`);
    expect(shown).toMatchObject({
      live: false,
      incident: { severity: 'critical', state: 'open', reached: 'contained', contained: 1, alerts: 2, pods: ['bank/cart-1'] },
      steps: [{ key: 's1', state: 'verified', target: 'pod/bank/cart-1', proof: [{ state: 'verified' }] }],
      proof: { whole: true, findings: [], stored: 4, leftOut: 0 },
    });
    expect(shown.timeline.map(({ kind }) => kind)).toEqual([
      'incident.opened',
      'playbook.started',
      'step.applied',
      'step.checked',
    ]);
  });

  test('says what is wrong with its records, and shows none that its cell did not sign', async () => {
    await desk.append(incidentRecords('bank', 'forged'));
    const key = keyOf('bank', 'forged');
    await desk.database.all(
      `UPDATE audit_records SET body = replace(body, 'a probe was refused', 'all is well') WHERE chain LIKE '%/forged@%'`,
    );
    await eventually('it is listed', async () => (await who('auditor').get(`/api/v1/incidents/${key}`)).ok);
    const { proof, timeline } = await who('auditor').read(shownIncident, `/api/v1/incidents/${key}`);
    expect(proof).toMatchObject({ whole: false, leftOut: 1 });
    expect(proof.findings.length).toBeGreaterThan(0);
    expect(timeline.map(({ kind }) => kind)).not.toContain('step.checked');
  });

  test('is exported only if that is recorded', async () => {
    const response = await who('auditor').get(`/api/v1/incidents/${keyOf('shop')}/export`);
    expect(response.headers.get('content-disposition')).toContain('attachment');
    const exported = (await desk.onRecord()).filter(({ kind }) => kind === 'console.exported');
    expect(exported.at(-1)).toMatchObject({ actor: 'oidc/sub-auditor', body: { incident: expect.stringContaining('shop') } });
  });
});

test('the list continues page by page to its end, each item once, and a made-up cursor does no harm', async () => {
  for (let n = 0; n < 5; n += 1)
    await desk.append(incidentRecords('shop', `app-${n}`, 'run-1', `2026-03-0${n + 2}T10:00:00.000Z`));
  await eventually('they are listed', async () => {
    const page = await who('shop').read(incidentPage, '/api/v1/incidents');
    return page.items.length === 6;
  });
  const seen: string[] = [];
  for (let next: string | null = ''; next !== null; ) {
    const page: z.output<typeof incidentPage> = await who('shop').read(
      incidentPage,
      `/api/v1/incidents?limit=2${next === '' ? '' : `&cursor=${next}`}`,
    );
    seen.push(...page.items.map(({ title }) => title));
    next = page.next;
  }
  expect(seen).toEqual([4, 3, 2, 1, 0].map((n) => `deployment/shop/app-${n}`).concat('deployment/shop/cart'));
  expect((await who('shop').get(`/api/v1/incidents?cursor=${Buffer.from("x' OR 1=1").toString('base64url')}`)).status).toBe(403);
  expect((await who('shop').get('/api/v1/incidents?severity=worst')).status).toBe(422);
  expect((await who('shop').get('/api/v1/incidents?text=%25')).status).toBe(200);
});

test('whoever asks too often is told to wait, and others are not', () => {
  let now = 0;
  const budget = new RequestBudget({ perSecond: 20, burst: 100, now: () => now });
  for (let n = 0; n < 100; n += 1) budget.spend('eager');
  expect(() => budget.spend('eager')).toThrow('FB_ERR_TOO_MANY');
  budget.spend('another');
  now = 1_000;
  budget.spend('eager', 20);
  expect(() => budget.spend('eager')).toThrow('FB_ERR_TOO_MANY');
});

test('the API description names every route', async () => {
  const answered: unknown = await (await fetch(`${desk.url}/api/v1/openapi.json`)).json();
  const { paths } = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) }).parse(answered);
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(described.sort()).toEqual(routes.map(([, { method, path }]) => `${method} ${path}`).sort());
});

test('the coverage is that of the enabled playbooks, as the command shows it, with the rules of one of them on demand', async () => {
  const all = coverageOf(playbooks, ruleSets);
  const { sets, playbooks: counts, rules, unanswered } = await who('shop').read(coverageBody, '/api/v1/coverage');
  expect(sets.map(({ title, answered, none }) => [title, answered, none])).toEqual(
    all.map(({ set, rules: of }) => [
      set.title,
      of.filter(({ covered }) => covered === 'yes').length,
      of.filter(({ covered }) => covered === 'no').length,
    ]),
  );
  expect([rules, unanswered.length]).toEqual([
    [],
    all.flatMap((set) => set.rules).filter(({ covered }) => covered === 'no').length,
  ]);
  const id = 'firebreak/contain-dropped-binary';
  const own = await who('viewer').read(coverageBody, `/api/v1/coverage?${new URLSearchParams({ playbook: id })}`);
  expect(own.rules.map(({ rule }) => rule)).toEqual([
    'Drop and execute new binary in container',
    'Fileless execution via memfd_create',
  ]);
  expect(counts.find((one) => one.id === id)?.rules).toBe(2);
});

test('the overview covers each day of a month, and shows a tenant only their own incidents', async () => {
  const now = new Date().toISOString();
  for (const namespace of ['shop', 'bank']) await desk.append(incidentRecords(namespace, 'today', 'run-1', now));
  const today = now.slice(0, 10);
  const incidentsOf = async (name: string): Promise<number | undefined> => {
    const { history } = await who(name).read(overview, '/api/v1/overview');
    expect(history).toHaveLength(30);
    return history.find(({ day }) => day === today)?.incidents;
  };
  await eventually('both on the overview of all', async () => (await incidentsOf('viewer')) === 2);
  await eventually('one on the overview of the shop', async () => (await incidentsOf('shop')) === 1);
});

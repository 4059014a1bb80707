import { afterEach, expect, test } from '@jest/globals';
import { namingActors } from '../../../core/alert/actors.ts';
import { resolverFromNames } from '../../../core/alert/subject.ts';
import { alertOfOrder, type StartIncident } from '../../../core/orders/incident-order.ts';
import type { Roster } from '../../../core/people/roster.ts';
import { FakeIncidentGateway } from '../../fakes/incident-gateway.ts';
import { type Door, falcoEvent, openDoor, removeDirectory, until } from './parts/intake-fixture.ts';

const roster: Roster = {
  people: [
    { id: 'ana', name: 'Ana', slackIds: [], keys: [], accounts: ['ana@example.com', 'ana'] },
    { id: 'ben', name: 'Ben', slackIds: [], keys: [], accounts: ['oidc:ben'] },
    { id: 'eve', name: 'Eve', slackIds: [], keys: [] },
  ],
  groups: {},
};

const doors: Door[] = [];
afterEach(async () => {
  for (const { intake, directory } of doors.splice(0)) {
    await intake.stop();
    removeDirectory(directory);
  }
});

async function open(): Promise<{ readonly door: Door; readonly gateway: FakeIncidentGateway }> {
  const gateway = new FakeIncidentGateway();
  const door = await openDoor(gateway, { resolver: namingActors(resolverFromNames, roster) });
  doors.push(door);
  return { door, gateway };
}

/** Everything that the incidents were told. */
const told = (gateway: FakeIncidentGateway) => [...gateway.runs.keys()].flatMap((id) => gateway.batches(id));

function exec(over: Record<string, unknown>): string {
  return JSON.stringify({
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: crypto.randomUUID(),
    stage: 'ResponseComplete',
    requestURI: '/api/v1/namespaces/shop/pods/web-1/exec?command=sh',
    verb: 'create',
    user: { username: 'somebody' },
    objectRef: { resource: 'pods', namespace: 'shop', name: 'web-1', apiVersion: 'v1', subresource: 'exec' },
    responseStatus: { code: 101 },
    requestReceivedTimestamp: new Date().toISOString(),
    stageTimestamp: new Date().toISOString(),
    ...over,
  });
}

test.each([
  ['whom the API server authenticated', { user: { username: 'ana@example.com' } }, ['ana']],
  ['whoever hides behind another’s name', { user: { username: 'oidc:ben' }, impersonatedUser: { username: 'ci' } }, ['ben']],
  [
    'both an impersonator and the one impersonated',
    { user: { username: 'oidc:ben' }, impersonatedUser: { username: 'ana' } },
    ['ana', 'ben'],
  ],
  ['nobody for a name that only resembles one', { user: { username: 'Ana@example.com' } }, undefined],
  ['nobody for a stranger', { user: { username: 'mallory' } }, undefined],
])('an API audit event names %s', async (_what, over, people) => {
  const { door, gateway } = await open();
  expect((await door.post(exec(over), { path: '/v1/alerts/kubernetes-audit' })).status).toBe(200);
  await until(() => told(gateway).length > 0);
  expect(told(gateway)[0]?.actors).toEqual(people);
});

test('an alert of a storm that is only counted still says who did it', async () => {
  const { door, gateway } = await open();
  const storm = Array.from({ length: 60 }, (_, n) => falcoEvent({}, n === 57 ? { 'user.name': 'ana' } : { 'user.name': 'root' }));
  await door.post(JSON.stringify(storm));
  await until(() => told(gateway).some(({ actors }) => actors?.includes('ana') === true));
  const whole = told(gateway).flatMap(({ alerts }) => alerts);
  expect(whole.length).toBeLessThan(60);
  expect(whole.some(({ actors }) => actors !== undefined)).toBe(false);
});

test('whoever orders an incident by hand is its requester, not an actor', async () => {
  const { door, gateway } = await open();
  const order = (person: string, id: string): StartIncident => ({
    version: 1,
    kind: 'incident.start',
    person,
    at: new Date().toISOString(),
    terms: {
      version: 1,
      id,
      cluster: 'lab',
      wish: 'quarantine',
      pod: { namespace: 'shop', name: 'web-1' },
      severity: 'critical',
      reason: 'it mines',
    },
  });
  for (const [person, id] of [
    ['ana', '0'.repeat(16)],
    ['eve', '1'.repeat(16)],
    ['ana', '2'.repeat(16)],
  ] as const)
    expect(await door.intake.raise(alertOfOrder(order(person, id), person))).toMatchObject({ incident: expect.any(String) });
  await until(
    () =>
      told(gateway)
        .flatMap(({ counts }) => counts)
        .reduce((sum, { count }) => sum + count, 0) === 3,
  );
  expect(new Set(told(gateway).flatMap(({ requesters = [] }) => requesters))).toEqual(new Set(['ana', 'eve']));
  expect(told(gateway).flatMap(({ actors = [] }) => actors)).toEqual([]);
});

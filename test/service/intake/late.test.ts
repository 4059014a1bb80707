import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { resolverFromNames } from '../../../core/alert/subject.ts';
import type { SubjectResolver } from '../../../core/alert/subject-resolver.ts';
import { FakeIncidentGateway } from '../../fakes/incident-gateway.ts';
import { type Door, falcoEvent, freshDirectory, openDoor, removeDirectory, until } from './parts/intake-fixture.ts';

const incident = 'incident/lab/shop/Deployment/web';
let directory = '';
let door: Door | undefined;

beforeEach(() => {
  directory = freshDirectory();
});

afterEach(async () => {
  jest.restoreAllMocks();
  await door?.intake.stop(200);
  removeDirectory(directory);
});

/** A cluster in which the pod of that name is now this one. */
const clusterWith = (uid: string, workload = 'web'): SubjectResolver => ({
  resolve: (alert) => {
    const owner = { kind: 'Deployment', namespace: 'shop', name: workload };
    return resolverFromNames.resolve({ ...alert, ...(alert.pod && { pod: { ...alert.pod, uid } }), workload: owner });
  },
});

/** Accepted while Temporal is away, and drained that many minutes later by the next process on the same spool. */
async function drainedAfter(
  minutes: number,
  { before, now }: { readonly before: SubjectResolver; readonly now: SubjectResolver },
) {
  const gateway = new FakeIncidentGateway();
  gateway.failing = 'down';
  door = await openDoor(gateway, { directory, resolver: before });
  expect((await door.post(JSON.stringify(falcoEvent()))).json.accepted).toBe(1);
  await door.intake.stop(200);
  const real = Date.now;
  jest.spyOn(Date, 'now').mockImplementation(() => real() + minutes * 60_000);
  gateway.failing = 'no';
  door = await openDoor(gateway, { directory, resolver: now });
  await until(() => gateway.counted(incident) === 1);
  return gateway.batches(incident).flatMap((batch) => batch.alerts);
}

test('an alert that waited in the spool for more than 15 minutes is resolved again and in doubt: nothing happens without people', async () => {
  const [alert] = await drainedAfter(17, { before: clusterWith('uid-of-then'), now: clusterWith('uid-of-now') });
  expect(alert).toMatchObject({
    doubt: 'the alert waited for 17 minutes before it could be handled',
    pod: { name: 'web-6d4cf56db6-xbcdf', uid: 'uid-of-now' },
  });
});

test('one that waited for less is unchanged', async () => {
  const [alert] = await drainedAfter(14, { before: clusterWith('uid-of-then'), now: clusterWith('uid-of-now') });
  expect(alert).toMatchObject({ pod: { uid: 'uid-of-then' } });
  expect(alert).not.toHaveProperty('doubt');
});

test('one that would be about another workload today stays in its incident, unchanged, and says so', async () => {
  const [alert] = await drainedAfter(20, { before: clusterWith('uid-of-then'), now: clusterWith('uid-of-now', 'another') });
  expect(alert).toMatchObject({
    pod: { uid: 'uid-of-then' },
    workload: { name: 'web' },
    doubt: `the alert waited for 20 minutes before it could be handled, and it would now be about ${incident.replace('/web', '/another')}`,
  });
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Alert } from '../../../../core/alert/alert.ts';
import { sealedAt, storedAlerts } from '../../../../core/audit/alert-archive.ts';
import type { AuditRecord } from '../../../../core/audit/audit.ts';
import { type ShownIncident, shownIncident } from '../../../../core/console/console.schema.ts';
import { createBox } from '../../../../integrations/crypto-box/box.ts';
import { createAlertArchive } from '../../../../integrations/database/alert-archive.ts';
import { eventually } from '../../../eventually.ts';
import { alertOf } from '../../../testing/alert-of.ts';
import { type ConsoleDesk, codecKeys, incidentRecords, keyOf, startConsoleDesk } from './console-desk.ts';

/** What is stored next to the records of an incident, and what a page shows of it: with a real desk, its database and its keys. */
let desk: ConsoleDesk;
const box = createBox({ keys: codecKeys });

const pod = { namespace: 'shop', name: 'cart-1', uid: 'u1' };
const dump = alertOf({
  id: 'a-dump',
  pod,
  process: { parent: 'bash', name: 'psql', exe: '/usr/bin/psql', commandLine: 'psql --password=hunter2', user: 'root', pid: 812 },
});
const shell = alertOf({ id: 'a-shell', pod, process: { parent: 'runc', name: 'bash', commandLine: 'bash -i' } });
const later = alertOf({ id: 'a-later', pod, process: { name: 'curl' } });

/** A record about alerts, as the cell makes it, and what is stored of them. */
function telling(record: AuditRecord, alerts: readonly Alert[]) {
  const { text, digest } = storedAlerts(alerts, `salt of ${record.number}`);
  return { record: { ...record, body: { ...record.body, kept: digest } }, text };
}

const [first, ...others] = incidentRecords('shop');
if (!first) throw new Error('no record');
const number = others.length + 2;
const told = [
  telling(first, [shell, dump]),
  telling({ ...first, kind: 'alert.joined', number }, [later]),
  telling({ ...first, kind: 'alert.joined', number: number + 1 }, [later]),
] as const;

const keep = (record: AuditRecord, sealed: Uint8Array): Promise<void> =>
  createAlertArchive(desk.database).keep([{ ...record, sealed }]);
const seal = (text: string, record: AuditRecord): Uint8Array => box.seal(Buffer.from(text), sealedAt(record));

async function samplesFor(name: string): Promise<ShownIncident['samples']> {
  const person = await desk.signIn(name);
  return (await person.read(shownIncident, `/api/v1/incidents/${keyOf('shop')}`)).samples;
}

beforeAll(async () => {
  desk = await startConsoleDesk();
  const [opened, foreign, odd] = told;
  await desk.append([opened.record, ...others, foreign.record, odd.record]);
  await keep(opened.record, seal(opened.text, opened.record));
  // By somebody who has the key, but not the cell's signature: alerts that no record vouches for.
  const forged = storedAlerts([alertOf({ id: 'a-forged', pod })], 'salt').text;
  await keep(foreign.record, seal(forged, foreign.record));
  // By somebody who has only the database.
  await keep(odd.record, Buffer.from('nothing that opens'));
  const viewer = await desk.signIn('viewer');
  await eventually('it is listed', async () => (await viewer.get(`/api/v1/incidents/${keyOf('shop')}`)).ok);
});
afterAll(() => desk.stop());

test('a page shows the processes of the alerts that a record vouches for, each below its parent, and no others', async () => {
  const samples = await samplesFor('responder');
  const unknown = { name: null, exe: null, commandLine: null, user: null, pid: null };
  expect(samples.map(({ id, processes }) => [id, processes])).toEqual([
    [
      'a-shell',
      [
        { ...unknown, name: 'runc' },
        { ...unknown, name: 'bash', commandLine: 'bash -i' },
      ],
    ],
    [
      'a-dump',
      [
        { ...unknown, name: 'bash' },
        { name: 'psql', exe: '/usr/bin/psql', commandLine: 'psql --password=hunter2', user: 'root', pid: 812 },
      ],
    ],
  ]);
  expect(samples[1]).toMatchObject({ rule: dump.rule, sensor: dump.sensor, pod: 'shop/cart-1', at: dump.time });
});

test.each(['responder', 'ana', 'admin', 'auditor'])('%s may read them', async (name) => {
  expect(await samplesFor(name)).toHaveLength(2);
});

test('a viewer gets none: command lines may contain secrets of the workload', async () => {
  expect(await samplesFor('viewer')).toEqual([]);
  expect(await samplesFor('shop')).toEqual([]);
});

test('they are gone once their retention is over, but the incident is shown as before', async () => {
  await createAlertArchive(desk.database).expire('2030-01-01T00:00:00.000Z');
  const person = await desk.signIn('responder');
  const { samples, timeline, proof } = await person.read(shownIncident, `/api/v1/incidents/${keyOf('shop')}`);
  expect([samples, timeline.length, proof.whole]).toEqual([[], number + 1, true]);
});

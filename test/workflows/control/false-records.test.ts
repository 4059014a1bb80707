import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createDeskActivities } from '../../../activities/desk/desk.ts';
import type { OutgoingRecord } from '../../../core/audit/alert-archive.ts';
import { checkChain } from '../../../core/audit/audit-check.ts';
import type { Finding } from '../../../core/audit/audit-report.ts';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import type { Message } from '../../../core/messages/message.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { RecordSigner } from '../../../service/temporal/record-signer.ts';
import { deskMaker } from '../../suites/signed-records.ts';
import { type Lab, startLab } from '../harness.ts';
import { alertOf } from '../people.ts';
import { member, trusting } from '../speakers.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-false-records-'));
const trust = trusting([member('cell', 'lab')]);
const told: Finding[] = [];
let database: Database;
let store: AuditStore;
let lab: Lab;

beforeAll(async () => {
  database = await openDatabase({ url: `sqlite:${join(folder, 'audit.db')}` });
  store = createAuditStore(database);
  const { recordAudit } = createDeskActivities({
    audit: store,
    trust,
    beliefs: { roster: { people: [], groups: {} }, keys: { deskKeyIds: [], keyIdsOf: () => [], verify: () => false } },
    onFinding: (finding) => told.push(finding),
  });
  // A cell signs them as they leave it: workflows have no key.
  const signer = new RecordSigner(member('cell', 'lab').signer);
  const signaturesOf = async (records: readonly OutgoingRecord[]) => {
    const [workflow] = records[0]?.chain.split('@') ?? [];
    const message = Buffer.from(JSON.stringify({ to: 'activity:recordAudit', workflow, value: [records] }));
    const { signatures }: Pick<Message, 'signatures'> = JSON.parse(Buffer.from(await signer.withSignatures(message)).toString());
    return signatures;
  };
  lab = await startLab({ others: { recordAudit: async (records) => recordAudit(records, await signaturesOf(records)) } });
});

afterAll(async () => {
  await lab.stop();
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

test('an incident closes even if somebody took its next numbers with false records, and that is reported', async () => {
  const incident = await lab.start([alertOf()]);
  const { audit, incident: ref } = await incident.until(
    ({ audit: { made, acknowledged }, questions }) => questions.length > 0 && acknowledged === made,
    'the records so far',
  );
  const chain = `${ref.id}@${ref.run}`;
  // Made with the database password, valid hashes, and a key that no cell has.
  const taken = Array.from({ length: 40 }, (_, index) =>
    deskMaker.sign({
      chain,
      number: audit.made + 1 + index,
      at: '2026-03-01T10:00:00Z',
      kind: 'incident.closed',
      actor: 'engine',
      body: {},
    }),
  );
  await store.append(taken);
  await incident.vote('remove', 'ana');
  const end = await incident.result();
  expect(end.open).toBe(false);
  expect(end.audit.acknowledged).toBe(end.audit.made);

  const checked = checkChain({ chain, stored: await store.storedChain(chain), stated: [], trust });
  const { made } = end.audit;
  expect(checked.genuine.map(({ record }) => record.number)).toEqual(Array.from({ length: made }, (_, index) => index + 1));
  expect(checked.findings.map(({ kind }) => kind)).toEqual(taken.map(() => 'record-forged'));
  const numbers = told.filter(({ kind }) => kind === 'record-doubled').map(({ number }) => number);
  expect(new Set(numbers)).toEqual(
    new Set(Array.from({ length: Math.min(40, made - audit.made) }, (_, index) => audit.made + 1 + index)),
  );
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type MemoryLab, startLab } from '../harness.ts';
import { alertOf } from '../people.ts';

let lab: MemoryLab;
let isAway = true;
let refused = 0;

beforeAll(async () => {
  lab = await startLab({
    others: {
      recordAudit: async (records) => {
        if (isAway) {
          refused += 1;
          throw new Error('the database does not answer');
        }
        lab.seen.records.push(...records);
        return { chain: records[0]?.chain ?? '', number: records.at(-1)?.number ?? 0, hash: '0' };
      },
    },
  });
});
afterAll(() => lab.stop());

test('containment never waits for a record: while none can be written the pod is contained, people decide and it is removed, and each record follows later', async () => {
  const incident = await lab.start([alertOf()]);
  const isApplied = (action: string): boolean => lab.seen.applied.some((call) => call.action === action);
  await lab.eventually('the containment', async () => isApplied('quarantinePod'));
  await incident.vote('remove', 'ana');
  await lab.eventually('the decided step', async () => isApplied('deletePod'));
  await lab.eventually('a try to write', async () => refused > 0);
  const { audit } = await incident.state();
  expect([audit.acknowledged, audit.made > 0, lab.seen.records]).toEqual([0, true, []]);
  isAway = false;
  const end = await incident.result();
  expect(end.open).toBe(false);
  expect(end.audit.acknowledged).toBe(end.audit.made);
  expect(lab.seen.records.map(({ number }) => number)).toEqual(Array.from({ length: end.audit.made }, (_, nth) => nth + 1));
});

import { expect, test } from '@jest/globals';
import type { SignedRecord } from '../../../core/audit/audit.ts';
import type { StoredRecord } from '../../../core/audit/audit-store.ts';
import { resetText } from '../../../core/audit/resets/record-resets.ts';
import { DoubledRecords } from '../../../service/desk/doubled-records.ts';
import { eventually } from '../../eventually.ts';
import { record } from '../../suites/audit-store.ts';
import { deskMaker, maker, makersTrust } from '../../suites/signed-records.ts';

const chain = 'incident/c/shop/Deployment/cart@1';
const made = (number: number, body: object = {}, kind: ReturnType<typeof record>['kind'] = 'incident.verdict') =>
  maker.sign({ ...record(chain, number), kind, body: { ...body } });
const twice = [made(1), made(2), made(3), made(2, { run: 'second' }), made(3, { run: 'second' })];
const reset = made(4, { text: resetText }, 'incident.restarted');

/** Judges a chain with these records, however often a number is said to come twice in it. */
function judging(read: () => Promise<readonly SignedRecord[]>) {
  const [told, notes, failures] = [[] as string[], [] as string[], [] as unknown[]];
  const doubled = new DoubledRecords({
    store: {
      storedChain: async () => ({
        records: (await read()).map(
          (signed, index): StoredRecord => ({ chain, place: index + 1, previous: '', hash: '', signed }),
        ),
      }),
    },
    trust: makersTrust,
    report: ({ kind, number }) => told.push(`${kind} ${number}`),
    note: (text) => notes.push(text),
    failed: (error) => failures.push(error),
    waitMs: 1,
  });
  return { doubled, told, notes, failures };
}

test('numbers that a recorded reset has given twice are no finding', async () => {
  const { doubled, told, notes } = judging(async () => [...twice, reset]);
  doubled.cameTwice(chain);
  await eventually('the note', () => notes.length > 0);
  expect(notes[0]).toContain('2 records exist twice, and all are genuine');
  expect(told).toEqual([]);
});

test.each([
  ['without the record of a reset', twice],
  ['with one that another key has signed', [...twice, deskMaker.sign(reset.record)]],
])('numbers that came twice are reported once %s', async (_, records) => {
  let reads = 0;
  const { doubled, told } = judging(async () => {
    reads += 1;
    return records;
  });
  for (let look = 1; look <= 2; look += 1) {
    doubled.cameTwice(chain);
    doubled.cameTwice(chain);
    await eventually('the look', () => reads === look);
  }
  await eventually('the findings', () => told.length > 0);
  expect(told).toEqual(['record-doubled 4', 'record-doubled 5']);
});

test('a chain that cannot be read is tried again', async () => {
  let reads = 0;
  const { doubled, told, failures } = judging(async () => {
    reads += 1;
    if (reads === 1) throw new Error('no connection');
    return twice;
  });
  doubled.cameTwice(chain);
  await eventually('the findings', () => told.length === 2);
  expect(failures).toHaveLength(1);
});

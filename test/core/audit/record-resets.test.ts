import { expect, test } from '@jest/globals';
import type { SignedRecord } from '../../../core/audit/audit.ts';
import { checkChain } from '../../../core/audit/audit-check.ts';
import type { StoredRecord } from '../../../core/audit/audit-store.ts';
import { resetText } from '../../../core/audit/resets/record-resets.ts';
import { record } from '../../suites/audit-store.ts';
import { deskMaker, maker, makersTrust } from '../../suites/signed-records.ts';

const chain = 'incident/c/shop/Deployment/cart@1';
const made = (number: number, body: object = {}, kind: ReturnType<typeof record>['kind'] = 'incident.verdict') =>
  maker.sign({ ...record(chain, number), kind, body: { ...body } });
const reset = (number: number, text = resetText): SignedRecord => made(number, { text }, 'incident.restarted');

/** What a check says about the origin of these records, in this order. */
function checked(records: readonly SignedRecord[]) {
  const stored: StoredRecord[] = records.map((signed, index) => ({ chain, place: index + 1, previous: '', hash: '', signed }));
  const { findings, notes } = checkChain({ chain, stored: { records: stored }, stated: [], trust: makersTrust });
  const kinds = findings.map(({ kind, number }) => `${kind} ${number}`);
  return { kinds: kinds.filter((one) => /^record-(doubled|forged|missing)/.test(one)), notes };
}

const first = [made(1), made(2), made(3), made(4)];
const again = [made(3, { run: 'second' }), made(4, { run: 'second' })];

test('numbers that a reset has given again are told once, and are no fault', () => {
  expect(checked([...first, ...again, reset(5)])).toEqual({
    kinds: [],
    notes: [
      expect.stringMatching(
        /^incident\/\S+: its workflow was reset in Temporal \(on record at \S+\); 2 records exist twice, and all are genuine$/,
      ),
    ],
  });
});

test('without the record of a reset they are, each of them', () => {
  const both = ['record-doubled 5', 'record-doubled 6'];
  expect(checked([...first, ...again])).toEqual({ kinds: both, notes: [] });
  expect(checked([...first, ...again, reset(5, 'A run of this incident did not end normally.')]).kinds).toEqual(both);
  // The same words in a record of another kind, or of another maker.
  expect(checked([...first, ...again, made(5, { text: resetText })]).kinds).toEqual(both);
  const forged = deskMaker.sign(reset(5).record);
  expect(checked([...first, ...again, forged]).kinds.toSorted()).toEqual([...both, 'record-forged 7']);
});

test('a reset hides neither a copy nor a forgery, and explains only one more of each number', () => {
  const [, , third] = first as [SignedRecord, SignedRecord, SignedRecord];
  expect(checked([...first, ...again, reset(5), third]).kinds).toEqual(['record-doubled 8']);
  const [, lastAgain] = again as [SignedRecord, SignedRecord];
  expect(checked([...first, ...again, reset(5), lastAgain]).kinds).toEqual(['record-doubled 8']);
  expect(checked([...first, ...again, reset(5), made(4, { run: 'third' })]).kinds).toEqual(['record-doubled 8']);
  expect(checked([...first, ...again, reset(5), made(4, { run: 'third' }), reset(6)]).kinds).toEqual([]);
  expect(checked([...first, ...again, reset(5), deskMaker.sign(made(4, { run: 'third' }).record)]).kinds).toEqual([
    'record-forged 8',
  ]);
  expect(checked([...first.slice(0, 3), ...again.slice(0, 1), reset(5)]).kinds).toEqual(['record-missing 4']);
});

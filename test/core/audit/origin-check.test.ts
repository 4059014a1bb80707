import { describe, expect, test } from '@jest/globals';
import { genesisHash, OriginCheck, recordLink, type SignedRecord } from '../../../core/audit/audit.ts';
import { originProblems, provenIn } from '../../../core/audit/audit-check.ts';
import type { StoredRecord } from '../../../core/audit/audit-store.ts';
import type { Trust } from '../../../core/messages/sender.ts';
import { record } from '../../suites/audit-store.ts';
import { ReachableObjects } from '../../suites/reachable-objects.ts';
import { deskMaker, maker, makersTrust, newMaker } from '../../suites/signed-records.ts';

const chain = 'incident/c/shop/Deployment/cart@1';

/** Signed as by one process that forgets nothing. */
function linked(count: number): readonly SignedRecord[] {
  const made: SignedRecord[] = [];
  for (let number = 1; number <= count; number += 1) {
    const before = made.at(-1);
    made.push(before ? maker.signAfter(record(chain, number), before) : maker.sign(record(chain, number)));
  }
  return made;
}

/** For records in order, and how many signatures had to be checked. */
function asked(signed: readonly SignedRecord[]): { readonly isProven: readonly boolean[]; readonly signatures: number } {
  let signatures = 0;
  const trust: Trust = {
    senderOf: (given) => {
      signatures += 1;
      return makersTrust.senderOf(given);
    },
  };
  const rows = signed.map((one, index) => ({ chain, place: index + 1, previous: '', hash: '', signed: one }));
  return { isProven: originProblems(rows, trust).map((problem) => problem === undefined), signatures };
}

const all = (count: number, isProven: boolean): readonly boolean[] => Array.from({ length: count }, () => isProven);

describe('the origin of records', () => {
  test('is proven by one signature for a hundred linked records', () => {
    expect(asked(linked(100))).toEqual({ isProven: all(100, true), signatures: 1 });
  });

  test('is the same in any order, only slower to prove', () => {
    const records = linked(10).toReversed();
    expect(asked(records)).toEqual({ isProven: all(10, true), signatures: 10 });
  });

  test.each<readonly [string, (signed: SignedRecord) => SignedRecord]>([
    ['its words', (signed) => ({ ...signed, record: { ...signed.record, actor: 'person/else' } })],
    [
      'its signature',
      (signed) => ({ ...signed, signature: `${signed.signature.startsWith('A') ? 'B' : 'A'}${signed.signature.slice(1)}` }),
    ],
    ['its key', (signed) => ({ ...signed, keyId: deskMaker.sign(record('desk/c', 1)).keyId })],
    ['what it follows', (signed) => ({ ...signed, follows: genesisHash })],
    ['its number', (signed) => ({ ...signed, record: { ...signed.record, number: 77 } })],
  ])('a change to %s is found at that record, and at no other', (_, change) => {
    const records = linked(6).map((signed, index) => (index === 2 ? change(signed) : signed));
    expect(asked(records)).toEqual({ isProven: [true, true, false, true, true, true], signatures: 3 });
  });

  test('a forged last record proves nothing, and hides nothing', () => {
    const records = linked(5);
    const last = records.at(-1);
    if (!last) throw new Error('no record');
    const thief = newMaker();
    const forged = thief.sign({ ...last.record, number: 5 });
    const lie = thief.sign({ ...last.record, actor: 'person/else' });
    const naming = thief.signAfter({ ...last.record, number: 6 }, lie);
    expect(asked([...records.slice(0, 4), forged]).isProven).toEqual([true, true, true, true, false]);
    expect(asked([...records, lie, naming]).isProven).toEqual([...all(5, true), false, false]);
  });

  test('no record vouches for one of another key or another chain', () => {
    const ofDesk = deskMaker.sign(record(chain, 1));
    const byCell = maker.signAfter(record(chain, 2), ofDesk);
    expect(asked([ofDesk, byCell]).isProven).toEqual([false, true]);
    const elsewhere = newMaker().sign(record('incident/c/shop/Deployment/web@1', 1));
    const check = new OriginCheck(makersTrust);
    expect(check.problemOf({ ...byCell, ...maker.signAfter(record(chain, 2), elsewhere) })).toBeUndefined();
    expect(check.problemOf(elsewhere)).toMatch(/no valid signature/);
    expect(recordLink(elsewhere)).not.toBe(recordLink(ofDesk));
  });
});

describe('what is proven of rows that come in pages', () => {
  const rowOf = (signed: SignedRecord, place = signed.record.number): StoredRecord => {
    return { chain, place, previous: '', hash: '', signed };
  };

  test('is each record once: copies do not count, but two records signed under one number are two', async () => {
    const first = maker.sign(record(chain, 1));
    const second = maker.sign(record(chain, 1, { step: 'deletePod' }));
    async function* pages() {
      yield [rowOf(first), rowOf(second, 2)];
      yield [rowOf(first, 3), rowOf(newMaker().sign(first.record), 4)];
    }
    expect(await provenIn(pages(), makersTrust)).toEqual({ records: [first.record, second.record], leftOut: 2 });
  });

  test('is all that is kept in memory: of forged rows two pages at most', async () => {
    const held = new ReachableObjects();
    const stranger = newMaker();
    let most = 0;
    async function* pages() {
      for (let page = 0; page < 6; page += 1) {
        const forged = Array.from({ length: 10 }, (_, nth) => stranger.sign(record(chain, 10 * page + nth + 1)));
        for (const one of forged) held.watch(one.record.body);
        yield forged.splice(0).map((one) => rowOf(one));
        most = Math.max(most, await held.count());
      }
    }
    expect(await provenIn(pages(), makersTrust)).toEqual({ records: [], leftOut: 60 });
    expect(most).toBeLessThanOrEqual(20);
  });
});

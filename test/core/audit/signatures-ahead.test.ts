import { describe, expect, test } from '@jest/globals';
import { recordBytes, type SignedRecord } from '../../../core/audit/audit.ts';
import { originProblems } from '../../../core/audit/audit-check.ts';
import type { StoredRecord } from '../../../core/audit/audit-store.ts';
import { SignaturesAhead } from '../../../core/audit/signatures-ahead.ts';
import type { Trust } from '../../../core/messages/sender.ts';
import { record } from '../../suites/audit-store.ts';
import { maker, makersTrust, newMaker } from '../../suites/signed-records.ts';

const chain = 'incident/c/shop/Deployment/cart@1';

function rowsOf(of: string, count: number): readonly StoredRecord[] {
  const made: SignedRecord[] = [];
  for (let number = 1; number <= count; number += 1) {
    const before = made.at(-1);
    made.push(before ? maker.signAfter(record(of, number), before) : maker.sign(record(of, number)));
  }
  return made.map((signed, index) => ({ chain: of, place: index + 1, previous: '', hash: '', signed }));
}

/** A trust that counts the checks done synchronously and those done off the thread. */
function counting(): { readonly trust: Trust; readonly asked: { now: number; async: number } } {
  const asked = { now: 0, async: 0 };
  const trust: Trust = {
    senderOf: (signed) => {
      asked.now += 1;
      return makersTrust.senderOf(signed);
    },
    senderOfAsync: async (signed) => {
      asked.async += 1;
      return makersTrust.senderOfAsync?.(signed);
    },
  };
  return { trust, asked };
}

describe('signatures that are checked ahead', () => {
  test('are one per chain, and leave nothing to check later', async () => {
    const { trust, asked } = counting();
    const ahead = new SignaturesAhead(trust);
    const chains = [rowsOf(chain, 20), rowsOf('incident/c/shop/Deployment/pay@1', 20)];
    await ahead.find(chains.flat());
    // Counting of the previous ones continues while the next ones are checked.
    await ahead.find(rowsOf('incident/c/shop/Deployment/mail@1', 1));
    for (const rows of chains) expect(originProblems(rows, ahead).filter((problem) => problem !== undefined)).toEqual([]);
    expect(asked).toEqual({ now: 0, async: 3 });
  });

  test('fail at the chain that cannot be checked, and not earlier', async () => {
    const ahead = new SignaturesAhead({
      senderOf: makersTrust.senderOf,
      senderOfAsync: () => Promise.reject(new Error('no key can be read')),
    });
    const unheard: unknown[] = [];
    const hear = (reason: unknown): unknown => unheard.push(reason);
    process.on('unhandledRejection', hear);
    try {
      const given = ahead.eachChain([[], rowsOf(chain, 1), rowsOf(chain, 2)]);
      expect(await given.next()).toEqual({ done: false, value: [] });
      await new Promise((resolve) => setImmediate(resolve));
      await expect(given.next()).rejects.toThrow('no key can be read');
      await new Promise((resolve) => setImmediate(resolve));
      expect(unheard).toEqual([]);
    } finally {
      process.off('unhandledRejection', hear);
    }
  });

  test('of whole chains become available one chain at a time, before the last chain is checked', async () => {
    const names = ['cart', 'mail', 'pay'].map((name) => `incident/c/shop/Deployment/${name}@1`);
    const asked = { now: 0, async: 0 };
    const last = Promise.withResolvers<void>();
    const ahead = new SignaturesAhead({
      senderOf: (signed) => {
        asked.now += 1;
        return makersTrust.senderOf(signed);
      },
      senderOfAsync: async (signed) => {
        asked.async += 1;
        if (asked.async === names.length) await last.promise;
        return makersTrust.senderOfAsync?.(signed);
      },
    });
    const given: (string | undefined)[] = [];
    for await (const rows of ahead.eachChain([...names.map((name) => rowsOf(name, 5)), []])) {
      expect(originProblems(rows, ahead).filter((problem) => problem !== undefined)).toEqual([]);
      given.push(rows[0]?.chain);
      if (given.length === names.length - 1) last.resolve();
    }
    expect(given).toEqual([...names, undefined]);
    expect(asked).toEqual({ now: 0, async: names.length });
  });

  test('make nothing genuine that is forged: changed bytes, another signature, a stranger', async () => {
    const ahead = new SignaturesAhead(makersTrust);
    const [row] = rowsOf(chain, 1);
    if (!row?.signed) throw new Error('no record');
    await ahead.find([row]);
    const { keyId, signature } = row.signed;
    const bytes = recordBytes(row.signed);
    expect(ahead.senderOf({ keyId, bytes, signature })).toMatchObject({ role: 'cell' });
    expect(ahead.senderOf({ keyId, bytes: Buffer.concat([bytes, Buffer.from(' ')]), signature })).toBeUndefined();
    expect(ahead.senderOf({ keyId: 'else', bytes, signature })).toBeUndefined();
    expect(
      ahead.senderOf({ keyId, bytes, signature: `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}` }),
    ).toBeUndefined();
    const forged: StoredRecord = { ...row, signed: newMaker().sign(record(chain, 1)) };
    await ahead.find([forged]);
    expect(originProblems([forged], ahead)[0]).toContain('no valid signature');
  });

  test('are checked on demand by a trust that has no asynchronous check', async () => {
    const ahead = new SignaturesAhead({ senderOf: makersTrust.senderOf });
    const rows = rowsOf(chain, 5);
    await ahead.find(rows);
    expect(originProblems(rows, ahead).filter((problem) => problem !== undefined)).toEqual([]);
  });
});

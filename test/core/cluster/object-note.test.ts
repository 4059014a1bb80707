import { describe, expect, test } from '@jest/globals';
import { sealNote, takeEntries, withEntries } from '../../../core/cluster/object-note.ts';
import { holdTermsNow } from '../../../core/incident/hold.ts';

const mine = { kind: 'ServiceAccount', name: 'cart' };
const other = (n: number) => ({ kind: 'User', name: `user-${n}` });
const isMine = (entry: unknown): boolean => JSON.stringify(entry).includes('cart');

describe('entries that are taken out of a list', () => {
  test.each([
    ['none', [other(1), other(2)]],
    ['the only one', [mine]],
    ['all', [mine, { ...mine, more: 1 }, mine]],
    ['the first, the last and some between', [mine, other(1), mine, mine, other(2), { ...mine, more: 1 }, other(3), mine]],
    ['an empty list', []],
  ])('are put back at their places: %s', (_, list) => {
    const { rest, change } = takeEntries(['subjects'], list, isMine);
    expect(rest.some(isMine)).toBe(false);
    expect(withEntries(change, rest)).toEqual(list);
  });

  test('are put back even if others have been removed or added meanwhile', () => {
    const { change } = takeEntries(['subjects'], [other(1), other(2), mine, other(3)], isMine);
    expect(withEntries(change, [])).toEqual([mine]);
    expect(withEntries(change, [other(9), other(1), other(2), other(3)])).toEqual([other(9), other(1), mine, other(2), other(3)]);
  });

  test('take little space in a note, however long the list is', () => {
    const list = Array.from({ length: 30_000 }, (_, n) => (n % 2 === 0 ? mine : other(n)));
    const { change } = takeEntries(['subjects'], list, isMine);
    const said = { version: 2, incident: 'i', step: 's', action: 'a', object: 'o', change, terms: holdTermsNow({}) } as const;
    expect(sealNote(said, new Uint8Array(32)).length).toBeLessThan(64 * 1024);
  });
});

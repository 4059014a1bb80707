import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { printTable } from '../../../service/commands/output.ts';

const rows = [
  { id: 'shop/Deployment/cart', text: 'a binary that was not in the image ran in cart-1' },
  { id: 'shop/Job/mail', text: 'short' },
];

/** What a table says on so many columns. */
function printed(within: number): readonly string[] {
  const lines: string[] = [];
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text).trimEnd()) > 0);
  const columns = [
    { title: 'INCIDENT', text: ({ id }: (typeof rows)[number]) => id },
    { title: 'WHAT', text: ({ text }: (typeof rows)[number]) => text },
  ];
  printTable(rows, columns, within);
  return lines;
}
afterEach(() => {
  jest.restoreAllMocks();
});

describe('a table', () => {
  test('is cut at the end of its last column where the terminal is too narrow', () => {
    expect(printed(60).slice(1)).toEqual([
      'shop/Deployment/cart  a binary that was not in the image ra…',
      'shop/Job/mail         short',
    ]);
  });

  test('is whole where it fits, where too little would be left of the text, and in a pipe', () => {
    const whole = 'shop/Deployment/cart  a binary that was not in the image ran in cart-1';
    for (const within of [120, 30, Number.POSITIVE_INFINITY]) expect(printed(within)[1]).toBe(whole);
  });
});

import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { FirebreakError } from '../../../core/errors.ts';
import { faultOf, printTable } from '../../../service/commands/output.ts';

const rows = [
  { id: 'shop/Deployment/cart', text: 'a binary that was not in the image ran in cart-1' },
  { id: 'shop/Job/mail', text: 'short' },
];

/** What a table prints within this many columns. */
function printed(within: number): readonly string[] {
  const lines: string[] = [];
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text).trimEnd()) > 0);
  const columns = [
    { title: 'INCIDENT', text: ({ id }: (typeof rows)[number]) => id },
    { title: 'WHAT', text: ({ text }: (typeof rows)[number]) => text },
  ];
  printTable(rows, columns, { within });
  return lines;
}
afterEach(() => {
  jest.restoreAllMocks();
});

describe('a table', () => {
  test('is truncated in its last column if the terminal is too narrow', () => {
    expect(printed(60).slice(1)).toEqual([
      'shop/Deployment/cart  a binary that was not in the image ra…',
      'shop/Job/mail         short',
    ]);
  });

  test('puts its last column below the others if too little of it would be left', () => {
    expect(printed(30)).toEqual([
      'INCIDENT\n    WHAT',
      'shop/Deployment/cart\n    a binary that was not in …',
      'shop/Job/mail\n    short',
    ]);
  });

  test('becomes a list of its columns if the others do not fit either', () => {
    expect(printed(18)).toEqual([
      'INCIDENT  shop/Deployment/cart',
      'WHAT      a binary that was not in the image ran in cart-1',
      '',
      'INCIDENT  shop/Job/mail',
      'WHAT      short',
    ]);
  });

  test('is complete if it fits, and in a pipe', () => {
    const whole = 'shop/Deployment/cart  a binary that was not in the image ran in cart-1';
    for (const within of [120, Number.POSITIVE_INFINITY]) expect(printed(within)[1]).toBe(whole);
  });
});

test('an error with foreign text cannot control the terminal, neither as JSON nor with its stack', () => {
  const error = new FirebreakError('FB_ERR_NOT_FOUND', 'no \u{1b}[2J\u{202e}\u{e0041} there');
  for (const json of [false, true]) {
    const { lines } = faultOf(error, { json, debug: true });
    expect(lines.join('\n')).not.toMatch(/(?!\n)[\p{Other}]/u);
    expect(lines.join('\n')).toContain(json ? '\\u202e' : '\\u{202e}');
  }
});

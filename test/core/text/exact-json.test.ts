import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { firstTime, timeFromEpoch } from '../../../core/alert/sensor-time.ts';
import { parseExactly } from '../../../core/text/exact-json.ts';

describe('integers beyond 2^53', () => {
  test('become strings of their digits, and nothing else changes', () => {
    const text =
      '{"a":1674672674697796957,"b":-9223372036854775808,"c":"n 1674672674697796957","d":1.1234567890123456789,"e":[12345678901234567,7],"f":1234567890123456e2,"g":"\\"18446744073709551615"}';
    expect(parseExactly(text)).toEqual({
      a: '1674672674697796957',
      b: '-9223372036854775808',
      c: 'n 1674672674697796957',
      d: 1.1234567890123457,
      e: ['12345678901234567', 7],
      f: 1234567890123456e2,
      g: '"18446744073709551615',
    });
  });

  test('become strings only if they do not fit, and invalid JSON is refused', () => {
    expect(parseExactly('[9007199254740991,9007199254740992]')).toEqual([9007199254740991, '9007199254740992']);
    expect(() => parseExactly('[12345678901234567')).toThrow(SyntaxError);
  });

  test('are the only difference from JSON.parse', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const small = JSON.stringify(value, (_key, part) => (typeof part === 'number' ? Math.trunc(part % 1e9) : part));
        expect(parseExactly(`{"long":"1234567890123456789","v":${small}}`)).toEqual({
          long: '1234567890123456789',
          v: JSON.parse(small),
        });
      }),
    );
  });
});

describe('times', () => {
  test.each([
    [1780308001, '2026-06-01T10:00:01Z'],
    [1780308001.25, '2026-06-01T10:00:01Z'],
    [1780308001450, '2026-06-01T10:00:01.450Z'],
    [1780308001450811, '2026-06-01T10:00:01.450811Z'],
    ['1780308001450811223', '2026-06-01T10:00:01.450811223Z'],
    [0, undefined],
    [-1, undefined],
    ['yesterday', undefined],
    [Number.NaN, undefined],
    [null, undefined],
  ])('%p becomes %p', (value, time) => expect(timeFromEpoch(value)).toBe(time));

  test('are taken from the first valid value', () => {
    expect(firstTime('2024-10-04T09:49:02.698985', null, 1728049742)).toBe('2024-10-04T13:49:02Z');
    expect(firstTime('x')).toBeUndefined();
  });
});

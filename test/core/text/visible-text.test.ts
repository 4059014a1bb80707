import { describe, expect, test } from '@jest/globals';
import { visibleJson, visibleLine, visibleText } from '../../../core/text/visible-text.ts';
import { printable } from '../../../service/commands/output.ts';

/** One of each kind, and those that a list forgot. */
const treacherous = [
  ['an escape', 0x1b],
  ['a control of the upper half, which some terminals obey', 0x9b],
  ['the soft hyphen', 0xad],
  ['the Arabic letter mark', 0x61c],
  ['the combining grapheme joiner', 0x34f],
  ['a Hangul filler', 0x3164],
  ['a vowel separator', 0x180e],
  ['zero width', 0x200b],
  ['a mark of direction', 0x200e],
  ['a line separator', 0x2028],
  ['an override of direction', 0x202e],
  ['the word joiner', 0x2060],
  ['an isolate', 0x2066],
  ['a shape of digits', 0x206e],
  ['a blank Braille pattern', 0x2800],
  ['a private character', 0xe000],
  ['a variation selector', 0xfe0f],
  ['a byte order mark', 0xfeff],
  ['an interlinear annotation', 0xfff9],
  ['a shorthand format', 0x1bca0],
  ['a musical format', 0x1d173],
  ['a tag', 0xe0041],
  ['a tag that is not assigned', 0xe0002],
  ['a supplementary variation selector', 0xe0100],
  ['a private character of another plane', 0x10fffd],
] as const;

describe('a character that hides or reverses text', () => {
  test.each(treacherous)('is written out everywhere: %s', (_what, code) => {
    const character = String.fromCodePoint(code);
    const written = `a\\u{${code.toString(16)}}b`;
    for (const show of [visibleText, visibleLine, printable]) expect(show(`a${character}b`)).toBe(written);
    const json = visibleJson(JSON.stringify({ text: character }));
    expect(json).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(json)).toEqual({ text: character });
  });

  test('does not include normal writing', () => {
    const written = 'Ünïcödé, 漢字, हिन्दी, עברית, العربية, 한글, “quotes” – 🙂 e\u0301';
    for (const show of [visibleText, visibleLine, visibleJson]) expect(show(written)).toBe(written);
  });

  test('line ends and tabs are kept in a text, and escaped in a line', () => {
    expect(visibleText('a\r\nb\tc')).toBe('a\nb\tc');
    expect(visibleLine('a\nb\tc')).toBe('a\\u{a}b\\u{9}c');
  });

  test('half a character is replaced', () => {
    expect(visibleText('a\ud800b')).toBe('a\ufffdb');
  });
});

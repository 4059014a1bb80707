import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { globPattern, linearPattern } from '../../../core/text/linear-pattern.ts';

const texts = [
  '',
  'a',
  'ab',
  'aab',
  'abab',
  'curl http://x | sh',
  'CURL -s',
  '/bin/sh -c "echo $HOME"',
  'xmrig --donate-level=1',
  'axmrigb',
  'a\nb',
  'tab\there',
  'naïve café',
  '1234-5678',
  '😀 smile',
  '___',
  'a.b.c',
  'aaaaaaaaaaaaaaaaaaaa',
];

describe('a linear pattern', () => {
  test.each([
    'a',
    '^a',
    'a$',
    '^$',
    '^ab*$',
    '(?:ab)+$',
    'a{2}b',
    '^a{2,}$',
    '^a{1,3}b',
    'a|b|^c',
    '(curl|wget)\\b.*\\|\\s*(?:ba)?sh',
    '\\bxmrig\\b',
    '\\Bxmrig\\B',
    '[^a-z]',
    '[\\d-]+$',
    '[]a]',
    '[^]',
    '\\w+\\W\\w+',
    '\\.',
    '\\x61\\u0062',
    '.',
    '^.*$',
    'x??a',
    '(?<name>a)b',
    '(a*)*b',
    'a{,2}',
    '\\/bin\\/(?:sh|bash)(?:\\s|$)',
    'é',
    '\\s',
    '[\\s\\S]x',
    '',
  ])('%s matches what JavaScript matches', (source) => {
    const [ours, theirs] = [linearPattern(source), new RegExp(source)];
    for (const text of texts) expect([text, ours.matches(text)]).toEqual([text, theirs.test(text)]);
    // Again: what was remembered from the first time gives the same result.
    for (const text of texts) expect([text, ours.matches(text)]).toEqual([text, theirs.test(text)]);
  });

  test('can ignore upper and lower case', () => {
    const ignoring = linearPattern('curl -[S]', { ignoreCase: true });
    expect(['CURL -s', 'curl -S', 'cUrL -x'].map((text) => ignoring.matches(text))).toEqual([true, true, false]);
    expect(linearPattern('curl').matches('CURL')).toBe(false);
  });

  test.each([
    ['(a)\\1', 'backreference'],
    ['\\k<name>', 'backreference'],
    ['(?=a)', 'lookaround'],
    ['(?!a)', 'lookaround'],
    ['(?<=a)b', 'lookaround'],
    ['(?<!a)b', 'lookaround'],
    ['(a', 'not closed'],
    ['a)', 'has no matching ('],
    ['[a', 'is incomplete'],
    ['*a', 'has nothing to repeat'],
    ['a**', 'a repetition is repeated'],
    ['a{3,1}', 'the upper limit of {3,1} is below'],
    ['a{300}', 'more than 200 times'],
    ['(?:a{100}){100}', 'too large'],
    ['[z-a]', 'is out of order'],
    ['\\pL', 'not supported'],
    [`${'('.repeat(60)}a${')'.repeat(60)}`, 'too deep'],
    ['a'.repeat(1_001), 'longer than'],
  ])('%s is refused: %s', (source, why) => {
    expect(() => linearPattern(source)).toThrow(why);
  });

  test('reads a text once, where JavaScript would backtrack forever', () => {
    const hostile = `${'a'.repeat(50_000)}!`;
    for (const source of ['^(a+)+$', '(a|aa)+$', '(.*a){12}b', '(a*)*c'])
      expect(linearPattern(source).matches(hostile)).toBe(false);
  });

  test('keeps only a bounded number of states in memory, whatever the texts', () => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const usedMb = (): number => {
      collect();
      return process.memoryUsage().heapUsed / 1e6;
    };
    // Each combination of the last forty characters is a separate state: there are more than anything could remember.
    const pattern = linearPattern('a[ab]{40}c');
    let drawn = 1;
    const letter = (): string => {
      drawn = (drawn * 1_103_515_245 + 12_345) % 2 ** 31;
      return drawn > 2 ** 30 ? 'a' : 'b';
    };
    const before = usedMb();
    for (let text = 0; text < 50; text += 1) expect(pattern.matches(Array.from({ length: 2_000 }, letter).join(''))).toBe(false);
    // 160 MB if everything that led to them were held.
    expect(usedMb() - before).toBeLessThan(40);
  });

  test('is compiled once for each source and flags', () => {
    expect(linearPattern('x+y')).toBe(linearPattern('x+y'));
    expect(linearPattern('x+y', { ignoreCase: true })).not.toBe(linearPattern('x+y'));
    expect(globPattern('x+y').matches('xxy')).toBe(false);
    expect(linearPattern('x+y').matches('xxy')).toBe(true);
  });
});

describe('a glob', () => {
  test.each([
    ['Run shell*', 'Run shell untrusted', true],
    ['Run shell*', 'run shell untrusted', false],
    ['Run shell*', 'A Run shell', false],
    ['*/cart', 'registry.example/shop/cart', true],
    ['cart-?', 'cart-1', true],
    ['cart-?', 'cart-12', false],
    ['a.c', 'abc', false],
    ['what\\?', 'what?', true],
    ['what\\?', 'whats', false],
    ['*', 'two\nlines', true],
    ['', '', true],
    ['C:\\\\x', 'C:\\x', true],
  ])('%s and %s: %s', (pattern, text, isIt) => {
    expect(globPattern(pattern).matches(text)).toBe(isIt);
  });

  test('matches many wildcards in one pass over the text', () => {
    expect(globPattern(`${'*a'.repeat(200)}*b`).matches('a'.repeat(20_000))).toBe(false);
  });
});

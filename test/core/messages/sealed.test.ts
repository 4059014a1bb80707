import { describe, expect, test } from '@jest/globals';
import { seal, unseal } from '../../../core/messages/sealed.ts';

const key = new Uint8Array(32).fill(7);
const other = new Uint8Array(32).fill(8);
const domain = 'test.note\n';

const isAuthentic = (text: string, { of = domain, by = key }: { of?: string; by?: Uint8Array } = {}) => {
  const opened = unseal(of, text, by);
  return opened.kind === 'read' && opened.authentic;
};

describe('a text that is known to be sealed', () => {
  const text = seal(domain, { pod: 'a', n: 1 }, key);

  test('is opened again with the same content', () => {
    for (let time = 0; time < 3; time += 1)
      expect(unseal(domain, text, key)).toEqual({ kind: 'read', value: { pod: 'a', n: 1 }, authentic: 'yes' });
  });

  test('counts under its own domain and key only', () => {
    expect(isAuthentic(text)).toBe('yes');
    expect(isAuthentic(text, { of: 'test.other\n' })).toBe('no');
    expect(isAuthentic(text, { by: other })).toBe('no');
    // The end of one domain is not the beginning of a text.
    expect(isAuthentic(`\n${text}`, { of: domain.slice(0, -1) })).toBe('no');
  });

  test('proves nothing of a text that differs in one character', () => {
    for (let at = 0; at < text.length; at += 1) {
      const edited = `${text.slice(0, at)}${text[at] === 'x' ? 'y' : 'x'}${text.slice(at + 1)}`;
      expect(isAuthentic(edited)).not.toBe('yes');
    }
  });

  test('is checked as any other after many more, and if it is long', () => {
    for (let n = 0; n < 1_000; n += 1) seal(domain, { n }, key);
    expect(isAuthentic(text)).toBe('yes');
    const long = seal(domain, { pod: 'a'.repeat(10_000) }, key);
    expect(isAuthentic(long)).toBe('yes');
    expect(isAuthentic(long.replace('aaaa', 'aaab'))).toBe('no');
  });
});

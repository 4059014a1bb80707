import { expect, test } from '@jest/globals';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import canonicalize from 'canonicalize';
import { assert, double, jsonValue, property, string } from 'fast-check';
import { canonicalJson, hmacSha256Hex, sha256Hex } from '../../../core/text/digest.ts';

const texts = ['', 'Hi There', 'Größe 🎈', 'x'.repeat(10_000)];

test('the MAC matches RFC 4231, test case 1', () => {
  expect(hmacSha256Hex(new Uint8Array(20).fill(0x0b), 'Hi There')).toBe(
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  );
});

test('Node gives the same digests as the pure JavaScript of workflows', () => {
  const key = new Uint8Array(32).fill(7);
  for (const text of texts) {
    expect(sha256Hex(text)).toBe(bytesToHex(sha256(utf8ToBytes(text))));
    expect(hmacSha256Hex(key, text)).toBe(bytesToHex(hmac(sha256, key, utf8ToBytes(text))));
  }
});

test('canonical JSON follows RFC 8785, section 3.2.3', () => {
  const given = {
    '€': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew Letter Dalet With Dagesh',
    '1': 'One',
    '😀': 'Emoji: Grinning Face',
    '\u0080': 'Control',
    ö: 'Latin Small Letter O With Diaeresis',
  };
  const order = [...canonicalJson(given).matchAll(/:"([^"]+)"/g)].map(([, word]) => word);
  expect(order).toEqual([
    'Carriage Return',
    'One',
    'Control',
    'Latin Small Letter O With Diaeresis',
    'Euro Sign',
    'Emoji: Grinning Face',
    'Hebrew Letter Dalet With Dagesh',
  ]);
  const numbers = [333333333.3333333, 1e30, 4.5, 2e-3, 0.000000000000000000000000001, -0];
  expect(canonicalJson({ numbers, string: '€$\u000f\nA\'B"\\\\"/', literals: [null, true, false] })).toBe(
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27,0],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

test('names are in order, whether there are few or many', () => {
  for (const count of [1, 2, 23, 24, 25, 200]) {
    const names = Array.from({ length: count }, (_, index) => `n${(index * 7919) % 211}é${index}`);
    const value = Object.fromEntries(names.map((name, index) => [name, index]));
    expect(canonicalJson(value)).toBe(canonicalize(value));
    expect(Object.keys(value)).toEqual(names);
  }
});

test('canonical JSON matches another implementation for any value, and can be parsed again', () => {
  const values = jsonValue({ stringUnit: 'binary', maxDepth: 4 });
  assert(
    property(values, (value) => {
      expect(canonicalJson(value)).toBe(canonicalize(value));
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 500 },
  );
  assert(
    property(double({ noNaN: true, noDefaultInfinity: true }), (value) => expect(canonicalJson(value)).toBe(canonicalize(value))),
  );
  assert(property(string({ unit: 'binary' }), (value) => expect(canonicalJson(value)).toBe(canonicalize(value))));
});

test('canonical JSON leaves out what JSON does, and refuses what is not JSON', () => {
  const at = new Date('2026-11-27T12:00:00.000Z');
  expect(canonicalJson({ b: undefined, a: [undefined, at] })).toBe('{"a":[null,"2026-11-27T12:00:00.000Z"]}');
  const circle: unknown[] = [];
  circle.push(circle);
  for (const none of [undefined, Number.NaN, Number.POSITIVE_INFINITY, 1n, '\ud800', { '\udc00': 1 }, circle])
    expect(() => canonicalJson(none)).toThrow();
});

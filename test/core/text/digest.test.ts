import { expect, test } from '@jest/globals';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { hmacSha256Hex, sha256Hex } from '../../../core/text/digest.ts';

const texts = ['', 'Hi There', 'Größe 🎈', 'x'.repeat(10_000)];

test('the MAC is that of RFC 4231, test case 1', () => {
  expect(hmacSha256Hex(new Uint8Array(20).fill(0x0b), 'Hi There')).toBe(
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  );
});

test('what Node makes is what workflows make in pure JavaScript', () => {
  const key = new Uint8Array(32).fill(7);
  for (const text of texts) {
    expect(sha256Hex(text)).toBe(bytesToHex(sha256(utf8ToBytes(text))));
    expect(hmacSha256Hex(key, text)).toBe(bytesToHex(hmac(sha256, key, utf8ToBytes(text))));
  }
});

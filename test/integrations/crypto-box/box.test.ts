import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createBox } from '../../../integrations/crypto-box/box.ts';

const first = { id: 'k1', key: randomBytes(32) };
const second = { id: 'k2', key: randomBytes(32) };
const broken = expect.objectContaining({ code: 'FB_ERR_SEAL_BROKEN' });

describe('the box', () => {
  test('opens what it sealed, and hides it', () => {
    const box = createBox({ keys: [first] });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (bytes, aad) => {
        const sealed = box.seal(bytes, aad);
        expect(Buffer.from(box.open(sealed, aad)).equals(bytes)).toBe(true);
        if (bytes.length > 8) expect(Buffer.from(sealed).includes(Buffer.from(bytes))).toBe(false);
      }),
    );
  });

  test('does not open anything altered, truncated or sealed for another purpose', () => {
    const box = createBox({ keys: [first] });
    const sealed = box.seal(Buffer.from('raw alert'), 'spool/1');
    for (let place = 0; place < sealed.length; place += 1) {
      const changed = Uint8Array.from(sealed);
      changed[place] = (changed[place] ?? 0) ^ 1;
      expect(() => box.open(changed, 'spool/1')).toThrow(broken);
      expect(() => box.open(sealed.subarray(0, place), 'spool/1')).toThrow(broken);
    }
    expect(() => box.open(sealed, 'spool/2')).toThrow(broken);
  });

  test('a new active key still opens what the old one sealed, until the old one is gone', () => {
    const sealed = createBox({ keys: [first] }).seal(Buffer.from('x'), '');
    const rotated = createBox({ keys: [second, first] });
    expect(Buffer.from(rotated.open(sealed, '')).toString()).toBe('x');
    expect(rotated.activeKeyId).toBe('k2');
    expect(() => createBox({ keys: [second] }).open(sealed, '')).toThrow(broken);
    expect(() => createBox({ keys: [{ id: 'k1', key: second.key }] }).open(sealed, '')).toThrow(broken);
  });

  test.each([[[]], [[first, first]], [[{ id: 'short', key: randomBytes(16) }]], [[{ id: '', key: first.key }]]])(
    'refuses the ring %#',
    (keys) => {
      expect(() => createBox({ keys })).toThrow(expect.objectContaining({ code: 'FB_ERR_CONFIG_INVALID' }));
    },
  );
});

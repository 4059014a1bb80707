import { describe, expect, test } from '@jest/globals';
import { contains, overlap, parseCidr } from '../../../core/cluster/cidr.ts';

const cidr = (text: string) => {
  const parsed = parseCidr(text);
  if (!parsed) throw new Error(`${text} is a CIDR`);
  return parsed;
};

describe('an address or CIDR', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7/32'],
    ['203.0.113.7/24', '203.0.113.0/24'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:DB8::1', '2001:db8::1/128'],
    ['2001:db8:0:0:1:0:0:0/64', '2001:db8::/64'],
    ['::', '::/128'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3/128'],
    ['::ffff:1:2', '::ffff:1:2/128'],
    ['fe80::/10', 'fe80::/10'],
  ])('%s is read as %s', (text, expected) => {
    expect(parseCidr(text)?.text).toBe(expected);
  });

  test.each([
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4/33',
    '1.2.3.4/',
    '1.2.3.4/8/8',
    ':::',
    '1::2::3',
    '1:2:3',
    'g::',
    'fe80::1%eth0',
    '::/129',
    'evil.example',
  ])('%s is neither', (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });

  test('is compared by its bits, never across IP versions', () => {
    expect(contains(cidr('10.0.0.0/8'), cidr('10.1.2.3'))).toBe(true);
    expect(contains(cidr('10.1.2.3'), cidr('10.0.0.0/8'))).toBe(false);
    expect(contains(cidr('0.0.0.0/0'), cidr('::1'))).toBe(false);
    expect(overlap(cidr('10.1.0.0/16'), cidr('10.0.0.0/8'))?.text).toBe('10.1.0.0/16');
    expect(overlap(cidr('10.1.0.0/16'), cidr('10.2.0.0/16'))).toBeUndefined();
  });
});

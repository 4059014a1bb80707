import { describe, expect, test } from '@jest/globals';
import { atLeast, worse } from '../../../core/alert/severity.ts';

describe('severity', () => {
  test('critical meets every minimum, unknown meets none above itself', () => {
    expect(atLeast('critical', 'high')).toBe(true);
    expect(atLeast('unknown', 'info')).toBe(false);
  });
  test('the worse one wins', () => {
    expect(worse('low', 'high')).toBe('high');
    expect(worse('unknown', 'info')).toBe('info');
  });
});

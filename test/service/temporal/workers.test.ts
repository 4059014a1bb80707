import { expect, test } from '@jest/globals';
import { cachedWorkflows } from '../../../service/temporal/workers.ts';

test.each([
  [2 * 1024 ** 3, 220, 120],
  [800 * 1024 ** 2, 132, 120],
  [512 * 1024 ** 2, 60, 60],
])('a cell that may use %s bytes holds %s workflows in memory, and %s of a build that runs alongside', (bytes, first, beside) => {
  expect(cachedWorkflows(bytes, 'first')).toBe(first);
  expect(cachedWorkflows(bytes, 'beside')).toBe(beside);
});

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '..', '..');
const rows = [
  ...readFileSync(join(root, 'docs', 'tuned-constants.md'), 'utf8').matchAll(/^\| `([^`]+)` \| `([^`]+)` \| `([^`]+)`/gm),
].map(([, constant = '', file = '', measuredBy = '']) => ({ constant, file, measuredBy }));

test('the page lists constants', () => {
  expect(rows.length).toBeGreaterThan(20);
});

test.each(rows)('$constant has the documented value in $file, and $measuredBy exists', ({ constant, file, measuredBy }) => {
  expect(readFileSync(join(root, file), 'utf8')).toContain(constant);
  expect(existsSync(join(root, measuredBy))).toBe(true);
});

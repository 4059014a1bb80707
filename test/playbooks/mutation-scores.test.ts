import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { playbooks } from '../../playbooks/index.ts';

const scores: Readonly<Record<string, { readonly noticed: number; readonly of: number }>> = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', 'fixtures', 'mutation-scores.json'), 'utf8'),
);
const names = [...new Set(playbooks.map(({ id }) => id.split('/').at(-1) ?? id))];

test.each(names)('nine of ten changes to %s are caught by its tests, as far as that was tried', (name) => {
  const [, score] = Object.entries(scores).find(([file]) => file.endsWith(`/${name}.ts`)) ?? [];
  // If it is missing, run `node test/playbooks/mutate.ts NAME`.
  expect(score).toBeDefined();
  expect(10 * (score?.noticed ?? 0)).toBeGreaterThanOrEqual(9 * (score?.of ?? 0));
});

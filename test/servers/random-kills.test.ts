import { expect, test } from '@jest/globals';
import { seedOf } from '../platform/e2e/parts/random.ts';
import { randomKills } from './kill-at-random.ts';

test('Firebreak and Temporal are killed at random: nothing is lost and nothing done twice', async () => {
  const seed = seedOf(process.env.FIREBREAK_E2E_SEED);
  const lines = [`random kills, seed ${seed}`];
  try {
    const report = await randomKills({ seed, seconds: 45, incidents: 12, say: (line) => lines.push(`  ${line}`) });
    lines.push(`  ${report.kills} kills`);
    expect(report.differences).toEqual([]);
    expect(report.kills).toBeGreaterThan(4);
  } finally {
    process.stdout.write(`${lines.join('\n')}\n`);
  }
});
